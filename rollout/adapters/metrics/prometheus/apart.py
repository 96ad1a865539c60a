"""Deployments that are scraped apart, as pods are: what both met must not look like one's own.

An outage that both share falls into one step of the baseline and into one of the candidate, and these
end at different times, so that it may be counted for the one in this reading and for the other in
the next. Compared as they are, a healthy candidate would look as if it had failed alone.

So a reading ends where all of the baseline was scraped: then everything that the candidate's steps
cover is known of the baseline, in its steps of this reading or in those beside it. Where its failures
come in a burst, those beside are counted as well, which only argues for the candidate; and for a pass
such a reading says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Final, NamedTuple

from rollout.adapters.metrics.prometheus import counters
from rollout.adapters.metrics.prometheus.counters import Scraped, Scrapes, Span, Step
from rollout.domain.measure import Arm
from rollout.domain.roles import BASELINE, CANDIDATE

_SIGNS: Final = 3.0  # standard errors, and failures, above which a burst is none of chance


Patience = Callable[[Sequence[float]], float]


class Failures(NamedTuple):
    """Failed requests among all, of some steps of the baseline."""

    errors: float
    requests: float


def are_apart(arms: Mapping[str, Scraped], known: Scrapes) -> bool:
    """Whether no scrape has both arms."""
    baseline, candidate = (_groups(arms.get(role), known) for role in (BASELINE, CANDIDATE))
    return bool(baseline and candidate) and not baseline & candidate


def end_of(arms: Mapping[str, Scraped], known: Scrapes, end: float, patience: Patience) -> float:
    """Up to when all of the baseline is known: the last scrape of its target that lags most.

    Args:
        arms: By role.
        known: When they were scraped.
        end: Unix seconds; what was scraped later is not looked at.
        patience: Of a target's scrapes, seconds without one after which it is taken to be gone.
    """
    groups = [known.groups[each] for each in _groups(arms.get(BASELINE), known)]
    lasts = [
        max((at for at in times if at <= end), default=-math.inf)
        for times in groups
        if end - times[-1] < patience(times)
    ]
    return min(lasts, default=end)


def careful(scraped: Scraped, known: Scrapes, own: Span, since: float, baseline: Arm) -> Arm | None:
    """The baseline as it may be compared where its failures come in a burst; None: they do not.

    Args:
        scraped: The baseline's series.
        known: When they were scraped.
        own: Of the reading.
        since: When the candidate's first step began; the baseline's steps from then on count.
        baseline: What the reading has of it.
    """
    parts = {part: [0.0, 0.0] for part in ("own", "beside", "earlier")}
    for at, series in enumerate((scraped.errors, scraped.requests)):
        for each in series:
            for step in counters.steps(each, known):
                parts[_part(step, own, since)][at] += step.growth
    found = {part: Failures(*counts) for part, counts in parts.items()}
    if not any(_bursts(*both) for both in permutations(found.values(), 2)):
        return None
    errors = baseline.errors + round(found["beside"].errors)
    return replace(baseline, errors=min(baseline.requests, errors))


def _part(step: Step, own: Span, since: float) -> str:
    """Where a step belongs: to the reading, beside it, or before it."""
    if own.start < step.at <= own.end:
        return "own"
    return "beside" if step.at > since and step.before < own.end else "earlier"


def _bursts(some: Failures, other: Failures) -> bool:
    """Whether some failed more often than the others, by more than chance: two rates compared."""
    if not some.requests or not other.requests:
        return False
    rate = (some.errors + other.errors) / (some.requests + other.requests)
    # Of some.errors less what the others' rate would make of as many requests.
    spread = math.sqrt(rate * some.requests * (1.0 + some.requests / other.requests))
    expected = some.requests * other.errors / other.requests
    return some.errors > expected + _SIGNS * spread + _SIGNS


def _groups(scraped: Scraped | None, known: Scrapes) -> set[int]:
    every = () if scraped is None else scraped.every
    return {known.places[each.key] for each in every if each.samples}
