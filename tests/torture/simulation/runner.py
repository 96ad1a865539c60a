"""A runner as a task: what ``rollout apply`` does, until it leaves, breaks off or is killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from rollout.domain.endpoint import Effect
from rollout.domain.errors import RolloutError
from rollout.domain.events import Left
from rollout.domain.plan import Approve, Plan
from rollout.domain.run import Phase, Run, Step
from rollout.ports.observer import Appended, Notice
from rollout.runtime import begin
from rollout.runtime.begin import Course
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Before, Owner
from rollout.runtime.runner import Runner as Process
from tests.fakes.endpoint import World
from tests.torture.simulation.ports import Ground, UnsteadyEndpoint, UnsteadyStore
from tests.torture.simulation.scheduling import LocalClock, Task

HOSTS = ("here", "there")

Watch = Callable[[Effect, "Runner"], None]
Leave = Callable[[Run, "Runner"], None]


class Runner:
    """One process; ``leaving`` asks it to go in good order.

    Args:
        number: Its name.
        company: Where it belongs.
        chance: For what kind of machine it is on.
        plan: What it drives.
        supersede: Whether the plan takes the place of another one's open run.
    """

    task: Task

    def __init__(
        self, number: int, company: Company, chance: Random, plan: Plan, *, supersede: bool
    ) -> None:
        self.plan = plan
        self._supersede = supersede
        self.name = f"runner {number}"
        self.leaving = False
        self.owner = ""
        self._company = company
        self._host = chance.choice(HOSTS)
        self._ahead = chance.choice((0.0, 0.0, -3600.0, 3600.0))
        self._number = number
        self._endpoint: UnsteadyEndpoint | None = None

    @property
    def looked_at(self) -> float:
        """When it looked at the endpoint last, Unix seconds."""
        return self._endpoint.observed_at if self._endpoint else 0.0

    @property
    def blind(self) -> bool:
        """Whether it could not look when it tried last."""
        return self._endpoint is None or self._endpoint.blind

    def live(self) -> None:
        """From the lease to the end."""
        ground = self._company.ground
        try:
            run = self._apply()
        except RolloutError as error:
            ground.note(f"leaves: {error.what}")
        except Exception as error:  # noqa: BLE001 - a traceback would be a defect of the product
            ground.breaks(f"a runner broke: {error!r}")
        else:
            ground.note(f"leaves the run {run.phase.value}")

    def _apply(self) -> Run:
        company, plan = self._company, self.plan
        clock = LocalClock(company.ground.scheduler, self._ahead)
        store = UnsteadyStore(company.ground)
        endpoint = UnsteadyEndpoint(plan, company.world, company.ground, self.name, self._wrote)
        self._endpoint = endpoint
        owner = Owner({"user": "ada", "host": self._host, "pid": self._number}, self._surely_dead)
        self.owner = owner.name
        company.ground.note(f"starts on {self._host}")
        process = Process(
            plan, endpoint, store, clock, owner, self, self._stops, max_wait=company.max_wait
        )

        def own(journal: Journal, before: Before) -> Course:
            run = journal.refresh()
            standing = begin.stand(plan, endpoint, run, supersede=self._supersede)
            if standing.course is not Course.NOTHING:
                begin.own(plan, endpoint, journal, standing, "ada", before)
            return standing.course

        return process.run(own)[0]

    def _wrote(self, effect: Effect, _: str) -> None:
        self._company.watch(effect, self)

    def _surely_dead(self, identity: Mapping[str, object]) -> bool:
        """One of this very machine whose process is gone."""
        if identity["host"] != self._host:
            return False
        return self._company.gone(identity["pid"])

    def _stops(self, run: Run) -> bool:
        if self._company.ground.troubles.calm and rests(run):
            return True
        return self.leaving

    def saw(self, notice: Notice) -> None:
        """As an observer: what became durable is part of the story."""
        if isinstance(notice, Appended):
            self._company.ground.note(f"appends {spelled(notice)}")
            if isinstance(notice.event, Left) and notice.event.on:
                self._company.left(notice.run, self)


class Company:
    """All runners of a story.

    Args:
        ground: The story's.
        world: The endpoint.
        lots: Of their machines.
        watch: Told of each write that the endpoint accepts.
        left: Told when one leaves a run that waits.
        max_wait: Seconds, as ``rollout apply`` has it; 0 is a tick; None: they stay. It may change.
    """

    def __init__(
        self,
        ground: Ground,
        world: World,
        lots: Random,
        watch: Watch,
        left: Leave,
        max_wait: float | None,
    ) -> None:
        self.ground = ground
        self.world = world
        self.watch = watch
        self.left = left
        self.max_wait = max_wait
        self._tasks: dict[int, Task] = {}
        self._chance = lots

    def start(self, number: int, plan: Plan, *, supersede: bool = False) -> Runner:
        """A new process of that number."""
        runner = Runner(number, self, self._chance, plan, supersede=supersede)
        runner.task = self.ground.scheduler.spawn(runner.name, runner.live)
        self._tasks[number] = runner.task
        return runner

    def gone(self, number: object) -> bool:
        """Whether that process does not live any more."""
        task = self._tasks.get(int(str(number)))
        return task is None or task.ended or task.killed


def rests(run: Run) -> bool:
    """Whether only a person can move it, or a guard goes on for as long as nobody does."""
    return run.phase in (Phase.HELD, Phase.PAUSED, Phase.UNVERIFIED) or approving(run)


def approving(run: Run) -> bool:
    """Whether the run waits for people to approve."""
    stage = run.stage
    if stage is None or not isinstance(stage.work, Approve) or run.step is not Step.OBSERVING:
        return False
    given = {each.by for each in run.approvals if each.stage == stage.id}
    counting = given & set(stage.work.by) if stage.work.by else given
    return run.phase in (Phase.RUNNING, Phase.PAUSED) and len(counting) < stage.work.count


def spelled(notice: Appended) -> str:
    """An event in a few words."""
    event = notice.event
    cause = getattr(event, "cause", None)
    said = getattr(event, "judgement", None)
    more = f"{cause.why.value}: {cause.text}" if cause else said.verdict.value if said else ""
    where = getattr(event, "stage", "") or getattr(event, "effect", "")
    return " ".join(filter(None, (type(event).__name__, str(where), more)))
