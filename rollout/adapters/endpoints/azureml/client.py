"""Azure's SDK for one endpoint, with everything in it closed that hurts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from rollout.adapters.endpoints.azureml import sdk
from rollout.adapters.endpoints.azureml.arm import ML
from rollout.adapters.endpoints.azureml.failures import refused, told
from rollout.adapters.endpoints.azureml.patience import patiently
from rollout.adapters.endpoints.azureml.place import Cloud, Place
from rollout.adapters.endpoints.azureml.preserved import Look, as_it_is
from rollout.domain.errors import EndpointAway
from rollout.domain.run import Split
from rollout.ports.endpoint import Hold

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport

    from rollout.adapters.endpoints.azureml.wire import Wire

Json = Mapping[str, Any]
Call = Callable[["MLClient"], object]

_CONTAINERS = ("storage-initializer", "inference-server")
_NOT_FOUND, _ERRORS = 404, 400
_ABOVE = ("resourcegroupnotfound", "subscriptionnotfound", "invalidsubscriptionid")
_TRY_AGAIN = "Try again in a while."


@dataclass(frozen=True, slots=True)
class _Call:
    """What belongs to one order, on the wire; two orders must not see each other's.

    Args:
        hold: Asked last before it leaves.
        look: Sees the body last.
        goal: The shares of an endpoint that it writes.
    """

    hold: Hold
    look: Look = as_it_is
    goal: Split | None = None

    @contextlib.contextmanager
    def on(self, wire: Wire) -> Iterator[None]:
        """On the wire, for whoever has the SDK to itself."""
        before = wire.hold, wire.look, wire.goal
        wire.hold, wire.look, wire.goal = self.hold, self.look, self.goal
        try:
            yield
        finally:
            wire.hold, wire.look, wire.goal = before


class Client:
    """The SDK, bound to a place.

    Args:
        place: The endpoint.
        cloud: Its cloud.
        credential: Whose tokens are used.
    """

    def __init__(self, place: Place, cloud: Cloud, credential: TokenCredential) -> None:
        from rollout.adapters.endpoints.azureml.wire import Wire  # noqa: PLC0415 - heavy

        self._place = place
        self._cloud = cloud
        self._credential = credential
        self._wire: Wire = Wire()
        self._made: MLClient | None = None
        self._raw: tuple[Any, RequestsTransport] | None = None

    # --- reading ---

    def endpoint(self) -> OnlineEndpoint | None:
        """The endpoint; None: it is not there."""
        name = self._place.endpoint
        found = self._found("the endpoint", lambda ml: ml.online_endpoints.get(name))
        return cast("OnlineEndpoint | None", found)

    def is_listed(self) -> bool:
        """Whether the workspace's list has the endpoint: a read of its own may be stale."""
        with told("did not list the endpoints"), self._sdk() as ml:
            return any(each.name == self._place.endpoint for each in ml.online_endpoints.list())

    def deployments(self) -> list[OnlineDeployment]:
        """All its deployments; none where there is no endpoint."""
        name = self._place.endpoint
        found = self._found("its deployments", lambda ml: list(ml.online_deployments.list(name)))
        return found or []

    def deployment(self, name: str) -> OnlineDeployment | None:
        """One of its deployments; None: it is not there."""
        endpoint = self._place.endpoint
        found = self._found(name, lambda ml: ml.online_deployments.get(name, endpoint))
        return cast("OnlineDeployment | None", found)

    def answer(self, resource: str) -> Json:
        """What the service answered to the last read of a resource, unabridged."""
        return self._wire.answers.get(resource.lower(), {})

    def keys(self) -> Any:
        """The endpoint's keys or its token, whichever it takes."""
        name = self._place.endpoint
        with told("did not tell the endpoint's keys"), self._sdk() as ml:
            return ml.online_endpoints.get_keys(name)

    def logs(self, name: str, *, tail: int) -> str:
        """What a deployment's containers said last; the server's own words at the end."""
        said = []
        for container in _CONTAINERS:
            with told(f"did not tell what {name} said"), self._sdk() as ml:
                text = ml.online_deployments.get_logs(
                    name, self._place.endpoint, tail, container_type=container
                )
            said.append(f"== {container}\n{(text or '').rstrip()}")
        return "\n".join(said)

    def get(self, path: str, api_version: str) -> Json | None:
        """Any resource of Azure Resource Manager; see ``Arm.get``."""
        own = path.startswith("https://")
        address = path if own else f"{self._cloud.resource_manager}{path}"
        answer = self._asked(address, {} if own else {"api-version": api_version})
        if answer is None or answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code >= _ERRORS:
            code, words = _error_of(answer.text())
            raise refused(f"refused {urlsplit(address).path}", answer.status_code, code, words)
        with told(f"answered {urlsplit(address).path} with no JSON"):
            return cast("Json", answer.json())

    def operation(self, address: str) -> Json:
        """The status document of a long operation; empty: it is gone."""
        return self.get(address, "") or {}

    def service_time(self) -> float:
        """Unix seconds of the service's clock."""
        answer = self._asked(
            f"{self._cloud.resource_manager}{self._place.workspace_id}", {"api-version": ML}
        )
        date = None if answer is None else answer.headers.get("Date")
        if date is None:
            raise EndpointAway("Azure did not say what time it is.", do=_TRY_AGAIN)
        return parsedate_to_datetime(date).timestamp()

    def _asked(self, address: str, query: Mapping[str, str]) -> Any:
        """Azure Resource Manager's answer; None: the address is another service's."""
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy

        if urlsplit(address).netloc != urlsplit(self._cloud.resource_manager).netloc:
            return None  # a token is for its own service only
        if self._raw is None:
            self._raw = self._pipeline()
        with told(f"did not answer {urlsplit(address).path}"):
            return self._raw[0].send_request(HttpRequest("GET", address, params=query))

    # --- changing ---

    def put_endpoint(
        self, entity: OnlineEndpoint, hold: Hold, goal: Split | None = None, look: Look = as_it_is
    ) -> None:
        """Begin to write the whole endpoint.

        Args:
            entity: As it was read, and changed; or a new one where there is none.
            hold: Asked last.
            goal: The shares that it shall have; None: none, or those that it has.
            look: Sees the body last.

        Raises:
            EndpointRefused: it would lose something, or have other shares.
        """
        call = _Call(hold, look, goal)
        self._begin("did not write the endpoint", call, lambda ml: (
            ml.online_endpoints.begin_create_or_update(entity)
        ))  # fmt: skip

    def put_deployment(self, entity: OnlineDeployment, hold: Hold, look: Look = as_it_is) -> None:
        """Begin to write a whole deployment, after its files were uploaded where there are any."""
        from rollout.adapters.endpoints.azureml.wire import CHANGE_SECONDS  # noqa: PLC0415 - heavy

        deed = f"did not write the deployment {entity.name}"
        patiently(
            lambda ask: self._begin(deed, _Call(ask, look), lambda ml: (
                ml.online_deployments.begin_create_or_update(entity)
            )),
            hold,
            seconds=CHANGE_SECONDS,
        )  # fmt: skip

    def delete_deployment(self, name: str, hold: Hold) -> None:
        """Begin to delete a deployment; gone already is success."""
        endpoint = self._place.endpoint
        self._begin(f"did not delete {name}", _Call(hold), lambda ml: (
            ml.online_deployments.begin_delete(name, endpoint)
        ), absent_is_fine=True)  # fmt: skip

    def delete_endpoint(self, hold: Hold) -> None:
        """Begin to delete the endpoint with everything on it."""
        name = self._place.endpoint
        self._begin("did not delete the endpoint", _Call(hold), lambda ml: (
            ml.online_endpoints.begin_delete(name)
        ), absent_is_fine=True)  # fmt: skip

    def close(self) -> None:
        """Let go of connections."""
        self._wire.close()
        if self._raw is not None:
            self._raw[1].close()

    # --- the SDK ---

    def _begin(self, deed: str, call: _Call, do: Call, *, absent_is_fine: bool = False) -> None:
        from rollout.adapters.endpoints.azureml.wire import Begun  # noqa: PLC0415 - heavy

        try:
            with told(deed, change=True), self._sdk() as ml, call.on(self._wire):
                try:
                    do(ml)
                except _absence() as error:
                    if not absent_is_fine or not self._is_absent(error):
                        raise
                    return
        except Begun:
            return
        raise EndpointAway(f"Azure's SDK {deed} and does not say why.", do=_TRY_AGAIN)

    def take_pause(self) -> float:
        """Seconds that the service asked for when it refused a change; told once, else 0."""
        found, self._wire.pause = self._wire.pause, 0.0
        return found

    def _found(self, what: str, call: Callable[[MLClient], Any]) -> Any:
        with told(f"did not tell of {what}"), self._sdk() as ml:
            try:
                return call(ml)
            except _absence() as error:
                if self._is_absent(error):
                    return None
                raise

    def _is_absent(self, error: Any) -> bool:
        """Whether the very resource is missing, and not what is above it.

        Azure ML says ``UserError`` of a resource of its own that is missing; Resource Manager says
        ``ResourceNotFound`` of the resource or of the workspace, which is asked for then.
        """
        code = str(getattr(getattr(error, "error", None), "code", "") or "").lower()
        if code in _ABOVE:
            return False
        return code != "resourcenotfound" or self.get(self._place.workspace_id, ML) is not None

    @contextlib.contextmanager
    def _sdk(self) -> Iterator[MLClient]:
        """The SDK, while its idea of the present cloud is ours; nothing of it stays behind."""
        sdk.ready()
        described = None if self._cloud.known else _metadata(self._cloud)
        with sdk.current_cloud(self._name, described):
            if self._made is None:
                self._made = self._make()
            yield self._made

    @property
    def _name(self) -> str:
        """What the SDK knows our cloud by; two clouds of one name must not be mistaken."""
        cloud = self._cloud
        return cloud.name if cloud.known else f"{cloud.name} at {cloud.resource_manager}"

    def _make(self) -> MLClient:
        from azure.ai.ml import MLClient  # noqa: PLC0415 - heavy

        from rollout.adapters.endpoints.azureml.wire import Retries  # noqa: PLC0415 - heavy

        place = self._place
        return MLClient(
            self._credential,
            place.subscription,
            place.resource_group,
            place.workspace,
            cloud=self._name,
            transport=self._wire,
            retry_policy=Retries(),
            enable_telemetry=False,
            show_progress=False,
        )

    def _pipeline(self) -> tuple[Any, RequestsTransport]:
        from azure.core import PipelineClient  # noqa: PLC0415 - heavy
        from azure.core.pipeline import policies  # noqa: PLC0415 - heavy
        from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - heavy

        from rollout.adapters.endpoints.azureml.wire import (  # noqa: PLC0415 - heavy
            CONNECT_SECONDS,
            READ_SECONDS,
            Retries,
        )

        transport = RequestsTransport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        scope = self._cloud.management_scope
        chain = [
            policies.RequestIdPolicy(),
            policies.UserAgentPolicy("rollout"),
            Retries(),
            policies.BearerTokenCredentialPolicy(self._credential, scope),
        ]
        base = self._cloud.resource_manager
        return PipelineClient(base, policies=chain, transport=transport), transport


def _absence() -> type[Exception]:
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - heavy

    return ResourceNotFoundError


def _error_of(text: str) -> tuple[str, str]:
    with contextlib.suppress(ValueError, AttributeError):
        body = json.loads(text)
        found = body.get("error", body)
        return str(found.get("code") or ""), str(found.get("message") or "")
    return "", text[:200]


def _metadata(cloud: Cloud) -> dict[str, str]:
    return {
        "azure_portal": f"{cloud.portal}/",
        "resource_manager": f"{cloud.resource_manager}/",
        "active_directory": f"{cloud.active_directory}/",
        "aml_resource_id": f"{cloud.ml}/",
        "storage_endpoint": cloud.storage,
        "registry_discovery_endpoint": f"{cloud.registries}/",
    }
