"""How a run stands in one word, and the exit code that tells it."""

from __future__ import annotations

from rollout.domain.approvals import lacking
from rollout.domain.decisions import On
from rollout.domain.run import Phase, Run, Step, Why
from rollout.domain.windows import waited_for

_ROLLED_BACK = {
    Why.ABORTED: 14,
    Why.REJECTED: 14,
    Why.SUPERSEDED: 14,
    Why.DEADLINE: 15,
    Why.EXPIRED: 15,
}
_HELD = {Why.INCONCLUSIVE: 12, Why.SOURCE: 12, Why.DRIFT: 31}
_ENDED = {Why.DEADLINE: 15, Why.EXPIRED: 15, Why.PREFLIGHT_FAILED: 32}
_WORDS = {14: "aborted", 15: "deadline", 10: "rolled_back"}
_WAITING = {21: "waiting_approval", 22: "waiting_window"}


def exit_code(run: Run) -> int:
    """The exit code of a runner that leaves the run as it is; 0 also while it waits.

    Source: the table of exit codes in docs/reference/exit-codes.md.
    """
    if run.leftover:
        return 11
    return code_of(run.phase, run.cause.why if run.cause else None)


def code_of(phase: Phase, why: Why | None) -> int:
    """The same, told from the phase of a run and its cause."""
    match phase:
        case Phase.ROLLED_BACK:
            return _ROLLED_BACK.get(why, 10) if why else 10
        case Phase.UNVERIFIED:
            return 11
        case Phase.HELD:
            return _HELD.get(why, 13) if why else 13
        case Phase.ABORTED | Phase.REFUSED:
            return _ENDED.get(why, 14) if why else 14
        case _:
            return 0


def repeated_code(run: Run) -> int:
    """The exit code of a command whose work this run did already, or took back: that is not done."""
    return _ROLLED_BACK[Why.ABORTED] if run.phase is Phase.UNDONE else exit_code(run)


def waiting_code(run: Run, now: float | None = None) -> int:
    """The exit code of ``--detailed-exitcode`` for a run that is not over: on whom it waits.

    Args:
        run: As it stands.
        now: Unix seconds, to tell whether it waits for a window, or too late for an approval; None:
            as its last runner said.
    """
    if run.final or run.phase in (Phase.HELD, Phase.UNVERIFIED):
        return exit_code(run)
    if run.phase is Phase.PAUSED:
        return 23
    if run.waits == On.WINDOW.value or (now is not None and waited_for(run, now) is not None):
        return 22
    if run.phase is not Phase.RUNNING or run.stage is None or run.step is Step.ENTERING:
        return 20
    return 21 if lacking(run, now) else 20


def outcome(run: Run, now: float | None = None) -> str:
    """One word for people and for ``-o json``; ``now`` as in ``waiting_code``."""
    if run.leftover:
        return "unrepaired"
    match run.phase:
        case Phase.ROLLED_BACK | Phase.ABORTED if run.cause and run.cause.why is Why.SUPERSEDED:
            return "superseded"
        case Phase.ROLLED_BACK | Phase.ABORTED:
            return _WORDS.get(exit_code(run), "rolled_back")
        case Phase.HELD:
            return {12: "inconclusive", 31: "drift"}.get(exit_code(run), "held")
        case Phase.REFUSED:
            return "preflight_failed"
        case Phase.RUNNING:
            return _WAITING.get(waiting_code(run, now), "running")
        case _:
            return str(run.phase.value)
