"""A run's evidence once more: every verdict recomputed from the intervals that the journal holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.endpoint import Seen, SetSplit
from rollout.domain.measure import Interval
from rollout.domain.plan import Plan
from rollout.gates.evidence import opened
from rollout.gates.judge import fresh, ingest, judge
from rollout.gates.rules import Rules, compile_rules
from rollout.runtime.journal import Entry
from rollout.runtime.meter import entered
from rollout.runtime.upcast import known as known_to


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An entry of the journal that its own evidence does not lead to.

    Args:
        seq: Its place in the stream.
        what: A sentence.
    """

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found.

    Args:
        entries: Events looked at.
        verdicts: Judgements recomputed.
        intervals: Intervals that went into them.
        head: SHA-256 of the last entry: two copies of a journal agree where this agrees.
        mismatches: Empty: every state and every verdict follows, bit for bit.
    """

    entries: int
    verdicts: int
    intervals: int
    head: str
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """What an endpoint says of its journal.

    Args:
        head: The digest of the entry that last changed it; empty: it says none.
        seq: That entry's place in the journal; None: it is not there.
        exists: Whether there is an endpoint.
        wrote: The newest entry that ordered a split which was read back later; None: there is
            none, so that the endpoint need not name one.
    """

    head: str
    seq: int | None
    exists: bool = True
    wrote: int | None = None

    @property
    def missing(self) -> bool:
        """Whether the journal lacks its end, or the endpoint is not the one that it drove."""
        names = self.exists and self.seq is not None
        return not names and (bool(self.head) or self.wrote is not None)


def place(seen: Seen, story: Iterable[Entry]) -> Placed:
    """Find the entry that an endpoint names in its journal."""
    seq = ordered = wrote = None
    for each in story:
        if seen.head and each.digest == seen.head:
            seq = each.seq
        match each.event:
            # Every kind of endpoint keeps the head with its split; version 1 told it none.
            case e.Intended(SetSplit()) if each.version > 1:
                ordered = each.seq
            case e.EffectFailed():
                ordered = None
            case e.SetPointReached() | e.RolledBack():
                wrote = wrote if ordered is None else ordered
            case _:
                continue
    return Placed(seen.head, seq, seen.exists, wrote)


def replay(story: Iterable[Entry], plan: Plan) -> Replay:
    """Recompute a run's states, evidence and verdicts.

    Args:
        story: Every event of the run, oldest first, its hash chain checked.
        plan: As the run was started with it.

    Raises:
        RolloutError: another version judged the run.
    """
    known = tuple(story)
    for each in known:
        if each.state.evidence:
            opened(each.state.evidence)
    found = [*_states(known), *_verdicts(known, plan)]
    measured = [each.event for each in known if isinstance(each.event, e.Measured)]
    return Replay(
        entries=len(known),
        verdicts=len(measured),
        intervals=sum(len(each.intervals) for each in measured),
        head=known[-1].digest if known else "",
        mismatches=tuple(sorted(found, key=lambda each: each.seq)),
    )


def _states(story: tuple[Entry, ...]) -> Iterator[Mismatch]:
    """Every state is the fold of what came before, as far as its writer's version knew it."""
    for before, entry in pairwise(story):
        after = advance(before.state, entry.event, entry.at)
        if entry.state == after:
            continue
        if known_to(entry.state, entry.version) != known_to(after, entry.version):
            yield Mismatch(entry.seq, "the state does not follow from the event")


def _verdicts(story: tuple[Entry, ...], plan: Plan) -> Iterator[Mismatch]:
    """Every judgement follows from its intervals, and every interval counts once."""
    rules, evidence, until = compile_rules(plan), fresh(), float("-inf")
    for before, entry in pairwise(story):
        match entry.event:
            case e.ObservationBegan(_, kept):
                # Without evidence before: the first one, or a new attempt of a failed stage. An
                # estimate from before the run is taken as it is.
                known = evidence if before.state.evidence else fresh()
                known = {**known, "phi": kept["phi"]} if "phi" in kept else known
                evidence = entered(rules, known, entry.state)
                if _plain(evidence) != kept:
                    yield Mismatch(entry.seq, "the evidence at the stage's beginning differs")
            case e.Measured() as measured:
                if any(each.start < until for each in measured.intervals):
                    yield Mismatch(entry.seq, "an interval was counted twice")
                until = max([until, *(each.end for each in measured.intervals)])
                for interval in measured.intervals:
                    evidence = ingest(rules, evidence, interval)
                yield from _judged(rules, evidence, entry.seq, measured)
            case _:
                continue


def _judged(
    rules: Rules, evidence: Mapping[str, object], seq: int, measured: e.Measured
) -> Iterator[Mismatch]:
    said = measured.judgement
    if _plain(evidence) != measured.evidence:
        yield Mismatch(seq, "the evidence does not follow from the intervals")
    elif judge(rules, evidence, source_errors=measured.source_errors) != said:
        yield Mismatch(seq, f"the verdict {said.verdict.value} differs")


def _plain(evidence: object) -> object:
    """As the journal's JSON reads back."""
    return json.loads(json.dumps(evidence))


def intervals_of(story: Iterable[Entry]) -> Iterator[Interval]:
    """Every measured interval of a run, oldest first."""
    for entry in story:
        if isinstance(entry.event, e.Measured):
            yield from entry.event.intervals
