"""Keys of objects: where the records, leases and marks of a journal are.

Numbers descend, so that the newest record of a stream is the first of a listing, however long.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

_MOST = 10**12 - 1


class Names:
    """Keys below a prefix.

    Args:
        prefix: Without slashes around it; empty: the journal has the whole container.
    """

    def __init__(self, prefix: str) -> None:
        self._root = f"{prefix}/" if prefix else ""
        self.layout = f"{self._root}layout"
        self.clock = f"{self._root}clock"
        self.streams = f"{self._root}log"

    def stream(self, stream: str) -> str:
        """What all records of a stream stand below."""
        return f"{self.streams}/{spell(stream)}"

    def record(self, stream: str, seq: int) -> str:
        """A record."""
        return f"{self.stream(stream)}/{_MOST - seq:012d}"

    def lease(self, stream: str) -> str:
        """A lease."""
        return f"{self._root}lease/{spell(stream)}"


def seq_of(key: str) -> int:
    """The number of the record under a key."""
    return _MOST - int(key.rpartition("/")[2])


def stream_of(key: str) -> str:
    """The stream that a key of ``Names.stream`` is of."""
    return unspell(key.rstrip("/").rpartition("/")[2])


def spell(stream: str) -> str:
    """A name as a part of a key that every service takes as it is.

    >>> spell("a/b%.lease")
    'a=2Fb=25=2Elease'
    """
    quoted = quote(stream, safe="", errors="surrogatepass")
    return quoted.replace(".", "%2E").replace("~", "%7E").replace("%", "=")


def unspell(part: str) -> str:
    """The reverse of ``spell``.

    >>> unspell(spell("Grüße = ~"))
    'Grüße = ~'
    """
    return unquote(part.replace("=", "%"), errors="surrogatepass")
