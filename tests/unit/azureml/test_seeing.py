"""What Azure reports, and when a split is believed."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.seeing import (
    CONFIRM_SECONDS,
    WRITTEN_SECONDS,
    Confirmed,
    condition,
)
from rollout.domain.endpoint import Condition
from rollout.domain.run import Split

OLD, NEW, ODD = Split({"blue": 100}), Split({"blue": 90, "green": 10}), Split({"green": 100})


def hear(confirmed: Confirmed, *heard: tuple[float, Split]) -> list[bool]:
    return [confirmed.hears(split, at) for at, split in heard]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Creating", Condition.CREATING),
        ("Updating", Condition.UPDATING),
        ("Scaling", Condition.UPDATING),
        ("Deleting", Condition.DELETING),
        ("Succeeded", Condition.READY),
        ("Failed", Condition.FAILED),
        ("Canceled", Condition.FAILED),
        ("Reticulating", Condition.UPDATING),
        (None, Condition.UPDATING),
    ],
)
def test_a_state_that_nobody_knows_is_waited_for(state, expected):
    assert condition(state) is expected


def test_the_first_split_is_believed_at_the_second_read():
    assert hear(Confirmed(), (0.0, OLD), (CONFIRM_SECONDS, OLD)) == [False, True]


def test_two_reads_in_the_same_moment_are_one():
    assert hear(Confirmed(), (0.0, OLD), (0.1, OLD), (CONFIRM_SECONDS, OLD)) == [
        False,
        False,
        True,
    ]


def test_a_single_odd_read_is_not_believed():
    confirmed = Confirmed(OLD)

    assert hear(confirmed, (0.0, OLD), (2.0, NEW), (4.0, OLD), (6.0, NEW), (8.0, OLD)) == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_a_change_by_hand_is_believed_at_the_second_read():
    assert hear(Confirmed(OLD), (0.0, ODD), (2.0, ODD), (4.0, ODD)) == [False, True, True]


def test_a_write_is_waited_for_while_reads_are_stale():
    confirmed = Confirmed(OLD)
    confirmed.write(NEW, 0.0)

    found = hear(
        confirmed, (2.0, OLD), (4.0, OLD), (6.0, NEW), (8.0, OLD), (10.0, NEW), (12.0, NEW)
    )

    assert found == [False, False, False, False, False, True]
    assert confirmed.believed == NEW


def test_a_write_that_never_reads_back_is_given_up():
    confirmed = Confirmed(OLD)
    confirmed.write(NEW, 0.0)

    late = WRITTEN_SECONDS
    assert hear(confirmed, (late - 1, OLD), (late, OLD), (late + 2, OLD)) == [False, False, True]


def test_the_time_to_read_back_begins_when_the_operation_has_ended():
    confirmed = Confirmed(OLD)
    confirmed.write(NEW, 0.0)

    confirmed.hears(OLD, 10 * WRITTEN_SECONDS, moving=True)

    assert hear(confirmed, (10 * WRITTEN_SECONDS + 2, OLD)) == [False]


def test_a_write_that_failed_is_not_waited_for():
    confirmed = Confirmed(OLD)
    confirmed.write(NEW, 0.0)
    confirmed.forget()

    assert hear(confirmed, (2.0, OLD)) == [True]
