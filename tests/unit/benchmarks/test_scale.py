"""The benchmark of many open rollouts: it measures what it says, and judges what is promised."""

from __future__ import annotations

import pytest

from benchmarks.scale import memory
from benchmarks.scale.__main__ import Place, cell, judged


def grown(power: float, raw: float = 0.0) -> dict[int, dict[str, float]]:
    """Costs that grow with such powers of the number."""
    return {n: {"waiting": n**power, "raw": n**raw if raw else 0.0} for n in (10, 100, 1000)}


@pytest.mark.parametrize(
    "place",
    [
        lambda folder: Place(f"sqlite:///{folder}/journal.db", {}),
        lambda _: Place(memory.url(1), {}),
    ],
    ids=["sqlite", "memory"],
)
def test_a_pass_over_waiting_rollouts_is_measured_on_a_real_store(place, tmp_path, capsys):
    found = cell(place(tmp_path), 5, 6, 2)

    assert found["waiting"] > 0.0
    assert found["due"] > 0.0
    assert found["raw"] == 0.0
    assert capsys.readouterr().out.split()[0] == "5"


@pytest.mark.parametrize(
    ("costs", "broken"),
    [
        (grown(1.0), []),
        (grown(1.3), ["a pass grows with the power 1.30"]),
        (grown(1.3, raw=1.3), []),
        (grown(1.5, raw=1.2), ["a pass grows with the power 1.30"]),
    ],
    ids=["linear", "steep", "steep as the service", "steeper than the service"],
)
def test_growth_is_judged_in_units_of_the_bare_driver(costs, broken, capsys):
    assert list(judged("azurite", costs)) == broken


def test_a_thousand_on_sqlite_take_five_seconds_at_most(capsys):
    slow = {n: {"waiting": n / 100.0, "raw": 0.0} for n in (100, 1000)}

    assert list(judged("sqlite", slow)) == ["a pass over 1,000 takes 10.0 s"]
