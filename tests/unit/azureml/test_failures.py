"""What Azure's SDK raises, told in a few words that say what to do next."""

from __future__ import annotations

import json

import pytest

from rollout.adapters.endpoints.azureml import sdk
from rollout.adapters.endpoints.azureml.failures import refused, told
from rollout.adapters.endpoints.azureml.sources import Needs, answered
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, NotLoggedIn

UNCONFIGURED = (
    "EnvironmentCredential authentication unavailable. Environment variables are not fully "
    "configured.\nVisit https://aka.ms/azsdk/python/identity/environmentcredential/troubleshoot"
)
CHAIN = (
    "DefaultAzureCredential failed to retrieve a token from the included credentials.\n"
    "Attempted credentials:\n"
    "\tEnvironmentCredential: {environment}\n"
    "\tWorkloadIdentityCredential: WorkloadIdentityCredential authentication unavailable. The "
    "workload options are not fully configured. Missing required arguments: 'tenant_id'.\n"
    "\tManagedIdentityCredential: ManagedIdentityCredential authentication unavailable, no "
    "response from the IMDS endpoint.\n"
    "\tSharedTokenCacheCredential: No accounts were found in the cache.\n"
    "\tAzureCliCredential: {cli}\n"
    "\tAzurePowerShellCredential: PowerShell is not installed\n"
    "To mitigate this issue, please refer to the troubleshooting guidelines here."
)
WRONG_SECRET = (
    "Authentication failed: AADSTS7000215: Invalid client secret provided. Ensure the secret "
    "being sent in the request is the client secret value. Trace ID: 1"
)
SDKS = (
    "\n\x1b[37m\n\x1b[30m\n1) One or more fields are invalid\x1b[39m\x1b[39m\n\nDetails: \n\n"
    "\x1b[31m(x) the model is\nnowhere\x1b[39m\n\n"
    "Resolutions: \n1) Double-check that all specified parameters are of the correct types.\n"
)
NEEDS = Needs("Azure Monitor", "Monitoring Reader", "the endpoint", "Look at it.")


@pytest.fixture(scope="module", autouse=True)
def _ready() -> None:
    sdk.ready()


def raised(error: Exception) -> EndpointError:
    with pytest.raises(EndpointError) as caught, told("did not create the endpoint", change=True):
        raise error
    return caught.value


def locked_out(text: str) -> EndpointError:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - heavy

    return raised(ClientAuthenticationError(message=text))


@pytest.mark.parametrize(
    ("cli", "reason"),
    [
        ("Azure CLI not found on path", "not installed"),
        ("Please run 'az login' to set up an account", "not logged in"),
        ("Failed to invoke the Azure CLI", "Failed to invoke the Azure CLI"),
        ("ERROR: AADSTS50076: Due to a change. More.", "AADSTS50076: Due to a change"),
    ],
    ids=["no-cli", "no-login", "other", "directory"],
)
def test_of_a_chain_of_credentials_each_usual_one_says_a_few_words(cli: str, reason: str) -> None:
    error = locked_out(CHAIN.format(environment=UNCONFIGURED, cli=cli))

    assert isinstance(error, NotLoggedIn)
    assert error.what == (
        "Azure does not know who asks: environment: not configured; workload identity: not "
        f"configured; managed identity: none here; cli: {reason}."
    )
    assert error.do.startswith("Log in (az login)")


def test_the_real_chain_is_told_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - heavy

    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(f"AZURE_{name}", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    asking = DefaultAzureCredential(exclude_managed_identity_credential=True)

    with pytest.raises(NotLoggedIn) as caught, told("gives no token"):
        asking.get_token("https://management.azure.com/.default")

    assert caught.value.what == (
        "Azure does not know who asks: environment: not configured; workload identity: not "
        "configured; cli: not installed."
    )


@pytest.mark.parametrize(
    "text",
    [WRONG_SECRET, CHAIN.format(environment=WRONG_SECRET, cli="Azure CLI not found on path")],
    ids=["alone", "in-a-chain"],
)
def test_a_wrong_secret_is_to_be_corrected(text: str) -> None:
    error = locked_out(text)

    assert "AADSTS7000215: Invalid client secret provided" in error.what
    assert error.what.endswith(".")
    assert len(error.what) < 300
    assert error.do == "Correct AZURE_CLIENT_SECRET; then look: rollout doctor PLAN"


def test_of_the_sdks_long_text_only_what_it_marks_is_told() -> None:
    from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 - heavy

    error = raised(MlException(message=SDKS, no_personal_data_message=""))

    assert isinstance(error, EndpointRefused)
    assert str(error) == (
        "Azure's SDK did not create the endpoint: the model is nowhere. "
        "Correct the file, then apply again."
    )


def test_several_marks_are_all_told_and_a_mark_inside_a_word_is_none() -> None:
    several = SDKS.replace("\x1b[39m\n\nRes", "\n(x) size:\n- no rg_(x) here\x1b[39m\n\nRes")

    assert "the model is nowhere size: - no rg_(x) here." in raised(ValueError(several)).what
    assert raised(ValueError("no rg_(x) here")).what.endswith("endpoint: no rg_(x) here.")


@pytest.mark.parametrize(
    ("words", "end"),
    [("No cores", "No cores."), ("No.", "No."), ("Why?", "Why?"), ("It said 'No.'", "'No.'")],
    ids=["none", "stop", "question", "quoted"],
)
def test_azures_words_end_before_what_to_do_begins(words: str, end: str) -> None:
    error = refused("did not create the endpoint", 400, "OutOfQuota", words)

    assert error.what.endswith(end)
    assert str(error).startswith(f"{error.what} Ask for more quota")


def test_a_source_that_answers_no_json_is_away() -> None:
    with pytest.raises(EndpointAway, match="Azure Monitor gave an answer that is no JSON"):
        answered(lambda: json.loads("<html>"), NEEDS)
