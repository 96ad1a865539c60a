"""The files of one local endpoint, and writes that survive a crash."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rollout.domain.errors import EndpointRefused


@dataclass(frozen=True, slots=True)
class Folder:
    """Where everything of an endpoint lies; private to its user."""

    path: Path

    @property
    def desired(self) -> Path:
        """What shall be: written before anything is done about it."""
        return self.path / "spec.json"

    @property
    def keys(self) -> Path:
        """The endpoint's keys."""
        return self.path / "keys.json"

    @property
    def status(self) -> Path:
        """What has been reached, per deployment."""
        return self.path / "status.json"

    @property
    def processes(self) -> Path:
        """Who serves: identities of Envoy and of the scoring servers."""
        return self.path / "processes.json"

    @property
    def engine(self) -> Path:
        """The living engine: its process number, version and socket."""
        return self.path / "engine.json"

    @property
    def lock(self) -> Path:
        """Held by the engine; there is never more than one."""
        return self.path / "engine.lock"

    @property
    def engine_log(self) -> Path:
        """What the engine did."""
        return self.path / "engine.log"

    @property
    def envoy_log(self) -> Path:
        """What Envoy complains of."""
        return self.path / "envoy.log"

    @property
    def access_log(self) -> Path:
        """A line a request, perhaps with its answer; the newest segment."""
        return self.path / "access.jsonl"

    @property
    def wish(self) -> Path:
        """Until when answers shall be kept."""
        return self.path / "capture.json"

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.path / "xds" / "bootstrap.json"

    @property
    def xds(self) -> Path:
        """The files that Envoy watches."""
        return self.path / "xds"

    @property
    def snapshots(self) -> Path:
        """Copies of model and code, by digest."""
        return self.path / "snapshots"

    @property
    def is_used(self) -> bool:
        """Whether there is an endpoint.

        Raises:
            EndpointRefused: nobody may look.
        """
        try:
            return self.desired.exists()
        except OSError as error:
            raise unusable(self.desired, error) from error

    def log(self, deployment: str) -> Path:
        """What the scoring servers of a deployment print."""
        return self.path / "logs" / f"{deployment}.log"

    def fault(self, deployment: str) -> Path:
        """The fault that the scoring servers of a deployment shall show."""
        return self.path / "faults" / f"{deployment}.json"

    def make(self) -> None:
        """Create the folder and those below it.

        Raises:
            EndpointRefused: it cannot be.
        """
        for path in (self.path, self.xds, self.snapshots, self.path / "logs", self.path / "faults"):
            try:
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise unusable(path, error) from error


def key_of(home: Path, name: str) -> str:
    """The full name of an endpoint in lower case; names the journal's stream, see ``Endpoint.key``."""
    return f"local/{home.resolve()}/{name}".lower()


def homes_of(key: str, name: str) -> tuple[Path, ...]:
    """The folders on this machine that may hold the endpoint with such a key; it is in lower case."""
    prefix, suffix = "local/", f"/{name}".lower()
    if not (key.startswith(f"{prefix}/") and key.endswith(suffix)):
        return ()
    found = [Path("/")]
    for part in Path(key.removeprefix(prefix).removesuffix(suffix)).parts[1:]:
        found = [each for folder in found for each in _spelled(folder, part)]
    return tuple(each for each in found if key_of(each, name) == key)


def _spelled(folder: Path, lower: str) -> list[Path]:
    """The folders in another whose name reads like that in lower case."""
    try:
        return [each for each in folder.iterdir() if each.name.lower() == lower and each.is_dir()]
    except OSError:  # one may go through a folder without being allowed to list it
        return [folder / lower] if os.access(folder / lower, os.X_OK) else []


def unusable(path: Path, error: OSError) -> EndpointRefused:
    """The error for whoever gave us a path that the system does not let us use."""
    return EndpointRefused(
        f"{path} cannot be used: {error.strerror or error}.",
        do="Give yourself the right to write there, or choose another folder: --home DIR",
    )


def write_json(path: Path, value: object) -> None:
    """Replace ``path`` by ``value`` at once and durably: later it holds the old or the new."""
    draft = _draft(path, value)
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    _sync_folder(path.parent)


def replace_json(path: Path, value: object) -> None:
    """Replace ``path`` by ``value`` at once; for what is written anew after a crash of the machine.

    No reader ever sees half of it.
    """
    _draft(path, value).replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """The mapping in ``path``; None where there is no such file.

    Raises:
        EndpointRefused: it cannot be read, or is damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(path, error) from error
    except ValueError as error:
        raise EndpointRefused(
            f"{path} is damaged: {error}.", do="Remove the endpoint's folder, then apply again."
        ) from error
    return found if isinstance(found, dict) else None


def sockets_of(folder: Path) -> Path:
    """The private folder of the endpoint's sockets; made if need be.

    It is not below ``folder``: the path of a socket is limited to about 104 bytes.

    Raises:
        EndpointRefused: somebody else owns a folder of that name.
    """
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    above = Path(tempfile.gettempdir()) / f"rollout-{os.getuid()}"
    for path in (above, above / name):
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not private or found.st_uid != os.getuid():
            raise EndpointRefused(
                f"{path} is not a private folder of this user, so no socket can be put there.",
                do=f"Remove it, or set TMPDIR to a folder of your own: rm -r {path}",
            )
    return above / name


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int | None]:
    """Hold ``path`` alone: its open file, or None when somebody else holds it.

    Raises:
        EndpointRefused: it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(path, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield handle
    finally:
        os.close(handle)


def _draft(path: Path, value: object) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, sort_keys=True)
    return draft


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
