"""Warnings about gates that cannot tell within their time, each with what to write instead.

What is suggested was tried: with it, the same reckoning finds what it should.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from rollout.domain.plan import Plan
from rollout.domain.units import spell_duration, spell_share
from rollout.gates.power import changes
from rollout.gates.power.baseline import Basis
from rollout.gates.power.changes import Change
from rollout.gates.power.effects import scale_of
from rollout.gates.power.forecast import WANTED, Catch, CheckForecast, StageForecast
from rollout.gates.power.reckoning import Question, asked, fail_race, pass_races
from rollout.gates.power.words import chance
from rollout.gates.rules import compile_rules
from rollout.gates.sides import Kind

_CLOSE = 0.9  # of an objective; what lies nearer no number of requests tells from it
_TRIES = 3  # durations; the first should do
Works = Callable[[Plan], bool]


def warnings(question: Question, found: StageForecast) -> tuple[str, ...]:
    """What a person should know of a stage's gate before applying, and what to do about it.

    Args:
        question: The stage.
        found: What its gate will tell.
    """
    close = [each for each in found.checks if _is_close(each)]
    told = [_too_close(question, found, each) for each in close]
    if not close and found.passing is not None and found.passing.probability < WANTED:
        told.append(_held_up(question, found, found.passing.probability))
    return (*told, *_uncaught(question, found))


def _where(found: StageForecast) -> str:
    return f"{found.title}, gate {found.gate}"


# --- a healthy candidate --------------------------------------------------------


def _held_up(question: Question, found: StageForecast, probability: float) -> str:
    """A gate that a healthy candidate may well not pass in its time."""
    passing = [(each.passing.probability, each) for each in found.checks if each.passing]
    weakest = min(passing, key=lambda each: each[0])[1]
    seconds = found.passing.seconds if found.passing else 0.0
    done = _suggested(
        lambda plan: _would_pass(_again(question, plan)),
        longer=changes.longer(question.plan, found.gate, seconds),
        shared=changes.shared(question.plan, question.at),
        wider=changes.wider(question.plan, found.gate, weakest.rule.check),
    )
    return (
        f"{_where(found)}: a healthy candidate passes with {chance(probability)} within "
        f"{spell_duration(found.limit)}; {weakest.name} holds it up. {done}"
    )


def _again(question: Question, plan: Plan) -> Question:
    """The same stage of a changed plan."""
    baseline = question.setting.baseline
    return asked(plan, compile_rules(plan), question.at, baseline, question.reach)


def _would_pass(question: Question) -> bool:
    races = [race for rule in question.checks for race in pass_races(question, rule)]
    return question.reach.surely(races, question.setting.limit, WANTED)


def _is_close(check: CheckForecast) -> bool:
    """Whether the baseline itself hardly meets an objective."""
    if check.healthy is None or check.rule.shown.kind is Kind.AGREEMENT:
        return False
    events, allowed = _against(check, check.healthy)
    return events >= _CLOSE * allowed


def _against(check: CheckForecast, share: float) -> tuple[float, float]:
    """A share as bad events, and how many are allowed."""
    allowed = check.rule.shown.objective
    return (1.0 - share, 1.0 - allowed) if check.rule.shown.upside_down else (share, allowed)


def _too_close(question: Question, found: StageForecast, check: CheckForecast) -> str:
    """An objective that the baseline hardly meets itself."""
    at = question.checks.index(check.rule)

    def works(plan: Plan) -> bool:
        changed = _again(question, plan)
        races = pass_races(changed, changed.checks[at])
        return changed.reach.surely(races, changed.setting.limit, WANTED)

    first = _first(changes.wider(question.plan, found.gate, check.rule.check), works)
    events, allowed = _against(check, check.healthy or 0.0)
    errors = question.setting.baseline.error_rate
    guess = check.rule.shown.kind is Kind.ERRORS and errors.basis is Basis.ASSUMED
    return (
        f"{_where(found)}: {check.name} is too close to the baseline itself, which has "
        f"{_spelt(events)} of the {_spelt(allowed)} allowed{' (assumed)' if guess else ''}: a "
        f"healthy candidate would fail, or never pass. "
        + (f"Write {first}." if first else "Write another objective.")
    )


def _spelt(share: float) -> str:
    return spell_share(float(f"{share:.2g}"))


# --- a bad candidate ------------------------------------------------------------


def _uncaught(question: Question, found: StageForecast) -> Iterator[str]:
    """Checks that do not find what they are there for."""
    then = question.setting.gate.on_inconclusive.then
    if then == "rollback":
        return  # whatever does not pass goes back in the end
    for at, check in enumerate(found.checks):
        if check.catch is None or check.catch.chance.probability >= WANTED:
            continue
        if _is_backed(check, found):
            continue
        yield _missed(question, found, at, check.catch)


def _is_backed(check: CheckForecast, found: StageForecast) -> bool:
    """Whether it is an objective beside a comparison of the same metric, which sees more."""
    others = (each.rule for each in found.checks if each is not check)
    return not check.rule.shown.relative and any(
        rule.shown.relative and rule.check.metric == check.rule.check.metric for rule in others
    )


def _missed(question: Question, found: StageForecast, at: int, caught: Catch) -> str:
    check = found.checks[at]
    relative, gate = check.rule.shown.relative, found.gate
    bad = "at its margin" if relative else "twice as bad as allowed"
    done = _suggested(
        lambda plan: _would_catch(_again(question, plan), at),
        longer=changes.longer(question.plan, gate, caught.chance.seconds),
        shared=changes.shared(question.plan, question.at),
        wider=changes.wider(question.plan, gate, check.rule.check) if relative else (),
    )
    return (
        f"{_where(found)}: {check.name} rolls back a candidate {bad} ({caught.effect}) with "
        f"{chance(caught.chance.probability)} within {spell_duration(found.limit)}; else it is "
        f"held. {done}"
    )


def _would_catch(question: Question, at: int) -> bool:
    rule = question.checks[at]
    margin = scale_of(rule, question.setting.baseline).margin
    if rule.failing is None or margin is None:
        return False
    race = fail_race(question, rule.failing, margin.value)
    return question.reach.surely([race], question.setting.limit, WANTED)


# --- what to write instead --------------------------------------------------------


def _suggested(
    works: Works, *, longer: Iterable[Change], shared: Iterable[Change], wider: Iterable[Change]
) -> str:
    """The least change of each kind that is enough by itself."""
    tried = next((each.words for each in islice(longer, _TRIES) if works(each.plan)), None)
    found = [tried, _first(shared, works), _first(wider, works)]
    words = [each for each in found if each is not None]
    if not words:
        return "No single change is enough: more than one, or more requests, are needed."
    return f"Write {', or '.join(words)}."


def _first(tried: Iterable[Change], works: Works) -> str | None:
    """The least of changes that grow; if one of them is enough, so is every larger one."""
    found = list(tried)
    at = bisect_left(found, True, key=lambda each: works(each.plan))
    return found[at].words if at < len(found) else None
