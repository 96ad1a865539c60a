"""A clock that is set while a stage bakes: the stage is neither shorter nor longer."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import libfaketime
import pytest

LIBRARY = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
BAKE = 4.0  # seconds
HOUR = 3600
STAGES = [
    {"preflight": {}},
    {"create": "candidate"},
    {"shift": "50%"},
    {"wait": f"{BAKE:.0f}s"},
    {"shift": "100%", "gate": "short"},
]


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forth", "back"])
def test_a_clock_that_jumps_an_hour_changes_no_stage(shell, tmp_path, jump):
    told = tmp_path / "clock"
    told.write_text("+0\n")
    clock = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    plan = shell.plan(STAGES, policy={"deadline": "30m"})

    runner = shell.start("apply", plan, "--auto-approve", **clock)
    shell.wait(lambda: shell.stage().startswith("wait") and shell.run().step.value == "observing")
    began = time.monotonic()  # noqa: TID251 - of the clock that is not set
    told.write_text(f"{jump:+d}\n")
    shell.wait(lambda: not shell.stage().startswith("wait"))
    lasted = time.monotonic() - began  # noqa: TID251

    assert shell.ended(runner) == 0, shell.said()[-3000:]
    assert lasted >= BAKE - 1.0
    assert all(before.at <= after.at for before, after in pairwise(shell.events()))
    spent = shell.events()[-1].at - shell.events()[0].at
    assert spent < HOUR / 2
    assert shell.doubled() == []
