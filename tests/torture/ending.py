"""How a tortured rollout ended, and what must hold of every end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.run import Run
from rollout.runtime.journal import Entry, entries
from tests.torture.place import VIRTUAL, opened


@dataclass(frozen=True)
class End:
    """How a scenario ended; ``outcome`` is without what differs each time."""

    run: Run
    story: list[Entry]
    writes: list[str]
    splits: list[str]
    deployments: dict[str, int]
    doubled: list[str]
    seconds: float

    @property
    def outcome(self) -> tuple[object, ...]:
        """What must be the same, whoever was killed when."""
        done = [each.id for each in self.run.done]
        why = self.run.cause.why if self.run.cause else None
        return self.run.phase, why, done, self.writes, self.splits, self.deployments

    @property
    def place(self) -> tuple[object, ...]:
        """What must be the same although calls came late: the endpoint as it stands."""
        return self.run.phase, self.splits[-1], self.deployments

    def wrongs(self) -> Iterator[str]:
        """What does not hold that must hold for every journal."""
        if len({each.state.id for each in self.story}) != 1:
            yield "more than one run"
        until = 0.0
        for before, after in pairwise(self.story):
            if after.epoch not in (before.epoch, before.epoch + 1):
                yield f"{after.seq}: the epoch jumps"
            if after.at < before.at:
                yield f"{after.seq}: time goes back"
            if after.state != advance(before.state, after.event, after.at):
                yield f"{after.seq}: the state does not follow from the event"
            for each in after.event.intervals if isinstance(after.event, e.Measured) else ():
                if not until <= each.start < each.end:
                    yield f"{after.seq}: an interval counts twice"
                until = each.end


def end(folder: Path, state: str = "", time: str = VIRTUAL) -> End:
    """How it stands in a place."""
    with opened(folder, state, time) as made:
        story = list(entries(made.store, made.stream))
        with made.world.change() as real:
            began = real.splits[0].at
            deployments = {name: each.instances for name, each in real.deployments.items()}
        accepted = made.world.accepted
        return End(
            run=story[-1].state,
            story=story,
            writes=made.world.writes,
            splits=made.world.splits,
            deployments=deployments,
            doubled=[f"{each.op} {each.arg}" for each in accepted if not each.changed],
            seconds=made.clock.now() - began,
        )
