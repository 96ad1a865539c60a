"""What is known about a baseline before a rollout, and where each number comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from statistics import NormalDist

from rollout.domain.measure import GROWTH, NEVER, bucket_of, edge
from rollout.gates.sides import Kind
from rollout.stats import drift, histogram as histograms

ERROR_RATE = 0.005  # of a baseline that nobody has measured
SPREAD = 0.5  # of the logarithm of its latency
MEAN_SPREAD = 0.5  # standard deviation of a custom mean's values over the mean
ASSUMED = {
    Kind.DRIFT: f"{drift.PARTS} classes of predictions, each as frequent (assumed)",
    Kind.MEAN: f"values of means that spread by {MEAN_SPREAD} of the mean (assumed)",
}
_MIDDLE = 0.1  # seconds; only ratios of latency matter where it is assumed
_WEIGHT = 1_000_000  # of the whole assumed histogram
_FAR = 5.0  # standard deviations


class Basis(Enum):
    """What a number rests on."""

    OBSERVED = "observed"
    STATED = "stated"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it rests on.

    Args:
        value: The number.
        basis: Whether it was seen, said or assumed.
        where: Where exactly, in words: ``the last 42m``.
    """

    value: float
    basis: Basis
    where: str = ""


def lognormal(spread: float) -> Mapping[int, int]:
    """A latency histogram as a lognormal law has it; its place means nothing.

    Args:
        spread: Standard deviation of the logarithm.

    Returns:
        Bucket -> weight.
    """
    normal, step = NormalDist(), math.log(GROWTH) / spread
    middle, reach = bucket_of(_MIDDLE), math.ceil(_FAR / step)
    below = [normal.cdf(at * step) for at in range(-reach - 1, reach + 1)]
    shares = zip(range(middle - reach, middle + reach + 1), below, below[1:], strict=False)
    found = {bucket: round(_WEIGHT * (high - low)) for bucket, low, high in shares}
    return {bucket: weight for bucket, weight in found.items() if weight}


@dataclass(frozen=True, slots=True)
class Measuring:
    """How measurements come.

    Args:
        pace: Seconds of the shortest interval.
        lag: Seconds that they lie behind the present.
        published: Latency comes as a few percentiles of each interval, not as counts.
    """

    pace: float = 1.0
    lag: float = 0.0
    published: bool = False


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline as the gates will find it.

    Args:
        rps: Requests a second to the endpoint; None: nobody knows.
        error_rate: Share of the answers that are errors, 0..1.
        latency: Bucket -> weight.
        latency_from: What the latency rests on; where it is assumed its form is, and its place
            is unknown.
        dispersion: Index of the error counts, at least 1.
        shares: Custom ratio -> the baseline's share, 0..1, where it is known.
        class_share: Of each class of predictions. Numbers are sorted into as many bins that the
            baseline fills alike; of other classes it is a guess.
        measuring: How that and the candidate's answers are measured.
    """

    rps: Figure | None = None
    error_rate: Figure = Figure(ERROR_RATE, Basis.ASSUMED)
    latency: Mapping[int, int] = field(default_factory=lambda: lognormal(SPREAD))
    latency_from: Basis = Basis.ASSUMED
    dispersion: float = 1.0
    shares: Mapping[str, float] = field(default_factory=dict)
    class_share: float = 1.0 / drift.PARTS
    measuring: Measuring = Measuring()

    def edge(self, quantile: float) -> int:
        """The bucket above which about ``1 - quantile`` of the answers lie."""
        whole = histograms.merged(histograms.EMPTY, self.latency, NEVER)
        found = histograms.tail_edge(whole, 1.0 - quantile)
        return NEVER - 1 if found is None else found

    def latency_at(self, quantile: float) -> float:
        """A quantile of the latency in seconds, at most 1 % off."""
        return edge(self.edge(quantile)) / math.sqrt(GROWTH)

    def slower(self, mark: float) -> float:
        """Share of the answers above a mark.

        Args:
            mark: In buckets; a broken one lies within a bucket whose answers are spread evenly.

        >>> Baseline(latency={10: 1, 11: 1}).slower(10.5)
        0.25
        """
        low = math.floor(mark)
        above, higher = histograms.slower(self.latency, (low, low + 1))
        return (above + (mark - low) * (higher - above)) / max(1, sum(self.latency.values()))
