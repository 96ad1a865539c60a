"""Requests of our own to a scoring URI.

Never by the SDK's ``invoke``: it keeps the deployment's name of one call in a header of all later
ones, sends failed requests again, and asks the control plane three times for each.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from rollout.adapters.endpoints.azureml.source import PROBE_AGENT
from rollout.adapters.endpoints.azureml.trust import context
from rollout.ports.clock import Clock
from rollout.ports.endpoint import Answer

DEPLOYMENT_HEADER = "azureml-model-deployment"
_BODY_BYTES = 64 * 1024
_UNAUTHORIZED = 401
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a scoring URI.

    Args:
        value: A key or a token.
        until: Unix seconds at which it must be asked for anew; None: keys last.
    """

    value: str
    until: float | None = None


class Prober:
    """A pool of connections to one endpoint.

    Args:
        secret: Asks the control plane for what opens the endpoint.
        clock: Time.
    """

    def __init__(self, secret: Callable[[], Secret], clock: Clock) -> None:
        self._ask = secret
        self._clock = clock
        self._client: httpx.Client | None = None
        self._secret: Secret | None = None

    def send(self, uri: str, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        """Send one request; a key that was changed meanwhile is asked for anew, once."""
        answer = self._post(uri, body, self._key(), deployment, timeout)
        if answer.status != _UNAUTHORIZED:
            return answer
        before, self._secret = self._secret, None
        if self._key() == (before.value if before else None):
            return answer
        return self._post(uri, body, self._key(), deployment, timeout)

    def key(self) -> str:
        """What opens the endpoint now."""
        return self._key()

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _key(self) -> str:
        known = self._secret
        if known is None or (known.until is not None and self._clock.now() >= known.until):
            self._secret = known = self._ask()
        return known.value

    def _post(
        self, uri: str, body: bytes, key: str, deployment: str | None, timeout: float
    ) -> Answer:
        if self._client is None:
            limits = httpx.Limits(max_connections=_CONNECTIONS)
            self._client = httpx.Client(verify=context(), limits=limits)
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "x-ms-client-request-id": str(uuid.uuid4()),
        }
        if deployment is not None:  # the log must not count what no client sent
            headers |= {DEPLOYMENT_HEADER: deployment, "User-Agent": PROBE_AGENT}
        began = self._clock.monotonic()
        try:
            with self._client.stream(
                "POST", uri, content=body, headers=headers, timeout=timeout
            ) as answer:
                content = _first(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            seconds = self._clock.monotonic() - began
            return Answer(0, seconds, error=f"{type(error).__name__}: {error}")
        return Answer(
            answer.status_code,
            self._clock.monotonic() - began,
            answer.headers.get(DEPLOYMENT_HEADER),
            content,
            content_type=answer.headers.get("Content-Type", ""),
        )


def _first(answer: httpx.Response) -> bytes:
    """The beginning of a body that is read to its end, so that the connection can be used again."""
    kept = bytearray()
    for part in answer.iter_bytes():
        kept += part[: max(0, _BODY_BYTES - len(kept))]
    return bytes(kept)
