"""Whole rollouts with trouble everywhere, each from a seed; ``make torture`` tells many more.

A seed that breaks a promise: ``python -m tests.torture.simulation --seed N --shortest``.
"""

from __future__ import annotations

import re

import pytest

from tests.torture.simulation.campaign import campaign, told

SEEDS = 25  # a test


@pytest.mark.parametrize("first", range(0, 8 * SEEDS, SEEDS))
def test_no_trouble_in_any_order_breaks_a_promise(first: int) -> None:
    tally = campaign(first, SEEDS, processes=1)

    assert tally.unclean == []
    assert tally.takeovers > SEEDS


def test_a_seed_tells_the_same_story_each_time() -> None:
    once, again = ("\n".join(told(3).log) for _ in range(2))

    assert without_ids(once) == without_ids(again)


def without_ids(text: str) -> str:
    return re.sub(r"r-[0-9a-f]{8}|[0-9a-f]{64}", "", text)
