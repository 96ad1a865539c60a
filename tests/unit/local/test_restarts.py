"""How soon a dead server is started again."""

from __future__ import annotations

from rollout.adapters.endpoints.local.restarts import MOST_QUICK, SLOW_PAUSE_SECONDS, Restarts


def test_the_first_restart_is_at_once_and_later_ones_wait_longer() -> None:
    restarts, pauses = Restarts(), []
    for _ in range(MOST_QUICK):
        restarts = restarts.after_death(100.0, lived=1.0)
        pauses.append(restarts.not_before - 100.0)

    assert pauses == [0.0, 0.5, 1.0, 2.0, SLOW_PAUSE_SECONDS]
    assert restarts.looping
    assert restarts.total == MOST_QUICK


def test_a_long_life_ends_the_row() -> None:
    restarts = Restarts()
    for _ in range(MOST_QUICK - 1):
        restarts = restarts.after_death(0.0, lived=1.0)

    assert not restarts.after_death(0.0, lived=3600.0).looping
    assert not restarts.steady().after_death(0.0, lived=1.0).looping
    assert restarts.after_death(0.0, lived=1.0).looping
