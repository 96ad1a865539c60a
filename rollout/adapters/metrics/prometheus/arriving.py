"""The pre-check that a Prometheus has what the gates need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rollout.adapters.metrics.prometheus import counters
from rollout.adapters.metrics.prometheus.counters import EDGE_LABEL, Scraped, Scrapes
from rollout.adapters.metrics.prometheus.metering import Meter, selector
from rollout.domain.criteria import Check
from rollout.domain.measure import Arm
from rollout.domain.units import spell_duration
from rollout.gates import coarse
from rollout.ports.doctor import UNLOOKED
from rollout.ports.endpoint import Finding

NAME: Final = "metrics arrive"
EDGES: Final = "latency edges"
ERRORS: Final = "errors arrive"
_SKEW = 10.0  # seconds; an answer may take a while, and a header tells whole seconds


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
            f"{UNLOOKED}{where} has no series of metrics.requests for '{deployment}'. Either it was "
            "never asked, or its targets cannot be scraped (look at /targets there), or the selector "
            "names other counters; then every gate ends inconclusive. "
            f"Ask it: {_selector(meter.requests, deployment)}"
        )
        return (Finding(NAME, True, text),)
    if bad := _unusable(scraped, meter, deployment, asked=arm.requests > 0):
        return (Finding(NAME, False, bad),)
    gaps = [gap for times in known.groups if (gap := counters.spacing(times)) is not None]
    every = f", scraped every {spell_duration(max(1.0, round(max(gaps))))}" if gaps else ""
    text = f"{where} counted {arm.requests:,} requests of '{deployment}' lately{every}."
    found = [Finding(NAME, True, text)]
    if not scraped.errors:
        text = (
            f"{UNLOOKED}{where} has no series of metrics.errors for '{deployment}'. Either nothing "
            "has failed so far, or the selector names other counters; then no failure is ever seen. "
            f"Ask it: {_selector(meter.errors, deployment)}"
        )
        found.append(Finding(ERRORS, True, text))
    if told := " ".join(coarse.findings(checks, arm.edges, arm.latency or {})):
        found.append(Finding(EDGES, True, told))
    return tuple(found)


def clocks(theirs: float | None, ours: float) -> tuple[Finding, ...]:
    """Whether Prometheus' clock and this machine's agree; both Unix seconds, None: it told no time."""
    ahead = 0.0 if theirs is None else ours - theirs
    if abs(ahead) <= _SKEW:
        return ()
    way = "ahead of" if ahead > 0 else "behind"
    text = (
        f"This machine's clock is {spell_duration(round(abs(ahead)))} {way} Prometheus': what was asked "
        "before a stage would count for it, or the other way round. Set both, by NTP at best."
    )
    return (Finding("clock", False, text),)


def _selector(text: str, deployment: str) -> str:
    return selector(text, deployment=deployment, mirrored=False)


def _unusable(scraped: Scraped, meter: Meter, deployment: str, *, asked: bool) -> str:
    """What makes the series useless; empty: nothing."""
    for what, series in (("requests", scraped.requests), ("errors", scraped.errors)):
        for label in (EDGE_LABEL, "quantile"):
            if len({each.labels.get(label) for each in series}) > 1:
                return (
                    f"The series of metrics.{what} differ in the label {label}, so they count a "
                    "request more than once. Name the counter, as http_requests_total is one."
                )
    return _untimed(scraped, meter, deployment, asked=asked)


def _untimed(scraped: Scraped, meter: Meter, deployment: str, *, asked: bool) -> str:
    """What makes the series of latency useless; empty: nothing."""
    if not meter.latency or any(EDGE_LABEL in each.labels for each in scraped.latency):
        return ""
    if not scraped.latency:
        return (
            ""
            if not asked
            else (
                f"There is no series of metrics.latency for '{deployment}', though it was asked. "
                f"Correct the selector, or remove it: {_selector(meter.latency, deployment)}"
            )
        )
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
