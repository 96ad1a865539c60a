"""What the errors of a service of objects mean for a person, and what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from rollout.domain.addresses import container
from rollout.domain.errors import StoreError

_CODE = re.compile(r"<Code>(\w+)</Code>|\"reason\":\s*\"(\w+)\"")
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_NO_PLACE = ("ContainerNotFound", "NoSuchBucket", "The specified bucket does not exist")
_NOT_YET = ("ContainerBeingDeleted", "ContainerDisabled")
_REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
_NOBODY = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "oauth2/v2.0/token")
_LOGINS = {
    "az": "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, "
    "az login, or a managed identity with the role Storage Blob Data Contributor",
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role that may list, get and put",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or a service account with the role Storage Object User",
}

Failure = (BaseError, OSError)
"""What obstore raises; an object that is not there is the ``FileNotFoundError`` of Python."""


@contextmanager
def told(place: str) -> Iterator[None]:
    """Tells the troubles of the service as ``StoreError``.

    Args:
        place: ``kind://container/prefix``; no secret is in it.
    """
    try:
        yield
    except Failure as error:
        # Without the cause: its text has the request's address, and with it a SAS's signature.
        raise explained(error, place) from None


def explained(error: Exception, place: str) -> StoreError:
    """The error as a person should read it."""
    text = str(error)
    kind = place.partition(":")[0]
    word = container(kind)
    login = f"Give credentials that work: {_LOGINS[kind]}. docs/stores.md says which win."
    if is_without_container(error):
        return StoreError(
            f"The {word} of {place} does not exist.",
            do=f"Make the {word}, or correct --state.",
        )
    if any(each in text for each in _NOT_YET):
        return StoreError(f"The {word} of {place} is being deleted.", do="Name another one.")
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if refused or any(each in text for each in _REFUSED):
        return StoreError(f"{place} refuses us ({_detail(text)}).", do=login)
    if any(each in text for each in _NOBODY):
        return StoreError(f"Nobody is logged in who could use {place}.", do=login)
    return StoreError(
        f"{place} cannot be used ({_detail(text)}).",
        do="Look whether the service can be reached from here, then repeat the command; what was "
        "acknowledged is kept.",
    )


def is_without_container(error: Exception) -> bool:
    """Whether the container is missing, and not only an object in it."""
    return any(each in str(error) for each in _NO_PLACE)


def _detail(text: str) -> str:
    """The service's own code or status, or that there was none."""
    code = _CODE.search(text)
    if code is not None:
        return code[1] or code[2]
    status = _STATUS.search(text)
    if status is not None:
        return status[1].strip()
    return "it gave no answer"
