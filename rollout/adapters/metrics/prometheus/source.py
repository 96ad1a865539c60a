"""Measurements of one plan's deployments, read from a Prometheus server, closed ones only.

Between ticks Prometheus goes on scraping, so what nobody watched is read later, piece by piece. A
piece ends only where every target that is still scraped has a scrape in it: what two pods counted
over different times must not be compared.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from rollout.adapters.metrics.prometheus import apart, arriving, checking, counters
from rollout.adapters.metrics.prometheus.client import Client
from rollout.adapters.metrics.prometheus.counters import (
    Layers,
    Scraped,
    Scrapes,
    Series,
    Span,
)
from rollout.adapters.metrics.prometheus.metering import Meter, rhythm, selector
from rollout.domain.criteria import Check
from rollout.domain.errors import EndpointRefused
from rollout.domain.measure import Arm, Interval
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.endpoint import Finding, Reading

LONGEST: Final = 600.0  # seconds that one reading covers at most
LOOK_BACK: Final = (
    300.0  # seconds; what was not scraped for longer is gone, as in Prometheus itself
)
_MISSED = 2.5  # times the usual time between scrapes: then a target is not waited for
_ONE_SCRAPE = 90.0  # seconds that a target is waited for of which one scrape is known
_PRECISION = 1000.0  # a cursor and Prometheus know milliseconds


class _Cursor(NamedTuple):
    """Where a reading begins.

    Args:
        begin: Requests before it are of another time, and are never counted.
        until: Up to where was read, Unix seconds.
    """

    begin: float
    until: float

    def __str__(self) -> str:
        return f"{self.begin:.3f}/{self.until:.3f}"

    @staticmethod
    def parse(text: str) -> _Cursor:
        try:
            begin, until = map(float, text.split("/"))
        except ValueError as error:
            raise EndpointRefused(
                f"Measurements stand at {text!r}, which is no time of Prometheus: another source "
                "of metrics wrote it.",
                do="Give the plan the source back with which the stage began, or abort: rollout abort",
            ) from error
        return _Cursor(begin, until)


class Source:
    """Reads one Prometheus for one plan.

    Args:
        meter: Where it is, and which counters are the endpoint's.
        names: ``baseline`` and ``candidate`` -> the deployment's name.
        client: Asks it.
    """

    def __init__(self, meter: Meter, names: Mapping[str, str], client: Client) -> None:
        self._meter = meter
        self._names = names
        self._client = client
        self.pace = rhythm(meter.delay)
        self.lag = meter.delay + 2 * self.pace

    def cursor(self, moment: float) -> str:
        """Where measurements stand: a reading from here sees only what begins at ``moment`` or later."""
        at = math.ceil(moment * _PRECISION) / _PRECISION
        return str(_Cursor(at, at))

    def read(self, cursor: str, *, moment: float, mirrored: bool) -> Reading:
        """What was closed since ``cursor``.

        Args:
            cursor: From ``cursor()`` or an earlier reading.
            moment: The present, Unix seconds.
            mirrored: The candidate's arm holds mirrored copies (``${traffic}`` is ``shadow``).

        Returns:
            No interval while not every target has been scraped anew; no samples are not the same
            as no requests.
        """
        begin, until = _Cursor.parse(cursor)
        limit = until + LONGEST
        end = math.floor(min(moment - self._meter.delay, limit) * _PRECISION) / _PRECISION
        if end <= until:
            return Reading(cursor, None)
        scraped = self._scraped(tuple(self._names), until - LOOK_BACK, end, mirrored=mirrored)
        known = counters.scrapes(each for arm in scraped.values() for each in arm.every)
        if not any(_within(times, until, end) for times in known.groups):
            # Behind a whole piece without a scrape there may be more; what it had is lost.
            return Reading(str(_Cursor(begin, end)) if end >= limit else cursor, None)
        separate = apart.are_apart(scraped, known)
        whole = apart.end_of(scraped, known, end, _patience) if separate else end
        if whole <= until or (end < limit and not _closed(known, until, whole)):
            return Reading(str(_Cursor(begin, end)) if end >= limit else cursor, None)
        end = whole
        span = Span(begin, until, end)
        arms, starts = {}, [until]
        for role, arm in scraped.items():
            arms[role], first = self._arm(arm, known, span)
            starts.append(first)
        steady = True
        if separate:
            base = apart.careful(scraped[BASELINE], known, span, min(starts), arms[BASELINE])
            arms[BASELINE], steady = base or arms[BASELINE], base is None
        # What was asked between a target's scrapes is in it, also a little from before ``until``.
        since = min(starts)
        return Reading(
            str(_Cursor(begin, end)),
            Interval(until, end, arms, steady=steady),
            lost=_lost(scraped.values(), known, begin, until),
            since=since if since < until else None,
        )

    def history(self, *, moment: float, seconds: float, batch: float) -> tuple[Arm, ...]:
        """What the baseline answered lately, in batches, oldest first; see ``Endpoint.history``.

        What was counted between two scrapes is in the batch of the later one. There are no
        latencies: for a forecast the edges of others are too coarse.
        """
        end = moment - self._meter.delay
        count = math.floor(seconds / batch)
        start = end - count * batch
        arm = self._scraped((BASELINE,), start - LOOK_BACK, end, timed=False)[BASELINE]
        known = counters.scrapes(arm.every)
        requests, errors = (
            _by_batch(series, known, start, batch) for series in (arm.requests, arm.errors)
        )
        found = [_counts(requests[at], errors[at]) for at in range(count)]
        first = next((at for at, each in enumerate(found) if each.requests), count)
        return tuple(found[first:])

    def arrives(self, checks: Iterable[Check], *, moment: float) -> tuple[Finding, ...]:
        """The pre-checks that measurements arrive, and that latency's edges are fine enough.

        Args:
            checks: Of the plan's gates.
            moment: The present, Unix seconds.
        """
        end = moment - self._meter.delay
        scraped = self._scraped((BASELINE,), end - LOOK_BACK, end)[BASELINE]
        known = counters.scrapes(scraped.every)
        arm, _ = self._arm(scraped, known, Span(-math.inf, end - LOOK_BACK, end))
        name = self._names[BASELINE]
        found = arriving.findings(name, self._meter, scraped, known, arm, checks)
        return (*found, *arriving.clocks(self._client.told, moment))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _scraped(
        self,
        roles: Sequence[str],
        start: float,
        end: float,
        *,
        mirrored: bool = False,
        timed: bool = True,
    ) -> dict[str, Scraped]:
        """All series of these roles."""
        meter = self._meter
        texts = (meter.requests, meter.errors, meter.latency if timed else "")
        queries = [
            selector(text, deployment=self._names[role], mirrored=mirrored and role == CANDIDATE)
            for role in roles
            for text in texts
        ]
        found = self._client.answers(queries, start=start, end=end)
        size = len(texts)
        arms = {role: Scraped(*found[at * size : (at + 1) * size]) for at, role in enumerate(roles)}
        checking.refuse_twice(arms)
        return arms

    def _arm(self, scraped: Scraped, known: Scrapes, span: Span) -> tuple[Arm, float]:
        """What a deployment answered in a span, and since when what is counted was asked."""
        requests, first = _sum(scraped.requests, known, span)
        errors, also = _sum(scraped.errors, known, span)
        found = counters.layers(scraped.latency, self._meter.unit)
        latency = _latency(found, known, span) if found.edges else None
        edges = found.edges if latency is not None else ()
        return replace(_counts(requests, errors), latency=latency, edges=edges), min(first, also)


def _counts(requests: float, errors: float) -> Arm:
    """Whole requests. Of two counters one may be ahead by what was answered while they were read."""
    return Arm(max(round(requests), round(errors)), round(errors))


def _by_batch(
    series: Iterable[Series], known: Scrapes, start: float, batch: float
) -> Mapping[int, float]:
    """What counters grew by in batches from ``start`` on; a step is in the one in which it ends."""
    found: defaultdict[int, float] = defaultdict(float)
    for each in series:
        for step in counters.steps(each, known):
            found[math.ceil((step.at - start) / batch) - 1] += step.growth
    return found


def _sum(series: Iterable[Series], known: Scrapes, span: Span) -> tuple[float, float]:
    total, first = 0.0, math.inf
    for each in series:
        for step in counters.steps(each, known):
            if span.holds(step.before, step.at):
                total += step.growth
                first = min(first, step.before)
    return total, first


def _latency(found: Layers, known: Scrapes, span: Span) -> dict[int, int]:
    total: defaultdict[int, int] = defaultdict(int)
    for before, at, grown in counters.increases(found, known):
        if span.holds(before, at):
            for number, count in grown.items():
                total[number] += count
    return dict(sorted(total.items()))


def _within(times: Sequence[float], start: float, end: float) -> bool:
    return any(start < at <= end for at in times)


def _closed(known: Scrapes, until: float, end: float) -> bool:
    """Whether every target that is still scraped was scraped since ``until``."""
    return not any(
        end - times[-1] < _patience(times)
        for times in known.groups
        if not _within(times, until, end)
    )


def _patience(times: Sequence[float]) -> float:
    usual = counters.spacing(times)
    return _ONE_SCRAPE if usual is None else _MISSED * usual


def _lost(arms: Iterable[Scraped], known: Scrapes, begin: float, until: float) -> str:
    """Why requests right behind ``until`` are in no measurement; empty: they are in this one.

    That is so where all that an arm has was scraped again only after the look-back. Of a stage that
    has just begun, the scrape in which it began is left out.
    """
    since = until - LOOK_BACK
    if begin >= since:
        return ""
    for arm in arms:
        groups = {known.places[each.key] for each in arm.every if each.samples}
        behind = [known.groups[at] for at in groups if known.groups[at][-1] > until]
        if behind and not any(_within(times, since, until) for times in behind):
            return "Prometheus has no samples of the time before it"
    return ""
