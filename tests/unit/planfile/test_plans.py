"""Every plan in tests/plans: the valid ones load, the invalid ones say what their .txt says.

What the endpoints' providers say of a plan is a part of it, as in ``rollout validate``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.domain.errors import PlanInvalid
from rollout.domain.plan import Plan
from rollout.planfile.load import examine, load
from rollout.wiring.checks import check_of
from tests.unit.planfile.plans import INVALID, sample_plans


@pytest.mark.parametrize("file", sample_plans(), ids=lambda file: file.name)
def test_a_valid_plan_loads(file: Path) -> None:
    plan = load(file, variables={}, environment={})

    assert isinstance(plan, Plan)
    assert len(plan.digest) == 64


@pytest.mark.parametrize("file", sorted(INVALID.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_invalid_plan_says_what_its_text_file_says(file: Path) -> None:
    plan, findings = examine(file, variables={}, environment={}, providers=check_of)

    told = "".join(f"{each}\n" for each in findings)
    assert plan is None
    assert told.replace(f"{INVALID}/", "") == file.with_suffix(".txt").read_text()


@pytest.mark.parametrize("file", sorted(INVALID.glob("*.yaml")), ids=lambda file: file.stem)
def test_findings_are_sorted_and_end_in_an_instruction(file: Path) -> None:
    _, findings = examine(file, variables={}, environment={}, providers=check_of)

    assert findings
    assert list(findings) == sorted(findings)
    for each in findings:
        assert each.path
        assert each.what.endswith(".")
        assert each.do
        assert each.do[-1] in ".?"
        assert "\n" not in str(each)


def test_every_text_file_has_its_plan() -> None:
    assert {each.stem for each in INVALID.glob("*.txt")} == {
        each.stem for each in INVALID.glob("*.yaml")
    }


def test_ten_mistakes_are_ten_findings_at_their_places() -> None:
    file = INVALID / "ten-mistakes.yaml"
    lines = file.read_text().splitlines()

    _, findings = examine(file, variables={}, environment={})

    marked = [lines[each.place.line - 1][each.place.column - 1 :] for each in findings]
    assert marked == [
        "my_endpoint",
        "blue",
        "flie: files/green-deployment.yml",
        "4h",
        "0.5pp, margin: 0.1pp}",
        "60%",
        "cannary",
        "45",
        "shfit: 50%",
        "baseline",
    ]


def test_load_raises_all_findings_at_once() -> None:
    with pytest.raises(PlanInvalid) as caught:
        load(INVALID / "ten-mistakes.yaml", variables={}, environment={})

    assert len(caught.value.findings) == 10
    assert caught.value.code == 65
