"""The exit codes: each tells a script how a rollout stands."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a process ends with; those of a run itself come from ``rollout.domain.outcome``."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    ROLLED_BACK = 10
    UNVERIFIED = 11
    INCONCLUSIVE = 12
    HELD = 13
    ABORTED = 14
    DEADLINE = 15
    WAITING = 20
    APPROVAL = 21
    WINDOW = 22
    PAUSED = 23
    LOCKED = 30
    DRIFT = 31
    PREFLIGHT = 32
    LOGIN = 33
    USAGE = 64
    INVALID = 65
    INTERRUPTED = 130
    TERMINATED = 143


TABLE = (
    ("0", "finished, or nothing to do; also still waiting, unless --detailed-exitcode"),
    ("1", "an error of ours or of the provider; the state is saved, run it again"),
    ("2", "plan, drift --detailed-exitcode: there are changes"),
    ("10", "a gate failed; rolled back, and the rollback was verified"),
    ("11", "the rollback failed or could not be verified: a person must look"),
    ("12, 13", "held: a gate was inconclusive, failed"),
    ("14, 15", "aborted or rejected by a person; a deadline passed"),
    (
        "20 .. 23",
        "--detailed-exitcode: waits for a timer or samples, an approval, a window, resume",
    ),
    ("30 .. 33", "locked by another run; drift; a pre-check failed; nobody is logged in"),
    ("64, 65", "wrong usage or an answer needed without a terminal; the plan is invalid"),
    ("130, 143", "interrupted, terminated; the state is saved, run it again"),
)
