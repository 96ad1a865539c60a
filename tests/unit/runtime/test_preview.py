"""What applying a plan would do, before it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.domain.endpoint import Seen
from rollout.domain.run import Phase
from rollout.runtime.begin import Course, Standing
from rollout.runtime.preview import preview_of
from tests.unit.runtime.values import PLAN, at, ready, run, seen

START = Standing(Course.START, "i", None)
SERVING = seen(blue=ready())


def lines(preview):
    return [f"{each.kind} {each.title}: {each.change}".rstrip(": ") for each in preview.steps]


def test_every_write_is_shown_before_anything_is_written():
    found = preview_of(PLAN, SERVING, START)

    assert lines(found) == [
        "  preflight",
        "~ scale blue: instances 1 -> 2",
        "+ create green: green from green.yml (+1 set)",
        "  smoke green: 20 requests",
        "~ mirror 10 %: mirror {green: 10}",
        "~ shift 10 %: blue 100 -> blue 90 green 10, mirror {}",
        "  approve",
        "~ shift 100 %: blue 90 green 10 -> green 100, mirror {}",
        "- delete blue: the point of no return",
    ]
    assert found.changes == {"add": 1, "change": 4, "delete": 1}
    assert found.warnings == ()


def test_what_may_hold_it_up_is_shown():
    waits = {each.id: each.waits for each in preview_of(PLAN, SERVING, START).steps}

    assert waits["mirror"] == "gate canary, at most 2h"
    assert waits["canary"] == "1m30s first · gate canary, at most 2h"
    assert waits["approve"] == "ada or eve"
    takes = {each.id: each.takes for each in preview_of(PLAN, SERVING, START).steps}
    assert (takes["create"], takes["approve"]) == (600.0, None)


def test_what_is_so_already_is_no_change():
    found = preview_of(PLAN, seen(blue=ready(instances=2)), START)

    assert "  scale blue" in lines(found)


@pytest.mark.parametrize(
    ("there", "bootstrap"),
    [
        (Seen(exists=False), "+ bootstrap: endpoint diabetes and blue, blue 100"),
        (Seen(exists=True), "+ bootstrap: blue, blue 100"),
        (seen(traffic={}, blue=ready(owner="r-0")), "+ bootstrap: blue 100"),
        (SERVING, None),
    ],
)
def test_an_endpoint_that_serves_nobody_is_brought_up_first(there, bootstrap):
    found = preview_of(PLAN, there, START)

    assert ([each for each in lines(found) if "bootstrap" in each] or [None]) == [bootstrap]
    assert found.warnings == ()


UNBOOTED = replace(PLAN, stages=tuple(each for each in PLAN.stages if each.id != "bootstrap"))


@pytest.mark.parametrize(
    ("plan", "there", "said"),
    [
        (PLAN, seen(traffic={"blue": 90, "red": 10}, blue=ready()), "the endpoint has: blue 90 red 10"),
        (PLAN, seen(traffic={}, blue=ready()), "the endpoint has: nobody"),
        (UNBOOTED, Seen(exists=False), "the endpoint does not exist"),
        (UNBOOTED, Seen(exists=True), "the endpoint has: nobody"),
    ],
)  # fmt: skip
def test_a_start_that_would_stop_at_once_is_told_before(plan, there, said):
    (warning,) = preview_of(plan, there, START).warnings

    assert warning == (
        f"The plan starts from blue 100, but {said}. Applying it would stop there (exit 31)."
    )


def test_of_an_open_run_only_what_is_ahead_is_shown():
    standing = Standing(Course.RESUME, "i", run(at=at("all")))

    found = preview_of(PLAN, seen(traffic={"blue": 90, "green": 10}, blue=ready()), standing)

    assert [each.id for each in found.steps] == ["all", "delete"]
    assert found.steps[0].change == "blue 90 green 10 -> green 100, mirror {}"
    assert found.warnings == ()


def test_what_is_done_is_no_step():
    found = preview_of(PLAN, SERVING, Standing(Course.NOTHING, "i", run(phase=Phase.COMPLETED)))

    assert found.steps == ()


def test_an_open_run_in_the_way_is_told():
    standing = Standing(Course.BLOCKED, "i", run(plan="other", phase=Phase.HELD))

    (warning,) = preview_of(PLAN, SERVING, standing).warnings

    assert "r-1 of other is open (held)" in warning
    assert "exit 30" in warning


def test_a_plan_without_gates_is_told():
    stages = tuple(replace(each, gate=None) for each in PLAN.stages)

    (warning,) = preview_of(replace(PLAN, stages=stages), SERVING, START).warnings

    assert "No stage has a gate" in warning
