"""The emulator's process: one HTTPS server for control and data plane, and the upload proxy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from rollout.adapters.endpoints.local.folder import locked
from rollout.domain.errors import UsageError
from rollout.emulator import admin, control
from rollout.emulator.certificates import certificates
from rollout.emulator.faults import LOST
from rollout.emulator.recording import Recording
from rollout.emulator.scoring import Scoring
from rollout.emulator.settings import CLIENT, LOG_WORKSPACE, TENANT, Settings
from rollout.emulator.site import Site, records_of, site
from rollout.emulator.tunnel import Tunnel
from rollout.emulator.wire import Asked, Reply
from rollout.ports.clock import Clock

if TYPE_CHECKING:
    from aiohttp import web

HOST = "127.0.0.1"
_MOST_BODY = 1 << 28  # bytes
_IDLE_SECONDS = 75.0
_GRACE_SECONDS = 2.0  # for requests that are being answered
_NO_CONTENT = 204


def run(settings: Settings, clock: Clock, ready: Callable[[Mapping[str, str]], None]) -> None:
    """Serve until SIGINT or SIGTERM; then what serves is stopped, and its files stay.

    Args:
        settings: What to emulate.
        clock: Time.
        ready: Called once it answers, with the environment for its clients.

    Raises:
        UsageError: the port is taken, or a package is missing.
    """
    try:
        import aiohttp  # noqa: F401, PLC0415 - the emulator's extra
        import trustme  # noqa: F401, PLC0415
    except ImportError as error:
        raise UsageError(
            f"The emulator needs the package {error.name}.",
            do="Run: pip install 'rollout[emulator]'",
        ) from error
    with _alone(settings):
        asyncio.run(_serve(settings, clock, ready))


def stop(settings: Settings, clock: Clock) -> list[str]:
    """End what an emulator that was killed left running; the names of what was ended.

    Raises:
        UsageError: it is alive.
    """
    if not settings.state.exists():
        return []
    with _alone(settings, down=True):
        records = records_of(settings)
        found = site(settings, clock, records, certificates(settings.state), "https://localhost")
        stopped = sorted(found.engines.stop(records.endpoints))
        return [*stopped, *(["Azurite"] if found.azurite.stop() else [])]


@contextlib.contextmanager
def _alone(settings: Settings, *, down: bool = False) -> Iterator[None]:
    """Hold the state's folder; ``down``: to end what was left there.

    Raises:
        UsageError: another emulator does.
    """
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.state / "emulator.lock"
    with locked(path) as lock:
        if lock is None:
            pid = path.read_text(encoding="ascii").strip()
            alive = f"It is alive{f' (pid {pid})' if pid else ''}: end it with Ctrl-C"
            other = "." if down else ", or give this one a folder of its own: --state DIR"
            raise UsageError(
                f"An emulator runs with {settings.state} already.", do=f"{alive}{other}"
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield


async def _serve(
    settings: Settings, clock: Clock, ready: Callable[[Mapping[str, str]], None]
) -> None:
    records = records_of(settings)
    port = _port(settings.port or int(records.marks.get("port", "0")), given=settings.port)
    records.marks["port"] = str(port.getsockname()[1])
    found = site(
        settings,
        clock,
        records,
        certificates(settings.state),
        f"https://localhost:{records.marks['port']}",
    )
    starts = [asyncio.to_thread(_start, found, each) for each in records.endpoints]
    await asyncio.gather(*starts)
    tunnel = Tunnel(lambda: found.azurite.port)
    proxy = await _opened(tunnel, int(records.marks.get("proxy", "0")))
    records.marks["proxy"] = str(proxy)
    records.save()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(tunnel.close)
        stack.push_async_callback(asyncio.to_thread, _rest, found)
        stack.push_async_callback(found.operations.close)
        await _listen(found, port, stack)
        found.operations.take_up()
        ready(environment(found, proxy))
        await _told_to_leave()


def environment(found: Site, proxy: int) -> dict[str, str]:
    """What its clients need in their environment."""
    authority = str(found.certificates.authority)
    return {
        "ARM_CLOUD_METADATA_URL": f"{found.base}/metadata/endpoints?api-version=2019-05-01",
        "AZURE_AUTHORITY_HOST": found.base,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": found.client_secret,
        "AZURE_SUBSCRIPTION_ID": found.settings.subscription,
        "AZURE_RESOURCE_GROUP": found.settings.resource_group,
        "AZUREML_WORKSPACE": found.settings.workspace,
        "LOG_ANALYTICS_WORKSPACE_ID": LOG_WORKSPACE,
        "REQUESTS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "HTTPS_PROXY": f"http://{HOST}:{proxy}",
        "NO_PROXY": f"localhost,{HOST}",
    }


async def _listen(found: Site, port: socket.socket, stack: contextlib.AsyncExitStack) -> None:
    import aiohttp  # noqa: PLC0415 - the emulator's extra
    from aiohttp import web  # noqa: PLC0415

    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=None)
    session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
    await stack.enter_async_context(session)
    scoring = Scoring(found, session)
    recording = None
    if found.settings.record is not None:
        recording = Recording(found.settings.record)
        stack.callback(recording.close)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await _answer(found, request, recording)

    app = web.Application(client_max_size=_MOST_BODY)
    app.router.add_route("*", "/endpoints/{endpoint}/{path:.*}", scoring.serve)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=_IDLE_SECONDS, shutdown_timeout=_GRACE_SECONDS
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, port, ssl_context=found.certificates.context()).start()


async def _answer(
    found: Site, request: web.Request, recording: Recording | None
) -> web.StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - the emulator's extra

    asked = Asked(
        operation="unknown",
        method=request.method,
        path=request.path,
        query={key.lower(): value for key, value in request.query.items()},
        headers={key.lower(): value for key, value in request.headers.items()},
        body=await request.read(),
    )
    if asked.path.startswith(admin.PREFIX):
        return _sent(admin.answer(found, asked), asked)
    named, reply = await control.answer(found, asked)
    lost = found.faults.take(LOST, named) is not None
    if recording is not None:
        recording.take(named, str(request.rel_url), reply, lost=lost)
    if lost and request.transport is not None:
        request.transport.abort()
        return web.Response()
    return _sent(reply, asked)


def _sent(reply: Reply, asked: Asked) -> web.Response:
    from aiohttp import web  # noqa: PLC0415 - the emulator's extra

    headers = dict(reply.headers)
    client = asked.headers.get("x-ms-client-request-id")
    if client:
        headers["x-ms-client-request-id"] = client
    if reply.status == _NO_CONTENT:
        return web.Response(status=reply.status, headers=headers)
    return web.json_response(reply.body, status=reply.status, headers=headers)


async def _told_to_leave() -> None:
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leaving.set)
    await leaving.wait()


def _start(found: Site, endpoint: str) -> None:
    found.engines.start(endpoint)
    found.traffic.of(endpoint).between(0.0, 0.0)  # read now what would make a request wait later


def _rest(found: Site) -> None:
    found.engines.stop(found.records.endpoints)
    found.azurite.stop()
    found.traffic.close()


def _port(wanted: int, *, given: int | None) -> socket.socket:
    """A socket that listens soon; one that was not asked for is only preferred.

    Raises:
        UsageError: the port that was asked for is taken.
    """
    for each in (wanted, 0):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, each))
        except OSError as error:
            made.close()
            if given is not None:
                raise UsageError(
                    f"Port {given} cannot be had: {error.strerror}.", do="Give another: --port P"
                ) from error
        else:
            return made
    raise UsageError("No port is free.", do="Give one: --port P")


async def _opened(tunnel: Tunnel, wanted: int) -> int:
    try:
        return await tunnel.open(wanted)
    except OSError:
        return await tunnel.open(0)
