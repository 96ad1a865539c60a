"""The control plane's door: who asks, for what, may they, and does it go wrong on purpose."""

from __future__ import annotations

from collections.abc import Mapping

from rollout.emulator import routes, workspace
from rollout.emulator.faults import STATUS
from rollout.emulator.routes import Route
from rollout.emulator.settings import TENANT
from rollout.emulator.site import Site
from rollout.emulator.tokens import bearer
from rollout.emulator.wire import Asked, Refusal, Reply

_METRICS = "metrics.monitor.azure"
_LOGS = "loganalytics"


async def answer(site: Site, asked: Asked) -> tuple[Asked, Reply]:
    """The answer to a call, and the call with its name.

    Every error is an answer in Azure's form, too.
    """
    found = routes.find(asked.method, asked.path)
    if found is None:
        message = f"The emulator does not know {asked.method} {asked.path}."
        return asked, Refusal(501, "EmulatorUnhandled", message).reply()
    route, parts = found
    named = Asked(
        route.operation,
        asked.method,
        asked.path,
        parts,
        asked.query,
        asked.headers,
        asked.body,
    )
    try:
        fault = site.faults.take(STATUS, named)
        if fault is not None:
            raise fault.refusal()
        _admit(site, route, named)
        return named, await route.answer(site, named)
    except Refusal as refusal:
        return named, refusal.reply()


def _admit(site: Site, route: Route, asked: Asked) -> None:
    """See who it is, that they may, and that what is around it is there.

    Raises:
        Refusal: it is not.
    """
    if not route.audience:
        return
    claims = site.tokens.claims(bearer(asked.headers), site.clock.now())
    if claims is None or not _is_for(str(claims["aud"]), route.audience, site.base):
        raise _unauthorized(site, "The access token is missing, expired, or for somebody else.")
    _place(site, asked.parts)
    action = route.action.format_map(dict(asked.parts))
    if action and not workspace.allows(site, action):
        client = claims["appid"]
        raise Refusal(
            403,
            "AuthorizationFailed",
            f"The client '{client}' with object id '{claims['oid']}' does not have authorization to "
            f"perform action '{action}' over scope '{asked.path}' or the scope is invalid.",
        )


def _is_for(audience: str, wanted: str, base: str) -> bool:
    match wanted:
        case "arm":
            return audience.rstrip("/") == base
        case "metrics":
            return _METRICS in audience or audience.rstrip("/") == base
        case _:
            return _LOGS in audience or audience.rstrip("/") == base


def _place(site: Site, parts: Mapping[str, str]) -> None:
    """See that subscription, resource group and workspace are those of the emulator."""
    settings = site.settings
    known = {
        "subscription": (settings.subscription, "SubscriptionNotFound"),
        "group": (settings.resource_group, "ResourceGroupNotFound"),
        "workspace": (settings.workspace, "ResourceNotFound"),
    }
    for name, (value, code) in known.items():
        if name in parts and parts[name].lower() != value.lower():
            message = f"The {name} '{parts[name]}' could not be found; here it is '{value}'."
            raise Refusal(404, code, message)


def _unauthorized(site: Site, message: str) -> Refusal:
    challenge = f'Bearer authorization_uri="{site.base}/{TENANT}", error="invalid_token"'
    headers = {"WWW-Authenticate": f'{challenge}, error_description="{message}"'}
    return Refusal(401, "AuthenticationFailed", message, headers)
