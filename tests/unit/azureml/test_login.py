"""What a token says of whom it was given to."""

from __future__ import annotations

import base64
import json

import pytest

from rollout.adapters.endpoints.azureml.login import Login, login_of
from rollout.ports.doctor import State

BASE = {"oid": "0-1", "tid": "t-1", "aud": "https://management.azure.com"}


def token(claims: object) -> str:
    parts = [{"alg": "RS256"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in parts]
    return ".".join([*(text.rstrip("=") for text in texts), "c2lnbmF0dXJl"])


@pytest.mark.parametrize(
    ("claims", "kind", "name"),
    [
        ({"upn": "ada@example.com", "appid": "cli"}, "user", "ada@example.com"),
        ({"unique_name": "live.com#bob@example.com"}, "user", "live.com#bob@example.com"),
        ({"appid": "a-1", "idtyp": "app"}, "application", "a-1"),
        ({"azp": "a-2"}, "application", "a-2"),
        (
            {"appid": "a-3", "xms_mirid": "/subscriptions/s/.../userAssignedIdentities/runner"},
            "managed identity",
            "runner",
        ),
    ],
    ids=["user", "guest", "application", "application-v2", "managed-identity"],
)
def test_a_token_says_who_it_is(claims: dict[str, str], kind: str, name: str) -> None:
    found = login_of(token({**BASE, **claims}), "AzureCliCredential")

    assert found == Login("AzureCliCredential", kind, name, "0-1", "t-1")
    assert found.sign.state is State.GOOD
    assert found.sign.text == f"{kind} {name}, object 0-1, tenant t-1, by AzureCliCredential."


@pytest.mark.parametrize(
    "text",
    ["", "opaque", "a.b.c", token([1]), token({"aud": "x"}), "a.\u00e9.c"],
    ids=["empty", "opaque", "no-base64", "a-list", "nobody", "no-ascii"],
)
def test_a_token_of_another_form_is_a_login_all_the_same(text: str) -> None:
    found = login_of(text, "EnvironmentCredential")

    assert found == Login("EnvironmentCredential")
    assert found.sign.state is State.UNKNOWN


def test_no_part_of_the_token_is_shown() -> None:
    secret = token({**BASE, "upn": "ada@example.com"})

    shown = login_of(secret, "AzureCliCredential").sign.text

    assert not any(part in shown for part in secret.split("."))
