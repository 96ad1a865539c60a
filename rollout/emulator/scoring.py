"""The data plane: requests to scoring URIs, checked and handed on to the local endpoint's Envoy."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.emulator.documents import PROVIDER
from rollout.emulator.faults import LOST, STATUS
from rollout.emulator.records import Endpoint
from rollout.emulator.site import Site
from rollout.emulator.tokens import bearer
from rollout.emulator.traffic import Request, public_status
from rollout.emulator.wire import Asked, mapping
from rollout.emulator.workspace import ML_AUDIENCE, allows

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, web

DEPLOYMENT = "azureml-model-deployment"

_HOP = frozenset(
    {
        "authorization", "connection", "content-length", "host", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade", "x-request-id",
    }
)  # fmt: skip
_NOT_PASSED_BACK = _HOP | {"date", "server"}
_NOT_FOUND, _UNAUTHORIZED, _MODEL_ERROR, _AWAY = 404, 401, 424, 503
_SCORE = f"{PROVIDER}/workspaces/onlineEndpoints/score/action"
_CHUNK = 1 << 16


@dataclass(slots=True)
class _Call:
    """A request on its way, and what came of it.

    Args:
        passed: Whether it was handed on.
        deployment: Who answered; empty: nobody.
        model_status: What that one said; 0: nothing.
        sent: Bytes of the answer.
    """

    asked: Asked
    id: str
    passed: bool = False
    deployment: str = ""
    model_status: int = 0
    sent: int = 0


class Scoring:
    """Hands requests on, with connections that are kept and nothing tried twice."""

    def __init__(self, site: Site, session: ClientSession) -> None:
        self._site = site
        self._session = session
        self._known: dict[tuple[str, float], tuple[int, str]] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request to a scoring URI."""
        from aiohttp import web  # noqa: PLC0415 - the emulator's extra

        site, name = self._site, request.match_info["endpoint"].lower()
        headers = {key.lower(): value for key, value in request.headers.items()}
        body = await request.read()
        asked = Asked("score", request.method, request.path, headers=headers, body=body)
        lost = site.faults.take(LOST, asked)
        began, since = site.clock.now(), site.clock.monotonic()
        call = _Call(asked, headers.get("x-request-id") or str(uuid.uuid4()))
        endpoint = site.records.endpoints.get(name)
        response = await self._answered(request, call, endpoint)
        if endpoint is not None:
            seconds = site.clock.monotonic() - since
            site.traffic.of(name).add(_logged(call, endpoint, response.status, began, seconds))
        if lost is not None and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return response

    async def _answered(
        self, request: web.Request, call: _Call, endpoint: Endpoint | None
    ) -> web.StreamResponse:
        fault = self._site.faults.take(STATUS, call.asked)
        if fault is not None:
            refusal = fault.refusal()
            return _own(call, refusal.status, refusal.message, dict(refusal.headers))
        if endpoint is None or not endpoint.ready:
            return _own(call, _NOT_FOUND, "There is no such endpoint.")
        if not self._lets_in(endpoint, bearer(call.asked.headers)):
            return _own(call, _UNAUTHORIZED, "key_auth_access_denied")
        if request.match_info["path"] != "score":
            return _own(call, _NOT_FOUND, "This endpoint answers at /score only.")
        return await self._pass_on(request, call, endpoint)

    def _lets_in(self, endpoint: Endpoint, secret: str) -> bool:
        mode = mapping(endpoint.body["properties"])["authMode"]
        if mode == "Key":
            return secret in endpoint.keys
        claims = self._site.tokens.claims(secret, self._site.clock.now())
        wanted = f"aml:{endpoint.name}" if mode == "AMLToken" else ML_AUDIENCE
        known = claims is not None and str(claims["aud"]).rstrip("/") == wanted
        return known and (mode == "AMLToken" or allows(self._site, _SCORE))

    async def _pass_on(
        self, request: web.Request, call: _Call, endpoint: Endpoint
    ) -> web.StreamResponse:
        import aiohttp  # noqa: PLC0415 - the emulator's extra

        port, key = await self._address(endpoint)
        sent = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        sent |= {"Authorization": f"Bearer {key}", "x-request-id": call.id}
        address = f"http://127.0.0.1:{port}/score"
        try:
            async with self._session.post(
                address, data=call.asked.body, headers=sent, allow_redirects=False
            ) as answer:
                return await _pass_back(request, call, answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _own(call, _AWAY, f"The endpoint does not answer: {type(error).__name__}.")

    async def _address(self, endpoint: Endpoint) -> tuple[int, str]:
        """Where the local endpoint is; another of the same name may be elsewhere."""
        which = (endpoint.name, endpoint.created_at)
        if which not in self._known:
            engines, name = self._site.engines, endpoint.name
            port = await asyncio.to_thread(engines.port, name)
            self._known[which] = (port or 0, await asyncio.to_thread(engines.key, name))
        return self._known[which]


async def _pass_back(
    request: web.Request, call: _Call, answer: ClientResponse
) -> web.StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - the emulator's extra

    call.passed = True
    by_model = "Server" in answer.headers  # Envoy gives its own answers no such header
    call.deployment = answer.headers.get(DEPLOYMENT, "")
    call.model_status = answer.status if by_model else 0
    headers = {k: v for k, v in answer.headers.items() if k.lower() not in _NOT_PASSED_BACK}
    headers |= _marks(call)
    status = public_status(answer.status, by_model=by_model)
    if status == _MODEL_ERROR:
        headers["ms-azureml-model-error-statuscode"] = str(answer.status)
        headers["ms-azureml-model-error-reason"] = "model_error"
    response = web.StreamResponse(status=status, headers=headers)
    length = answer.headers.get("Content-Length")
    if length is not None:
        response.content_length = int(length)
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        call.sent += len(chunk)
        await response.write(chunk)
    await response.write_eof()
    return response


def _own(
    call: _Call, status: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer that no deployment gave."""
    from aiohttp import web  # noqa: PLC0415 - the emulator's extra

    body = {"error": {"code": str(status), "message": message}}
    return web.json_response(body, status=status, headers=_marks(call) | (headers or {}))


def _marks(call: _Call) -> dict[str, str]:
    """What every answer of a scoring URI carries."""
    found = {"x-request-id": call.id, "Server": "azureml-frontdoor"}
    client = call.asked.headers.get("x-ms-client-request-id")
    return found | ({"x-ms-client-request-id": client} if client else {})


def _logged(call: _Call, endpoint: Endpoint, status: int, began: float, seconds: float) -> Request:
    headers = call.asked.headers
    return Request(
        began=began,
        seconds=seconds,
        deployment=call.deployment,
        status=status,
        model_status=call.model_status,
        passed=call.passed,
        method=call.asked.method,
        auth=str(mapping(endpoint.body["properties"])["authMode"]),
        agent=headers.get("user-agent", ""),
        id=call.id,
        client_id=headers.get("x-ms-client-request-id", ""),
        sent=call.sent,
        received=len(call.asked.body),
    )
