"""A valid plan becomes the values that the rest of the program works with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout.domain.answers import CompareRule
from rollout.domain.criteria import Check, Custom, OnInconclusive, Probing, Risk
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Expect,
    Guard,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Window,
)
from rollout.domain.units import Allowance
from rollout.gates.rules import compile_rules
from rollout.planfile.load import load
from tests.unit.planfile.plans import HEAD, SMALL, VALID, look, plan_of

HOUR, DAY = 3600.0, 86400.0


@pytest.fixture(scope="module")
def every() -> Plan:
    return load(VALID / "every-key.yaml", variables={}, environment={})


def test_the_endpoint_keeps_the_providers_own_keys(every: Plan) -> None:
    assert every.endpoint == EndpointRef(
        provider="local",
        name="my-endpoint",
        file=str(VALID / "files" / "endpoint.yml"),
        options={
            "port": 8080,
            "python": {"blue": "/usr/bin/python3", "green": ".venv/bin/python"},
            "memory": "2GB",
        },
    )


def test_deployments_have_absolute_files_and_nested_overrides(every: Plan) -> None:
    assert every.candidate == DeploymentRef(
        name="green",
        file=str(VALID / "files" / "green-deployment.yml"),
        overrides={
            "instance_count": 2,
            "environment_variables": {"LEVEL": "debug"},
            "request_settings": {"max_queue_wait_ms": 500},
        },
    )
    assert every.baseline.overrides == {"environment_variables": {"with.dots": "1"}}


def test_every_kind_of_stage(every: Plan) -> None:
    assert every.stages == (
        Stage("preflight", Preflight()),
        Stage("bootstrap", Bootstrap()),
        Stage("scale-blue-2", Scale("baseline", 2)),
        Stage("create-candidate", Create("candidate"), timeout=45 * 60),
        Stage("scale-candidate-3", Scale("candidate", 3)),
        Stage("smoke-candidate", Smoke("candidate")),
        Stage("twenty", Smoke("candidate", 20)),
        Stage("smoke-baseline", Smoke("baseline")),
        Stage(
            "smoke-candidate-2",
            Smoke("candidate", 5, Expect(200, 2.0, "$.scores[0]", "number")),
        ),
        Stage("mirror-5", Mirror(5), gate="shadow"),
        Stage("mirror-50", Mirror(50), gate="canary"),
        Stage("wait-1h", Wait(HOUR), gate="shadow"),
        Stage("mirror-0", Mirror(0)),
        Stage("approve", Approve()),
        Stage("shift-10", Shift(10), gate="canary", after=60),
        Stage("shift-50", Shift(50), gate="relative"),
        Stage("wait-10m", Wait(600), gate="answers"),
        Stage("wait-1d", Wait(DAY), gate="canary"),
        Stage("approve-2", Approve(("ml-leads", "ada"), DAY, 2, author=True)),
        Stage("approve-3", Approve()),
        Stage("shift-100", Shift(100), gate="bake"),
        Stage("wait-10m-2", Wait(600), gate="bake"),
        Stage("preflight-2", Preflight()),
        Stage("delete-baseline", Delete("baseline"), after=DAY),
        Stage("smoke-candidate-3", Smoke("candidate", 3)),
    )


def test_gates_have_seconds_fractions_and_allowances(every: Plan) -> None:
    canary, relative, bake = (every.gates[name] for name in ("canary", "relative", "bake"))

    assert (canary.min_requests, canary.max_duration, canary.warm_up) == (200, 3 * HOUR, 0)
    assert canary.on_inconclusive == OnInconclusive(1800, 2, "rollback")
    assert canary.checks == (
        Check("error_rate", tolerance=Allowance(), margin=Allowance(points=0.005)),
        Check("latency", 0.95, tolerance=Allowance(1.1), margin=Allowance(1.2)),
    )
    assert relative.checks == (
        Check("error_rate", tolerance=Allowance(1.1), margin=Allowance(1.5)),
        Check("latency", 0.75, tolerance=Allowance(1.05), margin=Allowance(1.075)),
        Check("latency", 0.999, maximum=1.5),
    )
    assert bake.checks[0] == Check("error_rate", maximum=0.02)
    assert bake.min_duration == 5400
    assert [check.name for check in bake.checks[1:]] == [
        "latency_p50",
        "latency_p90",
        "latency_p99",
    ]


def test_the_rest_of_the_plan(every: Plan) -> None:
    assert every.labels["on"] == "call"
    assert every.labels["literal"] == "${not.a.reference}"
    assert every.load_rps == 0.5
    assert every.compare == Probing(rps=1, noise=False, examples=0)
    assert every.risk == Risk(0.005, 0.499)
    assert every.on_failure == OnFailure("hold", "delete", 300, verify_smoke=True, collect_logs=0)
    assert every.deadline == 30 * DAY
    assert every.guard == Guard(5)
    assert every.windows == (
        Window("Mon-Thu 09:00-16:00", "Europe/Vienna", ("create", "shift", "delete")),
        Window("Mon, Wed 09:00-12:00, 13:00-16:00", "UTC", ("scale", "mirror")),
        Window("Fri-Sat 22:00-04:00"),
        Window("Sun"),
    )


@pytest.mark.parametrize(("said", "meant"), [("refuse", 0), ("hold", None), ("7%", 7), ("8", 8)])
def test_what_may_be_left_unattended(tmp_path: Path, said: str, meant: int | None) -> None:
    plan = plan_of(tmp_path, SMALL + f"guard: {{unattended: {said}}}\n")

    assert plan.guard.unattended == meant


@pytest.fixture(scope="module")
def answers() -> Plan:
    return load(VALID / "answers.yaml", variables={}, environment={})


def test_probes_have_a_rate(answers: Plan) -> None:
    assert answers.compare == Probing(rps=2, noise=True, examples=5)


def test_metrics_of_the_plans_own_keep_its_order(answers: Plan) -> None:
    assert answers.customs == (
        Custom("confident", "ratio", "$.confidence", above=0.8, better="higher"),
        Custom("polite", "ratio", '$["tone of voice"]', equals="polite"),
        Custom("flagged", "ratio", "$.flags[0]", equals="true"),
        Custom("grade", "ratio", "$.grade", equals="1.5"),
        Custom("middle", "ratio", "$", above=-1, below=1000),
        Custom("tokens", "mean", "$.usage.tokens"),
        Custom("score", "mean", "$[0]", low=-40, high=400),
        Custom("stars", "mean", "$.stars", better="higher", low=1, high=5),
        Custom("unused", "mean", "$.x"),
    )


def test_checks_of_answers(answers: Plan) -> None:
    rules = (
        CompareRule("$[*]", rel_tolerance=0.01, abs_tolerance=0.5, unordered=True),
        CompareRule("$.id", ignore=True),
        CompareRule('$.scores[*]["a b"]'),
    )

    assert answers.gates["shadow"].checks == (
        Check("response_agreement", maximum=0.01),
        Check("response_agreement", maximum=0.02, compare=rules),
        Check(
            "prediction_drift",
            tolerance=Allowance(points=0.02),
            margin=Allowance(points=0.05),
            path="$[0]",
        ),
        Check("prediction_drift", tolerance=Allowance(points=0.01), severity="warn", path="$[1]"),
        Check("requests", tolerance=Allowance(points=0.01)),
    )


def test_checks_of_the_plans_own_metrics_know_what_these_are(answers: Plan) -> None:
    points = {"tolerance": Allowance(points=0.02), "margin": Allowance(points=0.05)}
    part = {"tolerance": Allowance(1.1), "margin": Allowance(1.2)}

    assert answers.gates["canary"].checks[4:] == (
        Check("response_agreement", maximum=0.01),
        Check("requests"),
        Check("confident", kind="ratio", better="higher", **points),
        Check("confident", kind="ratio", better="higher", minimum=0.8),
        Check("polite", kind="ratio", **part),
        Check("flagged", kind="ratio", maximum=0.2),
        Check("tokens", kind="mean", **part),
        Check("tokens", kind="mean", maximum=500),
        Check("tokens", kind="mean", minimum=3, severity="warn"),
        Check(
            "stars",
            tolerance=Allowance(),
            margin=Allowance(1.05),
            kind="mean",
            better="higher",
            low=1,
            high=5,
        ),
        Check("score", kind="mean", maximum=300, low=-40, high=400),
    )
    assert answers.gates["bake"].checks == (
        Check("middle", kind="ratio", minimum=0.5),
        Check("score", kind="mean", minimum=-5.5, low=-40, high=400),
        Check("response_agreement", maximum=0.05, compare=(CompareRule("$"),)),
    )


def test_a_check_warns_or_decides(answers: Plan) -> None:
    severities = [each.severity for each in answers.gates["canary"].checks[:4]]

    assert severities == ["fail", "warn", "fail", "warn"]


def test_every_check_of_a_valid_plan_is_one_that_the_gates_can_run(
    every: Plan, answers: Plan
) -> None:
    for plan in (every, answers):
        rules = compile_rules(plan)

        assert all(check.failing or check.passing for each in rules.stages for check in each.checks)


@pytest.mark.parametrize(
    ("written", "equals"),
    [
        ("true", "true"),
        ("'true'", "true"),
        ("yes", "yes"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("1e20", "1e+20"),
        ("-0.00001", "-1e-05"),
        ("'0.50'", "0.50"),
        ("null", None),
    ],
)
def test_a_value_that_counts_is_kept_as_json_writes_it(
    tmp_path: Path, written: str, equals: str | None
) -> None:
    text = SMALL + f"metrics: {{custom: {{m: {{kind: ratio, path: $, equals: {written}}}}}}}\n"

    if equals is None:
        assert look(tmp_path, text)[0] is None
    else:
        assert plan_of(tmp_path, text).customs[0].equals == equals


def bootstrapped(folder: Path, stages: str) -> list[str]:
    (folder / "blue.yml").write_text("{}")
    head = HEAD.replace("deployment: blue", "deployment: blue, file: blue.yml")
    return [each.id for each in plan_of(folder, head + f"stages: [{stages}]\n").stages]


def test_a_baseline_with_a_file_is_created_where_nothing_serves(tmp_path: Path) -> None:
    assert bootstrapped(tmp_path, "{shift: 100%}") == ["bootstrap", "shift-100"]
    assert bootstrapped(tmp_path, "{preflight: }, {shift: 100%}")[:2] == ["preflight", "bootstrap"]
    assert bootstrapped(tmp_path, "{shift: 100%}, {preflight: }")[0] == "bootstrap"


def test_a_baseline_without_a_file_has_to_be_there(tmp_path: Path) -> None:
    assert [each.id for each in plan_of(tmp_path, SMALL).stages] == ["shift-100"]


def test_a_generated_id_gives_way_to_a_written_one(tmp_path: Path) -> None:
    stages = "stages: [{wait: 1m}, {wait: 60s}, {wait: 1m, id: wait-1m-2}, {shift: 100%}]\n"

    ids = [each.id for each in plan_of(tmp_path, HEAD + stages).stages]

    assert ids == ["wait-1m", "wait-1m-3", "wait-1m-2", "shift-100"]


def test_the_source_is_canonical_and_free_of_what_has_no_effect(tmp_path: Path) -> None:
    written = SMALL + "x-note: 1\nvariables: {v: {default: small}}\n"
    other = "# a comment\n" + written.replace("name: small", 'name: "${var.v}"')

    plan = plan_of(tmp_path, written)

    assert plan.source == plan_of(tmp_path, other).source
    assert plan.digest == plan_of(tmp_path, other).digest
    assert json.loads(plan.source) == {
        "apiVersion": "rollout/v1",
        "kind": "Rollout",
        "name": "small",
        "endpoint": {"provider": "local", "name": "my-endpoint"},
        "baseline": {"deployment": "blue"},
        "candidate": {"deployment": "green"},
        "stages": [{"shift": "100%"}],
    }
    assert plan.source == json.dumps(json.loads(plan.source), sort_keys=True, separators=(",", ":"))


def test_the_digest_is_the_same_in_another_folder(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "green.yml").write_text("{}")
    text = SMALL.replace("green}", "green, file: green.yml}")

    here, there = (plan_of(tmp_path / name, text) for name in ("here", "there"))

    assert here.candidate.file != there.candidate.file
    assert here.digest == there.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[[ab, c]]", "[[a, bc]]"),
        ("['a.txt', 'b.txt']", "['b.txt', 'a.txt']"),
        ("['a.txt']", "['c']"),
    ],
)
def test_other_requests_are_another_digest(tmp_path: Path, one: str, other: str) -> None:
    for name, body in {"a.txt": "x", "b.txt": "xy", "c": "xy"}.items():
        (tmp_path / name).write_text(body)

    digests = {plan_of(tmp_path, SMALL + f"requests: {each}\n").digest for each in (one, other)}

    assert len(digests) == 2


def test_the_bodies_themselves_are_in_the_digest(tmp_path: Path) -> None:
    digests = set()
    for body in ("1", "2"):
        (tmp_path / "a.json").write_text(body)
        digests.add(plan_of(tmp_path, SMALL + "requests: a.json\n").digest)

    assert len(digests) == 2


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "green.yml").symlink_to(tmp_path / "elsewhere.yml")
    (tmp_path / "elsewhere.yml").write_text("{}")
    text = SMALL.replace("green}", "green, file: ../green.yml}")

    assert plan_of(tmp_path / "plans", text).candidate.file == str(tmp_path / "green.yml")
