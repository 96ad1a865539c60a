"""The pre-check that a Prometheus has what the gates need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rollout.adapters.metrics.prometheus import counters
from rollout.adapters.metrics.prometheus.counters import EDGE_LABEL, Scraped, Scrapes
from rollout.adapters.metrics.prometheus.metering import Meter
from rollout.domain.criteria import Check
from rollout.domain.measure import Arm
from rollout.domain.units import spell_duration
from rollout.gates import coarse
from rollout.ports.doctor import UNLOOKED
from rollout.ports.endpoint import Finding

NAME: Final = "metrics arrive"
EDGES: Final = "latency edges"


def findings(
    deployment: str,
    meter: Meter,
    scraped: Scraped,
    known: Scrapes,
    arm: Arm,
    checks: Iterable[Check],
) -> tuple[Finding, ...]:
    """Whether there is what the gates need, each a sentence; with what to do if not.

    Args:
        deployment: The baseline.
        meter: As the plan has it.
        scraped: The baseline's series of the last minutes.
        known: When its targets were scraped.
        arm: What they counted.
        checks: Of the plan's gates.
    """
    where = f"Prometheus at {meter.address}"
    if not scraped.requests:
        text = (
            f"{UNLOOKED}{where} has no series of metrics.requests for '{deployment}'. Either it "
            "was never asked, or the selector names other counters; then every gate ends "
            f"inconclusive. Look at it there: {meter.requests}"
        )
        return (Finding(NAME, True, text),)
    if bad := _unusable(scraped, meter):
        return (Finding(NAME, False, bad),)
    gaps = [gap for times in known.values() if (gap := counters.spacing(times)) is not None]
    every = f", scraped every {spell_duration(max(1.0, round(max(gaps))))}" if gaps else ""
    text = f"{where} counted {arm.requests:,} requests of '{deployment}' lately{every}."
    coarse_edges = " ".join(coarse.findings(checks, arm.edges, arm.latency or {}))
    edges = (Finding(EDGES, True, coarse_edges),) if coarse_edges else ()
    return (Finding(NAME, True, text), *edges)


def _unusable(scraped: Scraped, meter: Meter) -> str:
    """What makes the series of latency useless; empty: nothing."""
    if not meter.latency or not scraped.latency:
        return ""
    if any(EDGE_LABEL in each.labels for each in scraped.latency):
        return ""
    if any(each.native for each in scraped.latency):
        return (
            "metrics.latency names native histograms, which this version does not read. "
            "Let Prometheus keep the classic ones as well (always_scrape_classic_histograms) and "
            "name their _bucket series."
        )
    return (
        f"The series of metrics.latency have no label {EDGE_LABEL}, so they are no histogram's. "
        "Name those that end in _bucket."
    )
