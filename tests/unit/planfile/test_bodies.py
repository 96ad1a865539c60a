"""Request bodies come from files, lines, folders, and the plan itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollout.planfile import bodies
from tests.unit.planfile.plans import SMALL, look, plan_of, told


def requests(folder: Path, written: str) -> tuple[bytes, ...]:
    return plan_of(folder, SMALL + f"requests: {written}\n").requests


def problem(folder: Path, written: str) -> str:
    _, findings = look(folder, SMALL + f"requests: {written}\n")
    (line,) = told(findings)
    return line


def test_a_file_is_one_body_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\x00\n")

    assert requests(tmp_path, "a.bin") == (b"\xff\x00\n",)


def test_lines_are_bodies(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\r\n\n[2]\n3')

    assert requests(tmp_path, "a.jsonl") == (b'{"a": 1}', b"[2]", b"3")


def test_a_folder_gives_its_visible_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "all" / "inner").mkdir(parents=True)
    for name, body in {"b.json": "2", "a.txt": "1", ".hidden": "0", "c.jsonl": "3\n4"}.items():
        (tmp_path / "all" / name).write_text(body)

    assert requests(tmp_path, "all") == (b"1", b"2", b"3", b"4")


def test_what_is_written_out_becomes_json(tmp_path: Path) -> None:
    assert requests(tmp_path, "[{a: é, b: [1, 2.5, null, true]}, []]") == (
        '{"a": "é", "b": [1, 2.5, null, true]}'.encode(),
        b"[]",
    )


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert problem(tmp_path, "pipe").endswith("'pipe' is neither a file nor a folder. Name a file.")


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": }\n')

    assert "'a.jsonl', line 3, is not JSON: Expecting value." in problem(tmp_path, "a.jsonl")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"1" * 10_000])
def test_strange_json_is_a_finding(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.json").write_bytes(body)

    assert "'a.json'" in problem(tmp_path, "a.json")
    assert "is not JSON" in problem(tmp_path, "a.json")


def test_too_many_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BYTES", 10)
    (tmp_path / "a.txt").write_text("123456")

    assert requests(tmp_path, "[a.txt]") == (b"123456",)
    assert "more than 64 MiB" in problem(tmp_path, "[a.txt, a.txt]")
