"""A small HTTP/1.1 client for load: kept connections, no body kept, little work a request."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_LINE_BYTES = 1 << 20


class Wire:
    """Posts bodies to one URI.

    Args:
        uri: An http:// or https:// address.
        headers: Sent with every request.
        tls: Whose certificates are believed; for https:// alone.
    """

    def __init__(
        self, uri: str, headers: Mapping[str, str], tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(uri)
        secure = parts.scheme == "https"
        self._tls = (tls or ssl.create_default_context()) if secure else None
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if secure else 80)
        self._first = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
        self._kept: list[Stream] = []
        self.carry(headers)

    def carry(self, headers: Mapping[str, str]) -> None:
        """Send these headers from now on."""
        lines = [*self._first, *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "\r\n".join(lines).encode()

    async def post(self, body: bytes) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case) of the answer, once it is complete.

        Raises:
            OSError: no connection, or it broke.
            EOFError: it ended in the middle of the answer.
            ValueError: the answer is not HTTP.
        """
        reader, writer = await self._open()
        whole = False
        try:
            writer.write(b"%b\r\nContent-Length: %d\r\n\r\n" % (self._head, len(body)) + body)
            await writer.drain()
            status, headers = await _head_of(reader)
            await _skip_body(reader, status, headers)
            whole = headers.get("connection", "").lower() != "close"
        finally:
            if whole:
                self._kept.append((reader, writer))
            else:
                writer.close()
        return status, headers

    async def close(self) -> None:
        """Close the kept connections."""
        while self._kept:
            _, writer = self._kept.pop()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _open(self) -> Stream:
        while self._kept:
            reader, writer = self._kept.pop()
            if not reader.at_eof() and reader.exception() is None:
                return reader, writer
            writer.close()  # the other side has closed it meanwhile
        return await asyncio.open_connection(
            self._host, self._port, limit=_LINE_BYTES, ssl=self._tls
        )


async def _head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.split(":", 1) for line in lines[1:] if ":" in line]
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, value in pairs}


async def _skip_body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> None:
    if status in (204, 304):
        return
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
