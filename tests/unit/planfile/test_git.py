"""The commit of a folder, from the files that git keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.planfile.git import head

SHA = "0123456789abcdef0123456789abcdef01234567"


def repository(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {".git/HEAD": f"{SHA}\n"},
        {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": f"{SHA}\n"},
        {
            ".git/HEAD": "ref: refs/heads/a/b\n",
            ".git/packed-refs": f"# pack-refs\n{'f' * 40} refs/heads/a\n{SHA} refs/heads/a/b\n",
        },
        {
            ".git": "gitdir: elsewhere/worktrees/x\n",
            "elsewhere/worktrees/x/HEAD": "ref: refs/heads/x\n",
            "elsewhere/worktrees/x/commondir": "../..\n",
            "elsewhere/refs/heads/x": f"{SHA}\n",
        },
    ],
    ids=["detached", "branch", "packed", "worktree"],
)
def test_the_commit_is_found(tmp_path: Path, files: dict[str, str]) -> None:
    folder = repository(tmp_path, files) / "deep" / "inside"
    folder.mkdir(parents=True)

    assert head(folder) == SHA


@pytest.mark.parametrize(
    "files",
    [
        {".git/HEAD": ""},
        {".git/HEAD": "ref: refs/heads/main\n"},
        {".git/HEAD": "ref: refs/../../secret\n"},
        {".git/HEAD": "ref: refs/heads/a\n", ".git/refs/heads/a": "ref: refs/heads/a\n"},
        {".git/HEAD": "not a hash\n"},
        {".git": "gitdir: nowhere\n"},
        {".git": "\0"},
    ],
)
def test_where_there_is_no_commit_there_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    assert head(repository(tmp_path, files)) is None
