"""The scene of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.scene import Scene


@pytest.fixture
def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Scene:
    for name in ("ROLLOUT_STATE", "ROLLOUT_HOME", "GITHUB_ACTIONS", "TF_BUILD", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    made = Scene(tmp_path, capsys)
    made.wire(monkeypatch)
    return made
