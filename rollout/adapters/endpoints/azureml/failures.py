"""What Azure's SDK raises, as errors that a person is meant to read.

A status alone says little: an operation that failed is reported with the status 200, so Azure's own
code and words go into the message wherever there are any.
"""

from __future__ import annotations

import contextlib
import json
import re
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
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# In its long text on values that do not fit, the SDK marks what is wrong.
_MARKED = re.compile(r"^\(x\) (.+?)(?=^\(x\) |^Resolutions:|\Z)", re.MULTILINE | re.DOTALL)
_ATTEMPT = re.compile(
    r"\t(\w+)Credential: (.*?)(?=\n\t\w+Credential: |\nTo mitigate|\Z)", re.DOTALL
)
_ASKED = {
    "Environment": "environment",
    "WorkloadIdentity": "workload identity",
    "ManagedIdentity": "managed identity",
    "AzureCli": "cli",
}
_REASONS = (
    ("not fully configured", "not configured"),
    ("not found on path", "not installed"),
    ("az login", "not logged in"),
    ("No managed identity endpoint", "none here"),
    ("IMDS", "none here"),
    ("no identity has been assigned", "none here"),
)
_LONGEST_REASON = 60
_CODED = re.compile(r"AADSTS\d+")
_WRONG_CLIENT = "AADSTS7000215"
# The SDK's own checks also raise plain errors on values that they did not expect.
_OF_THE_SDK = (ValueError, KeyError, TypeError, AttributeError)
_DO_DEFAULT = "Correct that, then apply again."
_DO_AGAIN = "It is tried again; if it stays so, look at the status of the service in its region."


class LostReply(EndpointAway):
    """A change left, and nobody knows whether it was carried out."""


@contextlib.contextmanager
def told(deed: str, *, change: bool = False) -> Iterator[None]:
    """Raise what the SDK raises inside as one of ours.

    Args:
        deed: What was tried, after "Azure": ``did not create the endpoint``.
        change: It changes something; else it is a read.

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
        raise _lost(deed, error, change=change) from error
    except (MlException, ValidationError, *_OF_THE_SDK) as error:
        raise _puzzled(deed, error, change=change) from error
    except core.AzureError as error:
        raise EndpointAway(
            f"Azure {deed}: it cannot be reached ({_inside(error)}).",
            do="Look at the network, a proxy and certificates: rollout doctor PLAN",
        ) from error


def refused(deed: str, status: int, code: str, words: str) -> EndpointError:
    """The service's no: one that time may change, or one that it will not."""
    what = _ended(f"Azure {deed}: {code or status}: {words}".rstrip(": "))
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


def _lost(deed: str, error: Exception, *, change: bool) -> EndpointError:
    if not change:
        return EndpointAway(
            f"Azure {deed}: its answer did not come ({_inside(error)}).", do=_DO_AGAIN
        )
    what = f"Azure {deed}: the answer got lost ({_inside(error)}). Whether it was done is looked at next."
    return LostReply(what, do=_DO_AGAIN)


def _puzzled(deed: str, error: Exception, *, change: bool) -> EndpointError:
    """What the SDK itself refuses, or does not understand."""
    what = _ended(f"Azure's SDK {deed}: {_words(error)}")
    if change or isinstance(error, _of_files()):
        return EndpointRefused(what, do="Correct the file, then apply again.")
    return EndpointAway(what, do="Report this if it stays so, with the versions: rollout version")


def _of_files() -> tuple[type[Exception], ...]:
    from azure.ai.ml.exceptions import MlException  # noqa: PLC0415 - heavy
    from marshmallow import ValidationError  # noqa: PLC0415 - azure-ai-ml brings it

    return (MlException, ValidationError)


def _locked_out(deed: str, error: Exception) -> EndpointError:
    response = getattr(error, "response", None)
    if getattr(response, "status_code", None) == _FORBIDDEN:
        return EndpointRefused(_ended(f"Azure {deed}: {_words(error)}"), do=_ROLE)
    what = _ended(f"Azure does not know who asks: {_attempts(error) or _words(error)}")
    if _WRONG_CLIENT in str(error):
        return NotLoggedIn(what, do="Correct AZURE_CLIENT_SECRET; then look: rollout doctor PLAN")
    return NotLoggedIn(
        what,
        do="Log in (az login), set the environment of a service principal, or choose another "
        "endpoint.credential; then look: rollout doctor PLAN",
    )


def _attempts(error: Exception) -> str:
    """Why each of the usual credentials gave no token; empty: no chain of them was asked."""
    return "; ".join(
        f"{_ASKED[name]}: {_reason(text)}"
        for name, text in _ATTEMPT.findall(str(getattr(error, "message", "") or error))
        if name in _ASKED
    )


def _reason(text: str) -> str:
    """A few words of a credential's; what the directory said goes before all else."""
    text = " ".join(text.split())
    coded = _CODED.search(text)
    if coded is None:
        for sign, short in _REASONS:
            if sign in text:
                return short
    sentence = text[coded.start() if coded else 0 :].split(". ")[0].rstrip(".")
    return sentence if len(sentence) <= _LONGEST_REASON else f"{sentence[:_LONGEST_REASON]}..."


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
    text = _COLOUR.sub("", str(getattr(error, "message", "") or error))
    return _short(" ".join(_MARKED.findall(text)) or text)


def _inside(error: BaseException) -> str:
    """Its words as they stand in parentheses."""
    return _words(error).rstrip(".")


def _ended(text: str) -> str:
    """A text that another sentence can follow."""
    return text if text.rstrip("\"')").endswith((".", "!", "?")) else f"{text}."


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
