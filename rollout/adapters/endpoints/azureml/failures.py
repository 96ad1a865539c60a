"""What Azure's SDK raises, as errors that a person is meant to read.

A status alone says little: an operation that failed is reported with the status 200, so Azure's own
code and words go into the message wherever there are any.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from rollout.adapters.endpoints.azureml import sdk
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, NotLoggedIn

_UNAUTHORIZED, _FORBIDDEN, _CONFLICT = 401, 403, 409
_AGAIN = (408, 409, 425, 429)
_SERVER = 500
_LONGEST = 1000  # characters of the service's words
_ROLE = "Give it the role of docs/azureml/permissions.md; see what is missing: rollout doctor PLAN"
_DO: Mapping[str, str] = {
    "authorizationfailed": _ROLE,
    "outofquota": "Ask for more quota, use fewer instances or another instance type.",
    "outofcapacity": "The region has none left: try again later, or another instance type.",
    "badargument": "Correct the deployment file, then apply again.",
    "resourcenotready": "Read the deployment's own words: rollout logs NAME PLAN",
    "subscriptionnotregistered": "Register Microsoft.MachineLearningServices for the subscription.",
}
# The SDK's own checks also raise plain errors on values that they did not expect.
_OF_THE_SDK = (ValueError, KeyError, TypeError, AttributeError)
_DO_DEFAULT = "Correct that, then apply again."
_DO_AGAIN = "It is tried again; if it stays so, look at the status of the service in its region."


@contextlib.contextmanager
def told(deed: str) -> Iterator[None]:
    """Raise what the SDK raises inside as one of ours.

    Args:
        deed: What was tried, after "Azure": ``did not create the endpoint``.

    Raises:
        EndpointRefused, EndpointAway, NotLoggedIn: by what the service says.
    """
    sdk.ready()
    from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 - heavy
    from azure.core import exceptions as core  # noqa: PLC0415 - heavy
    from marshmallow import ValidationError  # noqa: PLC0415 - azure-ai-ml brings it

    try:
        yield
    except core.ClientAuthenticationError as error:
        raise _locked_out(deed, error) from error
    except core.HttpResponseError as error:
        raise refused(deed, error.status_code or 0, *_said(error)) from error
    except core.ServiceResponseError as error:
        raise EndpointAway(
            f"Azure {deed}: the answer got lost ({_words(error)}). Whether it was done is looked at next.",
            do=_DO_AGAIN,
        ) from error
    except (MlException, ValidationError, *_OF_THE_SDK) as error:
        raise EndpointRefused(
            f"Azure's SDK {deed}: {_words(error)}", do="Correct the file, then apply again."
        ) from error
    except core.AzureError as error:
        raise EndpointAway(
            f"Azure {deed}: it cannot be reached ({_words(error)}).",
            do="Look at the network, a proxy and certificates: rollout doctor PLAN",
        ) from error


def refused(deed: str, status: int, code: str, words: str) -> EndpointError:
    """The service's no: one that time may change, or one that it will not."""
    what = f"Azure {deed}: {code or status}: {words}".rstrip(": ")
    if status == _UNAUTHORIZED:
        return NotLoggedIn(what, do="Log in, or correct endpoint.credential: rollout doctor PLAN")
    if status in _AGAIN or status >= _SERVER:
        do = (
            "Another operation is going on; it is waited for." if status == _CONFLICT else _DO_AGAIN
        )
        return EndpointAway(what, do=do)
    if status == _FORBIDDEN:
        return EndpointRefused(what, do=_ROLE)
    return EndpointRefused(what, do=_DO.get(code.lower(), _DO_DEFAULT))


def operation_error(document: Mapping[str, Any]) -> str:
    """What an operation's status document says went wrong; empty: nothing.

    >>> operation_error({"status": "Failed", "error": {"code": "OutOfQuota", "message": "No."}})
    'OutOfQuota: No.'
    """
    found = document.get("error")
    if not isinstance(found, Mapping):
        return ""
    code, message = str(found.get("code") or ""), str(found.get("message") or "")
    details = [
        f"{each.get('code', '')}: {each.get('message', '')}".strip(": ")
        for each in found.get("details") or ()
        if isinstance(each, Mapping)
    ]
    return _short(" ".join([f"{code}: {message}".strip(": "), *details]))


def _locked_out(deed: str, error: Exception) -> EndpointError:
    response = getattr(error, "response", None)
    if getattr(response, "status_code", None) == _FORBIDDEN:
        return EndpointRefused(f"Azure {deed}: {_words(error)}", do=_ROLE)
    return NotLoggedIn(
        f"Azure does not know who asks: {_words(error)}",
        do="Log in (az login), set the environment of a service principal, or choose another "
        "endpoint.credential; then look: rollout doctor PLAN",
    )


def _said(error: Any) -> tuple[str, str]:
    """Azure's own code and words."""
    found = getattr(error, "error", None)
    if found is not None and getattr(found, "code", None):
        return str(found.code), _short(str(found.message))
    with contextlib.suppress(Exception):  # a body of any shape, perhaps read already
        body = cast("dict[str, Any]", json.loads(error.response.text()))
        inner = body.get("error", body)
        return str(inner.get("code") or ""), _short(str(inner.get("message") or ""))
    return "", _words(error)


def _words(error: BaseException) -> str:
    return _short(" ".join(str(getattr(error, "message", "") or error).split()))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
