"""Who asks: what a token says of the identity that it was given to. The token itself is shown nowhere."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.ports.doctor import LOGIN, Sign, State

_NAMES = ("upn", "preferred_username", "unique_name", "email")


@dataclass(frozen=True, slots=True)
class Login:
    """An identity.

    Args:
        credential: Where the token came from, such as ``AzureCliCredential``.
        kind: ``user``, ``managed identity`` or ``application``; empty: the token does not say.
        name: A user's name, or an application's id.
        object_id: What roles are assigned to.
        tenant: Its directory.
    """

    credential: str
    kind: str = ""
    name: str = ""
    object_id: str = ""
    tenant: str = ""

    @property
    def sign(self) -> Sign:
        """Good whoever it is: what it may do is another question."""
        if not self.kind:
            text = f"Logged in by {self.credential}; its token does not say who it is."
            return Sign(LOGIN, "identity", State.UNKNOWN, text)
        who = f"{self.kind} {self.name}".rstrip()
        text = f"{who}, object {self.object_id}, tenant {self.tenant}, by {self.credential}."
        return Sign(LOGIN, "identity", State.GOOD, text)


def login_of(token: str, credential: str) -> Login:
    """The identity behind an access token.

    The signature is not looked at: whoever takes the token does that.

    Source: Microsoft identity platform, access token claims reference.

    Args:
        token: As the credential gave it.
        credential: The class of the credential that did.
    """
    claims = _claims(token)
    object_id = str(claims.get("oid") or "")
    if not object_id:
        return Login(credential)
    tenant = str(claims.get("tid") or "")
    application = str(claims.get("appid") or claims.get("azp") or "")
    named = next((str(claims[name]) for name in _NAMES if claims.get(name)), "")
    if claims.get("xms_mirid"):  # the resource id of a managed identity
        name = str(claims["xms_mirid"]).rpartition("/")[2]
        return Login(credential, "managed identity", name, object_id, tenant)
    if claims.get("idtyp") == "app" or not named:
        return Login(credential, "application", application, object_id, tenant)
    return Login(credential, "user", named, object_id, tenant)


def _claims(token: str) -> Mapping[str, object]:
    """The token's own words; none where it is no JSON Web Token."""
    body = token.split(".")[1] if token.count(".") == 2 else ""  # noqa: PLR2004 - three parts
    try:
        found = json.loads(base64.urlsafe_b64decode(f"{body}==="))
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}
