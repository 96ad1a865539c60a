"""Where an endpoint lies in Azure: its resource ids, and the cloud that has them."""

from __future__ import annotations

from dataclasses import dataclass

_PROVIDER = "Microsoft.MachineLearningServices"


@dataclass(frozen=True, slots=True)
class Place:
    """An online endpoint's address in Azure Resource Manager."""

    subscription: str
    resource_group: str
    workspace: str
    endpoint: str

    @property
    def subscription_id(self) -> str:
        """The resource id of the subscription."""
        return f"/subscriptions/{self.subscription}"

    @property
    def workspace_id(self) -> str:
        """The resource id of the workspace."""
        group = f"{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{_PROVIDER}/workspaces/{self.workspace}"

    @property
    def endpoint_id(self) -> str:
        """The resource id of the endpoint."""
        return f"{self.workspace_id}/onlineEndpoints/{self.endpoint}"

    def deployment_id(self, name: str) -> str:
        """The resource id of one of its deployments."""
        return f"{self.endpoint_id}/deployments/{name}"

    def location_id(self, location: str) -> str:
        """The resource id of the provider's operations in a region."""
        return f"{self.subscription_id}/providers/{_PROVIDER}/locations/{location}"


@dataclass(frozen=True, slots=True)
class Cloud:
    """The addresses of one Azure cloud, each without a slash at its end.

    Args:
        name: As Azure names it: ``AzureCloud``, ``AzureUSGovernment``, ``AzureChinaCloud``, or
            what the metadata of another cloud says.
        resource_manager: Base of all management calls; also the audience of their tokens.
        active_directory: Who issues tokens.
        ml: The audience of tokens that a scoring URI takes.
        storage: The suffix of storage accounts.
        portal: For people.
        registries: Discovery of registries.
        metrics: The metrics data plane; ``{region}`` stands for the region.
        metrics_audience: The audience of its tokens.
        logs: The Log Analytics query service; also the audience of its tokens.
        known: Whether it is one of Azure's own clouds; else it came from a metadata address.
    """

    name: str
    resource_manager: str
    active_directory: str
    ml: str
    storage: str
    portal: str
    registries: str
    metrics: str
    metrics_audience: str
    logs: str
    known: bool = True

    @property
    def management_scope(self) -> str:
        """What a token for management calls is asked for."""
        return f"{self.resource_manager}/.default"

    @property
    def scoring_scope(self) -> str:
        """What a token for an endpoint with ``aad_token`` is asked for."""
        return f"{self.ml}/.default"
