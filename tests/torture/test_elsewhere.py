"""A rollout begun in one folder and ended from another: nothing is shared but the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rollout.domain.run import Phase
from tests.torture.shell import SHIFTS, Shell
from tests.torture.stores import KINDS, shared

STAGES = [*SHIFTS[:3], {"approve": {"author": True}}, SHIFTS[3]]


@pytest.fixture(params=KINDS)
def left(request, tmp_path) -> Iterator[Shell]:
    """A run that waits for an approval, whose runner is dead and whose plan is gone."""
    with shared(request.param) as store:
        made = Shell(tmp_path / "here", store.state, store.more)
        runner = made.apply(made.plan(STAGES))
        made.wait(lambda: made.stage() == "approve" and made.run().step.value == "observing")
        runner.kill()
        runner.wait()
        (made.folder / "plan.yaml").unlink()
        yield made
        made.close()


def test_it_is_ended_from_another_folder_without_its_plan(left, tmp_path):
    elsewhere, run = tmp_path / "elsewhere", left.run().id
    elsewhere.mkdir()

    approved = left.rollout("approve", run, "-m", "looks good", cwd=elsewhere)
    done = left.rollout("tick", run, "--max-wait", "2m", cwd=elsewhere)

    assert approved.returncode == 0, approved.stderr
    assert done.returncode == 0, done.stderr
    assert (left.run().id, left.run().phase) == (run, Phase.COMPLETED)
    assert left.world.splits == ["blue 100", "blue 50 green 50", "green 100"]
    assert left.doubled() == []
    assert left.rollout("verify", run, cwd=elsewhere).returncode == 0
    undone = left.rollout("undo", run, cwd=elsewhere)
    assert (undone.returncode, left.world.splits[-1]) == (0, "blue 100"), undone.stderr
