"""Which process holds a lease, and whether that process is surely gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_SAME_START_SECONDS = 2.0  # the boot time is read twice, perhaps on either side of a tick


def myself() -> dict[str, object]:
    """This process, as JSON data: ``host``, ``pid``, ``started``, ``boot``, ``user``.

    ``started`` is in seconds after the boot. ``boot`` names the boot of this machine and, on
    Linux, the process namespace; it is empty if that cannot be known.
    """
    me = psutil.Process()
    return {
        "host": os.uname().nodename,
        "pid": me.pid,
        "started": _started(me.pid),
        "boot": _boot(),
        "user": me.username(),
    }


def surely_dead(owner: Mapping[str, object]) -> bool:
    """Whether the process that said ``myself()`` ran right here and has ended.

    False for everything that cannot be known from here: another machine, an earlier boot, another
    container, a hidden process, fields that are missing or odd.
    """
    boot, pid, started = owner.get("boot"), owner.get("pid"), owner.get("started")
    if not boot or boot != _boot() or owner.get("host") != os.uname().nodename:
        return False
    if type(pid) is not int or not 0 < pid < 2**31:
        return False
    if isinstance(started, bool) or not isinstance(started, int | float):
        return False
    return not _listed(pid) or _ended(pid, started)


def _listed(pid: int) -> bool:
    # psutil.pid_exists looks into /proc, where hidepid hides the living processes of others.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ended(pid: int, started: float) -> bool:
    """Whether the process now called ``pid`` is a zombie, or one that came later."""
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(_started(pid) - started) > _SAME_START_SECONDS
    except psutil.Error:
        return False


def _started(pid: int) -> float:
    # psutil adds the boot time, which moves whenever the clock is set: take it off again. Asked
    # for first, because older versions keep adding the boot time that they told last.
    boot = psutil.boot_time()
    return round(psutil.Process(pid).create_time() - boot, 2)


def _boot() -> str:
    if sys.platform != "linux":
        return str(round(psutil.boot_time()))
    try:
        # A /proc of another namespace lists other processes under our numbers.
        if Path("/proc/self").readlink().name != str(os.getpid()):
            return ""
        return f"{_BOOT_ID.read_text(encoding='ascii').strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""
