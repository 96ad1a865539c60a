"""One seed, one whole rollout: real runners over fakes, in virtual time, with trouble everywhere.

First everything may happen. Then trouble stops: what was frozen goes on, a person mends what is
broken, and runners are started until the run has ended; where it rests on a person, one comes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from rollout.domain import events as e
from rollout.domain.decide import decide
from rollout.domain.decisions import Decision, Record
from rollout.domain.endpoint import Effect, Seen
from rollout.domain.errors import RolloutError
from rollout.domain.plan import Plan
from rollout.domain.run import Phase, Run, Split
from rollout.domain.unguarded import abandoned
from rollout.ports.store import Store
from rollout.runtime import drive, orders
from rollout.runtime.journal import Entry, entries, read_entry
from tests.fakes.endpoint import FakeEndpoint
from tests.fakes.store import FakeStore
from tests.simulation.model import patched
from tests.torture.simulation import invariants
from tests.torture.simulation.deeds import Fate, draw_world
from tests.torture.simulation.plans import APPROVERS, draw_plan, edited
from tests.torture.simulation.ports import Ground, UnsteadyStore
from tests.torture.simulation.runner import Company, Runner, approving
from tests.torture.simulation.scheduling import Scheduler, Task
from tests.torture.simulation.troubles import DEEDS, Troubles

LINES, ROUNDS = 60, 40  # told of a story; runners that may be needed once trouble is over
PERSON = "eve"
RETRY, ADOPT = e.RetryOrdered(PERSON, reads=True), e.ResumeOrdered(PERSON, True, reads=True)
_read = lru_cache(8)(read_entry)  # the newest entry is looked at again and again
RESCUED = 0.15  # chance in 2 s that somebody starts another runner beside frozen ones


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a story.

    Args:
        seed: It leads to the same story again.
        phase: Where the run ended.
        wrong: Broken invariants, each with its number; empty: none.
        doubled: Writes that changed nothing because they had been made already.
        stuck: It did not end.
        takeovers: How often another runner went on where one had been.
        events: Journal entries.
        seconds: Virtual time.
        log: Its last lines.
    """

    seed: int
    phase: str
    wrong: tuple[str, ...]
    doubled: int
    stuck: bool
    takeovers: int
    events: int
    seconds: float
    log: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.wrong and not self.doubled and not self.stuck


class Story:
    """A world, an endpoint, and whoever comes and goes.

    Args:
        seed: Of everything.
        troubles: What goes wrong; None: what the seed says.
        store: Where the journal is; None: in memory.
        endpoint: The endpoint's name, which no other story on this store may have.
    """

    def __init__(
        self,
        seed: int,
        troubles: Troubles | None = None,
        store: Store | None = None,
        endpoint: str = "diabetes",
    ) -> None:
        self.seed = seed
        self.chance = Random(f"{seed} story")  # noqa: S311
        drawn = draw_plan(self.chance)
        first = replace(drawn, endpoint=replace(drawn.endpoint, name=endpoint))
        self.edited = edited(Random(f"{seed} edit"), first)  # noqa: S311
        self.plans = {each.digest: each for each in (first, self.edited)}
        self.plan = first
        scheduler = Scheduler(Random(f"{seed} turns"))  # noqa: S311
        self.ground = Ground(scheduler, troubles or Troubles(seed), store or FakeStore())
        self.world = draw_world(scheduler, self.chance)
        self.fate = Fate(self.ground, self.world, Random(f"{seed} fate"))  # noqa: S311
        max_wait = self.chance.choice((None, None, None, 0.0, 5.0))
        self.company = Company(
            self.ground,
            self.world,
            Random(first.digest),  # noqa: S311
            self._written,
            self._left,
            max_wait,
        )
        self.stream = FakeEndpoint(self.plan, self.world).key
        self.late: dict[str, int] = {}
        self.doubled = 0
        self.ended_on = math.inf
        self.runners: list[Runner] = []
        self.troubled_until = self.chance.uniform(20.0, 240.0)

    # --- telling it ---

    def tell(self) -> Outcome:
        """Everything, from the first runner to the last check."""
        with self.watched():
            self._troubled()
            stuck = not self.calmed()
        if not stuck:
            self.check()
        return self.outcome(stuck=stuck)

    def outcome(self, *, stuck: bool) -> Outcome:
        """The story as it stands."""
        run, bodies = self._run(), self._bodies()
        return Outcome(
            seed=self.seed,
            phase=run.phase.value if run else "none",
            wrong=tuple(dict.fromkeys(self.ground.wrong)),
            doubled=self.doubled,
            stuck=stuck,
            takeovers=sum(each["event"]["is"] == "OwnerTook" for each in bodies),
            events=len(bodies),
            seconds=self.ground.scheduler.monotonic(),
            log=tuple(self._lines()),
        )

    def _troubled(self) -> None:
        scheduler, troubles = self.ground.scheduler, self.ground.troubles
        for kind in DEEDS:
            for at in troubles.moments(kind, self.troubled_until):
                scheduler.after(at, lambda kind=kind: self.happens(kind))
        while (
            scheduler.monotonic() < self.troubled_until and self._open() and not self.ground.spent
        ):
            self.start()
            while self.running() and scheduler.monotonic() < self.troubled_until:
                scheduler.sleep(2.0)
                if self._still() and self.chance.random() < RESCUED:
                    self.start()
            scheduler.sleep(self.chance.uniform(0.0, 5.0))

    def happens(self, kind: str) -> None:
        """One of ``DEEDS`` happens now, if it can."""
        if self.ground.troubles.calm or not self._open():
            return
        match kind:
            case "order":
                self._person(self.fate_order())
            case "approval":
                self._person(self._approval())
            case "second runner":
                self.start()
            case "runner leaves":
                self._dismiss()
            case "plan edited":
                self._dismiss()
                self.ground.scheduler.after(5.0, self._supersede)
            case _:
                what = self.fate.deeds[kind]()
                if what is not None:
                    self.ground.note(what, "world")

    def calmed(self) -> bool:
        """Whether the run ends once trouble has stopped."""
        self.ground.troubles.calm = True
        # A gate passes by the time that runners spend at its share: who only ticks takes very long.
        self.company.max_wait = None
        self.ground.note("trouble is over", "world")
        scheduler = self.ground.scheduler
        self._dismiss()
        for _ in range(ROUNDS):
            while self.running():
                scheduler.sleep(5.0)
                if self.ground.spent:
                    return False
            if not self._open():
                return True
            self._helped()
            self.start()
        return False

    # --- runners ---

    def start(self) -> Runner:
        """Another process begins, with the plan of the run that is there."""
        run = self._run()
        if run is not None:
            self.plan = self.edited if abandoned(run) else self.plans[run.digest]
        return self._starts(self.plan)

    def _supersede(self) -> None:
        """Somebody applies an edited plan in the place of the run that is open."""
        if self._open() and not self.ground.troubles.calm:
            self._starts(self.edited, supersede=True)

    def _starts(self, plan: Plan, *, supersede: bool = False) -> Runner:
        runner = self.company.start(len(self.runners) + 1, plan, supersede=supersede)
        self.runners.append(runner)
        return runner

    def _dismiss(self) -> None:
        """Everybody who runs is asked to leave."""
        for each in self.running():
            each.leaving = True

    def _still(self) -> bool:
        """Whether all who run stand still, so that somebody might start another."""
        soon = self.ground.scheduler.now() + 10.0
        return all(each.task.wake > soon for each in self.running())

    def running(self) -> list[Runner]:
        """All whose process lives."""
        return [each for each in self.runners if not each.task.ended]

    # --- persons ---

    def _person(self, order: e.Order | None) -> Task | None:
        run = self._run()
        if order is None or run is None:
            return None
        store = UnsteadyStore(self.ground)

        def give() -> None:
            try:
                orders.give(store, orders.find_run(store, run.id), order, PERSON)
                self.ground.note(f"orders {type(order).__name__}", PERSON)
            except RolloutError as error:
                self.ground.note(f"could not order: {error.what}", PERSON)

        return self.ground.scheduler.spawn(PERSON, give)

    def fate_order(self) -> e.Order:
        """Any order at any time."""
        return self.chance.choice(
            (
                e.AbortOrdered(PERSON),
                e.AbortOrdered(PERSON, keep_traffic=True),
                e.Rejected(PERSON),
                e.PauseOrdered(PERSON),
                e.ResumeOrdered(PERSON, reads=True),
                e.ResumeOrdered(PERSON, reads=True),
                ADOPT,
                RETRY,
            )
        )

    def _approval(self) -> e.Order | None:
        run = self._run()
        waiting = run is not None and approving(run)
        if run is None or run.stage is None or not waiting:
            return None
        by = self.chance.choice((*APPROVERS, "mallory"))
        digest = run.digest if self.chance.random() < 0.8 else "another plan's"
        return e.Approved(run.stage.id, digest, by, self.ground.scheduler.now())

    def _helped(self) -> None:
        """A person looks at a run that rests on one, mends the endpoint and orders something."""
        run = self._run()
        if run is None:
            return
        endpoint = FakeEndpoint(self.plan, self.world)
        digests = {"blue": endpoint.digest("baseline"), "green": endpoint.digest("candidate")}
        back = run.captured is not None and not run.committed
        self.fate.mend(run.id, digests, run.captured.traffic if run.captured and back else {})
        if run.committed:
            self.fate.finish(run.candidate)
        task = self._person(self._helpful(run))
        while task is not None and not task.ended:
            self.ground.scheduler.sleep(1.0)

    def _helpful(self, run: Run) -> e.Order | None:
        stage, lot = run.stage, self.chance.random()
        if run.phase is Phase.RUNNING and approving(run) and stage is not None:
            by = self.chance.choice(APPROVERS)
            return e.Approved(stage.id, run.digest, by, self.ground.scheduler.now())
        if run.phase is Phase.PAUSED:
            return e.ResumeOrdered(PERSON, adopt=lot < 0.3, reads=True)
        if run.phase is Phase.HELD:
            if lot < 0.3:
                return e.AbortOrdered(PERSON, keep_traffic=run.committed)
            return RETRY if lot < 0.6 else ADOPT
        return RETRY if run.phase is Phase.UNVERIFIED else None

    # --- watching ---

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Every decision of the driver is held against the invariants; no process outlives this."""
        with patched({(drive, "decide"): self._decided}):
            yield
            self.ground.scheduler.end()

    def _decided(self, run: Run, seen: Seen, now: float) -> Decision:
        decision = decide(run, seen, now)
        if (broken := invariants.wrong_step(run, seen, decision, now)) is not None:
            self.ground.breaks(broken)
        if isinstance(decision, Record) and isinstance(decision.event, e.RolledBack | e.Ended):
            name = self.ground.scheduler.current.name
            self.ended_on = next(each.looked_at for each in self.runners if each.name == name)
        return decision

    def _written(self, effect: Effect, runner: Runner) -> None:
        """A write was accepted: it is announced by its owner, or the one late call of an old one."""
        newest, epochs = self._newest(), self._epochs(runner)
        assert newest is not None
        with self.world.change() as real:
            changed = real.accepted[-1].changed
            if newest.epoch not in epochs:
                self.ground.note("(a late call)", runner.name)
                self.late[runner.name] = self.late.get(runner.name, 0) + 1
                if self.late[runner.name] > len(epochs):
                    self.ground.breaks("8 two late calls after one take-over")
                return
            broken = invariants.wrong_write(newest.state, effect, real, self.world.clock.now())
        if broken is not None:
            self.ground.breaks(broken)
        by_itself = self.fate.by_hand_at < runner.looked_at  # else a person did the same meanwhile
        by_itself = by_itself and not any(self.late.values())  # or a late call had done it
        if not changed and by_itself and not self.ground.troubles.rates["read stale"]:
            self.doubled += 1
            self.ground.note("(doubled)", runner.name)

    # --- looking at it ---

    def _bodies(self) -> list[dict]:
        return [json.loads(each.body) for each in self.ground.store.read(self.stream)]

    def _left(self, run: Run, runner: Runner) -> None:
        """A runner has just left a run that waits, as far as its plan lets it."""
        newest = self._newest()
        if newest is None or newest.by != runner.owner or not isinstance(newest.event, e.Left):
            return  # it stood still behind its entry, and others have gone on since
        with self.world.change() as real:
            broken = invariants.wrong_leave(run, runner.plan, real)
        late = bool(run.loose or run.landed or any(self.late.values()))
        knows = self.fate.by_hand_at < runner.looked_at and not runner.blind and not late
        if broken is not None and knows:
            self.ground.breaks(broken)

    def _epochs(self, runner: Runner) -> set[int]:
        """Those in which this runner was the owner."""
        return {each["epoch"] for each in self._bodies() if each["by"] == runner.owner}

    def _newest(self) -> Entry | None:
        record = self.ground.store.last(self.stream)
        return _read(record) if record else None

    def _run(self) -> Run | None:
        return newest.state if (newest := self._newest()) else None

    def _open(self) -> bool:
        if (run := self._run()) is None or not run.final:
            return True
        return (run.unaudited and not run.leftover) or abandoned(run)

    def check(self) -> None:
        """Hold the journal and the endpoint against what must be when a run is over."""
        story = list(entries(self.ground.store, self.stream))
        ids = dict.fromkeys(each.state.id for each in story)
        for run_id in ids:
            own = [each for each in story if each.state.id == run_id]
            for broken in invariants.wrong_story(own, self.plans[own[0].state.digest]):
                self.ground.breaks(broken)
        run = story[-1].state
        looked = max((each.looked_at for each in self.runners), default=0.0)
        if self.fate.by_hand_at >= looked:
            return
        now = self.world.clock.now()
        with self.world.change() as real:
            theirs = real.split(now) if self.fate.by_hand_at >= self.ended_on else None
            broken = invariants.wrong_end(run, real, now)
        if theirs is not None and Split(theirs.traffic, theirs.mirror) == self.fate.split_made:
            return  # a person's own, made behind the look on which the run ended: that stays
        if broken is not None:
            self.ground.breaks(broken)

    def _lines(self) -> Iterator[str]:
        for at, who, what in self.ground.log[-LINES:]:
            yield f"{at:8.1f}  {who:10} {what}"
