"""Whose yes counts for a stage, who has said it, and how many are missing."""

from __future__ import annotations

from rollout.domain.plan import Approve, Stage
from rollout.domain.run import Approval, Phase, Run, Step


def same(one: str, other: str) -> bool:
    """Whether two names are one person's; systems differ in whether they mind capitals.

    >>> same("Ada", "ada ")
    True
    """
    return one.strip().casefold() == other.strip().casefold()


def asked(run: Run) -> Approve | None:
    """What the approval stage asks for that the run waits at; None: it waits for no approval."""
    work = run.stage.work if run.stage else None
    waits = run.step is Step.OBSERVING and run.phase in (Phase.RUNNING, Phase.PAUSED)
    return work if isinstance(work, Approve) and waits else None


def may(run: Run, work: Approve, who: str) -> bool:
    """Whether this person's word counts."""
    named = not work.by or any(same(who, each) for each in work.by)
    return named and (work.author or not same(who, run.author))


def until(run: Run, work: Approve) -> float | None:
    """When it is too late for the present stage, Unix seconds; None: never."""
    return None if work.expires is None else run.since + work.expires


def given(run: Run, stage: Stage, work: Approve) -> tuple[Approval, ...]:
    """The approvals that count, the first of each person, oldest first."""
    limit = until(run, work)
    found: list[Approval] = []
    for each in run.approvals:
        fits = each.stage == stage.id and may(run, work, each.by)
        again = any(same(each.by, other.by) for other in found)
        if fits and not again and (limit is None or each.at <= limit):
            found.append(each)
    return tuple(found)


def names(said: tuple[Approval, ...]) -> str:
    """Who said it.

    >>> names((Approval("approve", "ada", 0.0), Approval("approve", "eve", 1.0)))
    'ada and eve'
    """
    return " and ".join(each.by for each in said)


def standing(run: Run, stage: Stage, work: Approve) -> str:
    """How far an approval is, in words: ``1 of 2 approvals: ada``."""
    said = given(run, stage, work)
    who = f": {names(said)}" if said else ""
    noun = "approval" if work.count == 1 else "approvals"
    return f"{len(said)} of {work.count} {noun}{who}"


def lacking(run: Run, now: float | None = None) -> bool:
    """Whether the run waits for one more yes, which may still come.

    Args:
        run: As it stands.
        now: Unix seconds, to tell whether it is too late; None: it is not.
    """
    work = asked(run)
    if work is None or run.stage is None or len(given(run, run.stage, work)) >= work.count:
        return False
    return now is None or not expired(run, work, now)


def expired(run: Run, work: Approve, now: float) -> bool:
    """Whether it is too late for a yes to the present stage."""
    limit = until(run, work)
    return limit is not None and now >= limit


def who_may(run: Run, work: Approve) -> str:
    """Whose word counts and is still missing, in words.

    Args:
        run: Its author's own word counts only where the plan says so.
        work: What the stage asks for.
    """
    said = given(run, run.stage, work) if run.stage else ()
    if work.by:
        able = [each for each in work.by if may(run, work, each)]
        left = [each for each in able if not any(same(each, other.by) for other in said)]
        return " or ".join(left) if left else "nobody"
    author = () if work.author else (run.author,)
    but = " and ".join((*author, *(each.by for each in said)))
    return f"anybody but {but}" if but else "anybody"
