"""Who measures an endpoint in Azure, and how far behind."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.metering import Meter, metering_findings, read_meter
from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import Metering

ID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("metering", "meter"),
    [
        (Metering(), Meter("azure_monitor", None, 120)),
        (Metering("azure_monitor", {"delay": "30s"}), Meter("azure_monitor", None, 30)),
        (Metering("", {"workspace": ID}), Meter("log_analytics", ID, 600)),
        (
            Metering("log_analytics", {"workspace": ID, "delay": "5m"}),
            Meter("log_analytics", ID, 300),
        ),
    ],
    ids=["default", "monitor", "by-its-workspace", "log"],
)
def test_a_workspace_makes_the_traffic_log_the_meter(metering: Metering, meter: Meter) -> None:
    assert read_meter(metering) == meter


@pytest.mark.parametrize(
    ("metering", "path"),
    [
        (Metering("local"), ("provider",)),
        (Metering("log_analytics"), ()),
        (Metering("log_analytics", {"workspace": "my-workspace"}), ("workspace",)),
        (Metering("azure_monitor", {"workspace": ID}), ("workspace",)),
    ],
    ids=["local", "no-workspace", "name", "not-its-own"],
)
def test_a_meter_that_cannot_be_is_found_at_its_place(
    metering: Metering, path: tuple[str, ...]
) -> None:
    assert [found[0] for found in metering_findings(metering)] == [path]
    with pytest.raises(EndpointRefused, match=r"metrics"):
        read_meter(metering)
