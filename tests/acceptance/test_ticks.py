"""A whole rollout by a scheduled job: a shell loop of ticks on the real endpoint, killed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from rollout.domain.endpoint import PutDeployment
from rollout.domain.events import Intended, Left, OwnerTook
from tests.acceptance.conftest import ROLLOUT, Site

pytestmark = pytest.mark.timeout(600)
LOOP = """
while :; do
  {rollout} tick {plan} --auto-approve --max-wait 1s -q
  echo "code $?"
  {rollout} status -o json | grep -q '"outcome": "completed"' && exit 0
  sleep 0.5
done
"""


def test_a_loop_of_ticks_killed_at_random_ends_as_an_undisturbed_rollout(site: Site) -> None:
    plan = site.brief("plans/safe-rollout.yaml", guard={"unattended": "hold"})
    assert site.rollout("local", "up", plan).returncode == 0
    chance = random.Random(7)  # noqa: S311 - one seed, one story

    with site.traffic(plan, 50.0) as clients:
        kills = _driven(site, plan, chance)
    clients.stop()

    run = site.run()
    assert run.phase.value == "completed"
    events = [each.event for each in site.events()]
    assert clients.failed() == []
    assert sum(isinstance(each, Left) for each in events) >= 3
    assert kills
    assert any(isinstance(each, OwnerTook) and each.crashed for each in events)
    creations = [each for each in events if isinstance(each, Intended) and _creates(each)]
    assert len(creations) == 1
    assert site.rests(plan) == ({"green": 100}, {}, {"green"})


def _creates(event: Intended) -> bool:
    return isinstance(event.effect, PutDeployment)


def _driven(site: Site, plan: str, chance: random.Random) -> int:
    """Run the loop until it is done; kill a tick now and then, and once the loop itself."""
    kills = 0
    for _ in range(40):
        loop = subprocess.Popen(
            ["/bin/sh", "-c", LOOP.format(rollout=ROLLOUT, plan=plan)],
            cwd=site.folder,
            env=site.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            if loop.wait(chance.uniform(2.0, 9.0)) == 0:
                return kills
        except subprocess.TimeoutExpired:
            os.killpg(loop.pid, signal.SIGKILL)  # the loop, and whatever tick it is in
            loop.wait()
            kills += 1
    pytest.fail("the rollout does not come to its end")
