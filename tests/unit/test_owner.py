"""Whether an owner is surely dead, with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rollout.adapters import owner
from rollout.adapters.owner import myself, surely_dead

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
TELL = """
import json, sys
from rollout.adapters.owner import myself, surely_dead
print(json.dumps([myself(), [surely_dead(each) for each in json.loads(sys.argv[1])]]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other():
    """Another process and what it said it is."""
    with start() as process:
        yield process, told(process)[0]
        process.kill()


def start(*around: str, about: str = "[]") -> subprocess.Popen[str]:
    command = [*around, sys.executable, "-c", TELL, about]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process):
    return json.loads(process.stdout.readline())


def test_an_identity_survives_json_and_repetition():
    me = myself()

    assert json.loads(json.dumps(me)) == me
    assert sorted(me) == ["boot", "host", "pid", "started", "user"]
    assert me["pid"] == os.getpid()
    assert me["user"] == psutil.Process().username()
    assert me["boot"]
    assert abs(myself()["started"] - me["started"]) <= 1.5


def test_i_am_not_dead():
    assert not surely_dead(myself())


def test_another_living_process_is_not_dead(other):
    _, identity = other

    assert identity["pid"] != os.getpid()
    assert not surely_dead(identity)


def test_a_frozen_process_is_not_dead(other):
    process, identity = other

    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)

    assert not surely_dead(identity)


def test_a_zombie_is_dead(other):
    process, identity = other

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert surely_dead(identity)


def test_a_process_that_is_gone_is_dead(other):
    process, identity = other

    process.kill()
    process.wait()

    assert surely_dead(identity)


@pytest.mark.parametrize("apart", [-1000.0, -2.5, 2.5, 1000.0])
def test_a_later_process_with_the_same_number_is_another(other, apart):
    _, identity = other

    assert surely_dead({**identity, "started": identity["started"] + apart})


@pytest.mark.parametrize("apart", [-1.0, 1.0])
def test_a_clock_that_is_set_kills_nobody(other, apart):
    _, identity = other

    assert not surely_dead({**identity, "started": identity["started"] + apart})


@pytest.mark.parametrize(
    "odd",
    [
        {"host": "elsewhere"}, {"host": None}, {"boot": "earlier"}, {"boot": ""}, {"boot": None},
        {"pid": None}, {"pid": "12"}, {"pid": True}, {"pid": 1.5}, {"pid": 0}, {"pid": -1},
        {"pid": 2**31}, {"pid": 2**70}, {"started": None}, {"started": "12"}, {"started": True},
        {"started": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_known_is_not_dead(gone, odd):
    assert surely_dead(gone)
    assert not surely_dead({**gone, **odd})


@pytest.mark.parametrize("key", ["host", "boot", "pid", "started"])
def test_what_is_missing_is_not_dead(gone, key):
    assert not surely_dead({name: value for name, value in gone.items() if name != key})
    assert not surely_dead({})


@pytest.fixture
def gone():
    """The identity of a process that has ended."""
    with start() as process:
        identity = told(process)[0]
        process.kill()
    return identity


def test_nan_says_nothing_of_a_living_process():
    assert not surely_dead({**myself(), "started": float("nan")})


@LINUX
@pytest.mark.parametrize("missing", ["_BOOT_ID", "_NAMESPACE"])
def test_a_machine_that_cannot_be_told_apart_declares_nobody_dead(gone, monkeypatch, missing):
    monkeypatch.setattr(owner, missing, Path("/proc/no such thing"))

    assert myself()["boot"] == ""
    assert not surely_dead(gone)
    assert not surely_dead({**gone, "boot": ""})


def allowed(unshare):
    if shutil.which(unshare[0]) is None:
        return False
    tried = subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL)
    return tried.returncode == 0


@LINUX
@pytest.mark.parametrize(
    ("proc", "boot_known"),
    [(["--mount-proc"], True), ([], False)],
    ids=["own /proc", "outer /proc"],
)
def test_a_container_declares_nobody_outside_dead(gone, proc, boot_known):
    unshare = ["unshare", "--map-root-user", "--pid", "--fork", *proc]
    if not allowed(unshare):
        pytest.skip("no right to make a process namespace")

    with start(*unshare, about=json.dumps([gone, myself()])) as inside:
        identity, verdicts = told(inside)
        inside.stdin.close()

    assert verdicts == [False, False]
    assert bool(identity["boot"]) == boot_known
    assert not surely_dead(identity)
