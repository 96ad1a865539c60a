"""Azure's SDK, imported without what its import does to a process."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from rollout.domain.errors import UsageError

_CURRENT_CLOUD = "AZUREML_CURRENT_CLOUD"  # the SDK's own note of the cloud, in the environment
_PRINTING = (
    "_artifacts._blob_storage_helper",
    "_artifacts._gen2_storage_helper",
    "_utils._azureml_polling",
)
_LOCK = threading.RLock()  # what it guards is the whole process's
_ALWAYS_KNOWN = "AzureCloud"


def installed() -> None:
    """See that there is an SDK.

    Raises:
        UsageError: rollout was installed without it.
    """
    try:
        found = find_spec("azure.ai.ml")
    except ImportError:
        found = None
    if found is None:
        raise UsageError(
            "The provider azureml needs Azure's SDK, which is not installed here.",
            do="Install it: pip install 'rollout[azureml]'",
        )


@cache
def ready() -> None:
    """Import it once: it takes two seconds, looks up the present cloud, and sets up its own logs."""
    with current_cloud(_ALWAYS_KNOWN), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of what is deprecated
        import azure.ai.ml  # noqa: F401, PLC0415 - heavy

    # Each of its modules has a handler of its own, which writes to stderr whatever is set up.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("azure.ai.ml"):
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.setLevel(logging.NOTSET)
    # To its activity log an order that we take over from it (`wire.Begun`) looks like a failure.
    logging.getLogger("azure.ai.ml._telemetry").setLevel(logging.CRITICAL)
    for name in _PRINTING:
        # A global of that one module comes before the built-in of the same name.
        vars(import_module(f"azure.ai.ml.{name}"))["print"] = _say_nothing


def _say_nothing(*_: object, **__: object) -> None:
    """Standard output belongs to whoever reads our JSON, and standard error to people."""


@contextlib.contextmanager
def current_cloud(name: str, described: Mapping[str, str] | None = None) -> Iterator[None]:
    """The SDK's idea of the present cloud, for one thread at a time; nothing of it stays behind.

    Args:
        name: The cloud's.
        described: Its addresses, by the SDK's own keys; None: the SDK knows it.
    """
    with _LOCK:
        before = os.environ.get(_CURRENT_CLOUD)
        os.environ[_CURRENT_CLOUD] = name
        if described is not None:
            _known()[name] = dict(described)
        try:
            yield
        finally:
            if described is not None:
                _known().pop(name, None)
            if before is None:
                os.environ.pop(_CURRENT_CLOUD, None)
            else:
                os.environ[_CURRENT_CLOUD] = before


def _known() -> dict[str, dict[str, str]]:
    """The SDK's table of clouds: it asks the network for what is not in it."""
    from azure.ai.ml import _azure_environments as environments  # noqa: PLC0415 - heavy

    return environments._environments  # noqa: SLF001 - it has no other door
