"""A TCP proxy that loses answers, or lets nobody through for a while."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SIZE = 65536


@dataclass
class Proxy:
    """Stands before a server on this machine.

    Args:
        port: The server's.
        swallow: Which answer is lost, counted from 1 over all connections; 0: none. Its connection
            is closed: whoever asked does not learn whether the server did what it was asked.
        away: Nobody gets through, and whoever was through is cut off.
    """

    port: int
    swallow: int = 0
    answers: int = 0
    swallowed: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)
    _away: threading.Event = field(default_factory=threading.Event)
    _heard: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._heard.set()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def here(self) -> int:
        """The port of the proxy."""
        return int(self._listener.getsockname()[1])

    def go_away(self) -> None:
        """Cut everybody off, and let nobody in."""
        self._away.set()
        with self._lock:
            for each in self._open:
                _shut(each)

    def come_back(self) -> None:
        """Let everybody in again."""
        self._away.clear()

    def fall_silent(self) -> None:
        """Keep every connection, and let no answer through."""
        self._heard.clear()

    def speak(self) -> None:
        """Let answers through again, those that were kept back as well."""
        self._heard.set()

    def reset(self, swallow: int) -> None:
        """Count the answers anew, and lose this one."""
        with self._lock:
            self.answers, self.swallow, self.swallowed = 0, swallow, 0

    def close(self) -> None:
        self.go_away()
        self.speak()
        _shut(self._listener)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away.is_set():
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                args = (source, sink, source is server)
                threading.Thread(target=self._pump, args=args, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answering: bool) -> None:
        with suppress(OSError):
            while data := source.recv(SIZE):
                if answering:
                    self._heard.wait()
                if answering and self._lost():
                    break
                sink.sendall(data)
        _shut(source)
        _shut(sink)
        with self._lock:
            self._open -= {source, sink}

    def _lost(self) -> bool:
        with self._lock:
            self.answers += 1
            lost = self.answers == self.swallow
            self.swallowed += lost
            return lost


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        each.close()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy before a port, closed in the end."""
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
