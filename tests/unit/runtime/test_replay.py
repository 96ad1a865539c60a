"""A replay recomputes every verdict, and notices whatever does not follow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.advance import advance
from rollout.domain.errors import RolloutError
from rollout.domain.measure import Arm, Interval
from rollout.domain.run import Step
from rollout.domain.verdict import Verdict
from rollout.gates.judge import enter, fresh, ingest, judge
from rollout.gates.rules import compile_rules
from rollout.runtime.journal import Entry
from rollout.runtime.replay import intervals_of, replay
from rollout.stats import grid
from tests.unit.runtime.values import PLAN, run

AT = next(at for at, stage in enumerate(PLAN.stages) if stage.id == "canary")


def plain(evidence: object) -> dict:
    return json.loads(json.dumps(evidence))


def story() -> list[Entry]:
    """A stage that observes three intervals."""
    rules = compile_rules(PLAN)
    evidence = enter(rules, fresh(), AT)
    events: list[e.Event] = [e.ObservationBegan("c0", plain(evidence))]
    for at in range(3):
        arms = {"baseline": Arm(90), "candidate": Arm(10, at)}
        interval = Interval(float(at), at + 1.0, arms)
        evidence = ingest(rules, evidence, interval)
        said = judge(rules, evidence)
        events.append(e.Measured((interval,), f"c{at + 1}", plain(evidence), said))
    state = run(at=AT, step=Step.OBSERVING)
    found = [Entry(0, 0.0, 1, "ada", e.RunStarted(state, ""), state, "d0", "")]
    for seq, event in enumerate(events, 1):
        state = advance(state, event, float(seq))
        found.append(Entry(seq, float(seq), 1, "ada", event, state, f"d{seq}", f"d{seq - 1}"))
    return found


def test_a_run_that_follows_from_its_evidence_is_verified() -> None:
    found = replay(story(), PLAN)

    assert found.mismatches == ()
    assert (found.entries, found.verdicts, found.intervals, found.head) == (5, 3, 3, "d4")


def with_event(at: int, **changes: object) -> list[Entry]:
    entries = story()
    event = replace(entries[at].event, **changes)  # type: ignore[type-var]
    state = advance(entries[at - 1].state, event, entries[at].at)
    entries[at] = replace(entries[at], event=event, state=state)
    return entries


def said(at: int) -> e.Measured:
    event = story()[at].event
    assert isinstance(event, e.Measured)
    return event


@pytest.mark.parametrize(
    ("entries", "seq", "what"),
    [
        (
            with_event(3, judgement=replace(said(3).judgement, verdict=Verdict.PASS)),
            3,
            "the verdict pass differs",
        ),
        (
            with_event(3, judgement=replace(said(3).judgement, evidence=1e-9)),
            3,
            "the verdict running differs",
        ),
        (
            with_event(2, intervals=(Interval(0.0, 1.0, {"candidate": Arm(10, 9)}),)),
            2,
            "the evidence does not follow from the intervals",
        ),
        (
            with_event(3, intervals=(*said(2).intervals, *said(3).intervals)),
            3,
            "an interval was counted twice",
        ),
        (
            with_event(1, evidence={**story()[1].event.evidence, "last": 5.0}),  # type: ignore[union-attr]
            1,
            "the evidence at the stage's beginning differs",
        ),
    ],
    ids=["verdict", "number", "interval", "twice", "beginning"],
)
def test_what_does_not_follow_is_named_with_its_place(
    entries: list[Entry], seq: int, what: str
) -> None:
    found = replay(entries, PLAN)

    assert (seq, what) in [(each.seq, each.what) for each in found.mismatches]


def test_a_state_that_does_not_follow_is_named() -> None:
    entries = story()
    entries[-1] = replace(entries[-1], state=replace(entries[-1].state, at=0))

    assert [each.what for each in replay(entries, PLAN).mismatches] == [
        "the state does not follow from the event"
    ]


def test_a_run_that_another_version_judged_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(grid, "GRID_ID", "24a")
        entries = story()

    with pytest.raises(RolloutError, match="another version"):
        replay(entries, PLAN)


def test_the_intervals_of_a_run_come_in_order() -> None:
    assert [each.start for each in intervals_of(story())] == [0.0, 1.0, 2.0]
