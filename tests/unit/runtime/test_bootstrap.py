"""A baseline that does not come up without a run says where its log is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import OnFailure
from rollout.runtime.bootstrap import bootstrap
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.unit.runtime.values import PLAN


def test_a_baseline_that_fails_is_told_with_the_plan_at_hand() -> None:
    clock = FakeClock()
    world = World(clock)
    world.doom("blue", "no memory")
    plan = replace(PLAN, file="my plan.yaml", on_failure=OnFailure())

    with pytest.raises(EndpointRefused, match="no memory") as told:
        bootstrap(plan, FakeEndpoint(plan, world), clock, lambda _: None)

    assert told.value.do == "Read its log: rollout logs blue 'my plan.yaml'"
