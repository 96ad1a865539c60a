"""A process is known by more than its number; and ports, sockets and words about them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.local import folder, ports
from rollout.adapters.endpoints.local.processes import Identity, Process, group_of, tagged
from rollout.adapters.endpoints.local.reached import reason
from rollout.domain.errors import EndpointRefused

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process.start(
        SLEEP, tag="test/one", log=tmp_path / "log", environment={"A": "1"}, cwd=tmp_path
    )
    while started.identity not in tagged("test/one"):  # it is still a copy of us, before its exec
        SystemClock().sleep(0.01)
    yield started
    started.kill_group()
    reap(started)


def reap(process: Process) -> None:
    if process._child is not None:
        process._child.wait()


def test_it_is_adopted_by_its_identity(process: Process) -> None:
    identity = Identity.from_json(process.identity.to_json())

    adopted = Process.adopt(identity)

    assert adopted is not None
    assert adopted.alive()
    assert adopted.exit_code() is None


@pytest.mark.parametrize("wrong", [{"birth": "1"}, {"boot": "x"}, {"tag": "other"}, {"pid": 1}])
def test_another_process_is_never_adopted(process: Process, wrong: dict[str, object]) -> None:
    assert Process.adopt(replace(process.identity, **wrong)) is None


def test_a_stale_identity_is_never_signalled(process: Process) -> None:
    stale = Process(replace(process.identity, birth="1", tag="other"))

    stale.terminate()
    stale.kill()
    stale.kill_group()

    assert process.alive()
    assert not stale.alive()


def test_its_group_ends_with_it(tmp_path: Path) -> None:
    script = f"import subprocess; subprocess.run({SLEEP!r})"
    parent = Process.start(
        [sys.executable, "-c", script],
        tag="test/group", log=tmp_path / "log", environment={}, cwd=tmp_path,
    )  # fmt: skip
    pid = parent.identity.pid
    while len(group_of(pid)) < 2:
        os.sched_yield()
    assert parent.memory() > 2**20

    os.kill(pid, signal.SIGKILL)
    reap(parent)
    assert not parent.alive()
    parent.kill_group()

    while group_of(pid):
        os.sched_yield()
    assert parent.exit_code() == -signal.SIGKILL


def test_it_gets_little_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hidden")
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import os; print(sorted(os.environ))"]

    process = Process.start(
        command, tag="test/env", log=log, environment={"MINE": "1"}, cwd=tmp_path
    )
    reap(process)

    assert "AZURE_CLIENT_SECRET" not in log.read_text()
    assert "'MINE'" in log.read_text()
    assert "'ROLLOUT_TAG'" in log.read_text()


def test_tagged_processes_are_found(process: Process) -> None:
    assert process.identity in tagged("test/one")
    assert tagged("test/nobody") == []


def test_a_taken_port_is_seen_and_skipped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.is_taken(port)
        assert list(ports.candidates(port, tmp_path)) == [port]
    assert not ports.is_taken(port)

    first = next(ports.candidates(None, tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    folder.write_json(other / "spec.json", {"port": first})
    assert next(ports.candidates(None, tmp_path)) > first >= ports.FIRST


def test_sockets_have_short_private_paths(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90) / ("y" * 90)

    found = folder.sockets_of(long)

    assert len(str(found / "control.sock")) < 100
    assert found.stat().st_mode & 0o777 == 0o700
    assert found == folder.sockets_of(long) != folder.sockets_of(tmp_path)
    found.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / f"rollout-{os.getuid()}").mkdir(mode=0o755)

    with pytest.raises(EndpointRefused, match="not a private folder"):
        folder.sockets_of(tmp_path / "ep")


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import pathlib, sys\n"
        "from rollout.adapters.endpoints.local.folder import locked\n"
        "with locked(pathlib.Path(sys.argv[1])) as lock: sys.exit(0 if lock is None else 1)"
    )

    with folder.locked(path) as lock:
        done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)

    assert lock is not None
    assert done.returncode == 0


def test_files_are_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "x.json"

    folder.write_json(path, {"a": 1})
    folder.replace_json(path, {"a": 2})

    assert folder.read_json(path) == {"a": 2}
    assert folder.read_json(tmp_path / "no.json") is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]
    path.write_text("{")
    with pytest.raises(EndpointRefused, match="damaged"):
        folder.read_json(path)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("all is well\n", ""),
        ("Traceback\nValueError: 3\nlater\n", ": ValueError: 3"),
        (
            (
                "KeyError: 'w'\n\nThe above exception\n"
                "azureml_inference_server_http.server.user_script.UserScriptException: Caught\n"
            ),
            ": KeyError: 'w'",
        ),
        (
            "ModuleNotFoundError: No module named 'x'\n",
            ": ModuleNotFoundError: No module named 'x'",
        ),
        ("my.pkg.CustomError\n", ": my.pkg.CustomError"),
        ("SystemExit: 3\n", ": SystemExit: 3"),
    ],
)
def test_the_reason_of_a_failed_start_is_its_last_exception(log: str, words: str) -> None:
    assert reason(log) == words
