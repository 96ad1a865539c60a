"""Measuring while a stage holds: read, judge, and say when it is worth an append.

Readings are frequent so that a crash is seen within seconds; appends are not, so that a journal
stays small. An interval, the evidence with it and the cursor behind it go in one append: after a
crash the same requests are read again, and none enters twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.domain.errors import EndpointError
from rollout.domain.events import Measured, ObservationBegan
from rollout.domain.measure import Interval
from rollout.domain.roles import CANDIDATE
from rollout.domain.run import Run, Step
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.judge import SOURCE_ERRORS, enter, fresh, ingest, judge
from rollout.gates.rules import Rules
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint
from rollout.runtime.hearing import Hearing, Interest
from rollout.stats import dispersion
from rollout.stats.counts import Counts

HISTOGRAM_EVERY = 2.0  # seconds between readings with latencies
OUTAGE_STEP = 10.0  # seconds of a broken source that count as one source error, at least
HISTORY = 3600.0  # seconds before the rollout that say how the baseline's errors cluster
SILENCE = 300.0  # seconds without a closed interval, beyond the lag, that mean a broken source
UNREACHED = ""  # a cursor: the source did not answer yet, so measurements begin once it does


@dataclass(slots=True)
class _Tape:
    """What was read since the last append.

    Args:
        key: Run, stage and journaled cursor; with another key the tape is worthless.
        cursor: Up to where was read.
        evidence: With everything that was read.
        began: When this process began to observe the stage; this and what follows monotonic.
        appended_at: When the tape before this one was journaled.
        heard_at: When an interval was read last.
        read_at: When reading was tried last.
        histogram_at: When latencies were read last.
        broken_since: Since when reading fails; None: it does not.
    """

    key: tuple[str, int, str | None]
    cursor: str
    evidence: Mapping[str, object]
    began: float
    appended_at: float
    heard_at: float
    read_at: float = float("-inf")
    histogram_at: float = float("-inf")
    broken_since: float | None = None
    intervals: list[Interval] = field(default_factory=list)


class Meter:
    """The measuring side of a runner; its memory is worthless after a crash, and may be."""

    def __init__(
        self, endpoint: Endpoint, rules: Rules, clock: Clock, hearing: Hearing | None = None
    ) -> None:
        self._endpoint = endpoint
        self.hearing = hearing or Hearing(Interest({}, (), ()))
        self._rules = rules
        self._clock = clock
        self._tape: _Tape | None = None
        self.judgement: Judgement | None = None
        self.trouble = ""  # why the last reading failed; empty: it did not

    def begin(self, run: Run) -> ObservationBegan:
        """From now on measurements belong to the present stage."""
        evidence = run.evidence or fresh(dispersion_of(self._endpoint))
        evidence = entered(self._rules, evidence, run)
        try:
            cursor = self._endpoint.cursor()
        except EndpointError:
            cursor = UNREACHED
        return ObservationBegan(cursor, evidence)

    def measure(self, run: Run, *, mirrored: bool) -> Measured | None:
        """Read what is new; None while there is nothing worth an append.

        Args:
            run: The run, observing.
            mirrored: The candidate is seen through mirrored copies, not through live answers.
        """
        now = self._clock.monotonic()
        tape = self._wound(run, now)
        if now - tape.read_at < self._endpoint.measure_pace:
            return None
        tape.read_at = now
        self._read(tape, now, mirrored=mirrored)
        broken = _source_errors(tape, now, self._endpoint)
        self.judgement = judge(self._rules, tape.evidence, source_errors=broken)
        due = tape.intervals and now - tape.appended_at >= _append_every(now - tape.began)
        if not due and not _news(run.judgement, self.judgement):
            return None
        measured = self._cut(run, tape, self.judgement, now, mirrored=mirrored)
        return replace(measured, source_errors=broken)

    def _wound(self, run: Run, now: float) -> _Tape:
        key = (run.id, run.at, run.cursor)
        before = self._tape
        if before is not None and before.key == key:
            return before
        began = before.began if before is not None and before.key[:2] == key[:2] else now
        self._tape = _Tape(key, run.cursor or UNREACHED, run.evidence, began, now, now)
        return self._tape

    def _read(self, tape: _Tape, now: float, *, mirrored: bool) -> None:
        wanted = now - tape.histogram_at >= HISTOGRAM_EVERY
        try:
            if tape.cursor == UNREACHED:
                tape.cursor = self._endpoint.cursor()
            reading = self._endpoint.read(
                tape.cursor,
                mirrored=mirrored,
                histogram=wanted,
                answers=self.hearing.interest.anything,
            )
        except EndpointError as error:
            tape.broken_since = now if tape.broken_since is None else tape.broken_since
            self.trouble = str(error)
            return
        tape.broken_since, self.trouble = None, ""
        tape.cursor = reading.cursor
        interval = self.hearing.hear(reading)
        if interval is None:
            return
        tape.heard_at = now
        if wanted:
            tape.histogram_at = now
        tape.intervals.append(interval)
        tape.evidence = ingest(self._rules, tape.evidence, interval)

    def _cut(
        self, run: Run, tape: _Tape, judgement: Judgement, now: float, *, mirrored: bool
    ) -> Measured:
        """The event for what is on the tape, and a fresh tape behind it."""
        live = [] if mirrored else [each.arms.get(CANDIDATE) for each in tape.intervals]
        self._tape = replace(tape, key=(run.id, run.at, tape.cursor), appended_at=now, intervals=[])
        return Measured(
            tuple(tape.intervals),
            tape.cursor,
            tape.evidence,
            judgement,
            requests=sum(arm.requests for arm in live if arm),
            errors=sum(arm.errors for arm in live if arm),
        )


def dispersion_of(endpoint: Endpoint) -> float:
    """How much the baseline's errors come in clusters, from its history before the rollout."""
    try:
        past = endpoint.history(seconds=HISTORY, batch=dispersion.BATCH)
    except EndpointError:
        return 1.0
    return dispersion.estimated([Counts(each.errors, each.requests) for each in past]).phi


def entered(rules: Rules, evidence: Mapping[str, object], run: Run) -> Mapping[str, object]:
    """The evidence as a run's present step begins to be measured.

    While a stage is being entered, the last one that was watched goes on as a guard: its gate knows
    the split as it still is.
    """
    # Behind the last stage (a pause came before the end) that stage's guard goes on.
    stage = min(run.at, len(rules.stages) - 1)
    if run.step is Step.OBSERVING:
        return enter(rules, evidence, stage)
    watched = [at for at in range(stage) if rules.stages[at].checks]
    return enter(rules, evidence, watched[-1] if watched else stage, guard=True)


def _news(known: Judgement | None, found: Judgement) -> bool:
    """Whether the run must learn of a verdict at once; a pass stays one until the guard says fail."""
    verdict = known.verdict if known else Verdict.RUNNING
    if verdict is Verdict.PASS:
        return found.verdict is Verdict.FAIL
    return found.verdict is not verdict


def _source_errors(tape: _Tape, now: float, endpoint: Endpoint) -> int:
    """How often in a row the source failed; one that stays silent for long failed, too."""
    if now - tape.heard_at >= SILENCE + endpoint.lag:
        return SOURCE_ERRORS
    return 0 if tape.broken_since is None else outages(now - tape.broken_since, endpoint)


def outages(seconds: float, endpoint: Endpoint) -> int:
    """How many source errors so long an outage is: one that is seldom asked has fewer."""
    return int(seconds / max(OUTAGE_STEP, endpoint.measure_pace))


def _append_every(seconds: float) -> float:
    """Seconds between appends: dense at first, sparse in a long bake."""
    return min(max(seconds / 20, 2.0), 60.0)
