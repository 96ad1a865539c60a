from __future__ import annotations

import json

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

Plan: 1 to add, 2 to change, 0 to delete.   Apply it: rollout apply plan.yaml
"""


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
    text = PLAN.replace("  - approve: {expires: 1d}\n", "")
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
