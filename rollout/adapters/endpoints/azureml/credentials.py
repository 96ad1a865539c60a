"""Who we are to Azure: the credential that a plan chooses, from azure-identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout.adapters.endpoints.azureml.failures import told
from rollout.adapters.endpoints.azureml.login import Login, login_of
from rollout.adapters.endpoints.azureml.place import Cloud
from rollout.domain.errors import UsageError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

CHOICES = ("default", "cli", "managed_identity", "workload_identity", "environment")


def credential(choice: str, cloud: Cloud, *, client_id: str | None = None) -> TokenCredential:
    """The credential of that name, for that cloud; no token is asked for yet.

    Args:
        choice: ``default`` (azure-identity's chain: environment, workload identity, managed
            identity, developer tools), or one of it alone.
        cloud: Who issues the tokens.
        client_id: Of a user-assigned managed identity or a workload's application.
    """
    from azure import identity  # noqa: PLC0415 - heavy

    # Instance discovery asks Azure's public cloud whether an authority is genuine, which it can
    # say of its own ones only.
    issued: dict[str, Any] = {"authority": cloud.active_directory}
    if not cloud.known:
        issued["disable_instance_discovery"] = True
    named: dict[str, Any] = {"client_id": client_id} if client_id else {}
    match choice:
        case "default":
            return identity.DefaultAzureCredential(
                **issued,
                **({"managed_identity_client_id": client_id} if client_id else {}),
                **({"workload_identity_client_id": client_id} if client_id else {}),
            )
        case "cli":
            return identity.AzureCliCredential()
        case "managed_identity":
            return identity.ManagedIdentityCredential(**named)
        case "workload_identity":
            return _workload(issued, named)
        case "environment":
            return identity.EnvironmentCredential(**issued)
        case _:
            raise UsageError(
                f"There is no credential called {choice!r}.",
                do=f"Write endpoint.credential: {', '.join(CHOICES)}.",
            )


def who(asking: TokenCredential, scope: str) -> Login:
    """Whose tokens a credential gives.

    Raises:
        NotLoggedIn: it gives none.
    """
    with told("gives no token"):
        token = asking.get_token(scope).token
    chosen = getattr(asking, "_successful_credential", None) or asking
    return login_of(token, type(chosen).__name__)


def _workload(issued: dict[str, Any], named: dict[str, Any]) -> TokenCredential:
    from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415 - heavy

    try:
        return WorkloadIdentityCredential(**issued, **named)
    except ValueError as error:  # it reads its environment when it is made
        raise UsageError(
            f"No workload identity is set up here: {error}",
            do="Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, or choose "
            "another endpoint.credential.",
        ) from error
