"""A run's end as the agents of GitHub Actions and Azure Pipelines read it.

The commands written here are ours and meant to be obeyed; every foreign word in them is cleaned and
escaped first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollout.domain.run import Run
from rollout.report import words
from rollout.report.rows import Row, spell
from rollout.report.sanitise import clean, line

_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_AZURE = {"%": "%AZP25", "\r": "%0D", "\n": "%0A", ";": "%3B", "]": "%5D"}
HELD = (12, 13, 31)
_FAILED = frozenset({1, 10, 11, 14, 15, 30, 32, *HELD})


def outputs(run: Run, outcome: str) -> Mapping[str, str]:
    """What later steps of a job may ask for; the stage is where the run stands, or ended early."""
    return {
        "outcome": outcome,
        "run_id": run.id,
        "stage": run.stage.id if run.stage else "",
        "candidate_percent": str(run.share),
        "next_check_at": "" if run.next_check is None else words.instant(run.next_check),
    }


def github_outputs(run: Run, outcome: str) -> str:
    """Lines for the file in ``GITHUB_OUTPUT``."""
    return "".join(f"{name}={line(value)}\n" for name, value in outputs(run, outcome).items())


def github_annotations(run: Run, outcome: str, code: int) -> list[str]:
    """An ``::error`` command for a run that did not end well; else none."""
    if code not in _FAILED:
        return []
    kind = "warning" if code in HELD else "error"
    return [f"::{kind} title=rollout {run.id}::{_escaped(_told(run, outcome), _IN_MESSAGE)}"]


def azure_commands(run: Run, outcome: str, code: int) -> list[str]:
    """Logging commands: variables, an issue, and the task's result where it is held."""
    made = [
        f"##vso[task.setvariable variable={name};isOutput=true]{_escaped(value, _AZURE)}"
        for name, value in outputs(run, outcome).items()
    ]
    if code in _FAILED:
        kind = "warning" if code in HELD else "error"
        made.append(f"##vso[task.logissue type={kind}]{_escaped(_told(run, outcome), _AZURE)}")
    if code in HELD:
        made.append("##vso[task.complete result=SucceededWithIssues]")
    return made


def summary(run: Run, outcome: str, rows: Sequence[Row]) -> str:
    """Markdown for the page of a job."""
    stages = [
        f"| {_cell(words.title(stage, run))} | {_took(run, at)} | {_cell(_note(run, at))} |"
        for at, stage in enumerate(run.stages)
    ]
    told = "\n".join(f"    {spell(each)}" for each in rows)
    head = f"### Rollout {_cell(run.plan)} on {_cell(run.endpoint)}: {outcome.replace('_', ' ')}"
    table = "\n".join(["| stage | took | |", "|---|---|---|", *stages])
    return f"{head}\n\n{told}\n\n{table}\n\n"


def _took(run: Run, at: int) -> str:
    if at >= len(run.done):
        return ""
    return words.lapse(run.done[at].ended - run.done[at].began)


def _note(run: Run, at: int) -> str:
    return run.done[at].note if at < len(run.done) else ""


def _told(run: Run, outcome: str) -> str:
    why = run.cause.text if run.cause else ""
    return f"{run.plan} on {run.endpoint}: {outcome.replace('_', ' ')}. {why}".strip()


def _cell(text: str) -> str:
    """Foreign text in a Markdown table: no markup, no line end."""
    plain = line(text)
    for sign in "\\|<>[]`*_":
        plain = plain.replace(sign, f"\\{sign}" if sign not in "<>" else " ")
    return plain


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(each, each) for each in clean(text))
