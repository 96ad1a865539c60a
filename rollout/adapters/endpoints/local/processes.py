"""Processes that outlive us: started apart, and known again by more than their number."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil

TAG = "ROLLOUT_TAG"

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _STARTED = 0, 19  # fields 3 and 22 of proc(5), counted from behind the name


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, distinct from a later one that got its number.

    Args:
        pid: Its number.
        birth: When the kernel says it began.
        boot: The start of the machine it belongs to.
        tag: What we put into its environment.
    """

    pid: int
    birth: str
    boot: str
    tag: str

    def to_json(self) -> dict[str, object]:
        """As plain data."""
        return {"pid": self.pid, "birth": self.birth, "boot": self.boot, "tag": self.tag}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Identity:
        """The inverse of ``to_json``."""
        return cls(cast(int, data["pid"]), str(data["birth"]), str(data["boot"]), str(data["tag"]))


class Process:
    """A process with its group: our child, or one adopted from an engine before us."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        tag: str,
        log: Path,
        environment: Mapping[str, str],
        cwd: Path,
        pass_fds: Sequence[int] = (),
        umask: int = -1,
    ) -> Process:
        """Start ``command`` in a session of its own; what it prints is added to ``log``."""
        with log.open("ab") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**inherited(), **environment, TAG: tag},
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
                umask=umask,
            )
        # Not reaped before poll(): even if it has ended already, the number is still its own.
        birth = _birth(child.pid, zombie=True) or ""
        return cls(Identity(child.pid, birth, boot_identity(), tag), child)

    @classmethod
    def adopt(cls, identity: Identity) -> Process | None:
        """The very process of ``identity``, or None: gone, or another has its number now."""
        if identity.boot != boot_identity() or _birth(identity.pid) != identity.birth:
            return None
        return cls(identity) if tag_of(identity.pid) == identity.tag else None

    def alive(self) -> bool:
        """Whether it still runs."""
        if self._child is not None:
            return self._child.poll() is None
        return _birth(self.identity.pid) == self.identity.birth

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None: still running, or not our child."""
        return None if self._child is None else self._child.poll()

    def terminate(self) -> None:
        """Ask it to finish what it has and to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, without its group."""
        self._send(signal.SIGKILL)

    def kill_group(self) -> None:
        """End it and all that it started, at once; also those it left behind."""
        pid = self.identity.pid
        ours = self.alive() or any(tag_of(one) == self.identity.tag for one in group_of(pid))
        if ours:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def listens(self, port: int) -> bool:
        """Whether it takes connections at this TCP port; where nobody may look, it does."""
        try:
            found = psutil.Process(self.identity.pid).net_connections("tcp")
        except psutil.AccessDenied:
            return True
        except psutil.NoSuchProcess:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found)

    def memory(self) -> int:
        """Resident bytes of the whole group."""
        total = 0
        for pid in group_of(self.identity.pid):
            with contextlib.suppress(psutil.Error):
                total += psutil.Process(pid).memory_info().rss
        return total

    def _send(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(number)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _signal_exactly(self.identity, number)


def inherited() -> dict[str, str]:
    """The little that a process of ours gets from our own environment; no secrets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def boot_identity() -> str:
    """Changes with every start of the machine."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return f"{psutil.boot_time():.0f}"


def tag_of(pid: int) -> str | None:
    """The tag in a process's environment, or None: gone, not ours, or not tagged."""
    try:
        return psutil.Process(pid).environ().get(TAG)
    except (psutil.Error, OSError):
        return None


def group_of(leader: int) -> list[int]:
    """The processes whose group ``leader`` began; its number stays taken while there are any."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == leader:
                found.append(pid)
    return found


def tagged(prefix: str) -> list[Identity]:
    """All processes whose tag starts with ``prefix``: also those that no record tells of."""
    found = []
    for pid in psutil.pids():
        tag, birth = tag_of(pid), _birth(pid)
        if tag is not None and birth is not None and tag.startswith(prefix):
            found.append(Identity(pid, birth, boot_identity(), tag))
    return found


def _birth(pid: int, *, zombie: bool = False) -> str | None:
    """When a process began, exact and immune to clock changes on Linux; None: gone or a zombie."""
    try:
        if _BOOT_ID.exists():
            line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            fields = line.rpartition(")")[2].split()
            gone = fields[_STATE] in {"Z", "X"} and not zombie
            return None if gone else fields[_STARTED]
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE and not zombie
        return None if gone else repr(process.create_time())
    except (psutil.Error, OSError):
        return None


def _signal_exactly(identity: Identity, number: signal.Signals) -> None:
    """Signal this very process; where the system can, without a gap for its number's reuse."""
    if not hasattr(os, "pidfd_open"):
        if _birth(identity.pid) == identity.birth:
            os.kill(identity.pid, number)
        return
    handle = os.pidfd_open(identity.pid)
    try:
        if _birth(identity.pid) == identity.birth:
            signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
