"""What a runner writes down when one look has several things to say."""

from __future__ import annotations

from rollout.domain import events as e
from rollout.domain.answers import Difference, Example
from rollout.domain.decisions import Question
from rollout.domain.endpoint import Seen
from rollout.domain.run import Run
from rollout.domain.verdict import Judgement, Verdict
from rollout.runtime.drive import Driver
from rollout.runtime.hearing import Silence
from tests.fakes.clock import FakeClock
from tests.unit.runtime.values import PLAN, run

FAILED = e.Measured((), "c", {}, Judgement("shadow", Verdict.FAIL, "they differ"))
KEPT = Example(Difference("$[*]", "type", "1", "null"), "200 [1]", "200 [null]")


class Journal:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []
        self.run = run(at=5)

    def append(self, event: e.Event) -> Run:
        self.events.append(event)
        return self.run

    def now(self) -> float:
        return 0.0


class Meter:
    """Its first reading ends the stage, and has the first answers that differ."""

    trouble = ""
    judgement = FAILED.judgement

    def __init__(self) -> None:
        self.hearing = self
        self.probes = Silence()

    def measure(self, _: Run, *, mirrored: bool) -> e.Measured:
        return FAILED

    def fresh_gaps(self) -> tuple[e.Unwatched, ...]:
        return ()

    def fresh_examples(self) -> tuple[Example, ...]:
        return (KEPT,)


class Nobody:
    def saw(self, _: object) -> None:
        pass


def test_examples_are_kept_also_where_the_first_reading_ends_the_stage() -> None:
    journal = Journal()
    driver = Driver(PLAN, None, journal, None, Meter(), FakeClock(), Nobody())

    driver._ask(run(), Question.MEASURE, Seen(exists=True))

    kept, measured = journal.events
    assert kept == e.AnswersDiffered(run().stage.id, (KEPT,))
    assert measured == FAILED
