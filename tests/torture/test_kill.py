"""A runner that is killed at any point, in real processes on a real store: another one finishes.

Time is virtual and shared through a file, so that a run is the same each time and none waits.
"""

from __future__ import annotations

import pytest

from tests.torture.kills import Sweep, haunted, sweep

THREE = ("promote", "rollback", "abort")


@pytest.mark.parametrize("scenario", THREE)
def test_a_killed_run_ends_as_an_undisturbed_one(servers, place, scenario):
    row = sweep(Sweep(servers, place, scenario), scenario)

    assert row.clean, row
    assert row.runs > 70


@pytest.mark.parametrize("every", [8, 13])
@pytest.mark.parametrize("scenario", THREE)
def test_a_run_whose_runners_are_killed_all_the_time_still_ends(servers, place, scenario, every):
    row = haunted(servers, place, scenario, every)

    assert row.clean, row
