"""Requests of our own to a scoring URI over HTTPS, with a key or with a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.adapters.endpoints.azureml.access import Access
from rollout.adapters.endpoints.azureml.client import Client
from rollout.adapters.endpoints.azureml.source import PROBE_AGENT
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan
from tests.fakes.clock import FakeClock
from tests.unit.azureml.manager import PLACE, Asked, Manager, Token, endpoint


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def access(manager, clock) -> Iterator[Access]:
    options = {
        "subscription": PLACE.subscription,
        "resource_group": PLACE.resource_group,
        "workspace": PLACE.workspace,
    }
    plan = Plan(
        name="p",
        endpoint=EndpointRef("azureml", PLACE.endpoint, options=options),
        baseline=DeploymentRef("blue"),
        candidate=DeploymentRef("green"),
        stages=(),
    )
    made = Access(plan, clock)
    made.__dict__["client"] = Client(PLACE, manager.cloud, Token())
    yield made
    made.close()


def opened(manager: Manager, mode: str, *secrets: dict[str, object]) -> None:
    """An endpoint with this authentication; its keys or tokens, one after the other."""
    uri = f"{manager.address}/score"
    manager.put(endpoint(properties__authMode=mode, properties__scoringUri=uri))
    left = list(secrets)

    def says(asked: Asked):
        if asked.path.endswith(("/listKeys", "/token")):
            return 200, left.pop(0) if len(left) > 1 else left[0]
        if asked.path == "/score":
            good = asked.headers.get("Authorization") == "Bearer good"
            named = asked.headers.get("azureml-model-deployment", "blue")
            return (200 if good else 401), ["answer"], {"azureml-model-deployment": named}
        return None

    manager.says = says


def scored(manager: Manager) -> list[Asked]:
    return [each for each in manager.asked if each.path == "/score"]


def send(access: Access, deployment: str | None = None):
    return access.prober.send(access.uri, b"{}", deployment=deployment, timeout=5.0)


KEYS = {"primaryKey": "good", "secondaryKey": "other"}


def test_a_request_by_name_says_so_and_who_it_is(manager, access):
    opened(manager, "Key", KEYS)

    answer = send(access, "green")

    (asked,) = scored(manager)
    assert (answer.status, answer.deployment, answer.body) == (200, "green", b'["answer"]')
    assert asked.headers["azureml-model-deployment"] == "green"
    assert asked.headers["User-Agent"] == PROBE_AGENT
    assert len(asked.headers["x-ms-client-request-id"]) == 36


def test_a_request_through_the_split_names_nobody_ever_after(manager, access):
    """The SDK's own invoke keeps the name of one call in a header of all later ones."""
    opened(manager, "Key", KEYS)

    send(access, "green")
    send(access)

    first, second = scored(manager)
    assert "azureml-model-deployment" in first.headers
    assert "azureml-model-deployment" not in second.headers
    ids = {each.headers["x-ms-client-request-id"] for each in (first, second)}
    assert len(ids) == 2


def test_the_control_plane_is_not_asked_for_each_request(manager, access):
    opened(manager, "Key", KEYS)

    for _ in range(5):
        send(access)

    asked = [each for each in manager.asked if each.path != "/score"]
    assert len(scored(manager)) == 5
    assert sum(each.path.endswith("/listKeys") for each in asked) == 1


def test_a_key_that_was_made_anew_is_asked_for_once(manager, access):
    opened(manager, "Key", {"primaryKey": "old", "secondaryKey": "x"}, KEYS)

    assert send(access).status == 200
    assert len(scored(manager)) == 2


def test_a_wrong_key_is_an_answer_and_no_loop(manager, access):
    opened(manager, "Key", {"primaryKey": "bad", "secondaryKey": "x"})

    assert send(access).status == 401
    assert len(scored(manager)) == 1


@pytest.mark.parametrize("status", [429, 500, 503, 424])
def test_an_error_is_an_answer_and_is_sent_once(manager, access, status):
    opened(manager, "Key", KEYS)
    usual = manager.says
    manager.says = lambda asked: (status, {"e": 1}) if asked.path == "/score" else usual(asked)

    assert send(access).status == status
    assert len(scored(manager)) == 1


def test_a_token_of_azure_ml_is_renewed_when_it_should_be(manager, access, clock):
    soon, later = clock.now() + 3600, clock.now() + 7200
    token = {"tokenType": "Bearer", "expiryTimeUtc": int(later), "refreshAfterTimeUtc": int(soon)}
    opened(manager, "AMLToken", {**token, "accessToken": "good"})

    send(access)
    clock.sleep(3000)
    send(access)
    clock.sleep(700)
    assert send(access).status == 200

    assert sum(each.path.endswith("/token") for each in manager.asked) == 2


def test_a_token_of_the_identity_platform_comes_from_the_credential(manager, access):
    opened(manager, "AADToken", {})

    answer = send(access)

    (asked,) = scored(manager)[:1]
    assert asked.headers["Authorization"] == "Bearer token"
    assert answer.status == 401  # this server knows another one


def test_nobody_there_is_an_answer_without_a_status(manager, access):
    opened(manager, "Key", KEYS)
    access.uri  # noqa: B018 - known from here on

    answer = access.prober.send("https://localhost:1/score", b"{}", deployment=None, timeout=1.0)

    assert answer.status == 0
    assert "ConnectError" in answer.error


def test_a_certificate_that_nobody_vouches_for_is_not_believed(manager, access, monkeypatch):
    opened(manager, "Key", KEYS)
    uri = access.uri
    access.prober.key()
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    answer = access.prober.send(uri, b"{}", deployment=None, timeout=5.0)

    assert answer.status == 0
    assert "CERTIFICATE_VERIFY_FAILED" in answer.error
