"""What both sources share: which answers count, and what the service's errors mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, NotLoggedIn

T = TypeVar("T")

FIRST_BAD_CODE: Final = 500
BAD_CODES: Final = (408, 424, 429)  # a model's own errors come as 424
NOT_THE_MODELS_CODES: Final = (
    401,
    499,
)  # a wrong key (a model's own 401 comes as 424); a client left

# No retries: the meter asks again at its own pace, while the SDK would sleep as long as a
# Retry-After says.
LIMITS: Final[dict[str, float]] = {"retry_total": 0, "connection_timeout": 4, "read_timeout": 10}

_AGAIN = (408, 429)
_CLIENT, _UNKNOWN, _FORBIDDEN, _NOT_FOUND, _SERVER = 400, 401, 403, 404, 500
_LOGIN = "Log in, or correct endpoint.credential: rollout doctor PLAN"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a question needs, for the words of a refusal.

    Args:
        what: Who was asked.
        role: The Azure role that allows the question.
        scope: On what it is needed.
        setting: What to look at where the service does not know what was asked about.
    """

    what: str
    role: str
    scope: str
    setting: str


class NotThere(EndpointRefused):
    """What was asked about does not exist."""


def answered(call: Callable[[], T], needs: Needs) -> T:
    """What the service answers.

    Raises:
        EndpointAway: it did not, is overloaded, or something between here and it answered.
        EndpointRefused: it would not.
    """
    from azure.core.exceptions import (  # noqa: PLC0415 - heavy
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
    )

    try:
        return call()
    except HttpResponseError as error:
        status, said = error.status_code, said_of(error)
        if isinstance(error, ClientAuthenticationError) and status is None:
            raise NotLoggedIn(f"Nobody is logged in for {needs.what}: {said}", do=_LOGIN) from error
        raise _refusal(status or 0, said, needs) from error
    except AzureError as error:
        raise EndpointAway(
            f"{needs.what} cannot be reached: {said_of(error)}",
            do="Look at the network between here and Azure; it is asked again.",
        ) from error
    except ValueError as error:  # of the SDK's response.json()
        raise EndpointAway(
            f"{needs.what} gave an answer that is no JSON ({error}).",
            do="Look at the proxies between here and Azure; it is asked again.",
        ) from error


def _refusal(status: int, said: str, needs: Needs) -> EndpointError:
    if status in _AGAIN or not _CLIENT <= status < _SERVER:
        return EndpointAway(
            f"{needs.what} answered {status}: {said}", do="It is asked again in a while."
        )
    if status == _UNKNOWN:
        return NotLoggedIn(f"{needs.what} answered {status}: {said}", do=_LOGIN)
    if status == _FORBIDDEN:
        return EndpointRefused(
            f"{needs.what} answered {status}: {said}",
            do=f"Give this identity the role {needs.role} on {needs.scope}.",
        )
    if status == _NOT_FOUND:
        return NotThere(f"{needs.what} answered {status}: {said}", do=needs.setting)
    return EndpointRefused(f"{needs.what} answered {status}: {said}", do=needs.setting)


def said_of(error: Exception) -> str:
    """The service's own words, on one line: the outer message and the innermost one."""
    detail = getattr(error, "error", None)
    words = [str(getattr(error, "message", "") or error)]
    inner = getattr(detail, "innererror", None)
    while isinstance(inner, dict):
        words += [str(inner["message"])] if inner.get("message") else []
        inner = inner.get("innererror")
    return " ".join(" ".join(dict.fromkeys(words)).split())


def since(cursor: str) -> float:
    """The Unix seconds that a cursor stands for.

    Raises:
        EndpointRefused: Another source wrote it.
    """
    try:
        return float(cursor)
    except ValueError as error:
        raise EndpointRefused(
            f"Measurements stand at {cursor!r}, which is no time: another source of metrics wrote it.",
            do="Give the plan the source back with which the stage began, or abort: rollout abort",
        ) from error
