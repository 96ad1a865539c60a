from __future__ import annotations

import json

import pytest
import yaml

from rollout.cli.exits import Exit
from tests.unit.cli.scene import PLAN, Scene


@pytest.fixture
def broken(scene: Scene) -> Scene:
    scene.write(PLAN.replace("shift: 10%", "shift: 110%").replace("kind: Rollout", "kind: Role"))
    return scene


def test_a_good_plan(scene: Scene) -> None:
    told = scene.call("validate", "plan.yaml")

    assert (told.code, told.out, told.err) == (0, "plan.yaml: valid\n", "")


def test_findings_are_the_data_and_the_next_command_is_a_message(broken: Scene) -> None:
    told = broken.call("validate", "plan.yaml")

    lines = told.out.splitlines()
    assert told.code == Exit.INVALID
    assert all(each.startswith("plan.yaml:") for each in lines)
    assert any(":2:" in each and "kind" in each for each in lines)
    assert told.err.endswith("then: rollout validate plan.yaml\n")


def test_a_missing_file_is_a_finding(scene: Scene) -> None:
    told = scene.call("validate", "none.yaml", "plan.yaml")

    assert told.code == Exit.INVALID
    assert "none.yaml:1:1: plan: there is no such file." in told.out
    assert "plan.yaml: valid" in told.out


@pytest.mark.parametrize(
    "words", [("validate", "plan.yaml", "-o", "json"), ("-o", "json", "validate", "plan.yaml")]
)
def test_json(broken: Scene, words: tuple[str, ...]) -> None:
    told = broken.call(*words)

    data = json.loads(told.out)
    assert told.code == Exit.INVALID
    assert (data["outcome"], data["code"]) == ("invalid", 65)
    assert data["plans"] == [{"plan": "plan.yaml", "valid": False}]
    assert set(data["findings"][0]) == {"file", "line", "column", "path", "what", "do"}


def test_yaml_and_none(scene: Scene) -> None:
    assert yaml.safe_load(scene.call("validate", "plan.yaml", "-o", "yaml").out)["code"] == 0
    assert scene.call("validate", "plan.yaml", "-o", "none").out == ""


def test_github_annotations_on_demand_and_on_its_agent(
    broken: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = broken.call("validate", "plan.yaml", "-o", "github")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    there = broken.call("validate", "plan.yaml")
    elsewhere = broken.call("validate", "plan.yaml", "--ci", "none")

    assert all(each.startswith("::error file=plan.yaml,line=") for each in asked.out.splitlines())
    assert "::error file=" in there.out
    assert "::error" not in elsewhere.out


def test_sarif(broken: Scene) -> None:
    log = json.loads(broken.call("validate", "plan.yaml", "-o", "sarif").out)

    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"]


def test_variables_come_from_the_call_and_from_files(scene: Scene) -> None:
    text = PLAN.replace("count: 3", "count: ${var.count}")
    scene.write("variables: {count: {}}\n" + text if "variables" in text else text)
    (scene.folder / "vars.yaml").write_text("count: 4\n")
    (scene.folder / "list.yaml").write_text("- 4\n")
    (scene.folder / "deep.yaml").write_text("count: [4]\n")

    for bad in ("list.yaml", "deep.yaml", "none.yaml"):
        told = scene.call("validate", "plan.yaml", "--var-file", bad)
        assert told.code == Exit.USAGE, told
    told = scene.call("validate", "plan.yaml", "--var", "count")
    assert told.code == Exit.USAGE
    assert "name=value" in told.err


def test_a_plans_own_words_give_no_command(scene: Scene) -> None:
    scene.write(PLAN.replace("kind: Rollout", 'kind: "##vso[task.complete]"'))

    for form in ("text", "json", "yaml"):
        told = scene.call("validate", "plan.yaml", "-o", form)
        assert "##vso[" not in told.out + told.err
