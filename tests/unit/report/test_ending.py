from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain import events as e
from rollout.domain.endpoint import CreateEndpoint
from rollout.domain.outcome import outcome
from rollout.domain.plan import Bootstrap, Stage
from rollout.domain.run import Cause, Exposure, Phase, Run, Split, StageDone, Why
from rollout.domain.verdict import Verdict
from rollout.report.ending import Ending, bad_lines, explain
from rollout.report.onward import next_command
from rollout.report.rows import text
from rollout.runtime.begin import Course
from rollout.runtime.journal import Entry
from tests.unit.report.runs import FAILED, STAGES, START, rolled_back, running

LOGS = """\
INFO started
Traceback (most recent call last):
KeyError: 'tenure'
INFO 127.0.0.1 "POST /score HTTP/1.1" 500 12
KeyError: 'tenure'
##vso[task.complete result=Succeeded] error
"""
FAILURE = """\
✖ gate canary failed in stage 5 of 9, shift 10 % after 4m12s
  ✖  error_rate   blue 13 of 3,351 (0.39 %)       green 15 of 376 (3.99 %)      ratio 10.3 [4.1, 27]    tolerance 0.5pp, margin 1pp
     latency_p95  blue 131 ms (170 of 3,351 slow)  green 138 ms (20 of 376 slow)  ratio 1.05 [0.8, 1.3]  margin 20 %
    E = 214 >= 100: a healthy candidate looks this bad in fewer than 1 of 100 rollouts, however often one looks.
    First bad lines of green's log:
      KeyError: 'tenure'
      INFO 127.0.0.1 "POST /score HTTP/1.1" 500 12
      # #vso[task.complete result=Succeeded] error
↶ rollback to blue 100
  ✔ traffic blue 100: read back after 0:49
  ✔ smoke on the endpoint: 10 of 10
  ✔ green kept at 0 %, its logs saved
Rolled back and verified in 1m3s. 376 requests were answered by green, 15 of them badly."""


def entry(event: e.Event, state: Run, at: float) -> Entry:
    return Entry(0, at, 1, "ada", event, state, "", "")


def story(run: Run) -> tuple[Entry, ...]:
    back = replace(run, phase=Phase.ROLLING_BACK)
    return (
        entry(e.RollbackBegan(run.cause or Cause(Why.UNDO, "")), back, START + 3512),
        entry(e.LogsCollected("green", LOGS), back, START + 3561),
        entry(e.RollbackProbed(True, "smoke on the endpoint: 10 of 10"), back, START + 3562),
        entry(e.RolledBack(), run, START + 3575),
    )


def told(run: Run, *, course: Course | None = None) -> str:
    return text_of(Ending(run, story(run), course))


def text_of(ending: Ending) -> str:
    return text(explain(ending))


def test_a_failed_gate_is_explained_to_the_last_number() -> None:
    assert squeezed(told(rolled_back())) == squeezed(FAILURE)


def test_latency_that_was_published_by_the_minute_is_told_in_minutes() -> None:
    errors, latency = FAILED.checks
    by_minute = replace(
        latency, unit="minutes", candidate_events=11, candidate_requests=12, ratio=None
    )
    run = rolled_back()
    told_of = replace(run, judgement=replace(FAILED, checks=(errors, by_minute)))

    page = " ".join(told(told_of).split())

    assert "latency_p95 blue 131 ms green 138 ms (too slow in 11 of 12 minutes)" in page


def squeezed(page: str) -> list[str]:
    """Lines without the widths of columns."""
    return [" ".join(each.split()) for each in page.splitlines()]


@pytest.mark.parametrize(
    ("changes", "said", "command"),
    [
        (
            {"phase": Phase.COMPLETED, "ended": START + 60, "cause": None},
            "Completed. green has 0 % of churn, after 1m.",
            "rollout undo r-7f3a",
        ),
        ({"phase": Phase.PAUSED, "cause": None}, "stands at stage 5 of 9", "rollout resume r-7f3a"),
        (
            {"phase": Phase.HELD, "cause": Cause(Why.DRIFT, "The endpoint has blue 50.")},
            "The endpoint stays as it was found.",
            "rollout resume --adopt r-7f3a",
        ),
        (
            {"phase": Phase.HELD, "cause": Cause(Why.TIMEOUT, "Too late.")},
            "The endpoint stays as it is (blue 100)",
            "rollout retry r-7f3a",
        ),
        (
            {"phase": Phase.UNVERIFIED},
            "The rollback could NOT be verified. A person must look.",
            "rollout retry r-7f3a",
        ),
        (
            {"phase": Phase.REFUSED, "cause": Cause(Why.PREFLIGHT_FAILED, "quota: no")},
            "Nothing was touched.",
            "rollout events r-7f3a",
        ),
        (
            {"phase": Phase.ABORTED, "cause": Cause(Why.ABORTED, "ada aborted it.")},
            "r-7f3a aborted in stage 5 of 9, shift 10 %: ada aborted it.",
            "rollout show r-7f3a",
        ),
        (
            {"phase": Phase.UNDONE, "stages": ()},
            "churn is back at blue 100.",
            "rollout show r-7f3a",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_every_end_says_what_and_what_next(
    changes: dict[str, object], said: str, command: str
) -> None:
    run = replace(rolled_back(), **changes)  # type: ignore[arg-type]

    assert said in told(run)
    assert command in next_command(run)


def test_an_inconclusive_gate_gives_its_reason() -> None:
    word = replace(FAILED, verdict=Verdict.INCONCLUSIVE, reason="No verdict after 1h: no data.")
    cause = Cause(Why.INCONCLUSIVE, "gate canary: no data")
    run = running(phase=Phase.HELD, cause=cause, judgement=word)

    page = text(explain(Ending(run)))

    assert "gate canary was inconclusive in stage 5 of 9" in page
    assert "No verdict after 1h: no data." in page
    assert "E =" not in page


def test_nothing_to_do_names_the_run_that_did_it() -> None:
    assert told(rolled_back(), course=Course.NOTHING).startswith(
        "Nothing to do: r-7f3a did this very work and was rolled back at 2027-01-15T08:59:35Z."
    )


def test_a_crash_before_any_traffic_says_that_no_client_saw_it() -> None:
    cause = Cause(Why.CREATE_FAILED, "green could not be created: exit 1")
    run = replace(rolled_back(), cause=cause, exposure=Exposure(), created=False)

    page = told(run)

    assert "No client was answered by green." in page
    assert "green was never created" in page
    assert "KeyError: 'tenure'" in page


def test_a_log_without_an_error_shows_its_end_only_where_that_tells() -> None:
    lines = entry(e.LogsCollected("green", "one\ntwo\nthree"), running(), START)

    assert bad_lines([lines]) == ("one", "two", "three")
    assert bad_lines([lines], otherwise_last=False) == ()


NONE = "(no logs: There is no deployment 'green'. Name one: rollout logs NAME plan.yaml)"


@pytest.mark.parametrize("text", [NONE, None], ids=["no deployment", "none wanted"])
def test_no_logs_are_saved_where_there_were_none(text: str | None) -> None:
    run = rolled_back()
    collected = (e.LogsCollected("green", text),) if text else ()
    back = replace(run, phase=Phase.ROLLING_BACK)
    events = [entry(each, back, START + 3561) for each in collected]

    page = squeezed(text_of(Ending(run, (*story(run)[:1], *events))))

    assert "✔ green kept at 0 %" in page
    assert not any("log" in each for each in page)


def test_a_drift_does_not_claim_the_split_that_was_expected() -> None:
    cause = Cause(Why.DRIFT, "Expected blue 100; the endpoint has blue 50 green 50.")

    page = text_of(Ending(replace(rolled_back(), phase=Phase.HELD, cause=cause)))

    assert page.count("blue 100") == 1
    assert "The endpoint stays as it was found." in page


BOOT = (Stage("bootstrap", Bootstrap()), *STAGES)


@pytest.mark.parametrize(
    ("wrote", "said"), [(False, "stage 5 of 9"), (True, "stage 6 of 10")], ids=str
)
def test_stages_are_counted_as_the_plan_shows_them(wrote: bool, said: str) -> None:
    done = (StageDone("bootstrap", START, START), *rolled_back().done)
    run = replace(rolled_back(), stages=BOOT, at=5, done=done)
    first = replace(run, at=0, done=())
    effects = (e.Intended(CreateEndpoint(), Split()),) if wrote else ()
    begun = [entry(each, first, START) for each in effects]

    assert said in text_of(Ending(run, (*begun, *story(run))))


def test_a_run_that_ends_in_its_bootstrap_counts_it() -> None:
    cause = Cause(Why.BOOTSTRAP_FAILED, "blue could not be created: no memory")
    run = replace(rolled_back(), stages=BOOT, at=0, done=(), cause=cause, phase=Phase.HELD)

    assert "stage 1 of 10, bootstrap" in text_of(Ending(run))


def test_what_a_late_call_left_is_told_first() -> None:
    run = replace(running(), phase=Phase.COMPLETED, leftover="A late call's change is still there.")

    first, second = text_of(Ending(run)).splitlines()

    assert "is still there" in first
    assert "Completed" in second
    assert "put right: rollout apply" in next_command(run)
    assert outcome(run) == "unrepaired"


@pytest.mark.parametrize(
    ("exposure", "told"),
    [
        (Exposure(), "How many clients were answered by green is not known."),
        (
            Exposure(7, 1),
            "7 requests were answered by green, 1 of them badly. What it answered last is not known.",
        ),
    ],
    ids=["none-known", "some-known"],
)
def test_answers_that_nobody_could_count_are_not_told_as_none(
    exposure: Exposure, told: str
) -> None:
    run = replace(rolled_back(), exposure=exposure, uncounted="c")

    told_of = text(explain(Ending(run)))

    assert told in told_of
    assert "No client" not in told_of
