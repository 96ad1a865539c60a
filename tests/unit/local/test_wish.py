"""The wish for answers lapses by itself, and outlives an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.adapters.endpoints.local.wish import LONGEST_SECONDS, RENEW_SECONDS, Wish
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture.json"


def test_nobody_wishes_at_first(path: Path, clock: FakeClock) -> None:
    assert Wish(path, clock).until() == 0


def test_a_wish_lapses_unless_it_is_renewed(path: Path, clock: FakeClock) -> None:
    wish, began = Wish(path, clock), clock.now()

    for _ in range(10):
        wish.renew(LONGEST_SECONDS)
        clock.sleep(RENEW_SECONDS)
        assert wish.until() >= clock.now()
    clock.sleep(LONGEST_SECONDS - RENEW_SECONDS)

    assert wish.until() == 0
    assert clock.now() > began + 3 * LONGEST_SECONDS


def test_nobody_can_wish_for_longer_than_a_minute(path: Path, clock: FakeClock) -> None:
    wish = Wish(path, clock)

    wish.renew(10**6)

    assert 0 <= wish.until() - clock.now() <= LONGEST_SECONDS + 1


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_wish_is_taken_back(path: Path, clock: FakeClock, seconds: float) -> None:
    wish = Wish(path, clock)
    wish.renew(30)

    wish.renew(seconds)

    assert wish.until() == Wish(path, clock).until() == 0


def test_the_next_engine_goes_on_with_the_wish(path: Path, clock: FakeClock) -> None:
    wish = Wish(path, clock)
    wish.renew(30)

    assert Wish(path, clock).until() == wish.until() > 0
    clock.sleep(30)
    assert Wish(path, clock).until() == 0


def test_a_clock_that_was_set_back_ends_the_wish(path: Path) -> None:
    Wish(path, FakeClock(5_000.0)).renew(60)

    assert Wish(path, FakeClock(1_000.0)).until() == 0
