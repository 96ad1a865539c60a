"""Criteria read as the plan has them; other criteria have another key."""

import pytest

from rollout.domain.criteria import Check
from rollout.domain.units import Allowance
from rollout.gates.criteria import key, spell, spell_seconds
from rollout.gates.rules import compile_rules
from tests.unit.gates.traffic import ERRORS, ERRORS_MAX, SLOW, SLOW_MAX, plan


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (ERRORS, "tolerance 0.1pp, margin 0.5pp"),
        (SLOW, "tolerance 10 %, margin 20 %"),
        (ERRORS_MAX, "at most 2 %"),
        (SLOW_MAX, "at most 800ms"),
        (Check("latency", 0.5, maximum=1.5), "at most 1.5s"),
        (Check("error_rate", tolerance=Allowance(1.5)), "tolerance 50 %"),
        (
            Check("error_rate", tolerance=Allowance(), margin=Allowance(2, 0.01)),
            "tolerance 0pp, margin 100 % + 1pp",
        ),
        (
            Check("latency", 0.9, tolerance=Allowance(), margin=Allowance(1.05)),
            "tolerance 0 %, margin 5 %",
        ),
    ],
)
def test_criteria_read_as_in_the_plan(check, text):
    assert spell(check) == text


def test_seconds_have_three_digits():
    shown = [spell_seconds(value) for value in (0.00012, 0.0999, 0.9994, 0.9996, 12.34)]

    assert shown == ["0.12ms", "99.9ms", "999ms", "1s", "12.3s"]


def test_every_difference_makes_another_key():
    checks = [
        ERRORS,
        SLOW,
        ERRORS_MAX,
        SLOW_MAX,
        Check("error_rate", maximum=0.01),
        Check("latency", 0.95, maximum=0.8),
        Check("latency", 0.99, tolerance=SLOW.tolerance, margin=SLOW.margin),
        Check("error_rate", tolerance=ERRORS.tolerance, margin=Allowance(1.1, 0.005)),
        Check("error_rate", tolerance=Allowance(1.1, 0.001), margin=ERRORS.margin),
    ]

    assert len({key(check) for check in checks}) == len(checks)


def test_a_check_without_tolerance_never_fails_and_one_without_margin_passes_at_its_tolerance():
    lenient = Check("error_rate", margin=Allowance(points=0.005))
    strict = Check("latency", 0.95, tolerance=Allowance(1.1))

    tail = Check("latency", 0.99, margin=Allowance(1.5))
    first, second, third = compile_rules(plan(lenient, strict, tail)).stages[0].checks

    assert first.failing is third.failing is None
    assert (second.failing.shift, second.passing.shift) == (5, 4)
    with pytest.raises(ValueError, match="neither"):
        compile_rules(plan(Check("error_rate")))
