"""The last hands that touch a request of Azure's SDK, and the first that touch its answer.

Three things happen here because nowhere else is late or early enough:

* before a request that changes something leaves, the lease is looked at and the body is compared
  with what the service had before; what only the SDK dropped is put back;
* once such a request was taken, `Begun` ends the SDK's call: its own poller would go on in a
  thread, print dots and hide how the operation ended, while a run looks for itself;
* what the service answered is remembered as it was, because the SDK's entities drop parts of it.

One wire serves all of an ``MLClient``; the SDK's retries of changing requests are off (`Retries`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy
from azure.core.pipeline.transport import RequestsTransport

from rollout.adapters.endpoints.azureml import preserved
from rollout.adapters.endpoints.azureml.preserved import Look, as_it_is
from rollout.domain.errors import EndpointRefused
from rollout.domain.run import Split
from rollout.ports.endpoint import Hold, unfenced

Json = Mapping[str, Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
CHANGE_SECONDS = CONNECT_SECONDS + READ_SECONDS  # of one request that changes something
_CHANGES = ("PUT", "PATCH", "DELETE")
_ENDPOINTS = "/onlineendpoints/"
_ENDPOINT = re.compile(r".*/onlineendpoints/[^/]+")
_NOT_FOUND = 404
_TAKEN = (200, 201, 202, 204)
_UNAUTHORIZED = 401
_LOGIN_SECONDS = 30.0  # a login that has expired is not renewed any sooner
_REPORT = "Report this with the versions: rollout version"
_READ_TRIES = 2
_BACKOFF_SECONDS = 0.3


class Begun(Exception):
    """An order was taken by the service.

    Args:
        status: Of its answer.
        operation: Where the operation can be looked at; None: it ended at once.
    """

    def __init__(self, status: int, operation: str | None) -> None:
        super().__init__(status)
        self.status = status
        self.operation = operation


class Retries(RetryPolicy[Any, Any]):
    """Reads are repeated a little; whatever changes something is not: the run does that itself.

    However long a ``Retry-After`` says, nobody sleeps here: a lease lasts 20 s, and a run that waits
    for a read guards nobody. A read that was slow is not repeated, either.
    """

    def __init__(self) -> None:
        super().__init__(retry_total=_READ_TRIES, retry_read=0)

    def sleep(self, settings: Any, transport: Any, response: Any = None) -> None:
        """A moment between two reads."""
        del settings, response
        transport.sleep(_BACKOFF_SECONDS)

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send, and a read perhaps again."""
        if request.http_request.method in _CHANGES:
            request.context.options["retry_total"] = 0
        return super().send(request)


class Wire(RequestsTransport):  # type: ignore[misc]  # azure-core names it through a lazy import
    """The way of every request to Azure Resource Manager.

    Args:
        hold: Asked before a request that changes something.
        look: Given the body of a write before it leaves; what it returns leaves instead, and
            what it raises stops it.
        goal: The shares that a write of an endpoint shall have; None: those that it had.
        answers: What was read last, by path in lower case; empty: it was not there.
        pause: Seconds that the service asked for when it refused the last change.
    """

    def __init__(self) -> None:
        super().__init__(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        self.hold: Hold = unfenced
        self.look: Look = as_it_is
        self.goal: Split | None = None
        self.answers: dict[str, Json] = {}
        self.pause = 0.0  # seconds that the service asked for when it refused a change

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send one request, once.

        Raises:
            Begun: it was an order about an endpoint, and it was taken.
        """
        path = _path(request.url)
        changes = request.method in _CHANGES
        if changes:
            if request.method == "PUT" and _ENDPOINTS in path:
                _replace_body(request, self._looked_at(path, _read(request.content)))
            self.hold(CHANGE_SECONDS)
            self.pause = 0.0
        kwargs.setdefault("connection_timeout", CONNECT_SECONDS)
        kwargs.setdefault("read_timeout", READ_SECONDS)
        answer = super().send(request, **kwargs)
        if _ENDPOINTS not in path:
            return answer
        if changes and answer.status_code in _TAKEN:
            raise Begun(answer.status_code, answer.headers.get("Azure-AsyncOperation"))
        if changes:
            self.pause = _asked_pause(answer)
        if request.method == "GET" and answer.status_code == _TAKEN[0]:
            self.answers[path] = _read(_content(answer))
        elif request.method == "GET" and answer.status_code == _NOT_FOUND:
            self.answers[path] = {}
        return answer

    def _looked_at(self, path: str, body: Json) -> Json:
        """The body that may leave: a write of an endpoint loses nothing, whoever put it together.

        Raises:
            EndpointRefused: it would, or nobody has read the endpoint before.
        """
        if _ENDPOINT.fullmatch(path):
            before = self.answers.get(path)
            if before is None:
                raise EndpointRefused(
                    "The endpoint would be written without having been read. Nothing was sent.",
                    do=_REPORT,
                )
            if before:
                body = preserved.restored_endpoint(before, body)
                changes = preserved.endpoint_changes(before, body, split=False)
                preserved.refuse("the endpoint", changes)
            wanted = preserved.split_of(before) if self.goal is None else self.goal
            sent = preserved.split_of(body)
            if sent != wanted:
                raise EndpointRefused(
                    f"Azure's SDK would write {sent} instead of {wanted}. Nothing was sent.",
                    do="Use names in lower case for deployments.",
                )
        return self.look(body)


def _replace_body(request: Any, body: Json) -> None:
    """Send this instead; the request knows its body as text of JSON with a length."""
    text = json.dumps(body)
    request._data = text  # noqa: SLF001 - it has no other door once it is made
    request.headers["Content-Length"] = str(len(text.encode()))


def _asked_pause(answer: Any) -> float:
    """Seconds until the service wants to be asked again; 0: it does not say."""
    if answer.status_code == _UNAUTHORIZED:
        return _LOGIN_SECONDS
    try:
        return max(0.0, float(answer.headers.get("Retry-After") or 0.0))
    except ValueError:
        return 0.0


def _path(url: str) -> str:
    """A resource's id in lower case.

    >>> _path("https://a.test/Sub/onlineEndpoints/x?api-version=1")
    '/sub/onlineendpoints/x'
    """
    return "/" + url.split("?", 1)[0].split("//", 1)[-1].partition("/")[2].lower()


def _content(answer: Any) -> object:
    """The body of an answer of either generation of azure-core."""
    read = getattr(answer, "read", None)
    return read() if read is not None else answer.body()


def _read(content: object) -> Json:
    if isinstance(content, bytes | str) and content:
        found = json.loads(content)
        if isinstance(found, dict):
            return cast(Json, found)
    return {}
