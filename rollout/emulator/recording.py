"""A line of JSON for each request with its reply, without what is secret in them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from rollout.emulator.wire import Asked, Json, Reply

_GONE = "REDACTED"
_SECRET_KEYS = frozenset(
    {
        "primarykey", "secondarykey", "accesstoken", "access_token", "key", "sasuri",
        "client_secret", "client_assertion",
    }
)  # fmt: skip
_HEADERS = frozenset(
    {
        "accept", "azure-asyncoperation", "azureml-model-deployment", "content-type", "location",
        "retry-after", "user-agent", "www-authenticate", "x-ms-async-operation-timeout",
        "x-ms-client-request-id", "x-ms-retry-after-ms",
    }
)  # fmt: skip
_FORM_SECRET = re.compile(r"(client_secret|client_assertion)=[^&]*")


class Recording:
    """Adds to a file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def take(self, asked: Asked, url: str, reply: Reply, *, lost: bool) -> None:
        """One request with its reply; ``lost``: which nobody got."""
        line: Json = {
            "operation": asked.operation,
            "method": asked.method,
            "url": url,
            "headers": _shown(asked.headers),
            "body": _sent(asked),
            "status": reply.status,
            "reply_headers": _shown(reply.headers),
            "reply": redacted(reply.body),
        }
        if lost:
            line["lost"] = True
        self._file.write(json.dumps(line) + "\n")


def redacted(value: object) -> object:
    """The same without tokens, keys and signatures.

    >>> redacted({"primaryKey": "abc", "tags": {"a": "b"}})
    {'primaryKey': 'REDACTED', 'tags': {'a': 'b'}}
    """
    if isinstance(value, dict):
        return {
            key: _GONE if key.lower() in _SECRET_KEYS else redacted(inner)
            for key, inner in value.items()
        }
    return [redacted(each) for each in value] if isinstance(value, list) else value


def _sent(asked: Asked) -> object:
    if not asked.body:
        return None
    try:
        return redacted(json.loads(asked.body))
    except ValueError:
        return _FORM_SECRET.sub(rf"\1={_GONE}", asked.body.decode("utf-8", errors="replace"))


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() in _HEADERS}
