"""The adapter is asked about what only it knows; rules look at whatever parts can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rollout.domain.diagnostics import Diagnostic
from rollout.domain.plan import Metering
from rollout.planfile.provider import Abilities, Deployment, Flaw, Problem, Subject
from tests.unit.planfile.plans import HEAD, SMALL, STAGES, look, told


@dataclass
class Adapter:
    """Refuses a port and a file, and remembers what it was asked."""

    able: Abilities = field(default_factory=Abilities)
    asked: list[object] = field(default_factory=list)

    def abilities(self, about: Subject) -> Abilities:
        return self.able

    def problems(self, about: Subject) -> Sequence[Problem]:
        self.asked.append(about)
        return [
            (("endpoint", "port"), "the port is taken.", "Choose another."),
            (("endpoint",), "no memory.", "Add some."),
        ]

    def endpoint_file(self, about: Subject) -> Sequence[Flaw]:
        self.asked.append(about.file)
        return [("auth_mode is 'x'.", "Write key.", ("auth_mode",), (3, 12))]

    def deployment(self, about: Subject, role: str) -> Sequence[Flaw]:
        self.asked.append(role)
        return [
            ("it names no model.", "Add 'model: {path: ...}'.", (), None),
            ("a.b is 1.", "Write 2.", ("a", "b"), None),
            ("c is 1.", "Write 3.", ("c",), (7, 4)),
        ]


NONE = Subject(
    "my-endpoint",
    {},
    None,
    Metering(),
    {"baseline": Deployment("blue", None, {}), "candidate": Deployment("green", None, {})},
)


def test_the_adapters_problems_have_places_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "green.yml").write_text("{}")
    text = SMALL.replace("local,", "local, port: 80,")
    text = text.replace("green}", "green, file: green.yml, set: {a.b: 1}}")
    adapter = Adapter()

    _, findings = look(tmp_path, text, provider=adapter)

    green = Deployment("green", str(tmp_path / "green.yml"), {"a": {"b": 1}})
    assert told(findings) == [
        "7:4 candidate.file: c is 1. Write 3.",
        "4:11 endpoint: no memory. Add some.",
        "4:35 endpoint.port: the port is taken. Choose another.",
        "6:38 candidate.file: it names no model. Add 'model: {path: ...}'.",
        "6:60 candidate.set['a.b']: a.b is 1. Write 2.",
    ]
    assert str(findings[0]) == f"{tmp_path}/green.yml:7:4: candidate.file: c is 1. Write 3."
    assert adapter.asked == [
        NONE._replace(options={"port": 80}, deployments={**NONE.deployments, "candidate": green}),
        "candidate",
    ]


def test_what_the_schema_has_told_the_adapter_does_not_tell_again(tmp_path: Path) -> None:
    text = SMALL.replace("local,", "local, subscription: 5,")
    adapter = Adapter()
    adapter.problems = lambda _: [(("endpoint", "subscription"), "no id.", "Write one.")]

    _, findings = look(tmp_path, text, provider=adapter)

    assert told(findings) == [
        '4:43 endpoint.subscription: 5 stands here; it must be text. Put it in quotes: "5".'
    ]


def test_the_adapter_is_asked_about_the_endpoints_file(tmp_path: Path) -> None:
    file = tmp_path / "endpoint.yml"
    file.write_text("{}")
    adapter = Adapter()

    _, findings = look(
        tmp_path, SMALL.replace("local,", "local, file: endpoint.yml,"), provider=adapter
    )

    assert f"{file}:3:12: endpoint.file: auth_mode is 'x'. Write key." in map(str, findings)
    assert adapter.asked == [NONE._replace(file=str(file)), str(file)]


def test_the_adapter_is_not_asked_about_a_file_that_is_missing(tmp_path: Path) -> None:
    adapter = Adapter()

    look(tmp_path, SMALL.replace("green}", "green, file: none.yml}"), provider=adapter)

    assert adapter.asked == [NONE]


def test_the_adapter_is_not_asked_about_a_file_that_is_set_to_two_values(tmp_path: Path) -> None:
    (tmp_path / "green.yml").write_text("{}")
    text = SMALL.replace("green}", "green, file: green.yml, set: {a.b: 1, a: {b: 2}}}")
    adapter = Adapter()

    look(tmp_path, text, provider=adapter)

    assert adapter.asked == [NONE]


def test_the_adapter_is_told_who_measures(tmp_path: Path) -> None:
    adapter = Adapter()

    look(
        tmp_path,
        SMALL + "metrics: {provider: log_analytics, workspace: w, custom: {}}\n",
        provider=adapter,
    )

    assert adapter.asked == [NONE._replace(metering=Metering("log_analytics", {"workspace": "w"}))]


def test_a_deployment_has_no_more_instances_than_its_provider_allows(tmp_path: Path) -> None:
    scales = "stages: [{scale: {deployment: blue, instances: 51}}, {shift: 100%}]\n"

    _, findings = look(tmp_path, HEAD + scales, provider=Adapter(Abilities(instances=50)))

    what = "a deployment has at most 50 instances here, not 51. Write 50 or less."
    assert f"7:48 stages[0].scale.instances: {what}" in told(findings)


@pytest.mark.parametrize(
    ("share", "able", "expected"),
    [
        (
            "20%",
            Abilities(mirror=10, mirrors="nobody mirrors more than 10 %"),
            ["7:19 stages[0].mirror: nobody mirrors more than 10 %; got 20 %. Write 10% or less."],
        ),
        (
            "20%",
            Abilities(mirror=0, mirrors="no mirror"),
            [
                "7:11 stages[0].mirror: no mirror. Remove the stage; the first shift can be a small one."
            ],
        ),
        ("0%", Abilities(mirror=0), []),
        ("50%", Abilities(), []),
    ],
    ids=["too-much", "none-at-all", "nothing", "enough"],
)
def test_a_mirror_is_within_what_the_provider_can_do(
    tmp_path: Path, share: str, able: Abilities, expected: list[str]
) -> None:
    stages = f"stages: [{{mirror: {share}}}, {{shift: 100%}}]\n"

    _, findings = look(tmp_path, HEAD + stages, provider=Adapter(able))

    assert [each for each in told(findings) if "stages" in each] == expected


def test_what_only_answers_tell_is_refused_where_none_can_be_read(tmp_path: Path) -> None:
    text = (
        HEAD
        + "requests: [{}]\nmetrics: {custom: {m: {kind: mean, path: $}}}\n"
        + "gates: {g: {checks: [{error_rate: {max: 2%}}, {response_agreement: }, {m: {max: 5}}, "
        + "{prediction_drift: {tolerance: 1pp, margin: 2pp}}]}}\n"
        + "stages: [{shift: 10%, gate: g}, {shift: 100%}]\n"
    )
    deaf = Adapter(Abilities(answers=False, meter="nobody"))

    unprobed = look(tmp_path, text, provider=deaf)[1]
    probed = look(tmp_path, text + "compare: {probe: 1rps}\n", provider=deaf)[1]

    def paths(findings: tuple[Diagnostic, ...]) -> list[str]:
        return [each.path for each in findings if each.path.startswith(("gates", "stages"))]

    assert paths(unprobed) == [
        "gates.g.checks[1].response_agreement",
        "gates.g.checks[2].m",
        "gates.g.checks[3].prediction_drift",
    ]
    assert paths(probed) == paths(unprobed)[1:]


@pytest.mark.parametrize(("longest", "late"), [("4m", True), ("5m", False)])
def test_a_gate_lasts_until_measurements_arrive(tmp_path: Path, longest: str, late: bool) -> None:
    gates = f"gates: {{g: {{max_duration: {longest}, checks: [{{error_rate: {{max: 2%}}}}]}}}}\n"
    stages = "stages: [{shift: 10%, gate: g}, {shift: 100%}]\n"

    _, findings = look(tmp_path, HEAD + gates + stages, provider=Adapter(Abilities(shortest=300)))

    assert late == any(each.path == "gates.g.max_duration" for each in findings)


def test_of_an_unknown_provider_only_the_provider_is_told(tmp_path: Path) -> None:
    text = SMALL.replace("local,", "sagemaker, port: 80, subscription: s, file: endpoint.yml,")
    (tmp_path / "endpoint.yml").write_text("{}")
    adapter = Adapter()

    _, findings = look(tmp_path, text, provider=adapter)

    assert [each.path for each in findings] == ["endpoint.provider"]
    assert adapter.asked == []


@pytest.mark.parametrize("broken", ["5", "[]", "null", "{}", "text", "[1, 2]", "{deployment: 5}"])
@pytest.mark.parametrize(
    "key",
    [
        "endpoint", "baseline", "candidate", "gates", "stages", "requests", "policy", "labels",
        "compare", "metrics",
    ],
)  # fmt: skip
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


GATED = "stages: [{shift: 10%, gate: g}, {shift: 100%}]\n"


def checked(folder: Path, checks: str, more: str = "") -> list[str]:
    """What is said about a gate with these checks, on a shift to 10 %."""
    _, findings = look(folder, HEAD + f"gates: {{g: {{checks: [{checks}]}}}}\n" + GATED + more)
    return told(findings)


@pytest.mark.parametrize(
    ("checks", "more"),
    [
        ("{error_rate: {max: 2%}}, {requests: }", ""),
        ("{response_agreement: }", "requests: [{}]\ncompare: {probe: 0.5}\n"),
        ("{prediction_drift: {tolerance: 0pp, margin: 5pp}}", ""),
        ("{m: {max: 5}}", "metrics: {custom: {m: {kind: mean, path: $}}}\n"),
        ("{m: {max: 5%}}", "metrics: {custom: {m: {kind: ratio, path: $, below: -1}}}\n"),
    ],
)
def test_a_gate_may_have_any_check_that_can_decide(tmp_path: Path, checks: str, more: str) -> None:
    assert checked(tmp_path, checks, more) == []


def test_a_check_that_warns_stands_beside_one_that_decides(tmp_path: Path) -> None:
    checks = "{error_rate: {max: 2%}}, {error_rate: {max: 1%, severity: warn}}"

    assert checked(tmp_path, checks) == []
    assert checked(tmp_path, checks.replace(", severity: warn", "")) == [
        (
            "7:48 gates.g.checks[1].error_rate: the gate has an absolute check of error_rate "
            "already. Keep the stricter one."
        )
    ]


def test_nothing_is_concluded_from_a_metric_that_cannot_be_read(tmp_path: Path) -> None:
    checks = "{m: {any: thing}}, {eror_rate: {max: 2%}}"

    findings = checked(tmp_path, checks, "metrics: {custom: {m: {kind: x, path: $}}}\n")

    assert findings == [
        "7:42 gates.g.checks[1]: there is no metric 'eror_rate'. Did you mean 'error_rate'?",
        "9:30 metrics.custom.m.kind: 'x' is not known here. Write ratio or mean.",
    ]


@pytest.mark.parametrize("metrics", ["5", "{custom: 5}", "{custom: [m]}", ""])
def test_no_metric_is_unknown_while_the_plans_own_cannot_be_read(
    tmp_path: Path, metrics: str
) -> None:
    findings = checked(tmp_path, "{m: {max: 5}}", f"metrics: {metrics}\n")

    assert len(findings) == 1
    assert " metrics" in findings[0]


def test_a_gate_of_mirrored_answers_may_go_on_without_them_where_it_only_warns(
    tmp_path: Path,
) -> None:
    gate = (
        "gates: {g: {checks: [{error_rate: {max: 2%}}, {response_agreement: {severity: warn}}]}}\n"
    )
    stages = "stages: [{mirror: 10%, gate: g}, {shift: 10%, gate: g}, {shift: 100%}]\n"

    assert told(look(tmp_path, HEAD + gate + stages)[1]) == []
    assert told(look(tmp_path, HEAD + gate.replace("warn", "fail") + stages)[1]) == [
        (
            "8:53 stages[1].gate: gate 'g' compares answers, and none are mirrored beside live "
            "traffic. Add 'compare: {probe: 1rps}' to the plan, or name a gate here without "
            "response_agreement."
        )
    ]


def test_a_split_is_checked_beside_mirrored_and_live_traffic_but_not_where_there_is_none(
    tmp_path: Path,
) -> None:
    gate = "gates: {g: {checks: [{error_rate: {max: 2%}}, {requests: {}}]}}\n"
    kinds = ["wait: 1m", "mirror: 10%", "shift: 10%", "shift: 100%"]
    stages = ", ".join(f"{{{kind}, gate: g}}" for kind in kinds)

    _, findings = look(tmp_path, HEAD + gate + f"stages: [{stages}]\n")

    assert [each.path for each in findings] == ["stages[0].gate", "stages[3].gate"]
