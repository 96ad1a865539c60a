"""Measuring while a stage holds: read, judge, and say when it is worth an append.

Readings are frequent so that a crash is seen within seconds; appends are not, so that a journal
stays small. An interval, the evidence with it and the cursor behind it go in one append: after a
crash the same requests are read again, and none enters twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.domain.errors import EndpointError
from rollout.domain.events import Measured, ObservationBegan
from rollout.domain.measure import Interval
from rollout.domain.plan import CANDIDATE
from rollout.domain.run import Run
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.judge import enter, ingest, judge
from rollout.gates.rules import Rules
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint

PACE = 1.0  # seconds between readings
HISTOGRAM_EVERY = 5.0  # seconds between readings with latencies
OUTAGE_STEP = 10.0  # seconds of a broken source that count as one source error


@dataclass(slots=True)
class _Tape:
    """What was read since the last append."""

    key: tuple[str, int, str | None]
    cursor: str
    evidence: Mapping[str, object]
    began: float
    intervals: list[Interval] = field(default_factory=list)
    read_at: float = float("-inf")
    histogram_at: float = float("-inf")
    appended_at: float = 0.0
    broken_since: float | None = None


class Meter:
    """The measuring side of a runner; its memory is worthless after a crash, and may be."""

    def __init__(self, endpoint: Endpoint, rules: Rules, clock: Clock) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._clock = clock
        self._tape: _Tape | None = None
        self.judgement: Judgement | None = None

    def begin(self, run: Run) -> ObservationBegan:
        """From now on measurements belong to the present stage."""
        evidence = enter(self._rules, run.evidence, run.at)
        return ObservationBegan(self._endpoint.cursor(), evidence)

    def measure(self, run: Run) -> Measured | None:
        """Read what is new; None while there is nothing worth an append."""
        tape = self._wound(run)
        now = self._clock.monotonic()
        if now - tape.read_at < PACE:
            return None
        tape.read_at = now
        self._read(run, tape, now)
        self.judgement = judge(
            self._rules, tape.evidence, source_errors=self._source_errors(tape, now)
        )
        due = now - tape.appended_at >= _append_every(now - tape.began)
        if self.judgement.verdict is Verdict.RUNNING and not (due and tape.intervals):
            return None
        return self._cut(run, tape, self.judgement)

    def _wound(self, run: Run) -> _Tape:
        key = (run.id, run.at, run.cursor)
        if self._tape is None or self._tape.key != key:
            began = self._clock.monotonic()
            same = self._tape is not None and self._tape.key[:2] == key[:2]
            if same and self._tape is not None:
                began = self._tape.began
            self._tape = _Tape(
                key, run.cursor or "", run.evidence, began, appended_at=self._clock.monotonic()
            )
        return self._tape

    def _read(self, run: Run, tape: _Tape, now: float) -> None:
        wanted = now - tape.histogram_at >= HISTOGRAM_EVERY
        try:
            reading = self._endpoint.read(tape.cursor, mirrored=mirrored(run), histogram=wanted)
        except EndpointError:
            tape.broken_since = now if tape.broken_since is None else tape.broken_since
            return
        tape.broken_since = None
        tape.cursor = reading.cursor
        if reading.interval is None:
            return
        if wanted:
            tape.histogram_at = now
        tape.intervals.append(reading.interval)
        tape.evidence = ingest(self._rules, tape.evidence, reading.interval)

    def _source_errors(self, tape: _Tape, now: float) -> int:
        return 0 if tape.broken_since is None else int((now - tape.broken_since) / OUTAGE_STEP)

    def _cut(self, run: Run, tape: _Tape, judgement: Judgement) -> Measured:
        """The event for what is on the tape, and a fresh tape behind it."""
        live = [] if mirrored(run) else [each.arms.get(CANDIDATE) for each in tape.intervals]
        event = Measured(
            tuple(tape.intervals),
            tape.cursor,
            tape.evidence,
            judgement,
            requests=sum(arm.requests for arm in live if arm),
            errors=sum(arm.errors for arm in live if arm),
        )
        self._tape = _Tape(
            (run.id, run.at, tape.cursor),
            tape.cursor,
            tape.evidence,
            tape.began,
            read_at=tape.read_at,
            histogram_at=tape.histogram_at,
            appended_at=self._clock.monotonic(),
            broken_since=tape.broken_since,
        )
        return event


def mirrored(run: Run) -> bool:
    """Whether the candidate is seen through mirrored copies, not through live answers."""
    return bool(run.expected and run.expected.mirror.get(run.candidate) and not run.share)


def _append_every(seconds: float) -> float:
    """Seconds between appends: dense at first, sparse in a long bake."""
    return min(max(seconds / 20, 2.0), 60.0)
