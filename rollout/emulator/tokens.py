"""Tokens as Entra ID gives them, signed by the emulator: for its control plane, its scoring URIs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import cast

from rollout.emulator.settings import CLIENT, OBJECT, TENANT
from rollout.emulator.wire import Json

LIFE_SECONDS = 86_400
_PARTS = 3


class Tokens:
    """Issues tokens and knows its own again.

    Args:
        secret: What they are signed with.
        issuer: The emulator's address.
    """

    def __init__(self, secret: str, issuer: str) -> None:
        self._secret = secret.encode()
        self._issuer = issuer

    def issue(self, audience: str, now: float, *, life: int = LIFE_SECONDS) -> str:
        """A token for ``audience``.

        Args:
            audience: Whom it is for.
            now: Unix seconds.
            life: Seconds.
        """
        claims: Json = {
            "aud": audience,
            "iss": f"{self._issuer}/{TENANT}/v2.0",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + life,
            "appid": CLIENT,
            "appidacr": "1",
            "idtyp": "app",
            "oid": OBJECT,
            "sub": OBJECT,
            "tid": TENANT,
            "ver": "1.0",
        }
        head = _encoded(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
        signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{self._signature(signed)}"

    def claims(self, token: str, now: float) -> Mapping[str, object] | None:
        """What a token says; None: it is not ours, or has expired."""
        parts = token.split(".")
        if len(parts) != _PARTS:
            return None
        signed = f"{parts[0]}.{parts[1]}"
        if not hmac.compare_digest(self._signature(signed), parts[2]):
            return None
        found = cast(Json, json.loads(_decoded(parts[1])))
        return found if cast(int, found["exp"]) > now else None

    def _signature(self, signed: str) -> str:
        return _encoded(hmac.new(self._secret, signed.encode(), hashlib.sha256).digest())


def bearer(headers: Mapping[str, str]) -> str:
    """The token or key of a request; empty: it has none.

    >>> bearer({"authorization": "Bearer abc"})
    'abc'
    """
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
