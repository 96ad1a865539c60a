"""What happens to an endpoint by itself or by a person's hand, between the steps of the runners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from rollout.domain.endpoint import Condition
from rollout.domain.run import Split
from tests.fakes.endpoint import Deployment, Reality, Shared, World
from tests.torture.simulation.ports import Ground
from tests.torture.simulation.scheduling import Scheduler

LONG, HOUR = 60.0, 3600.0
BAD = 0.9  # of a bad candidate's answers are errors
NAMES = ("blue", "green")
ANOTHER = "another"  # digest of a model that a person put there


class Fate:
    """The world's own doings; each returns what it did, or nothing where it could do nothing.

    Args:
        ground: The story's.
        world: The endpoint.
        chance: For the details.
    """

    def __init__(self, ground: Ground, world: World, chance: Random) -> None:
        self._ground = ground
        self._world = world
        self._chance = chance
        self.by_hand_at = float("-inf")  # when a person last touched the endpoint
        self.split_made: Split | None = None  # what a person last made of its split
        self.deeds: Mapping[str, Callable[[], str | None]] = {
            "store away": self.store_away,
            "store clock jumps": self.store_clock_jumps,
            "endpoint away": self.endpoint_away,
            "measurements away": self.measurements_away,
            "measurements mute": self.measurements_mute,
            "operation stuck": self.operation_stuck,
            "split does not land": self.split_does_not_land,
            "candidate fails": lambda: self.fails("green"),
            "baseline fails": lambda: self.fails("blue"),
            "creation doomed": self.creation_doomed,
            "candidate turns bad": self.candidate_turns_bad,
            "split by hand": self.split_by_hand,
            "deployment by hand": self.deployment_by_hand,
        }

    # --- out of reach ---

    def store_away(self) -> str:
        seconds = self._chance.uniform(1.0, LONG)
        self._ground.store_away = self._ground.scheduler.now() + seconds
        return f"the store is away for {seconds:.0f} s"

    def store_clock_jumps(self) -> str:
        most = HOUR if self._chance.random() < 0.1 else LONG
        seconds = self._chance.uniform(-most, most)
        self._ground.store_ahead += seconds
        return f"the store's clock jumps by {seconds:.0f} s"

    def endpoint_away(self) -> str:
        seconds = self._chance.uniform(1.0, LONG)
        self._world.away(seconds)
        return f"the endpoint is away for {seconds:.0f} s"

    def measurements_away(self) -> str:
        seconds = self._chance.uniform(1.0, 2 * LONG)
        self._world.break_metrics(seconds)
        return f"no measurements for {seconds:.0f} s"

    def measurements_mute(self) -> str:
        seconds = self._chance.uniform(1.0, 2 * LONG)
        self._world.mute_metrics(seconds)
        return f"nothing measured for {seconds:.0f} s"

    # --- what is under way ---

    def operation_stuck(self) -> str | None:
        seconds = self._chance.uniform(10.0, 3 * LONG)
        with self._world.change() as real:
            moving = [name for name, each in real.deployments.items() if each.doing]
            for name in moving:
                found = real.deployments[name]
                real.deployments[name] = replace(found, until=found.until + seconds)
        return f"what {' and '.join(moving)} does takes {seconds:.0f} s more" if moving else None

    def split_does_not_land(self) -> str | None:
        now = self._world.clock.now()
        with self._world.change() as real:
            kept = [each for each in real.splits if each.at <= now]
            lost = len(kept) < len(real.splits)
            real.splits = kept
        return "the split under way does not land" if lost else None

    def fails(self, name: str) -> str | None:
        with self._world.change() as real:
            found = real.deployments.get(name)
        if found is None or found.condition is Condition.DELETING:
            return None
        self._world.fail(name, "out of memory")
        with self._world.change() as real:
            real.deployments[name] = replace(real.deployments[name], doing=None)
        return f"{name} breaks down"

    def creation_doomed(self) -> str:
        self._world.doom("green", "no module named tenure")
        return "the next creation of green will fail"

    def candidate_turns_bad(self) -> str:
        self._world.behave("green", error_rate=BAD)
        return "green answers with errors from now on"

    # --- by hand ---

    def split_by_hand(self) -> str | None:
        with self._world.change() as real:
            if not _quiet(real, self._world.clock.now()):
                return None
            able = [name for name in NAMES if name in real.deployments]
            able = [name for name in able if real.deployments[name].serves]
        shares = [({name: 100}, {}) for name in able]
        if len(able) == len(NAMES):
            shares += [({"blue": 50, "green": 50}, {}), ({"blue": 100}, {"green": 20})]
        if not shares:
            return None
        traffic, mirror = self._chance.choice(shares)
        self._touch()
        self._world.by_hand(traffic, mirror)
        self.split_made = Split(traffic, mirror)
        return f"a person's split: {traffic} mirror {mirror}"

    def deployment_by_hand(self) -> str | None:
        """Delete one that nobody uses, or exchange the candidate's model."""
        with self._world.change() as real:
            if not _quiet(real, self._world.clock.now()):
                return None
            used = {**real.goal.traffic, **real.goal.mirror}
            free = [name for name, each in real.deployments.items() if not each.doing]
            unused = [name for name in free if name not in used]
            green = "green" in free and real.deployments["green"].serves
            choices = [*unused, *(["exchange"] if green else [])]
            if not choices:
                return None
            chosen = self._chance.choice(choices)
            self._touch()
            if chosen != "exchange":
                del real.deployments[chosen]
                return f"a person deletes {chosen}"
            found = real.deployments["green"]
            real.deployments["green"] = replace(found, run=None, digest=ANOTHER)
            return "a person puts another model into green"

    def _touch(self) -> None:
        self.by_hand_at = self._world.clock.now()

    # --- mended ---

    def mend(self, run_id: str, digests: Mapping[str, str], needed: Mapping[str, int]) -> None:
        """A person repairs whatever is broken, so that a run can go on or back.

        Args:
            run_id: The run.
            digests: By name, of what ought to stand there.
            needed: The split that the run goes back to.
        """
        now = self._world.clock.now()
        with self._world.change() as real:
            real.dooms.clear()
            for name in NAMES:
                found = real.deployments.get(name)
                if found is None and (name in real.goal.traffic or name in needed):
                    real.deployments[name] = Deployment(1, digest=digests[name], ready=1)
                elif found is not None and (found.error or found.digest == ANOTHER):
                    undone = {"run": run_id, "digest": digests[name]}
                    again = undone if found.digest == ANOTHER else {}
                    mended = replace(found, error="", ready=found.instances, **again)
                    real.deployments[name] = mended
            if not real.splits or not real.split(now).traffic:
                self._found(real, now, digests)
        for name in NAMES:
            self._world.behave(name, error_rate=0.0)

    def finish(self, candidate: str) -> None:
        """A person undoes what was done to a split behind the point of no return."""
        with self._world.change() as real:
            there = candidate in real.deployments and real.deployments[candidate].serves
            done = dict(real.goal.traffic) == {candidate: 100} and not real.goal.mirror
        if there and not done:
            self._touch()
            self._world.by_hand({candidate: 100})

    def _found(self, real: Reality, now: float, digests: Mapping[str, str]) -> None:
        """An endpoint that serves nobody gets its baseline by hand."""
        self._touch()
        real.exists = True
        real.deployments.setdefault("blue", Deployment(1, digest=digests["blue"], ready=1))
        real.splits.append(Shared(now, {"blue": 100}))


def _quiet(real: Reality, now: float) -> bool:
    return real.exists and real.goal.at <= now


def draw_world(scheduler: Scheduler, chance: Random) -> World:
    """An endpoint that could be anybody's, with its habits."""
    world = World(scheduler, rps=chance.choice((6.0, 12.0)), seed=chance.randrange(1 << 30))
    world.create_seconds = chance.uniform(0.5, 8.0)
    world.update_seconds = chance.uniform(0.5, 5.0)
    world.delete_seconds = chance.uniform(0.5, 5.0)
    world.split_seconds = chance.choice((0.0, 0.5, 3.0))
    if chance.random() < 0.85:
        world.serve("blue")
        if chance.random() < 0.1:
            world.stand_by("green", run=chance.choice((None, "r-0")), digest="older")
    if chance.random() < 0.25:
        world.behave("green", error_rate=chance.choice((0.2, 0.5, 0.95)))
    return world
