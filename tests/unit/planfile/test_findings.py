"""Findings as lines, data, annotations and SARIF; none of them carries a command."""

from __future__ import annotations

import json

import pytest

from rollout.domain.diagnostics import Diagnostic, Place
from rollout.planfile.findings import as_annotations, as_data, as_lines, as_sarif

FINDING = Diagnostic(
    Place("plans/bad.yaml", 41, 5), "stages[4].mirror", "mirrors at most 50 %.", "Write 50%."
)
HOSTILE = Diagnostic(
    Place("a,b:c%.yaml", 1, 1), "labels", "##vso[task.complete]\n::error::x\x1b[0m", "##[error] no"
)


def test_a_line_has_place_path_what_and_do() -> None:
    assert as_lines([FINDING]) == [
        "plans/bad.yaml:41:5: stages[4].mirror: mirrors at most 50 %. Write 50%."
    ]


def test_data_has_the_same_parts() -> None:
    assert as_data([FINDING]) == [
        {
            "file": "plans/bad.yaml",
            "line": 41,
            "column": 5,
            "path": "stages[4].mirror",
            "what": "mirrors at most 50 %.",
            "do": "Write 50%.",
        }
    ]


def test_an_annotation_is_escaped_as_github_does() -> None:
    first, second = as_annotations([FINDING, HOSTILE])

    assert first == (
        "::error file=plans/bad.yaml,line=41,col=5::"
        "stages[4].mirror: mirrors at most 50 %25. Write 50%25."
    )
    assert second == (
        "::error file=a%2Cb%3Ac%25.yaml,line=1,col=1::"
        r"labels: # #vso[task.complete]\n::error::x\x1b[0m # #[error] no"
    )


@pytest.mark.parametrize("render", [as_lines, as_annotations])
def test_no_output_carries_a_command_of_the_plan(render: object) -> None:
    assert callable(render)
    (line,) = render([HOSTILE])

    assert line.isprintable()
    assert "##vso[" not in line
    assert "##[" not in line


def test_no_data_carries_a_command_of_the_plan() -> None:
    for data in (as_data([HOSTILE]), as_sarif([HOSTILE], version="1")):
        text = json.dumps(data)

        assert "##vso[" not in text
        assert "##[" not in text
        assert "u001b" not in text


def test_a_file_name_cannot_begin_a_command() -> None:
    place = Place("::error::x.yaml", 1, 1)

    assert not as_lines([Diagnostic(place, "plan", "x.", "y.")])[0].startswith("::")


def test_sarif_has_the_place_of_every_finding() -> None:
    log = json.loads(json.dumps(as_sarif([FINDING, HOSTILE], version="1.2.3")))

    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["version"] == "1.2.3"
    assert [each["ruleId"] for each in run["results"]] == ["plan-invalid"] * 2
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "plans/bad.yaml"},
                "region": {"startLine": 41, "startColumn": 5},
            }
        }
    ]
    uri = run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%2Cb%3Ac%25.yaml"


def test_sarif_of_an_absolute_file_is_a_file_uri() -> None:
    finding = Diagnostic(Place("/a b/plan.yaml", 1, 1), "plan", "x.", "y.")

    log = as_sarif([finding], version="1")

    assert '"file:///a%20b/plan.yaml"' in json.dumps(log)


def test_sarif_of_a_good_plan_says_that_nothing_was_found() -> None:
    assert json.loads(json.dumps(as_sarif([], version="1")))["runs"][0]["results"] == []
