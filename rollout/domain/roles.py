"""The two parts that a deployment can play in a plan."""

from __future__ import annotations

BASELINE = "baseline"
CANDIDATE = "candidate"
