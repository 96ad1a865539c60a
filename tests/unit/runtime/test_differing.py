"""What differs, by kind: the most frequent first, with the example that was kept."""

from __future__ import annotations

from rollout.domain import events as e
from rollout.domain.answers import Difference, Example
from rollout.domain.measure import Agreement, Interval
from rollout.domain.verdict import Judgement, Verdict
from rollout.runtime.differing import diff_of
from rollout.runtime.journal import Entry
from tests.unit.runtime.values import run

SHADOW = Judgement("shadow", Verdict.RUNNING, "")


def entry(event: e.Event) -> Entry:
    return Entry(0, 0.0, 1, "ada", event, run(at=5), "", "")


def measured(*found: Agreement) -> Entry:
    intervals = tuple(Interval(at, at + 1, {}, {"": each}) for at, each in enumerate(found))
    return entry(e.Measured(intervals, "c", {}, SHADOW))


def test_groups_are_counted_over_all_intervals() -> None:
    kept = Example(Difference("$[*]", "type", "1", "null"), "200 [1]", "200 [null]")
    story = [
        measured(Agreement(10, 2, fields={"$[*] type": 2})),
        entry(e.AnswersDiffered("mirror", (kept,))),
        measured(
            Agreement(10, 4, fields={"$[*] type": 3, "$.id value": 4, "(other)": 1}),
            Agreement(5, 0),
        ),
    ]

    found = diff_of(story)

    assert (found.compared, found.differing) == (25, 6)
    assert [(each.path, each.kind, each.pairs) for each in found.groups] == [
        ("$[*]", "type", 5),
        ("$.id", "value", 4),
        ("(other)", "", 1),
    ]
    assert found.groups[0].example == kept
    assert found.groups[0].stages == ("mirror",)


def test_several_comparisons_of_the_same_pairs_count_them_once() -> None:
    both = {
        "": Agreement(10, 1, fields={"$ type": 1}),
        "$[*] rel": Agreement(10, 3, fields={"$[*] value": 3}),
    }

    found = diff_of([entry(e.Measured((Interval(0, 1, {}, both),), "c", {}, SHADOW))])

    assert (found.compared, found.differing) == (10, 3)


def test_a_run_without_comparisons_has_nothing_to_show() -> None:
    assert diff_of([measured()]) == diff_of([])
