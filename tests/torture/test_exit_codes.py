"""Each exit code that scripts rely on, from a process of its own."""

from __future__ import annotations

import signal
import time

from rollout.domain.events import OwnerTook
from rollout.domain.run import Phase
from tests.torture.shell import SHIFTS, Shell

APPROVED = [*SHIFTS[:3], {"approve": {}}, SHIFTS[3]]
WAITING = [*SHIFTS[:3], {"wait": "10m"}, SHIFTS[3]]


def detailed(shell: Shell) -> int:
    return shell.rollout("status", "--detailed-exitcode").returncode


def test_an_approval_a_pause_a_rival_and_two_signals(shell):
    runner = shell.apply(shell.plan(APPROVED))
    shell.wait(lambda: shell.stage() == "approve" and shell.run().step.value == "observing")

    assert detailed(shell) == 21
    assert shell.rollout("apply", "plan.yaml", "--auto-approve").returncode == 30
    assert shell.rollout("pause").returncode == 0
    assert detailed(shell) == 23
    assert shell.rollout("resume").returncode == 0
    runner.send_signal(signal.SIGINT)
    assert shell.ended(runner) == 130

    again = shell.apply()
    shell.wait(lambda: any(isinstance(each.event, OwnerTook) for each in shell.events()))
    again.send_signal(signal.SIGTERM)
    assert shell.ended(again) == 143
    assert shell.run().phase is Phase.RUNNING

    done = shell.rollout("abort", "-m", "enough")
    assert done.returncode == 14, done.stderr
    assert shell.world.splits[-1] == "blue 100"
    assert shell.doubled() == []


def ticked(shell: Shell) -> int:
    return shell.rollout("tick", "plan.yaml", "--auto-approve", "--detailed-exitcode").returncode


def test_ticks_end_with_what_the_run_waits_for(shell):
    shell.plan([*SHIFTS[:3], {"approve": {"author": True}}, SHIFTS[3]], guard={"unattended": "50%"})
    codes = [ticked(shell)]
    while codes[-1] == 20 and len(codes) < 60:
        codes.append(ticked(shell))

    assert codes[-1] == 21, codes
    assert set(codes[:-1]) == {20}, codes
    assert shell.rollout("pause").returncode == 0
    assert ticked(shell) == 23
    assert shell.rollout("resume").returncode == 0
    assert shell.rollout("approve").returncode == 0
    waited = shell.rollout(
        "apply", "plan.yaml", "--auto-approve", "--max-wait", "60s", "--detailed-exitcode"
    )
    assert waited.returncode == 0, waited.stderr


def test_a_tick_before_a_window_ends_with_its_own_code(shell):
    hour = (time.gmtime().tm_hour + 12) % 24
    window = {"allow": f"{hour:02}:00-{hour:02}:30", "applies_to": ["shift"]}
    shell.plan(policy={"windows": [window]})
    codes = [ticked(shell)]
    while codes[-1] == 20 and len(codes) < 60:
        codes.append(ticked(shell))

    assert codes[-1] == 22, codes
    once = shell.rollout(
        "apply", "plan.yaml", "--auto-approve", "--max-wait", "0s", "--detailed-exitcode"
    )
    assert once.returncode == 22, once.stderr


def test_a_timer_a_change_by_hand_and_a_rollback_that_does_not_work(shell):
    plan = shell.plan(WAITING, on_failure={"verify": {"within": "2s"}})
    runner = shell.apply(plan, "--on-hold", "leave")
    shell.wait(lambda: shell.stage().startswith("wait") and shell.run().step.value == "observing")

    assert detailed(shell) == 20
    shell.world.by_hand({"blue": 70, "green": 30})
    assert shell.ended(runner) == 31
    assert detailed(shell) == 31

    shell.world.refuse("perform", 200)
    done = shell.rollout("abort")
    assert done.returncode == 11, done.stderr
    assert detailed(shell) == 11


def test_a_deadline_that_passes(shell):
    plan = shell.plan(APPROVED, policy={"deadline": "4s"})

    done = shell.rollout("apply", plan, "--auto-approve")

    assert done.returncode == 15, done.stderr
    assert shell.world.splits[-1] == "blue 100"


def test_a_window_that_is_closed(shell):
    hour = (time.gmtime().tm_hour + 12) % 24
    window = {"allow": f"{hour:02}:00-{hour:02}:30", "applies_to": ["shift"]}
    runner = shell.apply(shell.plan(policy={"windows": [window]}))

    shell.wait(lambda: shell.stage() == "shift-50")

    assert detailed(shell) == 22
    assert shell.world.splits == ["blue 100"]
    runner.send_signal(signal.SIGTERM)
    assert shell.ended(runner) == 143
