"""Rights: what a plan needs, what Azure's reply grants, and the roles that the docs give."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.endpoints.azureml import permissions
from rollout.adapters.endpoints.azureml.permissions import (
    Scope,
    Wants,
    granted,
    judged,
    needs,
)
from rollout.domain.errors import EndpointRefused
from rollout.ports.doctor import State

ROOT = Path(__file__).resolve().parents[3]
ROLES = Path(permissions.__file__).with_name("roles")
PAGE = ROOT / "docs/azureml/permissions.md"
READ = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read"
WRITE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write"
EVERYTHING = Wants(
    deletes=True, inline=frozenset({"model", "code", "environment"}), reads_metrics=True
)
KEYS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listkeys/action"


def role(*actions: str, without: tuple[str, ...] = ()) -> dict[str, object]:
    return {"actions": list(actions), "notActions": list(without), "dataActions": []}


@pytest.mark.parametrize(
    ("action", "roles", "expected"),
    [
        (READ, [role("*")], True),
        (READ, [role("*/read")], True),
        (WRITE, [role("*/read")], False),
        (READ, [role(READ.lower())], True),
        (KEYS, [role("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*")], True),
        (KEYS, [role("Microsoft.MachineLearningServices/workspaces/*/action")], True),
        (WRITE, [role("Microsoft.MachineLearningServices/workspaces/onlineEndpoints")], False),
        (READ, [role(READ + "er")], False),
        (READ, [], False),
        (READ, [{"dataActions": ["*"]}], False),
        (WRITE, [role("*", without=(WRITE.upper(),))], False),
        (WRITE, [role("*", without=("*/write",)), role(WRITE)], True),
        (WRITE, [role("Microsoft.MachineLearningServices.*")], False),
    ],
    ids=[
        "owner", "reader-reads", "reader-does-not-write", "any-case", "star-at-the-end",
        "star-inside", "no-prefix", "no-longer-name", "no-role", "data-actions-are-others",
        "left-out", "given-by-another-role", "dot-is-a-dot",
    ],
)  # fmt: skip
def test_a_right_is_granted_as_azure_reads_its_roles(
    action: str, roles: list[dict[str, object]], expected: bool
) -> None:
    assert granted(action, roles) is expected


@pytest.mark.parametrize(
    ("wants", "purposes"),
    [
        (
            Wants(deploys=False, sends="", reads_logs=False, checks_quota=False),
            ["read the endpoint", "set the split"],
        ),
        (
            Wants(),
            [
                "read the endpoint", "set the split", "create and scale deployments",
                "send requests", "read logs", "check the quota",
            ],
        ),
        (
            EVERYTHING,
            [
                "read the endpoint", "set the split", "create and scale deployments",
                "delete deployments", "send requests", "read logs", "register assets",
                "check the quota", "read metrics",
            ],
        ),
    ],
    ids=["least", "usual", "everything"],
)  # fmt: skip
def test_a_plan_needs_the_rights_of_what_it_does(wants: Wants, purposes: list[str]) -> None:
    found = list(dict.fromkeys(need.purpose for need in needs(wants)))

    assert found == purposes


@pytest.mark.parametrize(
    ("mode", "last"),
    [("key", "listkeys/action"), ("aml_token", "token/action"), ("aad_token", "score/action")],
    ids=["key", "aml_token", "aad_token"],
)
def test_requests_need_the_right_of_their_authentication(mode: str, last: str) -> None:
    found = [need.action for need in needs(Wants(sends=mode)) if need.purpose == "send requests"]

    assert found == [f"Microsoft.MachineLearningServices/workspaces/onlineEndpoints/{last}"]


def test_an_inline_environment_needs_no_rights_on_models() -> None:
    wants = Wants(inline=frozenset({"environment"}))

    actions = " ".join(need.action for need in needs(wants) if need.purpose == "register assets")

    assert "environments/versions/write" in actions
    assert "models" not in actions
    assert "listsecrets" not in actions


def test_what_is_missing_is_told_by_purpose_and_scope() -> None:
    replies = {Scope.WORKSPACE: [role("*/read")], Scope.SUBSCRIPTION: []}

    found = {each.name: each for each in judged(needs(Wants()), replies, role="the page")}

    assert found["read the endpoint"].state is State.GOOD
    assert found["set the split"].state is State.BAD
    assert found["set the split"].text == (
        f"Missing on the workspace: {WRITE}. Assign a role that has it (the page)."
    )


def test_a_right_that_no_document_names_fails_nothing() -> None:
    upload = "Microsoft.MachineLearningServices/workspaces/codes/versions/startPendingUpload/action"
    replies = {Scope.WORKSPACE: [role("*", without=(upload,))], Scope.SUBSCRIPTION: [role("*")]}

    wants = Wants(inline=frozenset({"code"}))
    found = {each.name: each for each in judged(needs(wants), replies, role="the page")}

    assert found["register assets"].state is State.UNKNOWN
    assert upload in found["register assets"].text


def test_a_right_that_another_check_tries_out_fails_nothing() -> None:
    data_scientist = role("Microsoft.MachineLearningServices/workspaces/*/read", "*/write")
    replies = {Scope.WORKSPACE: [data_scientist], Scope.SUBSCRIPTION: []}

    found = {each.name: each for each in judged(needs(Wants()), replies, role="the page")}

    assert found["read the endpoint"].state is State.UNKNOWN
    assert found["check the quota"].state is State.UNKNOWN
    assert "locations/usages/read" in found["check the quota"].text


def test_rights_that_cannot_be_read_are_told_as_such_with_what_is_needed() -> None:
    error = EndpointRefused("AuthorizationFailed.", do="Ask.")
    replies = {Scope.WORKSPACE: error, Scope.SUBSCRIPTION: error}

    found = judged(needs(Wants()), replies, role="the page")

    assert {each.state for each in found} == {State.UNKNOWN}
    assert found[1].text.startswith("Not checked: AuthorizationFailed. Ask. Needed on the")
    assert WRITE in found[1].text
    assert "preflight: {permissions: false}" in found[1].text


@pytest.mark.parametrize("scope", list(Scope), ids=lambda scope: scope.name.lower())
def test_the_roles_grant_everything_that_a_plan_can_need(scope: Scope) -> None:
    name = {Scope.WORKSPACE: "workspace", Scope.SUBSCRIPTION: "subscription"}[scope]
    given = json.loads((ROLES / f"{name}.json").read_text())
    permission = {"actions": given["Actions"], "notActions": given["NotActions"]}

    wanted = [
        need
        for mode in ("key", "aml_token", "aad_token")
        for need in needs(replace(EVERYTHING, sends=mode))
        if need.scope is scope
    ]

    assert [need for need in wanted if not granted(need.action, [permission])] == []


def test_the_roles_have_one_wildcard_and_nothing_twice() -> None:
    wild = []
    for file in ROLES.glob("*.json"):
        given = json.loads(file.read_text())
        actions = [each.lower() for each in given["Actions"]]

        assert len(actions) == len(set(actions))
        wild += [each for each in actions if "*" in each]
        assert given["DataActions"] == []
    assert [each.rpartition("workspaces/")[2] for each in wild] == ["codes/versions/*/action"]


def test_the_page_on_permissions_shows_the_roles_as_they_are() -> None:
    shown = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    kept = [(ROLES / f"{name}.json").read_text() for name in ("workspace", "subscription", "logs")]

    assert shown == kept
