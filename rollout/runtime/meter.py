"""Measuring while a stage holds: read, judge, and say when it is worth an append.

Readings are frequent so that a crash is seen within seconds; appends are not, so that a journal
stays small. An interval, the evidence with it and the cursor behind it go in one append: after a
crash the same requests are read again, and none enters twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollout.domain.errors import EndpointError
from rollout.domain.events import ExposureCounted, Measured, ObservationBegan, Unwatched
from rollout.domain.measure import Arm, Interval
from rollout.domain.roles import CANDIDATE
from rollout.domain.run import Exposure, Run, Step
from rollout.domain.verdict import Judgement, Verdict
from rollout.gates.criteria import REQUESTS
from rollout.gates.evidence import opened
from rollout.gates.judge import SOURCE_ERRORS, enter, fresh, ingest, judge
from rollout.gates.rules import Rules
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Beat, Endpoint
from rollout.runtime.hearing import Hearing, Interest
from rollout.stats import dispersion
from rollout.stats.counts import Counts

HISTOGRAM_EVERY = 2.0  # seconds between readings with latencies
OUTAGE_STEP = 10.0  # seconds of a broken source that count as one source error, at least
HISTORY = 3600.0  # seconds before the rollout that say how the baseline's errors cluster
SILENCE = 300.0  # seconds without a closed interval, beyond the lag, that mean a broken source
BACKLOG = 20  # intervals of the past that go in one append at most
ABSENCE = 30.0  # seconds in which nobody listened to answers that are worth a word
COUNTING = 10.0  # seconds that counting what is left takes at most, but for the last reading
SAME = 1.0  # seconds between two looks at one moment, at most
UNREACHED = ""  # a cursor: the source did not answer yet, so measurements begin once it does


_Key = tuple[str, int, Step, float, str | None]


def _key(run: Run, cursor: str | None) -> _Key:
    # The step belongs to it: two of them may begin at the same cursor, where the source is away.
    return run.id, run.at, run.step, run.since, cursor


@dataclass(slots=True)
class _Tape:
    """What was read since the last append.

    Args:
        key: Run, stage, when its step began, and the journaled cursor; with another key the tape
            is worthless.
        cursor: Up to where was read.
        evidence: With everything that was read.
        began: When this process began to observe the stage; this and what follows monotonic.
        appended_at: When the tape before this one was journaled.
        heard_at: When an interval was read last.
        read_at: When reading was tried last.
        histogram_at: When latencies were read last.
        broken_since: Since when reading fails; None: it does not.
        heard: Whether this process has read an interval, or has told the journal that it has not.
        behind: The source has more of the past.
    """

    key: _Key
    cursor: str
    evidence: Mapping[str, object]
    began: float
    appended_at: float
    heard_at: float
    read_at: float = float("-inf")
    histogram_at: float = float("-inf")
    broken_since: float | None = None
    heard: bool = False
    behind: bool = False
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
        self._gaps: list[Unwatched] = []

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
        if now - tape.read_at < self._endpoint.measure_pace and not tape.behind:
            return None
        tape.read_at = now
        self._read(run, tape, now, mirrored=mirrored)
        broken = _source_errors(tape, now, self._endpoint)
        self.judgement = judge(self._rules, tape.evidence, source_errors=broken)
        if not self._due(run, tape, now, broken) and not _news(run.judgement, self.judgement):
            return None
        measured = self._cut(run, tape, self.judgement, now, mirrored=mirrored)
        return replace(measured, source_errors=broken)

    def _due(self, run: Run, tape: _Tape, now: float, broken: int) -> bool:
        """Whether what was read is worth an append, whatever it says."""
        if tape.behind:
            return len(tape.intervals) >= BACKLOG
        if run.unread and broken >= SOURCE_ERRORS:
            return True  # the run waits for a word on the time in which nobody was here
        return bool(tape.intervals) and now - tape.appended_at >= _append_every(now - tape.began)

    @property
    def behind(self) -> bool:
        """Whether there is more of the past to be read before the present is known."""
        return self._tape is not None and self._tape.behind

    def settle(self, run: Run, *, mirrored: bool) -> Measured | None:
        """What was read and is not in the journal, for a runner that leaves; None: nothing.

        A runner that has read nothing says so once: several in a row are a broken source, as
        several readings of one runner are.
        """
        now = self._clock.monotonic()
        tape = self._wound(run, now)
        missed = not tape.intervals and not tape.heard and self._misses(run, tape)
        if not tape.intervals and not missed:
            return None
        tape.heard = True
        errors = run.misses + 1 if missed else 0
        self.judgement = judge(self._rules, tape.evidence, source_errors=errors)
        measured = self._cut(run, tape, self.judgement, now, mirrored=mirrored)
        lagging = measured.lagging or (missed and errors < SOURCE_ERRORS)
        return replace(measured, source_errors=errors, lagging=lagging)

    def exposed(self, run: Run, beat: Beat) -> ExposureCounted | None:
        """What the candidate had answered that is in no measurement; None: nothing can be told.

        It is asked when the split is back, and only then: a source may take long, or be away.

        Args:
            run: On its way back.
            beat: Called between two readings.
        """
        cursor, found, now = run.uncounted, Exposure(), self._clock.now()
        enough = min(run.tried, now - SAME) if run.tried else now - SAME
        until = self._clock.monotonic() + COUNTING
        end, lost = float("-inf"), False
        while cursor and end < enough and self._clock.monotonic() < until:
            beat()
            try:
                reading = self._endpoint.read(cursor, mirrored=False, histogram=False)
            except EndpointError:
                break
            if reading.interval is None:
                break
            cursor, end, lost = reading.cursor, reading.interval.end, lost or bool(reading.lost)
            arm = reading.interval.arms.get(CANDIDATE, Arm())
            found = Exposure(found.requests + arm.requests, found.errors + arm.errors)
        if not cursor or cursor == run.uncounted:
            return None
        rest = cursor if lost or end < enough else None
        return ExposureCounted(found.requests, found.errors, rest)

    def read_all(self, run: Run) -> bool:
        """Whether this process has read the run's measurements up to a moment ago, or has tried."""
        tape = self._tape
        if tape is None or tape.key != _key(run, run.cursor) or tape.behind:
            return False
        return tape.read_at > float("-inf")

    def fresh_gaps(self) -> tuple[Unwatched, ...]:
        """Times of which something will never be known, found since this was asked last."""
        found, self._gaps = tuple(self._gaps), []
        return found

    def _misses(self, run: Run, tape: _Tape) -> bool:
        """Whether the source should have said something by now."""
        if tape.broken_since is not None:
            return True
        last = opened(tape.evidence)["last"] or 0.0
        silent = self._clock.now() - max(last, run.since)
        return silent >= SILENCE + self._endpoint.lag

    def _wound(self, run: Run, now: float) -> _Tape:
        key = _key(run, run.cursor)
        before = self._tape
        if before is not None and before.key == key:
            return before
        began = before.began if before is not None and before.key[:2] == key[:2] else now
        self._tape = _Tape(key, run.cursor or UNREACHED, run.evidence, began, now, now)
        return self._tape

    def _read(self, run: Run, tape: _Tape, now: float, *, mirrored: bool) -> None:
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
            tape.behind = False
            self.trouble = str(error)
            return
        tape.broken_since, self.trouble = None, ""
        tape.cursor = reading.cursor
        interval = self.hearing.hear(reading)
        tape.behind = interval is not None and self._clock.now() - interval.end >= _late(
            self._endpoint
        )
        if interval is None:
            return
        self._note(tape, interval, reading.lost)
        first = interval.start if reading.since is None else reading.since
        if run.restores is not None or first < run.steady:
            interval = replace(interval, steady=False)
        tape.heard, tape.heard_at = True, now
        if wanted:
            tape.histogram_at = now
        tape.intervals.append(interval)
        tape.evidence = ingest(self._rules, tape.evidence, interval)

    def _note(self, tape: _Tape, interval: Interval, lost: str) -> None:
        """What of an interval is not known: requests that were lost, answers nobody listened to."""
        if lost:
            self._gaps.append(Unwatched(interval.start, interval.end, lost))
        first = not tape.heard and opened(tape.evidence)["last"] is not None
        absent = interval.end - interval.start >= ABSENCE + self._endpoint.measure_pace
        if first and absent and self.hearing.interest.anything:
            what = "answers are only read and compared while a runner is here"
            self._gaps.append(Unwatched(interval.start, interval.end, what))

    def _cut(
        self, run: Run, tape: _Tape, judgement: Judgement, now: float, *, mirrored: bool
    ) -> Measured:
        """The event for what is on the tape, and a fresh tape behind it."""
        live = [] if mirrored else [each.arms.get(CANDIDATE) for each in tape.intervals]
        self._tape = replace(tape, key=_key(run, tape.cursor), appended_at=now, intervals=[])
        return Measured(
            tuple(tape.intervals),
            tape.cursor,
            tape.evidence,
            judgement,
            requests=sum(arm.requests for arm in live if arm),
            errors=sum(arm.errors for arm in live if arm),
            lagging=tape.behind,
        )


def _late(endpoint: Endpoint) -> float:
    """Seconds behind the present from which on a reading is one of the past."""
    return endpoint.lag + 2 * endpoint.measure_pace + HISTOGRAM_EVERY


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
    ahead = _ahead(rules, stage if run.step is Step.ENTERING else stage + 1, run.share)
    if ahead is not None:
        return enter(rules, evidence, ahead, guard=True)
    if run.step is Step.OBSERVING:
        return enter(rules, evidence, stage)
    watched = [at for at in range(stage) if rules.stages[at].checks]
    return enter(rules, evidence, watched[-1] if watched else stage, guard=True)


def _ahead(rules: Rules, begun: int, share: int) -> int | None:
    """The stage whose checks guard live traffic that no stage of this plan has given yet.

    A run before this one has, or a person. How requests are split is checked where the split fits.

    Args:
        rules: The plan's gates.
        begun: How many stages have reached their set-point.
        share: The candidate's live percent.
    """
    if not share or any(rules.stages[at].checks for at in range(begun)):
        return None
    for at in range(begun, len(rules.stages)):
        rule = rules.stages[at]
        splits = any(each.check.metric == REQUESTS for each in rule.checks)
        if rule.checks and (not splits or rule.planned == share / 100):
            return at
    return next((at for at, rule in enumerate(rules.stages) if not rule.checks), None)


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
