"""Requests and replies as values, so that the emulator's rules know no web server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

Json = dict[str, object]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the control plane.

    Args:
        operation: What it asks for, as faults and records name it: ``endpoint.put``.
        parts: What its path names, by the pattern of its route.
        query: Its query; keys in lower case.
        headers: Keys in lower case.
    """

    operation: str
    method: str
    path: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def part(self, name: str) -> str:
        """A name in the path; Azure's names are the same in any case, so in lower case."""
        return self.parts[name].lower()

    def json(self) -> Json:
        """The body as a mapping.

        Raises:
            Refusal: it is none.
        """
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(_BAD_REQUEST, "InvalidRequestContent", f"{error}") from error
        if not isinstance(found, dict):
            raise Refusal(_BAD_REQUEST, "InvalidRequestContent", "The body is no JSON object.")
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the control plane; ``body`` is JSON, None the literal ``null``."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An answer that is an error, in Azure's form."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] = _NOTHING
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def reply(self) -> Reply:
        """The answer."""
        body = {"error": error_body(self.code, self.message)}
        return Reply(self.status, body, dict(self.headers))


def error_body(code: str, message: str) -> Json:
    """What Azure ML puts under ``error``."""
    component = {"type": "ComponentName", "info": {"value": "managementfrontend"}}
    return {"code": code, "message": message, "details": [], "additionalInfo": [component]}


def mapping(value: object) -> Json:
    """``value`` if it is a mapping, else an empty one."""
    return cast(Json, value) if isinstance(value, dict) else {}
