"""References are replaced by what they stand for, typed as if it had been written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.domain.plan import Shift
from tests.unit.planfile.plans import HEAD, SMALL, STAGES, look, plan_of, told

SHA = "0123456789abcdef0123456789abcdef01234567"
SHARED = HEAD + "variables: {share: {default: 100%}}\nstages: [{shift: '${var.share}'}]\n"


def with_label(value: str) -> str:
    return HEAD + f"labels:\n  key: {value}\n" + STAGES


def label(folder: Path, value: str, **inputs: dict[str, str]) -> str:
    return plan_of(folder, with_label(value), **inputs).labels["key"]


def finding(folder: Path, text: str, **inputs: dict[str, str]) -> str:
    _, findings = look(folder, text, **inputs)
    (line,) = told(findings)
    return line


def test_a_variable_has_its_default(tmp_path: Path) -> None:
    assert plan_of(tmp_path, SHARED).stages[0].work == Shift(100)


def test_the_environment_gives_a_variable(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SHARED, environment={"ROLLOUT_VAR_share": "30%"})

    assert plan.stages[0].work == Shift(30)


def test_a_variable_that_is_given_wins_over_the_environment(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path, SHARED, environment={"ROLLOUT_VAR_share": "30%"}, variables={"share": "20"}
    )

    assert plan.stages[0].work == Shift(20)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"${env.A}"', "one"),
        ("${env.A}-${env.A}", "one-one"),
        ("${env.MISSING:-other}", "other"),
        ("${env.EMPTY:-other}", "other"),
        ("a${env.EMPTY}", "a"),
        ("a${env.MISSING:-}", "a"),
        ("${env.MISSING:-a:-b}", "a:-b"),
        ("$${env.A}", "${env.A}"),
        ("$$${env.A}", "$${env.A}"),
        ("$env.A and $(id)", "$env.A and $(id)"),
        ('"${env.NUMBER}"', "12"),
    ],
)
def test_a_reference_in_text(tmp_path: Path, written: str, value: str) -> None:
    environment = {"A": "one", "EMPTY": "", "NUMBER": "12"}

    assert label(tmp_path, written, environment=environment) == value


def test_text_without_quotes_is_read_anew_and_quoted_text_is_not(tmp_path: Path) -> None:
    (tmp_path / "green.yml").write_text("{}")
    text = SMALL.replace("green}", "green, file: green.yml, set: {}}")
    text = text.replace("set: {}", 'set: {quoted: "${env.N}", more: "${var.n}", other: "${var.s}"}')

    plan = plan_of(
        tmp_path,
        text + "variables: {n: {default: 2}, s: {default: '2'}}\n",
        environment={"N": "010"},
        variables={"n": "3", "s": "4"},
    )

    assert plan.candidate.overrides == {"quoted": "010", "more": 3, "other": "4"}


def test_a_bare_reference_becomes_the_number_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "green.yml").write_text("{}")
    text = HEAD.replace(
        "candidate: {deployment: green}",
        "candidate:\n  deployment: green\n  file: green.yml\n  set:\n    n: ${env.N}\n    t: ${env.T}",
    )

    plan = plan_of(tmp_path, text + STAGES, environment={"N": "010", "T": "true"})

    assert plan.candidate.overrides == {"n": 10, "t": True}


def test_a_substituted_value_cannot_add_structure(tmp_path: Path) -> None:
    assert (
        label(tmp_path, "${env.A}", environment={"A": "{x: [1, 2]} # : -"}) == "{x: [1, 2]} # : -"
    )


def test_a_default_may_refer_to_the_environment(tmp_path: Path) -> None:
    text = with_label('"${var.x}"') + 'variables: {x: {default: "${env.A:-none}"}}\n'

    assert plan_of(tmp_path, text, environment={"A": "one"}).labels == {"key": "one"}
    assert plan_of(tmp_path, text).labels == {"key": "none"}


def test_a_variable_of_another_type_is_read_as_that_type(tmp_path: Path) -> None:
    text = SMALL.replace("small", "small-${var.on}") + "variables: {on: {default: true}}\n"

    assert plan_of(tmp_path, text).name == "small-true"
    assert plan_of(tmp_path, text, variables={"on": "false"}).name == "small-false"


def test_a_variable_that_the_plan_does_not_have_is_refused(tmp_path: Path) -> None:
    assert finding(tmp_path, SHARED, variables={"shaer": "5%"}) == (
        "7:1 variables: the variable 'shaer' is given, but the plan has none of that name. "
        "Did you mean 'share'?"
    )
    assert finding(tmp_path, SMALL, variables={"x": "5%"}).startswith("1:1 variables: ")


def test_other_variables_of_the_environment_are_no_mistake(tmp_path: Path) -> None:
    plan_of(tmp_path, SMALL, environment={"ROLLOUT_VAR_other": "1"})


@pytest.mark.parametrize("value", ["a\nb", "\x1b[31m", "\udcff"])
def test_a_value_from_outside_is_one_readable_line(tmp_path: Path, value: str) -> None:
    text = with_label('"${env.A}"')

    assert "is not one line of readable text" in finding(tmp_path, text, environment={"A": value})
    text = with_label('"${var.a}"') + "variables: {a: {default: x}}\n"
    assert "is not one line of readable text" in finding(tmp_path, text, variables={"a": value})


def test_a_number_that_is_too_large_is_refused(tmp_path: Path) -> None:
    found = finding(tmp_path, with_label("${env.A}"), environment={"A": "9" * 5000})

    assert found == "8:8 labels.key: a number of 5000 digits is too large. Give a smaller number."


def test_a_finding_names_the_reference_to_put_into_quotes(tmp_path: Path) -> None:
    found = finding(tmp_path, with_label("${env.A}"), environment={"A": "12"})

    assert found.endswith('Put it in quotes: "${env.A}".')


def test_what_stands_below_an_x_key_is_not_read(tmp_path: Path) -> None:
    plan_of(tmp_path, SMALL + "x-notes: ['${nonsense}', '${var.none}', {shift: 0}]\n")


def test_the_commit_is_read_from_git(tmp_path: Path) -> None:
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text(f"{SHA}\n")
    (tmp_path / "plans").mkdir()

    assert label(tmp_path / "plans", '"${git.sha}"') == SHA


def test_no_repository_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert finding(tmp_path, with_label("${git.sha}")) == (
        "8:8 labels.key: the plan is not in a git repository with a commit. "
        "Commit it, or use a variable instead of ${git.sha}."
    )
