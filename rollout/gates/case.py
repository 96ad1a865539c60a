"""A stage's case: its rule, its numbers, and what follows from both before any words are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rollout.domain.units import Allowance
from rollout.gates import criteria
from rollout.gates.evidence import Latch, State, present
from rollout.gates.readings import Reading, rate, read
from rollout.gates.rules import Rules, StageRule
from rollout.gates.tracks import combined

NO_DATA, TOO_LITTLE, BETWEEN = "no_data", "not_enough_traffic", "between_tolerance_and_margin"
_TELLING = 0.05  # with less of the evidence at hand its growth says nothing


@dataclass(frozen=True, slots=True)
class Case:
    """All that a verdict rests on.

    Args:
        rules: The compiled plan.
        rule: The stage's part of it.
        readings: One for each check of the stage.
        observed: Seconds since the stage's first interval began.
        served: Candidate requests in this stage.
        log_e: Log of the combined evidence against the candidate.
        latch: Set once that has reached the bound.
        phi: Dispersion of the error counts: so many count as one.
    """

    rules: Rules
    rule: StageRule
    readings: tuple[Reading, ...]
    observed: float
    served: int
    log_e: float
    latch: Latch | None
    phi: float = 1.0

    @property
    def limit(self) -> float:
        """Seconds after which the gate is inconclusive, extensions included."""
        more = self.rule.gate.on_inconclusive
        return self.rule.gate.max_duration + more.extend_seconds * more.times

    @property
    def passes(self) -> bool:
        """Whether every check passes and the minima are met; never without a check."""
        gate = self.rule.gate
        waited = self.observed >= gate.min_duration and self.served >= gate.min_requests
        asked = any(each.rule.decides and each.rule.passing for each in self.readings)
        return waited and asked and not self.open_readings

    @property
    def open_readings(self) -> tuple[Reading, ...]:
        """The checks that do not pass yet."""
        return tuple(
            reading
            for reading in self.readings
            if reading.rule.decides and not self.has_passed(reading)
        )

    def has_passed(self, reading: Reading) -> bool:
        """Whether the evidence for a pass suffices."""
        return not self.rule.guard and reading.log_s >= -math.log(self.rules.beta)

    def has_failed(self, reading: Reading) -> bool:
        """Whether this check had most of the evidence when the bound was reached."""
        failing = reading.rule.failing
        return self.latch is not None and failing is not None and self.latch["key"] == failing.key

    @property
    def mismatch(self) -> Reading | None:
        """The check by which the arms do not see the traffic that the split says; None: they do."""
        bound = -math.log(self.rules.alpha)
        splits = (each for each in self.readings if each.rule.splits and each.rule.decides)
        return next((each for each in splits if each.log_e >= bound), None)

    def toward_rollback(self, reading: Reading) -> float:
        """0..1: this check's evidence on the log scale of the bound that it reaches alone."""
        needed = -math.log(self.rules.alpha * self.rules.weight)
        return 1.0 if self.has_failed(reading) else _clamp(reading.log_e / needed)

    def toward_pass(self, reading: Reading) -> float:
        """0..1: this check's evidence for a pass on the log scale of its bound."""
        if self.rule.guard or reading.rule.passing is None:
            return 0.0
        return _clamp(reading.log_s / -math.log(self.rules.beta))


def _clamp(share: float) -> float:
    return min(1.0, max(0.0, share))


def opened(rules: Rules, state: State) -> Case:
    """The case of the present stage.

    Raises:
        ValueError: No stage was entered yet.
    """
    rule, stage = present(rules, state)
    first, last, latch = stage["first"], state["last"], state["latch"]
    observed = 0.0 if first is None or last is None else last - first
    log_e = combined(rules, state)
    if latch is not None:
        log_e = max(log_e, latch["log_e"])
    served = stage["requests"][1]
    readings, phi = read(rules, state), state.get("phi", 1.0)
    return Case(rules, rule, readings, observed, served, log_e, latch, phi)


def cause(case: Case) -> str:
    """Why a gate whose time is over could not tell."""
    causes = {_cause(reading) for reading in case.open_readings}
    if NO_DATA in causes or not case.readings or case.served == 0:
        return NO_DATA
    return BETWEEN if causes == {BETWEEN} else TOO_LITTLE


def _cause(reading: Reading) -> str:
    if not reading.counted:
        return NO_DATA
    low, high, gap = reading.low, reading.high, _gap(reading)
    if low is None or high is None or gap is None:
        return TOO_LITTLE
    return BETWEEN if high - low <= gap else TOO_LITTLE


def _gap(reading: Reading) -> float | None:
    """Distance of tolerance and margin, as a ratio of event rates; None: not known."""
    check, base = reading.rule.check, rate(reading.baseline)
    if check.tolerance is None or check.margin is None or not base:
        return None
    if criteria.is_latency(check):
        between = (reading.candidate.events - reading.beyond) / reading.candidate.requests / base
        # Where edges are coarse a pass may count above a lower one than a failure does.
        return abs(between) if any(reading.reach) else between
    return (_allowed(check.margin, base) - _allowed(check.tolerance, base)) / base


def _allowed(allowance: Allowance, base: float) -> float:
    return allowance.ratio * base + allowance.points


def remaining(case: Case) -> float | None:
    """About how many seconds until a pass, if evidence grows as it did so far; None: unknown."""
    gate = case.rule.gate
    if case.rule.guard or not case.readings or case.observed <= 0 or case.served == 0:
        return None
    waits = [0.0, gate.min_duration - case.observed]
    waits.append((gate.min_requests - case.served) * case.observed / case.served)
    for reading in case.open_readings:
        late = gate.warm_up if reading.rule.shown.latency else 0.0
        running = case.observed - late
        done = case.toward_pass(reading)
        if done < _TELLING or running <= 0:
            return None
        waits.append((1.0 / done - 1.0) * running)
    return max(waits)
