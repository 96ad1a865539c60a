"""Answers become counts: by the plan's own rules, each pair once, with an example of each kind."""

from __future__ import annotations

from dataclasses import replace

from rollout.domain.answers import CompareRule, Difference, Said
from rollout.domain.criteria import Check, Custom, Gate
from rollout.domain.measure import Arm, Interval
from rollout.domain.units import Allowance
from rollout.ports.endpoint import Reading
from rollout.ports.probes import Asked
from rollout.runtime.hearing import KEPT, LABELS, OTHER_TEXT, Hearing, Interest, Silence
from tests.unit.runtime.values import ERRORS, PLAN

RULES = (CompareRule("$[*]", rel_tolerance=0.01),)
AGREE = Check("response_agreement", maximum=0.01)
EXACT = replace(AGREE, compare=RULES)
DRIFT = Check("prediction_drift", path="$[0]", tolerance=Allowance(points=0.02))
SURE = Custom("sure", "ratio", "$[0]", above=0.5)
ARMS = {"baseline": Arm(9), "candidate": Arm(1)}


def plan(*checks: Check, customs: tuple[Custom, ...] = ()):
    return replace(PLAN, gates={"canary": Gate("canary", checks)}, customs=customs)


def said(body: str, status: int = 200) -> Said:
    return Said(status, body.encode(), "application/json")


class Probes(Silence):
    def __init__(self, *asked: Asked) -> None:
        self.asked = asked

    def take(self) -> tuple[Asked, ...]:
        found, self.asked = self.asked, ()
        return found


def test_a_plan_without_such_checks_wants_no_answers() -> None:
    assert not Interest.of(plan(ERRORS)).anything


def test_each_comparison_prediction_and_metric_is_asked_for_once() -> None:
    interest = Interest.of(
        plan(AGREE, EXACT, AGREE, DRIFT, Check("sure", kind="ratio"), customs=(SURE,))
    )

    assert list(interest.comparisons.values()) == [(), RULES]
    assert interest.predictions == ("$[0]",)
    assert interest.customs == (SURE,)


def test_pairs_are_compared_by_each_set_of_rules() -> None:
    hearing = Hearing(Interest.of(plan(AGREE, EXACT)))
    pairs = ((said("[1.0]"), said("[1.5]")), (said("[1.0]"), said('["1"]')))

    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS), pairs=pairs))

    by_structure, by_value = interval.agreement.values()
    assert (by_structure.compared, by_structure.differing) == (2, 1)
    assert (by_value.compared, by_value.differing) == (2, 2)


def test_an_example_of_each_kind_is_kept_once_and_shortened() -> None:
    hearing = Hearing(Interest.of(plan(AGREE)), examples=1)
    long = said('["' + "x" * 5000 + '"]')
    pairs = ((said("[1.0]"), long), (said("[1.0]"), said("[]")))

    hearing.hear(Reading("c", Interval(0, 1, ARMS), pairs=pairs))
    (found,) = hearing.fresh_examples()

    assert found.difference == Difference("$[*]", "type", "1.0", found.difference.candidate)
    assert found.baseline == "200 [1.0]"
    assert len(found.candidate) < KEPT + 20
    assert hearing.fresh_examples() == ()


def test_answers_become_labels_and_sums_of_their_arm() -> None:
    hearing = Hearing(Interest.of(plan(DRIFT, Check("sure", kind="ratio"), customs=(SURE,))))
    heard = {"baseline": (said("[0.9]"), said("[0.1]")), "candidate": (said('["cat"]'),)}

    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS), said=heard))

    assert sum(interval.arms["baseline"].outputs["$[0]"].values()) == 2
    assert interval.arms["candidate"].outputs == {"$[0]": {"=cat": 1}}
    assert (
        interval.arms["baseline"].sums["sure"].count,
        interval.arms["baseline"].sums["sure"].total,
    ) == (2, 1)


def test_a_second_answer_of_the_baseline_tells_its_own_noise() -> None:
    asked = [
        Asked(said("[1]"), said("[]"), said("[]")),
        Asked(said("[1]"), said("[]"), said("[1]")),
    ]
    hearing = Hearing(Interest.of(plan(AGREE)), Probes(*asked), noise=True)

    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS)))

    (found,) = interval.agreement.values()
    assert (found.compared, found.differing, found.noisy, found.only_candidate) == (2, 2, 1, 1)


def test_pairs_without_a_second_answer_are_not_compared_where_noise_is_told_apart() -> None:
    twice = Asked(said("[1]"), said("[1]"), said("[1]"))
    hearing = Hearing(Interest.of(plan(AGREE)), Probes(twice), noise=True)
    mirrored = ((said("[1]"), said("[]")),)

    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS), pairs=mirrored))

    (found,) = interval.agreement.values()
    assert (found.compared, found.differing, found.noisy) == (1, 0, 0)


def test_free_text_is_one_label_beyond_the_first_and_the_short() -> None:
    hearing = Hearing(Interest.of(plan(DRIFT)))
    texts = [*(f"class {at}" for at in range(LABELS + 5)), "a name that is longer than labels are"]
    heard = {"candidate": tuple(said(f'["{text}"]') for text in texts)}

    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS), said=heard))

    outputs = interval.arms["candidate"].outputs["$[0]"]
    assert outputs["=class 0"] == 1
    assert outputs[OTHER_TEXT] == 6
    assert len(outputs) == LABELS + 1


def test_probes_wait_for_the_next_interval_that_closes() -> None:
    hearing = Hearing(Interest.of(plan(AGREE)), Probes(Asked(said("[1]"), said("[]"))))

    assert hearing.hear(Reading("c", None)) is None
    interval = hearing.hear(Reading("c", Interval(0, 1, ARMS)))

    (found,) = interval.agreement.values()
    assert found.differing == 1
