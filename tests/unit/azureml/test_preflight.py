"""What is found before the first write in Azure, and what is said where nobody could look."""

from __future__ import annotations

import pytest

from rollout.adapters.endpoints.azureml.login import Login
from rollout.adapters.endpoints.azureml.preflight import preflight
from rollout.domain.errors import EndpointAway, EndpointRefused, NotLoggedIn
from rollout.domain.plan import Bootstrap, DeploymentRef, Preflight, Stage
from rollout.ports.endpoint import Finding
from tests.unit.azureml.fake_arm import (
    OWNER,
    PLACE,
    REGION,
    RIGHTS,
    SUBSCRIPTION_RIGHTS,
    FakeArm,
    deployment,
    ground,
    plan,
    usage,
)


def findings(arm: FakeArm, **changes: object) -> dict[str, Finding]:
    return {each.name: each for each in preflight(ground(arm, **changes))}


def test_where_all_is_well_every_check_is_good_and_named() -> None:
    found = findings(FakeArm())

    assert [each.text for each in found.values() if not each.ok] == []
    assert list(found) == [
        "identity", "mlw", "churn", "candidate file", "permissions", "standardDSv2Family", "metrics",
    ]  # fmt: skip
    assert found["identity"].text.startswith("user ada@example.com")
    assert found["mlw"].text == "In rg-ml, region eastus2."
    assert found["churn"].text == "managed, Succeeded, traffic blue 100."
    assert found["standardDSv2Family"].text == (
        "Needs 4 more cores of standardDSv2Family (have 40)."
    )


def test_whoever_is_not_logged_in_is_told_that_and_asks_nothing() -> None:
    def refuse() -> Login:
        raise NotLoggedIn("Nobody is logged in.", do="az login")

    arm = FakeArm()

    found = findings(arm, login=refuse)

    assert list(found) == ["identity", "candidate file"]
    assert not found["identity"].ok
    assert found["identity"].text == "Nobody is logged in. az login"
    assert arm.asked == []


def test_the_plan_switches_checks_off() -> None:
    flags = Preflight(quota=False, permissions=False, metrics=False)
    arm = FakeArm()

    found = findings(arm, plan=plan(stages=(Stage("preflight", flags),)))

    assert list(found) == ["identity", "mlw", "churn", "candidate file"]
    assert RIGHTS not in arm.asked


def test_a_missing_workspace_is_found() -> None:
    arm = FakeArm()
    del arm.table[PLACE.workspace_id]

    found = findings(arm)

    assert not found["mlw"].ok
    assert "There is no workspace 'mlw' in resource group 'rg-ml'" in found["mlw"].text
    assert found["cores"].text == "Not checked: The workspace's region is not known."


def test_an_endpoint_that_no_stage_creates_must_be_there() -> None:
    arm = FakeArm()
    del arm.table[PLACE.endpoint_id]
    made = plan(
        stages=(Stage("bootstrap", Bootstrap()),), baseline=DeploymentRef("blue", "/blue.yml")
    )

    missing, created = findings(arm)["churn"], findings(arm, plan=made)["churn"]

    assert not missing.ok
    assert "the plan creates none" in missing.text
    assert created == Finding("churn", ok=True, text="It does not exist yet; the plan creates it.")


@pytest.mark.parametrize(
    ("size", "found"),
    [("Standard_F4s_v2", True), ("standard_ds3_V2", False)],
    ids=["another", "the-same"],
)
def test_a_deployment_that_is_there_on_other_machines_is_found(tmp_path, size, found) -> None:
    file = tmp_path / "green.yml"
    file.write_text("name: green\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n")
    arm = FakeArm()
    arm.table[f"{PLACE.endpoint_id}/deployments"] = {
        "value": [deployment("blue", 1), deployment("green", 1, size)]
    }

    told = findings(arm, plan=plan(candidate=DeploymentRef("green", str(file))))

    assert ("green" in told) is found
    if found:
        assert not told["green"].ok
        assert f"It runs on {size}, and its file says Standard_DS3_v2" in told["green"].text


def test_an_endpoint_of_the_other_kind_is_found() -> None:
    found = findings(FakeArm(), kind="kubernetes")

    assert not found["churn"].ok
    assert "The plan is for the kind kubernetes." in found["churn"].text
    assert found["cores"].text.startswith("Not needed: a Kubernetes endpoint")
    assert "check the quota" not in found


@pytest.mark.parametrize(
    ("state", "ok", "words"),
    [
        ("Updating", True, "managed, Updating, traffic none."),
        ("Failed", True, "Whether Azure takes the next order is seen when it is given"),
        ("Deleting", False, "Let Azure remove it, then try again."),
    ],
    ids=["updating", "failed", "deleting"],
)
def test_the_state_of_the_endpoint_is_told(state: str, ok: bool, words: str) -> None:
    arm = FakeArm()
    arm.table[PLACE.endpoint_id] = {"properties": {"provisioningState": state, "traffic": {}}}

    found = findings(arm)["churn"]

    assert found.ok is ok
    assert words in found.text


def test_a_workspace_that_may_not_be_read_stops_the_plan() -> None:
    no = EndpointRefused("AuthorizationFailed: no.", do="Ask for a role.")
    arm = FakeArm()
    arm.table |= {PLACE.workspace_id: no, PLACE.endpoint_id: no}

    found = findings(arm)

    assert not found["mlw"].ok
    assert not found["churn"].ok


def test_the_endpoints_own_authentication_says_which_right_is_needed() -> None:
    arm = FakeArm()
    arm.table[PLACE.endpoint_id]["properties"]["authMode"] = "AADToken"
    arm.table[RIGHTS] = {"value": []}

    found = findings(arm)["send requests"]

    assert "onlineEndpoints/score/action" in found.text


def test_too_few_cores_are_found() -> None:
    arm = FakeArm()
    arm.table[f"{REGION}/usages"] = {"value": [usage("standardDSv2Family", 8, 10)]}

    found = findings(arm)["standardDSv2Family"]

    assert not found.ok
    assert found.text.startswith("Needs 4 more cores of standardDSv2Family (have 2): blue 1 -> 2")


def test_a_list_is_read_to_its_last_page() -> None:
    arm = FakeArm()
    rest = "https://management.azure.com/next?page=2"
    arm.table[f"{REGION}/usages"] = {"value": [], "nextLink": rest}
    arm.table[rest] = {"value": [usage("standardDSv2Family", 8, 10)]}

    assert not findings(arm)["standardDSv2Family"].ok


def test_checks_that_nobody_could_make_say_so_and_stop_nothing() -> None:
    no = EndpointRefused("AuthorizationFailed: no.", do="Ask for a role.")
    arm = FakeArm()
    arm.table |= {RIGHTS: no, f"{REGION}/usages": no}
    del arm.table[SUBSCRIPTION_RIGHTS]

    found = findings(arm)

    assert all(each.ok for each in found.values())
    assert found["set the split"].text.startswith("Not checked: AuthorizationFailed")
    assert found["cores"].text == ("Not checked: AuthorizationFailed: no. Ask for a role.")
    assert found["check the quota"].text.startswith(
        "Not checked: Azure does not tell the permissions on the subscription."
    )


def test_a_service_that_is_away_fails_nothing_by_itself() -> None:
    away = EndpointAway("Azure cannot be reached.", do="Try again.")
    arm = FakeArm(dict.fromkeys(FakeArm().table, away))

    found = findings(arm)

    assert all(each.ok for each in found.values())
    assert found["mlw"].text == "Not checked: Azure cannot be reached. Try again."


def test_only_permissions_that_are_missing_are_listed() -> None:
    arm = FakeArm()
    arm.table[RIGHTS] = {"value": [{**OWNER, "notActions": ["*/deployments/getLogs/action"]}]}

    found = findings(arm)

    assert not found["read logs"].ok
    assert "permissions" not in found
    assert "set the split" not in found


def test_files_and_metrics_have_the_findings_of_who_reads_them() -> None:
    def refused() -> Finding:
        raise EndpointRefused("403.", do="Give the role Monitoring Reader.")

    bad = Finding("candidate file", ok=False, text="BadKey. Correct it.")

    found = findings(FakeArm(), loads=lambda: (bad,), arrives=refused)

    assert found["candidate file"] == bad
    assert found["metrics"] == Finding(
        "metrics", ok=False, text="403. Give the role Monitoring Reader."
    )


def test_a_plan_without_gates_needs_no_measurements() -> None:
    found = findings(FakeArm(), plan=plan(gates={}))

    assert "metrics" not in found
