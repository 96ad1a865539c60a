"""A proxy on the loopback that leads storage accounts' host names to Azurite, and nothing elsewhere.

The SDK uploads models to ``https://ACCOUNT.blob.SUFFIX``, whatever the metadata says; a proxy needs
no entry in anybody's hosts file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

SUFFIX = ".blob.core.windows.test"

_CHUNK = 1 << 16
_MOST_HEADERS = 100
_HEAD_SECONDS = 30.0


class Tunnel:
    """Answers CONNECT until closed.

    Args:
        target: Where Azurite listens; None: it has not been started.
    """

    def __init__(self, target: Callable[[], int | None]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None

    async def open(self, port: int) -> int:
        """Listen; 0: on a free port, which is returned."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            host = await asyncio.wait_for(_asked_for(reader), _HEAD_SECONDS)
            port = self._target()
            if port is None or not host.partition(":")[0].endswith(SUFFIX):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                there, back = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        writer.close()


async def _asked_for(reader: asyncio.StreamReader) -> str:
    """The ``host:port`` of a CONNECT; empty: it is something else."""
    line = (await reader.readline()).decode("latin-1").split()
    for _ in range(_MOST_HEADERS):
        if await reader.readline() in (b"\r\n", b"\n", b""):
            break
    return line[1] if len(line) > 1 and line[0] == "CONNECT" else ""


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        with contextlib.suppress(OSError):
            writer.close()
