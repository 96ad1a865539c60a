"""A simulation as rows for people and as data for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollout.domain import events as e
from rollout.domain.run import Phase, Run
from rollout.domain.units import spell_duration, spell_share
from rollout.domain.verdict import Verdict
from rollout.report import lines, words
from rollout.report.data import Data
from rollout.report.ending import Ending, explain
from rollout.report.history import outcome_ink
from rollout.report.rows import Ink, Part, Piece, Row, columns, row
from rollout.runtime.journal import Entry
from rollout.runtime.simulation import summary
from rollout.runtime.simulation.recording import Recording
from rollout.runtime.simulation.summary import Share, Simulation
from rollout.runtime.simulation.trial import Trial

_SILENT = (e.ObservationBegan, e.OwnerTook, e.RunStarted)
_INKS = {"pass": Ink.GOOD, "fail": Ink.BAD}
_CERTAIN = 0.9995  # a share that three digits would round up to all


def head(found: Simulation) -> tuple[Row, ...]:
    """What was simulated, and what was left out of it."""
    plan, world, climate = found.plan, found.world, found.climate
    rows = [row("Simulated: ", Piece(plan.name, Ink.STRONG), f" · {_told(found)}")]
    if not isinstance(world, Recording):
        traffic = f"{climate.rps:g} requests/s, {spell_share(climate.error_rate)} errors"
        traffic += f", median {spell_duration(climate.latency)}, {found.traffic}"
        rows.append(row(f"Traffic:   {traffic} · seed {found.seed}"))
    if found.left_out:
        text = f"not simulated, and left out of the gates: {', '.join(found.left_out)}"
        rows.append(row(Piece("Warning    ", Ink.WARN), text))
    return tuple(rows)


def _told(found: Simulation) -> str:
    if isinstance(found.world, Recording):
        return f"{found.world.file}, {spell_duration(found.world.seconds)} recorded"
    return f"{found.world.name}: {found.world.sentence}"


# --- one ------------------------------------------------------------------------


def story_rows(found: Simulation, *, wordy: bool = False) -> tuple[Row, ...]:
    """The only trial, event by event, and how it ended.

    Args:
        found: With one trial and its story.
        wordy: Also what gates say while they are open.
    """
    trial, run = found.trials[0], found.story[-1].state
    told = [
        [Piece(words.lapse(each.at), Ink.DIM), Piece(_sentence(each), lines.ink(each.event))]
        for each in found.story
        if wordy or _speaks(each)
    ]
    rows = [*head(found), (), *columns(told, indent=2), ()]
    rows += explain(Ending(replace(run, uncounted=None), found.story))  # a model has no more
    if trial.over:
        text = "The recording was over before the plan was: what came later was never measured."
        rows.append(row(Piece(text, Ink.WARN)))
    return (*rows, *_end(trial, run))


def _sentence(entry: Entry) -> str:
    return lines.sentence(entry.event, entry.state)


def _speaks(entry: Entry) -> bool:
    if isinstance(entry.event, e.Measured):
        return entry.event.judgement.verdict is not Verdict.RUNNING
    return not isinstance(entry.event, _SILENT)


def _end(trial: Trial, run: Run) -> tuple[Row, ...]:
    word = Piece(trial.outcome, outcome_ink(trial.outcome))
    after = f" after {words.lapse(trial.seconds)} of virtual time; rollout apply would "
    if run.phase is Phase.RUNNING:
        return (row(word, f"{after}go on waiting."),)
    if run.phase is Phase.HELD and run.share:
        return (row(word, f"{after}go on guarding it (--on-hold leave: exit {trial.code})."),)
    return (row(word, f"{after}end with exit {trial.code}."),)


# --- many -----------------------------------------------------------------------


def table_rows(found: Simulation) -> tuple[Row, ...]:
    """How often it ends how, how soon, what it costs, and what the gates said."""
    count = f"{len(found.trials):,}"
    if len(found.trials) < found.asked:
        count = f"{count} of {found.asked:,}, then stopped"
    rows = [*head(found), row(f"Rollouts:  {count}"), ()]
    rows += [*_ending_rows(found), ()]
    rows += _toll_rows(found)
    if short := _place_rows(found):
        rows += [*short, (), *_drift_rows(found)]
    return (*rows, *_gate_rows(found))


def _heads(*names: str) -> list[Part]:
    return [Piece(name, Ink.DIM) for name in names]


def _ending_rows(found: Simulation) -> tuple[Row, ...]:
    table = [
        _heads("outcome", "exit", "rollouts", "share", "95 %", "over after", "90 % by", "such as")
    ]
    table += [
        [
            Piece(each.outcome, outcome_ink(each.outcome)),
            str(each.code),
            f"{each.share.count:,}",
            _percent(each.share.value),
            f"{_percent(each.share.low)} to {_percent(each.share.high)}",
            words.lapse(each.median),
            words.lapse(each.late),
            f"number {each.example}",
        ]
        for each in summary.endings(found.trials)
    ]
    return columns(table)


def _percent(share: float) -> str:
    """A share in percent, never rounded to none or all.

    >>> _percent(0.9996), _percent(0.0038), _percent(1.0)
    ('99.96 %', '0.38 %', '100 %')
    """
    digits = 4 if _CERTAIN <= share < 1.0 else 3
    return f"{share * 100:.{digits}g} %"


def _toll_rows(found: Simulation) -> tuple[Row, ...]:
    cost, name = summary.toll(found.trials), found.plan.candidate.name
    if cost is None:
        return ()
    return (
        row(
            f"Before a rollback {name} answered {cost.requests:,} live requests "
            f"(worst {cost.most_requests:,}), {cost.errors:,} of them badly "
            f"(worst {cost.most_errors:,})."
        ),
        (),
    )


def _place_rows(found: Simulation) -> tuple[Row, ...]:
    places = summary.places(found.trials)
    if not places:
        return ()
    table = [_heads("ended in", "as", "rollouts", "why", "such as")]
    table += [
        [
            each.stage or "its end",
            Piece(each.outcome, outcome_ink(each.outcome)),
            f"{each.count:,}",
            each.why or "-",
            f"number {each.example}",
        ]
        for each in places
    ]
    return columns(table)


def _drift_rows(found: Simulation) -> tuple[Row, ...]:
    """Why a candidate that is as good as the baseline can fail."""
    world = found.world
    if isinstance(world, Recording) or world.worse or found.traffic == "steady":
        return ()
    if not any(said.alone for trial in found.trials for said in trial.said):
        return ()
    text = "An objective has no baseline: what both deployments share can miss it, drift as well."
    return (row(Piece(text, Ink.WARN), " Without drift: --traffic steady"), ())


def _gate_rows(found: Simulation) -> tuple[Row, ...]:
    gates = summary.gates(found.trials)
    if not gates:
        return ()
    verdicts = [each.value for each in Verdict if any(each.value in g.words for g in gates)]
    table = [_heads("stage", "gate", *verdicts, "observed", "90 % by")]
    for each in gates:
        counts: list[Part] = [
            Piece(f"{each.words[word]:,}", _INKS.get(word, Ink.WARN)) if word in each.words else "-"
            for word in verdicts
        ]
        spans = [words.lapse(each.median), words.lapse(each.late)]
        table.append([each.stage, each.gate, *counts, *spans])
    return columns(table)


# --- data -----------------------------------------------------------------------


def simulation_data(found: Simulation, name: Callable[[e.Event], str]) -> Data:
    """The same for programs.

    Args:
        found: What came of it.
        name: An event's dotted name.
    """
    world, climate = found.world, found.climate
    recorded = isinstance(world, Recording)
    made: Data = {
        "outcome": found.trials[0].outcome if found.asked == 1 else "simulated",
        "code": 0,
        "plan": found.plan.name,
        "scenario": world.file if isinstance(world, Recording) else world.name,
        "says": "recorded intervals" if isinstance(world, Recording) else world.sentence,
        "seed": None if recorded else found.seed,
        "traffic": None
        if recorded
        else {
            "kind": found.traffic,
            "rps": climate.rps,
            "error_rate": climate.error_rate,
            "latency_seconds": climate.latency,
        },
        "left_out": list(found.left_out),
        "asked": found.asked,
        "runs": len(found.trials),
    }
    if found.story:
        return {**made, "run": _trial(found.trials[0]), "story": _story(found, name)}
    return {**made, **_numbers(found)}


def _story(found: Simulation, name: Callable[[e.Event], str]) -> list[Data]:
    return [
        {
            "at_seconds": each.at,
            "event": name(each.event),
            "stage": each.state.stage.id if each.state.stage else None,
            "text": _sentence(each),
        }
        for each in found.story
    ]


def _trial(trial: Trial) -> Data:
    return {
        "number": trial.number,
        "outcome": trial.outcome,
        "apply_code": trial.code,
        "stage": trial.stage or None,
        "cause": {"why": trial.why, "text": trial.reason} if trial.why else None,
        "seconds": trial.seconds,
        "exposure": {"requests": trial.exposure.requests, "errors": trial.exposure.errors},
        "recording_over": trial.over,
        "gates": [
            {
                "stage": each.stage,
                "gate": each.gate,
                "verdict": each.verdict.value,
                "why": each.why,
                "observed_seconds": each.seconds,
            }
            for each in trial.said
        ],
    }


def _numbers(found: Simulation) -> Data:
    cost = summary.toll(found.trials)
    return {
        "outcomes": [
            {
                "outcome": each.outcome,
                "apply_code": each.code,
                **_share(each.share),
                "seconds": {"median": each.median, "p90": each.late},
                "example": each.example,
            }
            for each in summary.endings(found.trials)
        ],
        "rollback_exposure": None
        if cost is None
        else {
            "runs": cost.trials,
            "requests": {"median": cost.requests, "worst": cost.most_requests},
            "errors": {"median": cost.errors, "worst": cost.most_errors},
        },
        "ended_in": [
            {
                "stage": each.stage or None,
                "outcome": each.outcome,
                "why": each.why,
                "runs": each.count,
                "example": each.example,
            }
            for each in summary.places(found.trials)
        ],
        "gates": [
            {
                "stage": each.stage,
                "gate": each.gate,
                "verdicts": each.words,
                "observed_seconds": {"median": each.median, "p90": each.late},
            }
            for each in summary.gates(found.trials)
        ],
    }


def _share(share: Share) -> Data:
    return {"runs": share.count, "share": share.value, "interval": [share.low, share.high]}
