"""The product's formula, `rollout.stats.counts`, on arrays."""

from __future__ import annotations

import numpy as np

from benchmarks.detection.alternatives.batches import Second
from benchmarks.detection.conditions import Floats


def log_sum(values: Floats) -> Floats:
    """Logarithm of the sum of exponentials along the last axis."""
    top = values.max(axis=-1)
    return top + np.log(np.exp(values - top[..., None]).sum(axis=-1))


def steps(now: Second, excess: Floats, points: float) -> tuple[Floats, Floats, Floats]:
    """Log factors of one failure of the candidate, of one of the baseline, and of the allowance."""
    share = now.share[:, None]
    moved = share * excess
    theirs = -np.log1p(moved)
    mine = np.log1p(excess) + theirs
    virtual = now.base_requests[:, None] * points * np.expm1(theirs)
    return np.where(share > 0, mine, 0.0), theirs, np.where(share > 0, virtual, 0.0)
