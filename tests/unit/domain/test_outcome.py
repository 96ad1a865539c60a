"""The exit codes and words of docs/reference/exit-codes.md, as tables."""

from __future__ import annotations

import pytest

from rollout.domain.outcome import exit_code, outcome, waiting_code
from rollout.domain.run import Phase, Step, Why
from tests.unit.domain.samples import because, entering, observing


@pytest.mark.parametrize(
    ("phase", "why", "code", "word"),
    [
        (Phase.COMPLETED, None, 0, "completed"),
        (Phase.UNDONE, Why.UNDO, 0, "undone"),
        (Phase.ROLLED_BACK, Why.GATE_FAILED, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.SMOKE_FAILED, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.CREATE_FAILED, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.TIMEOUT, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.EFFECT_REFUSED, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.INCONCLUSIVE, 10, "rolled_back"),
        (Phase.ROLLED_BACK, None, 10, "rolled_back"),
        (Phase.ROLLED_BACK, Why.ABORTED, 14, "aborted"),
        (Phase.ROLLED_BACK, Why.REJECTED, 14, "aborted"),
        (Phase.ROLLED_BACK, Why.DEADLINE, 15, "deadline"),
        (Phase.ROLLED_BACK, Why.EXPIRED, 15, "deadline"),
        (Phase.UNVERIFIED, Why.GATE_FAILED, 11, "rollback_unverified"),
        (Phase.UNVERIFIED, Why.ABORTED, 11, "rollback_unverified"),
        (Phase.HELD, Why.INCONCLUSIVE, 12, "inconclusive"),
        (Phase.HELD, Why.SOURCE, 12, "inconclusive"),
        (Phase.HELD, Why.GATE_FAILED, 13, "held"),
        (Phase.HELD, Why.BASELINE_FAILED, 13, "held"),
        (Phase.HELD, Why.EXPIRED, 13, "held"),
        (Phase.HELD, Why.EFFECT_REFUSED, 13, "held"),
        (Phase.HELD, None, 13, "held"),
        (Phase.HELD, Why.DRIFT, 31, "drift"),
        (Phase.ABORTED, Why.ABORTED, 14, "aborted"),
        (Phase.ABORTED, Why.REJECTED, 14, "aborted"),
        (Phase.ABORTED, None, 14, "aborted"),
        (Phase.ABORTED, Why.DEADLINE, 15, "deadline"),
        (Phase.REFUSED, Why.PREFLIGHT_FAILED, 32, "preflight_failed"),
    ],
)
def test_an_end_has_its_code_and_its_word(
    phase: Phase, why: Why | None, code: int, word: str
) -> None:
    run = observing("shift-10", phase=phase, cause=because(why) if why else None)

    assert exit_code(run) == code
    assert waiting_code(run) == code
    assert outcome(run) == word


@pytest.mark.parametrize(
    ("stage_id", "step", "phase", "code", "word"),
    [
        ("shift-10", Step.OBSERVING, Phase.RUNNING, 20, "running"),
        ("approve", Step.ENTERING, Phase.RUNNING, 20, "running"),
        ("approve", Step.OBSERVING, Phase.RUNNING, 21, "waiting_approval"),
        ("approve", Step.OBSERVING, Phase.PAUSED, 23, "paused"),
        ("shift-10", Step.OBSERVING, Phase.ROLLING_BACK, 20, "rolling_back"),
        ("approve", Step.OBSERVING, Phase.ROLLING_BACK, 20, "rolling_back"),
    ],
)
def test_a_run_that_is_not_over_exits_with_0_and_tells_in_detail_on_whom_it_waits(
    stage_id: str, step: Step, phase: Phase, code: int, word: str
) -> None:
    run = entering(stage_id, step=step, phase=phase)

    assert exit_code(run) == 0
    assert waiting_code(run) == code
    assert outcome(run) == word
