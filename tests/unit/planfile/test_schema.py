"""The published schema: complete, explained, and of one mind with the program."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rollout.adapters.endpoints.azureml.kinds import KINDS as KINDS_OF_ENDPOINTS
from rollout.adapters.endpoints.azureml.options import CLOUDS, CREDENTIALS, Options
from rollout.domain import windows
from rollout.domain.answers import CompareRule
from rollout.domain.criteria import Check, Custom, Gate, OnInconclusive, Probing, Risk
from rollout.domain.plan import (
    Approve,
    Expect,
    Guard,
    OnFailure,
    Plan,
    Preflight,
    Shift,
    Smoke,
    Stage,
    Window,
)
from rollout.gates.answers import steps_of
from rollout.planfile import attendance, explain, forms, yaml12
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.rules import PROVIDERS
from rollout.planfile.schema import NAME, schema, schema_file
from rollout.planfile.stages import KINDS
from tests.unit.planfile.plans import REPOSITORY, SMALL, look, plan_of, sample_plans, told

SCHEMA = schema()
ANNOTATIONS = {
    "$schema", "$id", "$ref", "title", "description", "default", "examples", "errorMessage",
}  # fmt: skip
STRUCTURE = {"properties", "patternProperties", "propertyNames", "items", "$defs"}
OURS = {"x-later", "x-kinds", "x-metrics"}
INSTEAD_OF = {"pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


def parts(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema with its pointer."""
    yield path, node
    for keyword in ("properties", "patternProperties", "$defs"):
        for name, inner in node.get(keyword, {}).items():
            yield from parts(inner, f"{path}/{keyword}/{name}")
    for keyword in ("additionalProperties", "items", "propertyNames"):
        if isinstance(node.get(keyword), dict):
            yield from parts(node[keyword], f"{path}/{keyword}")


PARTS = dict(parts(SCHEMA))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_has_a_description() -> None:
    silent = [
        path
        for path, node in PARTS.items()
        if re.search(r"/(properties|patternProperties)/[^/]+$", path)
        and not str(node.get("description", "")).endswith((".", "}"))
    ]

    assert silent == []


def test_every_keyword_is_explained_to_the_user() -> None:
    known = ANNOTATIONS | STRUCTURE | OURS | set(explain._EXPLAINED)
    for path, node in PARTS.items():
        beside_a_form = INSTEAD_OF if "x-form" in node else set()

        assert set(node) - known - beside_a_form == set(), path


def test_a_pattern_stands_beside_a_form_or_for_the_names_of_keys() -> None:
    for path, node in PARTS.items():
        if "pattern" in node:
            assert "x-form" in node or path.endswith("propertyNames"), path


def test_every_mapping_is_closed_or_says_what_else_it_takes() -> None:
    open_ended = {path for path, node in PARTS.items() if "properties" in node} - {
        path for path, node in PARTS.items() if "additionalProperties" in node
    }

    assert open_ended == set()


WRITTEN = [
    "10", "10%", "10 %", "0.5%", "0.5pp", "0.5 pp", "100%", "50.0%", "300ms", "90s", "10m", "1h30m",
    "3d", "1.5s", "0s", "0", "1", "true", "false", "200", "blue", "my-endpoint", "a", "x-1", "a.b_c",
    "refuse", "hold", "UTC", "Europe/Vienna", "Mon-Thu 09:00-16:00", "Sat,Sun", "22:00-04:00,05:00-6:30",
    "$", "$[0]", "$.scores[0].label", "$[*]", '$["a b"]', '$.a[*]["b\\"c"][0]', "1rps", "0.5 rps", "-0.5", "ten", "10 minutes", "", "-1", "a b", "[0]", "10min", "1e3",
    "env:TOKEN", "file:/run/secrets/token", "keyvault:https://x",
]  # fmt: skip


@pytest.mark.parametrize("path", [path for path, node in PARTS.items() if "x-form" in node])
def test_an_editor_accepts_what_the_program_accepts(path: str) -> None:
    node = PARTS[path]
    editor = Draft202012Validator({key: each for key, each in node.items() if key != "$ref"})

    accepted = [text for text in WRITTEN if _fits(node["x-form"], text)]

    assert accepted, "no example of this form is tested"
    assert [text for text in accepted if not editor.is_valid(text)] == []
    assert editor.is_valid("${var.anything}")
    assert not editor.is_valid("10 minutes and a half")
    if node["x-form"]["is"] in forms.TEXT:
        return
    for number in (20, 150.5):
        if _fits(node["x-form"], number):
            assert editor.is_valid(number)


def _fits(form: dict[str, object], value: object) -> bool:
    try:
        forms.check(form, value)
    except Misshapen:
        return False
    return True


@pytest.mark.parametrize("file", sample_plans(), ids=lambda file: file.name)
def test_an_editor_accepts_every_valid_plan_before_its_references_are_replaced(file: Path) -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor(
        "tag:yaml.org,2002:bool", lambda loader, node: yaml12.resolve(node.value)
    )
    data = yaml.load(file.read_text().replace("\t", " "), Loader)  # noqa: S506

    found = [each.message for each in Draft202012Validator(SCHEMA).iter_errors(data)]

    assert found == []


def _default(kind: type, name: str) -> object:
    (found,) = [each for each in fields(kind) if each.name == name]
    return found.default


PREFLIGHT = "#/$defs/stage/properties/preflight/properties"
WINDOW = "#/properties/policy/properties/windows/items/properties"
DEFAULTS: dict[str, tuple[type, str, Callable[[Any], object]]] = {
    "#/properties/endpoint/properties/credential": (Options, "credential", str),
    f"{PREFLIGHT}/quota": (Preflight, "quota", bool),
    f"{PREFLIGHT}/permissions": (Preflight, "permissions", bool),
    f"{PREFLIGHT}/metrics": (Preflight, "metrics", bool),
    "#/properties/risk/properties/false_rollback": (Risk, "false_rollback", forms.percent),
    "#/properties/risk/properties/wrong_promotion": (Risk, "wrong_promotion", forms.percent),
    "#/properties/on_failure/properties/action": (OnFailure, "action", str),
    "#/properties/on_failure/properties/candidate": (OnFailure, "candidate", str),
    "#/properties/on_failure/properties/verify/properties/within": (
        OnFailure,
        "verify_within",
        forms.duration,
    ),
    "#/properties/on_failure/properties/verify/properties/smoke": (OnFailure, "verify_smoke", bool),
    "#/properties/on_failure/properties/collect/properties/logs": (OnFailure, "collect_logs", int),
    "#/properties/compare/properties/noise": (Probing, "noise", bool),
    "#/properties/compare/properties/examples": (Probing, "examples", int),
    "#/$defs/custom/properties/better": (Custom, "better", str),
    "#/$defs/comparison/properties/rel_tolerance": (CompareRule, "rel_tolerance", forms.percent),
    "#/$defs/comparison/properties/abs_tolerance": (CompareRule, "abs_tolerance", forms.rate),
    "#/$defs/comparison/properties/ignore": (CompareRule, "ignore", bool),
    "#/$defs/comparison/properties/unordered": (CompareRule, "unordered", bool),
    "#/$defs/gate/properties/min_duration": (Gate, "min_duration", forms.duration),
    "#/$defs/gate/properties/max_duration": (Gate, "max_duration", forms.duration),
    "#/$defs/gate/properties/min_requests": (Gate, "min_requests", int),
    "#/$defs/gate/properties/warm_up": (Gate, "warm_up", forms.duration),
    "#/$defs/gate/properties/on_inconclusive/properties/then": (OnInconclusive, "then", str),
    "#/$defs/stage/properties/timeout": (Stage, "timeout", forms.duration),
    "#/$defs/stage/properties/after": (Stage, "after", forms.duration),
    "#/$defs/stage/properties/approve/properties/count": (Approve, "count", int),
    "#/$defs/stage/properties/approve/properties/author": (Approve, "author", bool),
    "#/properties/guard/properties/unattended": (Guard, "unattended", attendance.unattended),
    f"{WINDOW}/timezone": (Window, "timezone", str),
    "#/$defs/stage/properties/smoke/properties/count": (Smoke, "count", int),
    "#/$defs/stage/properties/smoke/properties/expect/properties/status": (Expect, "status", int),
}
CHECKS = (
    "#/$defs/check/properties/error_rate",
    "#/$defs/check/properties/response_agreement",
    "#/$defs/check/properties/prediction_drift",
    "#/$defs/check/properties/requests",
    "#/$defs/latency",
    "#/$defs/ratio",
    "#/$defs/mean",
)
DEFAULTS.update({f"{path}/properties/severity": (Check, "severity", str) for path in CHECKS})
BUILT = {  # the domain has no default
    "#/$defs/stage/properties/smoke/properties/deployment": "candidate",
    "#/$defs/check/properties/response_agreement/properties/max_mismatch": "1%",
}


@pytest.mark.parametrize("path", sorted({*DEFAULTS, *BUILT}))
def test_the_schemas_defaults_are_the_dataclasses_defaults(path: str) -> None:
    if path in BUILT:
        assert PARTS[path]["default"] == BUILT[path]
        return
    kind, name, read = DEFAULTS[path]

    assert read(PARTS[path]["default"]) == _default(kind, name)


def test_every_default_of_the_schema_is_compared() -> None:
    assert {path for path, node in PARTS.items() if "default" in node} == {*DEFAULTS, *BUILT}


def test_a_plan_without_optional_keys_has_the_dataclasses_defaults(tmp_path: Path) -> None:
    gate = "{checks: [{error_rate: {max: 2%}}, {response_agreement: }]}"
    text = SMALL + f"requests: [{{}}]\ngates: {{g: {gate}}}\n"

    plan = plan_of(tmp_path, text.replace("[{shift", "[{smoke: }, {shift"))

    bare = Plan(plan.name, plan.endpoint, plan.baseline, plan.candidate, plan.stages)
    for name in (
        "labels",
        "load_rps",
        "risk",
        "on_failure",
        "deadline",
        "guard",
        "windows",
        "compare",
        "metrics",
        "customs",
    ):
        assert getattr(plan, name) == getattr(bare, name)
    assert plan.gates["g"].checks[1].maximum == 0.01
    assert plan.gates["g"] == Gate("g", plan.gates["g"].checks)
    assert plan.stages == (
        Stage("smoke-candidate", Smoke("candidate")),
        Stage("shift-100", Shift(100)),
    )


def test_the_kinds_of_stages_are_the_same_everywhere() -> None:
    stage = PARTS["#/$defs/stage"]

    assert tuple(stage["x-kinds"]) == KINDS
    assert [each["required"] for each in stage["oneOf"]] == [[kind] for kind in KINDS]
    assert set(KINDS) < set(stage["properties"])


def test_windows_are_about_the_kinds_that_write() -> None:
    assert tuple(PARTS[f"{WINDOW}/applies_to"]["items"]["enum"]) == windows.KINDS


def test_providers_and_their_choices_are_the_same_everywhere() -> None:
    endpoint = PARTS["#/properties/endpoint"]["properties"]

    assert tuple(endpoint["provider"]["enum"]) == PROVIDERS
    assert tuple(endpoint["kind"]["enum"]) == KINDS_OF_ENDPOINTS
    assert tuple(endpoint["cloud"]["enum"]) == CLOUDS
    assert tuple(endpoint["credential"]["enum"]) == CREDENTIALS


LATER = [
    (path, name)
    for path, node in PARTS.items()
    for name in node.get("x-later", ())
    if "enum" not in node
]


def test_what_comes_later_is_no_key_of_today() -> None:
    for path, name in LATER:
        assert name not in PARTS[path].get("properties", {}), (path, name)


@pytest.mark.parametrize(("path", "name"), LATER)
def test_what_comes_later_is_refused_and_not_ignored(path: str, name: str, tmp_path: Path) -> None:
    text = SMALL + f"{name}: 1\n" if path == "#" else _with(path, name)

    _, findings = look(tmp_path, text)

    assert any(
        f"'{name}' is not supported by this version. Remove it." in each for each in told(findings)
    )


def _with(path: str, name: str) -> str:
    """A plan that has the later key ``name`` in the mapping at the schema's ``path``."""
    added = f"{{{name}: 1}}"
    texts = {
        "#/properties/variables/additionalProperties": SMALL + f"variables: {{v: {added}}}\n",
        "#/properties/endpoint": SMALL.replace("local,", f"local, {name}: 1,"),
        "#/properties/on_failure": SMALL + f"on_failure: {added}\n",
        "#/properties/on_failure/properties/collect": SMALL + f"on_failure: {{collect: {added}}}\n",
        "#/properties/policy": SMALL + f"policy: {added}\n",
        "#/$defs/deployment": SMALL.replace("green}", f"green, {name}: 1}}"),
        "#/$defs/gate": SMALL + f"gates: {{g: {added}}}\n",
        "#/$defs/check/properties/error_rate": SMALL
        + f"gates: {{g: {{checks: [{{error_rate: {added}}}]}}}}\n",
        "#/$defs/check/properties/requests": SMALL
        + f"gates: {{g: {{checks: [{{requests: {added}}}]}}}}\n",
        "#/$defs/custom": SMALL + f"metrics: {{custom: {{m: {added}}}}}\n",
        "#/$defs/latency": SMALL + f"gates: {{g: {{checks: [{{latency_p95: {added}}}]}}}}\n",
        "#/$defs/stage": SMALL.replace("shift: 100%", f"{name}: 1"),
        "#/$defs/stage/properties/approve": SMALL.replace("shift: 100%", f"approve: {added}"),
    }
    return texts[path]


@pytest.mark.parametrize(
    ("check", "good"),
    [
        ({"tokens": {"max": 500}}, True),
        ({"confident": {"tolerance": "2pp", "margin": "5pp", "severity": "warn"}}, True),
        ({"confident": {"min": "${var.least}"}}, True),
        ({"tokens": {"maximum": 5}}, False),
        ({"tokens": {"severity": "warn"}}, False),
        ({"tokens": {}}, False),
        ({"tokens": 5}, False),
        ({"eror_rate": {}}, False),
        ({"latency_p95": {"severity": "warn"}}, False),
        ({"requests": None}, True),
    ],
)
def test_an_editor_knows_the_criteria_of_a_check(check: object, good: bool) -> None:
    editor = Draft202012Validator({"$ref": "#/$defs/check", "$defs": SCHEMA["$defs"]})

    assert editor.is_valid(check) == good


@pytest.mark.parametrize("name", ["latency", "latency_p75", *PARTS["#/$defs/check"]["properties"]])
def test_no_metric_of_the_plans_own_has_the_name_of_one_of_ours(name: str, tmp_path: Path) -> None:
    custom = f"metrics: {{custom: {{{name}: {{kind: mean, path: $}}}}}}\n"

    _, findings = look(tmp_path, SMALL + custom)

    what = f"'{name}' is a metric that every plan has."
    assert told(findings) == [f"8:20 metrics.custom.{name}: {what} Choose another name."]


@pytest.mark.parametrize(
    "path", ["$", "$.a", "$[0]", "$[*].b-c", '$["a b"][1]', '$["\\"]"].x', '$["é\\u00e9"]', '$[""]']
)
def test_a_path_has_the_steps_that_the_gates_take(path: str) -> None:
    assert forms.steps(path) == steps_of(path)
    assert forms.answer_paths(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "a", "$.", "$.0", "$[", "$[-1]", "$[a]", "$['a']", '$["\\x"]', '$["a]', "$ .a", "$.a\n"],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(Misshapen):
        forms.steps(path)


def test_the_schema_of_a_wheel_is_found_in_the_package(tmp_path: Path) -> None:
    package = tmp_path / "rollout" / "planfile"
    (package / "schemas").mkdir(parents=True)
    packed = package / "schemas" / NAME
    shutil.copy(schema_file(), packed)

    assert schema_file(package) == packed
    assert schema_file() == REPOSITORY / "schemas" / NAME
