from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rollout import api
from rollout.cli import main
from rollout.cli.exits import Exit
from tests.unit.cli.scene import Scene


@pytest.mark.parametrize(
    "words",
    [
        ("histry",),
        ("status", "--nope"),
        ("plan",),
        ("-o", "xml", "status"),
        ("status", "-o", "xml"),
        ("local", "fault", "x", "--kind", "fire"),
        ("local", "down"),
        ("completion", "tcsh"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_64_and_says_where_to_look(scene: Scene, words: tuple[str, ...]) -> None:
    told = scene.call(*words)

    assert told.code == Exit.USAGE
    assert told.out == ""
    assert told.err.startswith("Error: ")
    assert "rollout" in told.err


def test_a_wrong_name_is_met_with_the_nearest(scene: Scene) -> None:
    assert "Did you mean 'history'?" in scene.call("histry").err


@pytest.mark.parametrize("form", [("-o", "json"), ("-ojson",), ("--output=json",)], ids=str)
def test_json_errors_are_data_too(scene: Scene, form: tuple[str, ...]) -> None:
    told = scene.call("status", "--nope", *form)

    data = json.loads(told.out)
    assert (data["outcome"], data["code"], data["error"]["code"]) == ("usage", 64, 64)
    assert data["error"]["what"]
    assert data["error"]["do"]


def test_nobody_sees_a_traceback(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("##vso[task.complete]")

    monkeypatch.setattr(api, "status", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(scene.folder))

    told = scene.call("status")
    loud = scene.call("-v", "status")

    (first, _) = sorted(scene.folder.glob("rollout-*.txt"))
    assert told.code == Exit.ERROR
    assert "Traceback" not in told.out + told.err
    assert "##vso[" not in told.err + loud.err
    assert "ZeroDivisionError" in told.err
    assert "Traceback" in loud.err
    assert "Traceback" in first.read_text()
    assert first.stat().st_mode & 0o077 == 0


def test_an_interruption_before_a_run_is_130(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "status", interrupted)

    assert scene.call("status").code == Exit.INTERRUPTED


@pytest.mark.parametrize("words", [["--help"], ["schema"]], ids=str)
def test_a_reader_that_leaves_early_is_no_error(words: list[str]) -> None:
    program = [sys.executable, "-m", "rollout.cli.main", *words]
    reader = subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.PIPE)
    reader.wait()

    done = subprocess.run(
        program, stdout=reader.stdin, stderr=subprocess.PIPE, check=False, cwd=Path.cwd()
    )

    assert reader.stdin is not None
    reader.stdin.close()
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stream_that_knows_ascii_only_ends_nothing() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from rollout.cli.main import run; sys.exit(run(['-h']))",
        ],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )

    assert done.stdout.startswith(b"Examples:")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
@pytest.mark.parametrize(
    ("words", "code"), [(["version"], 0), (["-h"], 0), (["status", "--nope"], 64)], ids=str
)
def test_a_stream_that_is_closed_ends_nothing(
    closed: tuple[int, ...], words: list[str], code: int
) -> None:
    ends = " ".join(f"{number}>&-" for number in closed)
    program = ["sh", "-c", f'exec "$0" -m rollout.cli.main "$@" {ends}', sys.executable, *words]

    done = subprocess.run(program, capture_output=True, check=False, cwd=Path.cwd(), text=True)

    assert done.returncode == code, done.stderr
    assert "rollout itself failed" not in done.stderr + done.stdout
    assert bool(done.stdout) is (code == 0 and 1 not in closed)


def test_without_streams_a_run_goes_to_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)

    codes = [
        main.run(words)
        for words in (
            ["apply", "plan.yaml", "--auto-approve"],
            ["status"],
            ["apply", "plan.yaml", "--again"],
        )
    ]

    for each in (sys.stdin, sys.stdout, sys.stderr):
        each.close()
    assert codes == [0, 0, Exit.USAGE]
