"""Whatever happens to a plan file, the answer is a plan or findings with places in the file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from rollout.cli.main import run
from rollout.domain.diagnostics import Place
from rollout.planfile.load import examine
from tests.unit.planfile.mutate import mutations
from tests.unit.planfile.plans import REPOSITORY, VALID, sample_plans

SEEDS = 1_000
COMMAND_SEEDS = 2_000  # of the sample plans and all of their files
SAMPLES = REPOSITORY / "plans"
GROUPS = 8  # so that they can run side by side


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_mutated_plan_is_read_or_refused(group: int, tmp_path: Path) -> None:
    (tmp_path / "files").symlink_to(VALID / "files")
    plans = sample_plans()

    for seed in range(group, SEEDS, GROUPS):
        plan = plans[seed // GROUPS % len(plans)]
        file = tmp_path / plan.name
        content = mutations(plan.read_bytes(), seed)
        file.write_bytes(content)

        found, findings = examine(file, variables={}, environment={})

        assert (found is None) == bool(findings), seed
        lines = _lines(content)
        for each in findings:
            assert _inside(each.place, lines), (seed, each)
            assert str(each).isprintable(), (seed, each)


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_mutated_sample_is_valid_or_refused(
    group: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROLLOUT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "plans"
    shutil.copytree(SAMPLES, folder, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    plans = sorted(folder.glob("*.yaml"))

    for seed in range(group, COMMAND_SEEDS, GROUPS):
        plan = plans[seed // GROUPS % len(plans)]
        named = [folder / name for name in re.findall(r"file: ([\w-]+\.yml)", plan.read_text())]
        # One in four is the plan itself: its text is what the test above is about.
        mutated = [plan, *named][seed // (GROUPS * len(plans)) % (1 + len(named))]
        whole = mutated.read_bytes()
        mutated.write_bytes(mutations(whole, seed))

        code = run(["validate", str(plan)])

        mutated.write_bytes(whole)
        said = "".join(capsys.readouterr())
        assert code in (0, 65), (seed, mutated.name, said)
        assert "rollout itself failed" not in said, (seed, mutated.name, said)


def test_every_sample_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", *map(str, sorted(SAMPLES.glob("*.yaml")))]) == 0, capsys.readouterr()


def test_the_same_seed_gives_the_same_bytes() -> None:
    text = sample_plans()[0].read_bytes()

    assert [mutations(text, seed) for seed in range(50)] == [
        mutations(text, seed) for seed in range(50)
    ]
    assert len({mutations(text, seed) for seed in range(200)}) > 150


def test_an_empty_file_can_be_mutated() -> None:
    assert all(isinstance(mutations(b"", seed), bytes) for seed in range(300))


def _lines(content: bytes) -> list[str]:
    return re.split("\r\n|\n|\r", content.decode("utf-8", "replace"))


def _inside(place: Place, lines: list[str]) -> bool:
    if not 1 <= place.line <= len(lines):
        return False
    return 1 <= place.column <= len(lines[place.line - 1]) + 1
