"""Ten minutes without metrics: what the product says and does, and what the static rules do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from benchmarks.detection import kinds, rules as gates
from benchmarks.detection.cells import ERRORS, Cell
from benchmarks.detection.engine import intervals
from benchmarks.detection.methods import static
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.traffic import Served, Traffic, counted
from benchmarks.detection.windows import metrics
from rollout.domain.decide import decide
from rollout.domain.decisions import Record
from rollout.domain.endpoint import Condition, DeploymentSeen, Seen
from rollout.domain.events import Held
from rollout.domain.plan import OnFailure, Shift, Stage
from rollout.domain.run import Run, Split, Step
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.judge import Evidence, enter, fresh, ingest, judge
from rollout.gates.rules import Rules

SILENT = (60, 660)  # seconds: from the first that cannot be read to the last
_RETRY = 10  # seconds of a broken source count as one error, as in the product's meter
CELL = Cell(ERRORS, kinds.CLEAN, 50.0, replace(kinds.HEALTHY, name="healthy, metrics outage"))


@dataclass(frozen=True, slots=True)
class Silence:
    """One trial.

    Args:
        verdicts: Every word that the product gave during the outage.
        error_after: Seconds from its beginning to the first ``error``; None: never.
        held: Whether the product decided to hold on that word.
        later: The stage's end had the run gone on: what the outage did to the evidence.
        others: The ends of the static rules.
    """

    verdicts: tuple[Verdict, ...]
    error_after: float | None
    held: bool
    later: Outcome
    others: dict[str, Outcome]


def silence(seed: int, trial: int) -> Silence:
    """A healthy candidate at 50 requests/s, error rates only."""
    traffic = counted(CELL.stream(seed, trial), CELL.kind, CELL.rps, CELL.candidate)
    rules = gates.rules(gates.ERRORS)
    evidence = enter(rules, fresh(), 0)
    for interval in takewhile(lambda one: one.end <= SILENT[0], intervals(traffic)):
        evidence = ingest(rules, evidence, interval)
    words = {
        at: judge(rules, evidence, source_errors=(at - SILENT[0]) // _RETRY)
        for at in range(SILENT[0] + 1, SILENT[1] + 1)
    }
    errors = [at for at, said in words.items() if said.verdict is Verdict.ERROR]
    unread = (float(SILENT[0]), float(SILENT[1]))
    return Silence(
        verdicts=tuple(Counter(said.verdict for said in words.values())),
        error_after=float(errors[0] - SILENT[0]) if errors else None,
        held=bool(errors) and held(words[errors[0]]),
        later=_later(rules, evidence, traffic),
        others=static(CELL, metrics(traffic.candidate, traffic.seconds, unread)),
    )


def _later(rules: Rules, evidence: Evidence, traffic: Traffic) -> Outcome:
    """The first interval afterwards covers the whole gap, as the meter's cursor has it."""
    gap = [_gap(served) for served in (traffic.candidate, traffic.baseline)]
    for at, interval in enumerate(intervals(replace(traffic, candidate=gap[0], baseline=gap[1]))):
        if SILENT[0] <= at < SILENT[1]:
            continue
        start = float(SILENT[0]) if at == SILENT[1] else interval.start
        evidence = ingest(rules, evidence, replace(interval, start=start))
        said = judge(rules, evidence).verdict
        if said is Verdict.FAIL:
            return Outcome(rolled_back=interval.end)
        if said is Verdict.PASS:
            return Outcome(promoted=interval.end)
    return Outcome()


def _gap(served: Served) -> Served:
    """What was served, with the outage's requests in the first interval after it."""
    moved = []
    for counts in (served.requests, served.errors):
        found = np.array(counts)
        found[SILENT[1]] += found[SILENT[0] : SILENT[1]].sum()
        moved.append(found)
    return Served(moved[0], moved[1])


def held(judgement: Judgement) -> bool:
    """Whether the product holds a run whose gate says so."""
    stages = (Stage("shift-10", Shift(10), "canary"),)
    split = Split({"blue": 90, "green": 10})
    run = Run(
        id="r-1",
        plan="benchmark",
        endpoint="benchmark",
        identity="",
        digest="",
        baseline="blue",
        candidate="green",
        baseline_digest="",
        candidate_digest="",
        stages=stages,
        on_failure=OnFailure(),
        on_inconclusive={},
        author="",
        started=0.0,
        since=0.0,
        captured=Split({"blue": 100}),
        expected=split,
        created=True,
        step=Step.OBSERVING,
        cursor="at",
        judgement=judgement,
    )
    there = DeploymentSeen(Condition.READY, instances=1, ready=1)
    green = replace(there, run="r-1")
    seen = Seen(True, False, {"blue": there, "green": green}, split.traffic, split.mirror)
    decision = decide(run, seen, float(SILENT[1]))
    return isinstance(decision, Record) and isinstance(decision.event, Held)
