"""SIGKILL at every mark: the runner that comes next ends the run as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rollout.domain.run import Phase, Why
from tests.torture.ending import End, end
from tests.torture.place import fresh
from tests.torture.row import Row
from tests.torture.runner_process import ENDED
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import Pool, Wish

FIRST_CALL = 8  # the mark behind a new owner's first call; killed before it, no stage gets on
CAUGHT_UP = 10  # the mark at which one has read up what was measured, and appends what follows
EFFORT = 60  # processes until a run that is killed again and again must have ended
SLOWER = 30.0  # virtual seconds that a take-over may cost


@dataclass(frozen=True)
class Kill:
    """What came of a run whose runner was killed at one mark; None: it ended as it must."""

    at: int
    label: str
    wrong: str = ""
    doubled: int = 0
    stuck: bool = False


@dataclass(frozen=True)
class Sweep:
    """Kills at every ``every``-th mark of a scenario on one store, beginning with ``first``."""

    pool: Pool
    root: Path
    scenario: str
    state: str = ""
    every: int = 1
    first: int = 1

    def kills(self) -> Iterator[Kill]:
        """One after the other, as many at once as there are servers."""
        calm = fresh(self.root / "calm", SCENARIOS[self.scenario], self.state)
        with self.pool.taken() as server:
            told = server.run(Wish(str(calm), self.scenario, self.state))
        undisturbed = end(calm, self.state)
        if undisturbed.run.phase is not SCENARIOS[self.scenario].ends:
            yield Kill(0, "undisturbed", wrong=f"{undisturbed.run.phase.value}: {told}")
            return
        labels = told["labels"]
        marks = range(self.first, len(labels) + 1, self.every)
        with ThreadPoolExecutor(len(self.pool.servers)) as threads:
            for at, found in threads.map(self._killed, marks):
                yield _judged(at, labels[at - 1], found, undisturbed)

    def _killed(self, at: int) -> tuple[int, End | str]:
        folder = fresh(self.root / str(at), SCENARIOS[self.scenario], self.state)
        with self.pool.taken() as server:
            first = server.run(Wish(str(folder), self.scenario, self.state, kill_at=at))
            if first != {"signal": signal.SIGKILL}:
                return at, f"was not killed: {first}"
            second = server.run(Wish(str(folder), self.scenario, self.state))
        if second.get("status") != ENDED or "error" in second:
            return at, f"the second did not end: {second}"
        return at, end(folder, self.state)


def _judged(at: int, label: str, found: End | str, undisturbed: End) -> Kill:
    if isinstance(found, str):
        return Kill(at, label, stuck=True, wrong=found)
    wrong = "; ".join(found.wrongs())
    if found.outcome != undisturbed.outcome:
        wrong = f"{found.outcome} instead of {undisturbed.outcome}; {wrong}"
    if found.seconds > undisturbed.seconds + SLOWER:
        wrong = f"{found.seconds} s instead of {undisturbed.seconds} s; {wrong}"
    return Kill(at, label, wrong, len(found.doubled))


def sweep(wanted: Sweep, name: str) -> Row:
    """A whole sweep as a row."""
    kills = list(wanted.kills())
    bad = [each for each in kills if each.wrong or each.doubled or each.stuck]
    return Row(
        name=name,
        runs=len(kills),
        wrong=sum(bool(each.wrong) and not each.stuck for each in kills),
        doubled=sum(each.doubled for each in kills),
        stuck=sum(each.stuck for each in kills),
        note=f"mark {bad[0].at} ({bad[0].label}): {bad[0].wrong}" if bad else "",
    )


def haunted(pool: Pool, root: Path, scenario: str, every: int, state: str = "") -> Row:
    """Each runner is killed at its ``every``-th mark: the run must end all the same.

    As undisturbed, or by going back from a deadly plan: where no runner lives to send a call it must,
    where none lives to do more than read up what was measured it may.
    """
    calm = fresh(root / "calm", SCENARIOS[scenario], state)
    folder = fresh(root / "haunted", SCENARIOS[scenario], state)
    with pool.taken() as server:
        server.run(Wish(str(calm), scenario, state))
        wish = Wish(str(folder), scenario, state, kill_at=every)
        runners = next((n for n in range(1, EFFORT + 1) if "status" in server.run(wish)), None)
    if runners is None:
        return Row(scenario, 1, stuck=1, note=f"not over after {EFFORT} runners")
    found = end(folder, state)
    wrong = [*found.wrongs()]
    cause = found.run.cause
    poisoned = cause is not None and cause.why is Why.POISON
    deadly = poisoned and found.run.phase is Phase.ROLLED_BACK and found.splits[-1] == "blue 100"
    calmly = found.outcome == end(calm, state).outcome
    as_meant = deadly if every < FIRST_CALL else calmly or (deadly and every < CAUGHT_UP)
    if not as_meant:
        wrong.append(f"{found.outcome}")
    note = "; ".join(wrong) or f"{runners} runners"
    return Row(scenario, 1, wrong=bool(wrong), doubled=len(found.doubled), note=note)
