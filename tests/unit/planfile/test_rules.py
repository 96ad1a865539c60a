"""The adapter is asked about what only it knows; rules look at whatever parts can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.planfile.plans import HEAD, SMALL, STAGES, look, told


@dataclass
class Adapter:
    """Refuses a port and a file, and remembers what it was asked."""

    asked: list[object] = field(default_factory=list)

    def endpoint(self, options: Mapping[str, object]) -> Sequence[tuple[str, str, str]]:
        self.asked.append(options)
        return [("port", "the port is taken.", "Choose another."), ("", "no memory.", "Add some.")]

    def endpoint_file(self, file: str) -> Sequence[tuple[str, str]]:
        self.asked.append(file)
        return [("auth_mode is 'x'.", "Write key.")]

    def deployment(
        self, name: str | None, file: str, overrides: Mapping[str, object]
    ) -> Sequence[tuple[str, str]]:
        self.asked.append((name, file, overrides))
        return [("it names no model.", "Add 'model: {path: ...}'.")]


def test_the_adapters_problems_have_places_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "green.yml").write_text("{}")
    text = SMALL.replace("local,", "local, port: 80,")
    text = text.replace("green}", "green, file: green.yml, set: {a.b: 1}}")
    adapter = Adapter()

    _, findings = look(tmp_path, text, provider=adapter)

    assert told(findings) == [
        "4:11 endpoint: no memory. Add some.",
        "4:35 endpoint.port: the port is taken. Choose another.",
        "6:38 candidate.file: it names no model. Add 'model: {path: ...}'.",
    ]
    assert adapter.asked == [
        {"port": 80},
        ("green", str(tmp_path / "green.yml"), {"a": {"b": 1}}),
    ]


def test_the_adapter_is_asked_about_the_endpoints_file(tmp_path: Path) -> None:
    file = tmp_path / "endpoint.yml"
    file.write_text("{}")
    adapter = Adapter()

    _, findings = look(
        tmp_path, SMALL.replace("local,", "local, file: endpoint.yml,"), provider=adapter
    )

    assert "4:35 endpoint.file: auth_mode is 'x'. Write key." in told(findings)
    assert adapter.asked == [{}, str(file)]


def test_the_adapter_is_not_asked_about_a_file_that_is_missing(tmp_path: Path) -> None:
    adapter = Adapter()

    look(tmp_path, SMALL.replace("green}", "green, file: none.yml}"), provider=adapter)

    assert adapter.asked == [{}]


@pytest.mark.parametrize("broken", ["5", "[]", "null", "{}", "text", "[1, 2]", "{deployment: 5}"])
@pytest.mark.parametrize(
    "key", ["endpoint", "baseline", "candidate", "gates", "stages", "requests", "policy", "labels"]
)
def test_one_broken_part_does_not_hide_the_others(tmp_path: Path, key: str, broken: str) -> None:
    lines = [line for line in SMALL.splitlines() if not line.startswith(f"{key}:")]
    text = "\n".join([*lines, f"{key}: {broken}", "risk: {false_rollback: 60%}", ""])

    _, findings = look(tmp_path, text)

    assert any("risk.false_rollback" in each for each in told(findings))


def test_a_schema_error_in_a_stage_does_not_hide_a_rule_in_another(tmp_path: Path) -> None:
    text = HEAD + "stages: [{shift: x}, {shift: 50%}, {shift: 40%}, {delete: baseline}]\n"

    _, findings = look(tmp_path, text)

    assert [each.path for each in findings] == [
        "stages[0].shift",
        "stages[2].shift",
        "stages[3].delete",
    ]


def test_nothing_is_concluded_from_a_share_that_cannot_be_read(tmp_path: Path) -> None:
    text = HEAD + "stages: [{shift: x}, {delete: baseline}]\n"

    _, findings = look(tmp_path, text)

    assert [each.path for each in findings] == ["stages[0].shift"]


def test_an_aliased_mistake_is_told_once(tmp_path: Path) -> None:
    text = HEAD + "x-c: &c {checks: [{error_rate: {max: 0%}}]}\ngates: {a: *c, b: *c}\n" + STAGES

    _, findings = look(tmp_path, text)

    assert told(findings) == [
        "7:38 gates.a.checks[0].error_rate.max: '0%' is out of bounds. Write more than 0%."
    ]


def test_a_folder_that_may_not_be_read_is_a_finding(tmp_path: Path) -> None:
    text = SMALL.replace("green}", f"green, file: {'x' * 4000}.yml}}")

    _, findings = look(tmp_path, text)

    assert [each.path for each in findings] == ["candidate.file"]
