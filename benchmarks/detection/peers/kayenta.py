"""Kayenta: Mann-Whitney on one-minute points, scores against marginal and pass.

Source: spinnaker/kayenta at a69573b: MannWhitneyClassifier.scala, WeightedSumScorer.scala,
ThresholdScoreClassifier.scala, MonitorCanaryTask and GenerateCanaryAnalysisResultTask of the
standalone analysis. Confidence 0.98 and tolerance 0.25 are hard-coded there. Here an analysis
runs every ten minutes on all points so far; metrics fail when they increase; one metric a group,
the groups weigh the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detection.conditions import Floats
from benchmarks.detection.outcome import Outcome
from benchmarks.detection.peers.mannwhitney import TOLERANCE, score, shift_at

CRITICAL = 2.3263478740408408  # both sides of 0.98
NEAR = 0.25  # of the estimate
MARGINAL, PASS = 75.0, 95.0
EVERY = 10  # minutes
PASSES, HIGH, NO_DATA = "Pass", "High", "Nodata"

Pairs = Sequence[tuple[Floats, Floats]]


def classify(experiment: Floats, control: Floats) -> str:
    """A metric's label; points that are NaN are removed."""
    mine, theirs = experiment[~np.isnan(experiment)], control[~np.isnan(control)]
    if not len(mine) or not len(theirs):
        return NO_DATA
    same = np.array_equal(np.sort(mine), np.sort(theirs))
    if same or len(np.unique(np.concatenate([mine, theirs]))) == 1:
        return PASSES
    # The score falls with the shift, so the interval's lower end is below 0 here.
    if score(-2 * TOLERANCE, mine, theirs) < CRITICAL:
        return PASSES
    lower = shift_at(CRITICAL, mine, theirs)
    return HIGH if lower > NEAR * abs(shift_at(0.0, mine, theirs)) else PASSES


def total(labels: Sequence[str]) -> float:
    """The summary score of metrics in groups of one.

    >>> total(["Pass"]), total(["Pass", "High"]), total(["Pass", "Pass", "High"])
    (100.0, 50.0, 66.67)
    """
    if 2 * labels.count(NO_DATA) >= len(labels):
        return 0.0
    good = sum(label != HIGH for label in labels)
    return round(100.0 * good / len(labels), 2)


def kayenta(metrics: Pairs, *, every: int = EVERY) -> Outcome:
    """The end of an analysis of all minutes.

    Args:
        metrics: The points of experiment and control for each metric, one a minute.
        every: Minutes between two judgements.
    """
    minutes = len(metrics[0][0])
    for until in range(every, minutes + 1, every):
        found = total([classify(mine[:until], theirs[:until]) for mine, theirs in metrics])
        if found <= MARGINAL or (until == minutes and found < PASS):
            return Outcome(rolled_back=60 * until)
    return Outcome(promoted=60 * minutes)
