"""A store that is out of reach for a whole minute while the candidate answers users.

A minute each, so `make torture` alone runs it, by name: ``pytest tests/torture/minute.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.domain.run import Phase
from tests.torture.proxy import Proxy, proxied
from tests.torture.shell import GATE, SHIFTS, SOON, Shell
from tests.torture.stores import KINDS, Shared, shared

MINUTE = 61.0  # seconds
LONG = {"gates": {"short": {**GATE, "min_duration": "4s", "max_duration": "30m"}}}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Shared]:
    with shared(request.param) as made:
        yield made


@pytest.mark.parametrize(
    ("begin", "end"),
    [(Proxy.go_away, Proxy.come_back), (Proxy.fall_silent, Proxy.speak)],
    ids=["gone", "silent"],
)
@pytest.mark.timeout(600)
def test_a_minute_without_its_store_costs_a_rollout_a_minute(
    store: Shared, tmp_path: Path, begin: object, end: object
) -> None:
    with proxied(store.port) as proxy:
        by = store.by(proxy.here)
        user = Shell(tmp_path / "away", by.state, by.more)
        direct = Shell(tmp_path / "away", store.state, store.more)
        try:
            runner = user.apply(user.plan(SHIFTS, **LONG))
            user.wait(lambda: direct.stage() == "shift-50" and direct.run().share == 50)

            begin(proxy)
            SOON.wait(MINUTE)
            split, alive = user.world.splits[-1], runner.poll() is None
            end(proxy)

            assert alive, user.said()[-3000:]
            assert split == "blue 50 green 50"
            assert user.ended(runner) == 0, user.said()[-3000:]
            assert "it is tried again" in user.said()
            assert direct.run().phase is Phase.COMPLETED
            assert user.doubled() == []
            assert direct.rollout("verify", direct.run().id).returncode == 0
        finally:
            user.close()
            direct.close()
