"""From a stage and its traffic to what its gate will tell.

- A check rolls back when its failing test, alone, reaches the bound of the combined evidence; the
  other tests are taken to add nothing. A candidate that is bad in one stage is taken to have been
  healthy before it.
- A gate passes when all of its checks do. How they depend on one another is not known, so their
  chances to miss add up: the probability is the least that fits.
- A healthy candidate is one like the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.domain.plan import Mirror, Plan, Shift, Stage
from rollout.gates import criteria
from rollout.gates.power.baseline import ASSUMED, Baseline
from rollout.gates.power.effects import Effect, Scale, scale_of
from rollout.gates.power.forecast import (
    WANTED,
    Catch,
    Chance,
    CheckForecast,
    Crash,
    StageForecast,
)
from rollout.gates.power.reach import Race, Reach
from rollout.gates.power.setting import Setting, setting_of
from rollout.gates.power.walks import part_weight, walks_of
from rollout.gates.rules import CheckRule, Rules
from rollout.gates.sides import Kind, Side
from rollout.stats import power
from rollout.stats.grid import log_sum
from rollout.stats.passage import mean_at

_CLOSE, _GROWTH = 1.1, 1.15  # of an effect that is not found often enough yet
_LEAST_EXCESS = 1e-6


@dataclass(frozen=True, slots=True)
class Question:
    """A stage of a plan, ready to be asked about.

    Args:
        plan: The plan.
        rules: Its rules.
        at: The stage's place.
        setting: Its traffic.
        reach: What reads the curves.
    """

    plan: Plan
    rules: Rules
    at: int
    setting: Setting
    reach: Reach

    @property
    def checks(self) -> tuple[CheckRule, ...]:
        """The checks that decide by what a candidate does."""
        stage = self.rules.stages[self.at]
        return tuple(each for each in stage.checks if each.decides and not each.splits)


def asked(plan: Plan, rules: Rules, at: int, baseline: Baseline, reach: Reach) -> Question:
    """A stage of a plan, ready to be asked about; the baseline's rate of requests is known."""
    rps = 0.0 if baseline.rps is None else baseline.rps.value
    return Question(plan, rules, at, setting_of(plan, rules, at, baseline, rps), reach)


def forecast(question: Question) -> StageForecast:
    """All that can be said of a gated stage."""
    stage, setting = question.plan.stages[question.at], question.setting
    return StageForecast(
        id=stage.id,
        title=title(stage),
        gate=setting.gate.name,
        limit=setting.limit,
        served=setting.served,
        live=setting.live,
        checks=tuple(_check(question, rule) for rule in question.checks),
        passing=pass_chance(question),
    )


def title(stage: Stage) -> str:
    """A stage in words."""
    match stage.work:
        case Shift(percent):
            return f"shift {percent} %"
        case Mirror(percent):
            return f"mirror {percent} %"
        case _:
            return stage.id


def name_of(rule: CheckRule) -> str:
    """A check as a person tells it from the others of its gate."""
    check = rule.check
    for word, bound in (("max", check.maximum), ("min", check.minimum)):
        if bound is not None:
            return f"{check.name} {word} {criteria.spell_value(check, bound)}"
    return f"{check.name} {check.path}".rstrip()


def _check(question: Question, rule: CheckRule) -> CheckForecast:
    setting, name = question.setting, name_of(rule)
    if why := setting.unknown(rule.shown):
        return CheckForecast(name, rule, unknown=why)
    scale = scale_of(rule, setting.baseline)
    unplaced = setting.unplaced(rule.shown)
    return CheckForecast(
        name,
        rule,
        catch=catch(question, rule, scale, scale.margin),
        doubled=catch(question, rule, scale, scale.doubled),
        smallest=_smallest(question, rule, scale),
        crash=_crash(question, rule, scale),
        passing=None if unplaced else _chance(question, pass_races(question, rule)),
        no_pass="the baseline's latency is not known" if unplaced else "",
        healthy=None if unplaced or rule.shown.relative else scale.healthy,
        assumed=ASSUMED.get(rule.shown.kind, ""),
    )


# --- a pass -------------------------------------------------------------------


def pass_chance(question: Question) -> Chance | None:
    """That a healthy candidate passes; None: not known of one of the checks."""
    setting, races = question.setting, []
    for rule in question.checks:
        if setting.unknown(rule.shown) or setting.unplaced(rule.shown):
            return None
        races += pass_races(question, rule)
    return _chance(question, races)


def pass_races(question: Question, rule: CheckRule) -> list[Race]:
    """The passing test of a check, for a healthy candidate; empty: it has none."""
    side, setting = rule.passing, question.setting
    if side is None:
        return []
    healthy = scale_of(rule, setting.baseline).healthy
    bound, late = power.bound_of(question.rules.beta), setting.late(side)
    walks = walks_of(side, setting, healthy)
    since = max(setting.earliest, setting.least(side))
    return [Race(walk, bound, late, since) for walk in walks]


def _chance(question: Question, races: Sequence[Race]) -> Chance | None:
    if not races:
        return None
    reach, limit = question.reach, question.setting.limit
    return Chance(reach.by(races, limit), reach.seconds(races, WANTED, limit))


# --- a rollback ---------------------------------------------------------------


def catch(question: Question, rule: CheckRule, scale: Scale, effect: Effect | None) -> Catch | None:
    """How a check finds a candidate; None: it has no failing test, or there is no such one."""
    if rule.failing is None or effect is None:
        return None
    race = fail_race(question, rule.failing, effect.value)
    chance = _chance(question, [race])
    if chance is None:
        return None
    setting = question.setting
    found = question.reach.curve(race, setting.limit)
    exposed = power.exposed(found, setting.exposed) if found else setting.exposed * setting.limit
    exposed += _unseen(setting) * chance.probability
    tasteful = scale.factors or rule.shown.kind is Kind.DRIFT
    bad = None if tasteful else exposed * _badness(rule.failing, effect.value)
    return Catch(effect.name, chance, exposed, bad)


def _badness(side: Side, value: float) -> float:
    return 1.0 - value if side.upside_down else value


def fail_race(question: Question, side: Side, value: float) -> Race:
    """The part of a failing test that finds a candidate first; its value as in `walks`."""
    setting, late = question.setting, question.setting.late(side)
    bound = power.bound_of(question.rules.alpha, _weight(question, side))
    walks = walks_of(side, setting, value)
    looks = max(1.0, (setting.limit - late) / walks[0].interval)
    best = max(
        walks,
        key=lambda walk: log_sum(
            [one + two for one, two in zip(walk.log_weights, mean_at(walk, looks), strict=True)]
        ),
    )
    return Race(best, bound, late, setting.least(side))


def _weight(question: Question, side: Side) -> float:
    """A failing test's part of the combined evidence in this stage."""
    rules, stages = question.rules, question.rules.stages
    uses = max(1, rules.planned.get(side.key, 1))
    first = next(each for each, rule in enumerate(stages) if side.key in rule.failing)
    of = power.first_weight if first >= question.at else power.later_weight
    return of(max(1, len(rules.planned)), uses) * part_weight(side, question.setting)


def _crash(question: Question, rule: CheckRule, scale: Scale) -> Crash | None:
    if rule.failing is None or scale.crash is None:
        return None
    race, setting = fail_race(question, rule.failing, scale.crash), question.setting
    traffic = setting.traffic(rule.failing)
    failures = power.failures_needed(traffic, race.walk, race.bound)
    if failures is None:
        return None
    seconds = race.late + power.crash_seconds(traffic, race.walk, race.bound)
    seconds += setting.baseline.measuring.lag
    return Crash(failures, seconds, setting.exposed * seconds)


def _unseen(setting: Setting) -> float:
    """Users' requests that the candidate answers while what decides is on its way."""
    return setting.exposed * setting.baseline.measuring.lag


def _smallest(question: Question, rule: CheckRule, scale: Scale) -> str | None:
    """The least effect that is found with 80 % in the gate's time, to a few percent.

    The mean arrives in time at an effect that is found about half of the time; from there upwards.
    """
    side, limit = rule.failing, question.setting.limit
    if side is None or limit <= question.setting.late(side):
        return None

    coarse = replace(question, setting=question.setting.coarse)

    def expected(excess: float) -> float:
        return fail_race(coarse, side, scale.beyond(excess)).expected

    def found(excess: float) -> float:
        race = fail_race(question, side, scale.beyond(excess))
        return question.reach.by([race], limit)

    low, high = _LEAST_EXCESS, scale.most
    if expected(high) > limit:
        return None
    while high > low * _CLOSE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if expected(middle) <= limit else (middle, high)
    while (reached := found(high)) < WANTED and high < scale.most:
        high = min(high * _GROWTH, scale.most)
    return scale.spell(scale.beyond(high)) if reached >= WANTED else None
