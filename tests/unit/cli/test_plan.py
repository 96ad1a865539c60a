from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from rollout.cli.exits import Exit
from tests.unit.cli.scene import PLAN, Scene

TABLE = """\
rollout 0.1.0 · plan churn-green · local · churn

Now     blue    1 of 1 instance   ready   live 100 %   mirror -
After   blue    1 instance        ready   live 0 %
        green   as in its file    ready   live 100 %

  #  stage            change                                    takes  may wait for
  1  create green  +  green from green.yml                      <= 1h
  2  smoke green      3 requests                                <= 1h
  3  shift 10 %    ~  blue 100 -> blue 90 green 10, mirror {}   <= 1h  gate canary, at most 10m
  4  shift 100 %   ~  blue 90 green 10 -> green 100, mirror {}  <= 1h

Warning  The rate of requests is not known, so the power of the gates is not estimated. State it:
         rollout plan plan.yaml --rps 50
Plan: 1 to add, 2 to change, 0 to delete.   Apply it: rollout apply plan.yaml
"""
POWER = """\
Power    at 100 req/s (--rps), 0.2 % errors (--error-rate), latency spread 0.5 (assumed)
    check        rolls back  chance  80 % in  x2, +50 %  finds   crash  passes  80 % in
  shift 10 %, gate canary, 10 req/s: P(pass | healthy) >99 % within 10m, 80 % in 17s
"""
PAGE = Path(__file__).resolve().parents[3] / "docs/power.md"


def test_the_table(scene: Scene) -> None:
    told = scene.call("plan", "plan.yaml")

    assert (told.code, told.err) == (0, "")
    assert told.out == TABLE


def test_nothing_is_written(scene: Scene) -> None:
    scene.call("plan", "plan.yaml")

    assert scene.world.writes == []
    assert scene.shelf.events == {}


def test_json_and_the_detailed_exit_code(scene: Scene) -> None:
    told = scene.call("plan", "plan.yaml", "-o", "json", "--detailed-exitcode")

    data = json.loads(told.out)
    assert told.code == Exit.CHANGES
    assert data["outcome"] == "changes"
    assert data["course"] == "start"
    assert data["changes"] == {"add": 1, "change": 2, "delete": 0}
    assert [each["kind"] for each in data["steps"]] == ["add", "none", "change", "change"]
    assert data["now"]["traffic"] == {"blue": 100}


def test_what_is_done_already_needs_nothing(scene: Scene) -> None:
    done = json.loads(scene.call("apply", "plan.yaml", "--auto-approve", "-o", "json").out)

    told = scene.call("plan", "plan.yaml", "--detailed-exitcode")
    again = scene.call("plan", "plan.yaml", "--detailed-exitcode", "--again")

    assert told.code == 0
    assert f"Nothing to do: {done['run']} did this very work and was completed" in told.out
    assert again.code == Exit.CHANGES


def test_a_deleted_baseline_and_a_missing_endpoint(scene: Scene) -> None:
    text = PLAN.replace("  - approve: {expires: 1d, author: true}\n", "")
    scene.write(text.replace("on_failure:", "  - delete: baseline\non_failure:"))

    told = scene.call("plan", "plan.yaml")

    assert "After   blue    deleted" in told.out
    assert "-  the point of no return" in told.out


def test_warnings_stand_before_the_sum(scene: Scene) -> None:
    scene.world.stand_by("green")
    scene.world.by_hand({"blue": 50, "green": 50})

    told = scene.call("plan", "plan.yaml")

    assert (
        "Warning  The plan starts from blue 100, but the endpoint has: blue 50 green 50."
        in told.out
    )


def test_an_invalid_plan_is_told_with_its_findings(scene: Scene) -> None:
    scene.write("kind: Rollout\n")

    told = scene.call("plan", "plan.yaml", "-o", "json")

    data = json.loads(told.out)
    assert told.code == Exit.INVALID
    assert data["outcome"] == "invalid"
    assert data["error"]["findings"]
    assert "plan.yaml:1:1" in told.err


def test_the_power_of_the_gates_at_a_stated_rate(scene: Scene) -> None:
    told = scene.call("plan", "plan.yaml", "--rps", "100", "--error-rate", "0.2%")

    assert POWER in told.out
    assert "Warning" not in told.out
    assert max(map(len, told.out.splitlines())) <= 100


def test_the_power_in_json(scene: Scene) -> None:
    data = json.loads(scene.call("plan", "plan.yaml", "--rps", "100", "-o", "json").out)

    (stage,) = data["outlook"]["stages"]
    errors, latency = stage["checks"]
    assert data["outlook"]["baseline"]["rps"] == {
        "value": 100.0,
        "basis": "stated",
        "where": "--rps",
    }
    assert (stage["id"], stage["gate"], stage["live"]) == ("shift-10", "canary", True)
    assert stage["pass"]["probability"] > 0.99
    assert errors["margin"]["effect"] == "+3pp"
    assert errors["crash"] == {"failures": 5, "seconds": 1.0, "exposed_requests": 10.0}
    assert latency["check"] == "latency_p95"


def test_without_a_rate_the_json_has_no_stages(scene: Scene) -> None:
    data = json.loads(scene.call("plan", "plan.yaml", "-o", "json").out)

    assert data["outlook"]["baseline"]["rps"] is None
    assert data["outlook"]["stages"] == []
    assert "--rps" in data["warnings"][0]


@pytest.mark.parametrize(
    "words", [("--rps", "0"), ("--rps", "many"), ("--error-rate", "2"), ("--error-rate", "200%")]
)
def test_a_senseless_statement_is_refused(scene: Scene, words: tuple[str, ...]) -> None:
    told = scene.call("plan", "plan.yaml", *words)

    assert told.code == Exit.USAGE
    assert words[0] in told.err


def test_the_page_about_power_shows_what_the_command_says(scene: Scene) -> None:
    page = PAGE.read_text(encoding="utf-8")
    plan, said = (re.search(rf"```{kind}\n(.*?)```", page, re.S) for kind in ("yaml", "text"))
    command = re.search(r"`(rollout plan [^`]+)`", page)
    assert plan
    assert said
    assert command
    scene.write(plan[1])

    told = scene.call(*shlex.split(command[1])[1:])

    assert told.out.endswith(said[1])
