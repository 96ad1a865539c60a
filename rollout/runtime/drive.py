"""The loop: observe, ask what is due, write it down, do it, look again.

Order of one effect: observe -> append the intent -> check the lease -> begin it -> observe. An
outcome that was not read back is never recorded. The loop may be killed between any two lines.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

from rollout.domain.auditing import alarming, settles
from rollout.domain.decide import decide
from rollout.domain.decisions import Act, Ask, Decision, On, Question, Record, Rest, Wait
from rollout.domain.endpoint import Effect, Seen
from rollout.domain.entering import unanswered
from rollout.domain.errors import EndpointError, EndpointRefused, Fenced, NotLoggedIn
from rollout.domain.events import (
    AnswersDiffered,
    EffectFailed,
    Event,
    Held,
    Intended,
    Left,
    LogsCollected,
    Measured,
    Order,
    PreflightChecked,
    RollbackProbed,
    RollbackUnverified,
    RolledBack,
    SmokeTested,
)
from rollout.domain.plan import Plan, Smoke
from rollout.domain.run import Phase, Run, Split, Why
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Endpoint, Load
from rollout.ports.observer import Alert, Appended, Notice, Observer, Waiting, Watched
from rollout.ports.store import Conflict
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Lease
from rollout.runtime.meter import Meter
from rollout.runtime.patience import Patience, only_mirrored
from rollout.runtime.probe import smoke, verify

LOG_SIZE = 65536  # characters of a deployment's last words, kept in the journal
UNSEEN = 60.0  # seconds that the audit of a run waits for an endpoint that cannot be read
ALERT_EVERY = 10.0  # seconds between two alerts about an endpoint that is out of reach


def _nothing(label: str) -> None:
    """The default of ``Driver.mark``."""


class LateCall(Fenced):
    """A runner of ``run`` learned that it had been taken over only after it had sent ``effect``."""

    def __init__(self, fenced: Fenced, effect: Effect, run: Run) -> None:
        super().__init__(fenced.what, do=fenced.do)
        self.effect = effect
        self.run = run


@dataclass(slots=True)
class Driver:
    """Drives the present run of one endpoint until only a person, or nothing, can move it.

    Args:
        plan: What is driven.
        endpoint: The real thing.
        journal: Owned by this process.
        lease: Held by this process.
        meter: Measures while stages hold.
        clock: For pacing.
        observer: Told of everything.
        load: Traffic that the plan asks the runner to send; None: none.
        stopping: Says of the run as it stands whether to leave it; asked between two steps.
        mark: Called with a label at every point where a crash would be interesting.
        patience: How long it waits for something that is due, before it leaves.
        ordering: What this runner orders of its own, of the run as it stands; asked between two steps.
    """

    plan: Plan
    endpoint: Endpoint
    journal: Journal
    lease: Lease
    meter: Meter
    clock: Clock
    observer: Observer
    load: Load | None = None
    stopping: Callable[[Run], bool] = lambda _: False
    mark: Callable[[str], None] = _nothing
    patience: Patience = field(default_factory=Patience)
    ordering: Callable[[Run], Order | None] = lambda _: None
    _alerted: float = field(default=float("-inf"), init=False)
    _trouble: str = field(default="", init=False)
    _sent: Effect | None = field(default=None, init=False)
    _calling: bool = field(default=False, init=False)

    def drive(self) -> Run | None:
        """Go on from wherever the journal says the run stands.

        Returns:
            The run when nothing is due any more, or when ``stopping`` said so.

        Raises:
            Fenced: another runner took over; nothing was done since, but for a ``LateCall``.
            NotLoggedIn: the endpoint does not know who asks, and has not been touched yet.
            StoreError: the journal is out of reach; the endpoint stays as it is.
        """
        began, run = self.clock.monotonic(), self.journal.run
        try:
            while True:
                run = self.journal.refresh()
                self._sent = None  # this runner was still the owner when the call had returned
                if run is None or _settled(run):
                    return run
                if (order := self.ordering(run)) is not None:
                    self._unless_overtaken(order)
                    continue
                if self.stopping(run):
                    return self._interrupted(run)
                self.lease.beat()
                if not self._step(run):
                    return self.journal.run
                if self._given_up(run, self.clock.monotonic() - began):
                    return self.journal.run
        except Fenced as error:
            if self._sent is None or run is None:
                raise
            raise LateCall(error, self._sent, run) from error
        finally:
            self.meter.hearing.probes.stop()
            if self.load is not None:
                self.load.stop()

    def let_go(self) -> None:
        """Give the lease back; where a second Ctrl-C left a call under way, say so with it."""
        self.lease.release(calling=self._calling)

    def _step(self, run: Run) -> bool:
        """One look and what follows from it; False when nothing is due for a runner."""
        seen = self._observed(run)
        self.mark("after read")
        now = self.journal.now()
        decision = decide(run, seen, now) if seen is not None else _blind(run, now)
        pace, began = self.endpoint.measure_pace, self.clock.monotonic()
        parting = self.patience.parting(run, seen, decision, now, self.meter, pace)
        try:
            if parting is not None:
                self._append(parting)
                return not isinstance(parting, Left)
            if isinstance(decision, Rest):
                return False
            self._follow(run, seen, decision)
        except Conflict:
            return True  # a person's order came first: decide again with it
        self.patience.count(decision, self.clock.monotonic() - began)
        if (text := self.patience.staying(run, seen)) is not None:
            self._tell(Alert(run, text, now))
        return True

    def _interrupted(self, run: Run) -> Run | None:
        """Leave at once, and say so: the next runner need not wait for anything."""
        if run.phase in (Phase.RUNNING, Phase.PAUSED, Phase.ROLLING_BACK):
            self._unless_overtaken(Left(self.journal.now(), ""))
        return self.journal.run

    def _unless_overtaken(self, event: Event) -> None:
        with suppress(Conflict):  # a person's order came first, and is in the journal
            self._append(event)

    def _given_up(self, before: Run, seconds: float) -> bool:
        """Whether the last step left the run to a person, or a late rollback took too long again."""
        run = self.journal.run or before
        if run.phase is Phase.UNVERIFIED and before.phase is Phase.UNVERIFIED:
            return seconds >= run.on_failure.verify_within
        return run.phase is not before.phase and _over(run)

    def _observed(self, run: Run) -> Seen | None:
        try:
            seen = self.endpoint.observe()
        except EndpointError as error:
            if isinstance(error, NotLoggedIn) and run.captured is None:
                raise  # nothing depends on this run yet, and only a person can log in
            self._alert(run, f"The endpoint cannot be read: {error}")
            return None
        if seen.trouble and seen.trouble != self._trouble:
            self._tell(Alert(run, seen.trouble, self.journal.now()))
        self._trouble = seen.trouble
        return seen

    def _follow(self, run: Run, seen: Seen | None, decision: Decision) -> None:
        match decision:
            case Act(effect):
                self._act(effect, Split.of(seen) if seen else Split())
            case Ask(question):
                self._ask(run, question, seen)
            case Record(event):
                done = isinstance(event, RolledBack)  # the split is back: now a source may be slow
                if done and (counted := self.meter.exposed(run, self.lease.beat)) is not None:
                    self._append(counted)
                self._append(event)
                if (text := alarming(event)) is not None:
                    self._tell(Alert(run, text, self.journal.now()))
                if isinstance(event, Held):
                    failed = event.cause.why in (Why.BOOTSTRAP_FAILED, Why.BASELINE_FAILED)
                    self._collect(run, run.baseline if failed else run.candidate)
            case Wait(on, until):
                self._tell(Waiting(run, on.value, until, self.journal.now()))
                self.clock.sleep(self.endpoint.pace)
            case Rest():
                return

    # --- acting -------------------------------------------------------------

    def _act(self, effect: Effect, found: Split) -> None:
        self.lease.renew()
        run = self._append(Intended(effect, found))
        self.mark("after intent")
        if not self.lease.may_act(self.endpoint.call_seconds):
            return  # the append took that long: decide again, the intent is due as before
        self._sent, self._calling = effect, True
        try:
            head = self.journal.head
            self.endpoint.perform(effect, run=run.id, hold=self.lease.hold, head=head)
            self._calling = False
        except Fenced:
            self._sent, self._calling = None, False  # the lease is looked at before the request
            raise
        except EndpointError as error:
            self._calling = False
            refused = isinstance(error, EndpointRefused)
            self._append(EffectFailed(effect, error.kept, refused))
        self.mark("after effect")

    def _append(self, event: Event) -> Run:
        self.mark("before append")
        run = self.journal.append(event)
        self.mark("after append")
        self._tell(Appended(event, run, self.journal.now()))
        return run

    def _tell(self, notice: Notice) -> None:
        self.observer.saw(notice)

    def _alert(self, run: Run, text: str) -> None:
        now = self.clock.monotonic()
        if now - self._alerted >= ALERT_EVERY:
            self._alerted = now
            self._tell(Alert(run, text, self.journal.now()))

    # --- asking ---------------------------------------------------------------

    def _ask(self, run: Run, question: Question, seen: Seen | None) -> None:
        """Ask the world; one that cannot be reached is asked again, while the stage has time."""
        self.patience.unanswered = False
        try:
            answer = self._answer(run, question, seen)
        except EndpointError as error:
            answer = _refusal(question, error)
            if answer is None:
                self._alert(run, f"{question.value}: {error}")
                self._again(run, question, seen, error.kept)
        if answer is not None:
            self._append(answer)

    def _again(self, run: Run, question: Question, seen: Seen | None, error: str) -> None:
        """There was no answer; give the stage up, or let a little time pass."""
        entering = question in (Question.PREFLIGHT, Question.SMOKE)
        late = unanswered(run, error, self.journal.now()) if entering else None
        if late is not None:
            self._follow(run, seen, late)
            return
        self.patience.unanswered = True
        self.clock.sleep(self.endpoint.pace)

    def _answer(self, run: Run, question: Question, seen: Seen | None) -> Event | None:
        match question:
            case Question.PREFLIGHT:
                return self._preflight()
            case Question.SMOKE:
                return self._smoke(run)
            case Question.OBSERVE:
                return self.meter.begin(run)
            case Question.MEASURE:
                return self._measure(run, seen)
            case Question.VERIFY:
                return self._verify(run)
            case _:
                assert_never(question)

    def _preflight(self) -> PreflightChecked:
        findings = self.endpoint.preflight()
        bad = tuple(f"{each.name}: {each.text}" for each in findings if not each.ok)
        good = tuple(f"{each.name}: {each.text}" for each in findings if each.ok)
        return PreflightChecked(not bad, bad or good)

    def _smoke(self, run: Run) -> SmokeTested:
        work = run.stage.work if run.stage else None
        if not isinstance(work, Smoke):
            return SmokeTested(ok=False, text="not in a smoke stage")
        name = run.name(work.deployment)
        return smoke(self.endpoint, work, name, self.plan.requests, self.lease.beat)

    def _measure(self, run: Run, seen: Seen | None) -> Measured | None:
        if self.load is not None:
            self.load.start()
        self.meter.hearing.probes.start()
        mirrored = seen is not None and only_mirrored(run, seen)
        measured = self.meter.measure(run, mirrored=mirrored)
        if self.meter.trouble:
            self._alert(run, f"Measurements cannot be read: {self.meter.trouble}")
        # Before the measurement: it may be the one that ends the stage.
        for gap in self.meter.fresh_gaps():
            self._append(gap)
        if (differing := self.meter.hearing.fresh_examples()) and run.stage is not None:
            self._append(AnswersDiffered(run.stage.id, differing))
        if measured is not None:
            return measured
        if run.phase in (Phase.HELD, Phase.PAUSED):
            self._tell(Waiting(run, On.PERSON.value, None, self.journal.now()))
        if self.meter.judgement is not None:
            self._tell(Watched(run, self.meter.judgement, self.journal.now()))
        if not self.meter.behind:
            self.clock.sleep(self.endpoint.pace)
        return None

    def _verify(self, run: Run) -> RollbackProbed:
        if not run.tried and not run.collected:
            self._collect(run, run.candidate)
        if not self.plan.requests or not run.on_failure.verify_smoke:
            return RollbackProbed(ok=True, text="read back; the plan has no requests to send")
        serving = set(run.captured.traffic) if run.captured else set()
        if not serving:
            return RollbackProbed(ok=True, text="read back; nobody had traffic before, either")
        return verify(self.endpoint, serving, self.plan.requests, self.lease.beat)

    def _collect(self, run: Run, name: str) -> None:
        """Keep a deployment's last words; that they are missing stops nothing."""
        if not run.on_failure.collect_logs:
            return
        try:
            text = self.endpoint.logs(name, tail=run.on_failure.collect_logs)
        except EndpointError as error:
            text = f"(no logs: {error})"
        if text:
            self._append(LogsCollected(name, text[-LOG_SIZE:]))


def _over(run: Run) -> bool:
    """Whether a runner leaves here; a held run is left once nothing is due in it."""
    return _settled(run) or run.phase is Phase.UNVERIFIED


def _settled(run: Run) -> bool:
    """Whether nothing more will happen to the run, nor to its endpoint by calls that came late."""
    return run.final and (not run.unaudited or bool(run.leftover))


def _refusal(question: Question, error: EndpointError) -> Event | None:
    """What a definite no means as an answer; None: ask again later."""
    if not isinstance(error, EndpointRefused):
        return None
    match question:
        case Question.PREFLIGHT:
            return PreflightChecked(ok=False, text=(error.kept,))
        case Question.SMOKE:
            return SmokeTested(ok=False, text=error.kept)
        case Question.VERIFY:
            return RollbackProbed(ok=False, text=error.kept)
        case _:
            return None


def _blind(run: Run, now: float) -> Decision:
    """What is due while the endpoint cannot be read: only a late rollback changes its word."""
    if run.phase is Phase.HELD and not run.share:
        return Rest()
    if run.final and now >= settles(run.ended, run.sought) + UNSEEN:
        return Rest()  # whoever comes next audits it; the run says that it was not done
    overdue = not run.checked and now >= run.since + run.on_failure.verify_within
    if run.phase is Phase.ROLLING_BACK and overdue:
        return Record(RollbackUnverified("The endpoint cannot be read."))
    return Wait(On.PROVISIONING)
