"""Whatever happens to a plan file, the answer is a plan or findings with places in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollout.domain.diagnostics import Place
from rollout.planfile.load import examine
from tests.unit.planfile.mutate import mutations
from tests.unit.planfile.plans import VALID, sample_plans

SEEDS = 2_000
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
