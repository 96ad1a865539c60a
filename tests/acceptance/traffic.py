"""An independent client of an endpoint: open-loop HTTP/1.1 over plain asyncio streams.

It shares no code with the product, so that "no client request failed" is somebody else's word.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

TIMEOUT = 15.0  # seconds until a client gives up; that is a failed request


@dataclass(frozen=True, slots=True)
class Answer:
    at: float  # Unix seconds, when it was sent
    seconds: float
    status: int  # 0: none
    deployment: str | None
    error: str = ""


@dataclass
class Traffic:
    """Sends ``rps`` requests/s from ``start`` to ``stop``, whatever the answers do.

    Args:
        tls: Whose certificates are believed; None: plain HTTP.
        path: Of the scoring URI.
    """

    port: int
    key: str
    bodies: list[bytes]
    rps: float = 100.0
    answers: list[Answer] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    path: str = "/score"

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT + 5)

    def failed(self) -> list[Answer]:
        return [each for each in self.answers if each.status != 200]

    def by_deployment(self, since: float, until: float) -> Counter:
        inside = (each for each in self.answers if since <= each.at < until)
        return Counter(each.deployment for each in inside)

    async def _run(self) -> None:
        begun, sent, tasks = time.monotonic(), 0, set()
        while not self._stop.is_set():
            due = int((time.monotonic() - begun) * self.rps)
            while sent < due:
                body = self.bodies[sent % len(self.bodies)]
                task = asyncio.create_task(self._one(body))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            await asyncio.sleep(0.002)
        if tasks:
            await asyncio.wait(tasks, timeout=TIMEOUT)
        for _, writer in self._idle:
            writer.close()
        for _, writer in self._idle:
            with contextlib.suppress(OSError):  # under TLS a farewell is waited for
                await writer.wait_closed()

    async def _one(self, body: bytes) -> None:
        at, begun = time.time(), time.monotonic()
        try:
            status, deployment = await asyncio.wait_for(self._exchange(body), TIMEOUT)
            error = ""
        except (OSError, EOFError, ValueError, TimeoutError) as problem:
            status, deployment, error = 0, None, repr(problem)
        self.answers.append(Answer(at, time.monotonic() - begun, status, deployment, error))

    async def _exchange(self, body: bytes) -> tuple[int, str | None]:
        reader, writer = await self._connection()
        try:
            writer.write(
                b"POST " + self.path.encode() + b" HTTP/1.1\r\nHost: endpoint\r\n"
                b"Content-Type: application/json\r\n"
                b"Authorization: Bearer " + self.key.encode() + b"\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            await self._body(reader, headers)
        except BaseException:
            writer.close()
            raise
        if headers.get("connection") == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head[0].split()[1]), headers.get("azureml-model-deployment")

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
            return
        while size := int((await reader.readline()).strip() or b"0", 16):
            await reader.readexactly(size + 2)
        await reader.readline()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        host = None if self.tls is None else "localhost"
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=host
        )
