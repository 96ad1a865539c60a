"""What an emulator is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rollout.domain.errors import UsageError
from rollout.emulator.roles import Role

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
OBJECT = "33333333-3333-3333-3333-333333333333"
LOG_WORKSPACE = "44444444-4444-4444-4444-444444444444"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"

_REGISTERED = ("models", "environments", "codes")
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Delays:
    """How long an operation takes at least, in seconds.

    Args:
        metrics: After which metrics know of a request.
        logs: After which Log Analytics knows of it.
        poll_ms: What a poller is told to wait; 0: nothing, as Azure.
    """

    endpoint: float
    update: float
    deployment: float
    delete: float
    metrics: float = 0.0
    logs: float = 0.0
    poll_ms: int = 0


REAL = Delays(endpoint=40.0, update=20.0, deployment=240.0, delete=30.0, metrics=90.0, logs=300.0)
QUICK = Delays(endpoint=0.2, update=0.2, deployment=0.3, delete=0.2, poll_ms=100)


@dataclass(frozen=True, slots=True)
class Registered:
    """An asset that is there from the start.

    Args:
        kind: ``models``, ``environments`` or ``codes``.
        path: Where it lies; None: an environment, of which only the name matters here.
    """

    kind: str
    name: str
    version: str
    path: Path | None

    @classmethod
    def parse(cls, text: str) -> Registered:
        """An asset as an option gives it: ``models/NAME/VERSION=PATH``.

        Raises:
            UsageError: it is none.
        """
        spelled, _, path = text.partition("=")
        parts = spelled.split("/")
        if len(parts) != _PARTS or parts[0] not in _REGISTERED or not all(parts):
            raise UsageError(
                f"{text!r} is no asset.",
                do="Write models/NAME/VERSION=PATH, codes/NAME/VERSION=PATH or environments/NAME/VERSION.",
            )
        if not path and parts[0] != "environments":
            raise UsageError(f"{text!r} has no path.", do=f"Write {spelled}=PATH.")
        found = Path(path).resolve() if path else None
        if found is not None and not found.exists():
            raise UsageError(f"{path} is not there.", do="Correct the path of --register.")
        return cls(parts[0], parts[1], parts[2], found)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an emulator is started with.

    Args:
        state: The folder of everything it remembers.
        port: Of its HTTPS; None: the one it had before, or a free one.
        azurite: Path of ``azurite-blob``; None: look for it.
        python: Interpreter of the scoring servers; None: the one that rollout runs in.
        compute: Name of the attached Kubernetes compute; None: there is none.
        quota: VM family -> cores; others have ``default_quota``.
        faults: What goes wrong from the start, as data.
        record: A file that gets a line for each request with its reply.
        roles: Those that the client has; none: it may do everything.
    """

    state: Path
    port: int | None = None
    subscription: str = SUBSCRIPTION
    resource_group: str = "rg-lab"
    workspace: str = "mlw-lab"
    location: str = "eastus2"
    delays: Delays = QUICK
    azurite: str | None = None
    python: str | None = None
    registered: tuple[Registered, ...] = ()
    compute: str | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    default_quota: int = 100
    faults: tuple[Mapping[str, object], ...] = ()
    record: Path | None = None
    roles: tuple[Role, ...] = ()

    @property
    def group_id(self) -> str:
        """The resource id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def workspace_id(self) -> str:
        """The resource id of the workspace."""
        provider = "providers/Microsoft.MachineLearningServices"
        return f"{self.group_id}/{provider}/workspaces/{self.workspace}"
