"""The local endpoint under load, its runners killed at every mark, each at one.

Minutes long, so `make torture` alone runs it, by name: ``pytest tests/torture/local_endpoint.py``.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout import api
from rollout.domain.run import Phase
from tests.acceptance.conftest import Site, site
from tests.acceptance.test_rollouts import RPS, up

__all__ = ["site"]

ROOT = Path(__file__).parents[2]
DEATHS = Path(__file__).parent / "deaths"
EFFORT = 300  # runners until a run that is killed again and again must have ended
MARKS = {"lease", "own", "read", "intent", "call", "effect", "append", "release"}


def haunted(site: Site, plan: str, between: Callable[[], None] = lambda: None) -> int:
    """Kill a runner at every mark, until one ends by itself: its code."""
    site.more = {
        "TORTURE_DEATHS": str(site.folder),
        "PYTHONPATH": f"{DEATHS}{os.pathsep}{ROOT}",
    }
    for _ in range(EFFORT):
        runner = site.start("apply", plan, "--auto-approve")
        if runner.wait() != -signal.SIGKILL:
            return runner.returncode
        between()
    return pytest.fail(f"not over after {EFFORT} runners: {site.run()}")


def deaths(site: Site) -> set[str]:
    """The kinds of marks at which runners died, by their word."""
    points = (site.folder / "died").read_text().splitlines()
    return {point.rpartition("/")[2].split()[1] for point in points}


def doubled(site: Site) -> list[str]:
    """Orders that changed nothing, because they had been given already."""
    lines = (site.folder / "sent").read_text().splitlines()
    return [one["order"] for one in map(json.loads, lines) if not one["changed"]]


@pytest.mark.timeout(1200)
def test_promote(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", stages__1__scale__instances=3)
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        code = haunted(site, plan)
    clients.stop()

    assert code == 0, (site.folder / "runner.out").read_text()[-3000:]
    assert deaths(site) == MARKS
    assert doubled(site) == []
    assert site.run().phase is Phase.COMPLETED
    assert site.rests(plan) == ({"green": 100}, {}, {"green"})
    assert clients.failed() == []


@pytest.mark.timeout(1200)
def test_rollback(site: Site) -> None:
    plan = site.quick("plans/bad-errors-no-mirror.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        code = haunted(site, plan)
    clients.stop()

    assert code == 10, (site.folder / "runner.out").read_text()[-3000:]
    assert deaths(site) == MARKS
    assert doubled(site) == []
    assert site.run().phase is Phase.ROLLED_BACK
    assert site.rests(plan)[:2] == ({"green": 100}, {})


@pytest.mark.timeout(1200)
def test_abort(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", stages__1__scale__instances=3)
    up(site, plan)

    def abort() -> None:
        if site.stage() in ("", "over"):
            return
        run = site.run()
        if run.share and run.phase is Phase.RUNNING:
            api.abort(run.id, "enough", site.settings)

    with site.traffic(plan, RPS) as clients:
        code = haunted(site, plan, abort)
    clients.stop()

    assert code == 14, (site.folder / "runner.out").read_text()[-3000:]
    assert deaths(site) == MARKS
    assert doubled(site) == []
    assert site.run().phase is Phase.ROLLED_BACK
    assert site.rests(plan)[:2] == ({"blue": 100}, {})
    assert clients.failed() == []
