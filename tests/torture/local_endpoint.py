"""The local endpoint under load, its runner killed after each entry of the journal.

Minutes long, so `make torture` alone runs it, by name: ``pytest tests/torture/local_endpoint.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rollout import api
from rollout.domain.events import OwnerTook, RunStarted
from rollout.domain.run import Phase
from tests.acceptance.conftest import Site, site
from tests.acceptance.test_rollouts import RPS, up

__all__ = ["site"]

EFFORT = 200  # runners until a run that is killed again and again must have ended
PAUSE = 0.01  # seconds between two looks at the journal


def entries(place: Site) -> int:
    """How much was written by runners that got on."""
    try:
        story = place.events()
    except api.RolloutError:
        return 0
    return sum(not isinstance(each.event, OwnerTook | RunStarted) for each in story)


def haunted(place: Site, plan: str, between: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Kill the runner after each entry, until one ends by itself: its code, and how many died."""
    known = 0
    for died in range(EFFORT):
        runner = place.start("apply", plan, "--auto-approve")
        while runner.poll() is None and entries(place) <= known:
            time.sleep(PAUSE)  # noqa: TID251 - for a real process
        if runner.poll() is not None:
            return runner.returncode, died
        runner.kill()
        runner.wait()
        known = entries(place)
        between()
    return pytest.fail(f"not over after {EFFORT} runners: {place.run()}")


@pytest.mark.timeout(1200)
def test_a_good_candidate_is_promoted_without_a_failed_request(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", stages__1__scale__instances=3)
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        code, died = haunted(site, plan)
    clients.stop()

    assert code == 0, (site.folder / "runner.out").read_text()[-3000:]
    assert died > len(site.run().stages)
    assert site.run().phase is Phase.COMPLETED
    assert site.rests(plan) == ({"green": 100}, {}, {"green"})
    assert clients.failed() == []


@pytest.mark.timeout(1200)
def test_a_bad_candidate_is_rolled_back(site: Site) -> None:
    plan = site.quick("plans/bad-errors-no-mirror.yaml")
    up(site, plan)

    with site.traffic(plan, RPS) as clients:
        code, died = haunted(site, plan)
    clients.stop()

    assert code == 10, (site.folder / "runner.out").read_text()[-3000:]
    assert died > 5
    assert site.run().phase is Phase.ROLLED_BACK
    assert site.rests(plan)[:2] == ({"blue": 100}, {})


@pytest.mark.timeout(1200)
def test_an_aborted_run_goes_back_without_a_failed_request(site: Site) -> None:
    plan = site.quick("plans/safe-rollout.yaml", stages__1__scale__instances=3)
    up(site, plan)

    def abort() -> None:
        run = site.run()
        if run.share and run.phase is Phase.RUNNING:
            api.abort(run.id, "enough", site.settings)

    with site.traffic(plan, RPS) as clients:
        code, _ = haunted(site, plan, abort)
    clients.stop()

    assert code == 14, (site.folder / "runner.out").read_text()[-3000:]
    assert site.run().phase is Phase.ROLLED_BACK
    assert site.rests(plan)[:2] == ({"blue": 100}, {})
    assert clients.failed() == []
