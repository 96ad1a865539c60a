"""What the agents of GitHub Actions and Azure Pipelines are told of a rollout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.cli.output import write

if TYPE_CHECKING:
    from rollout import api
    from rollout.report.rows import Row


def present(choice: str) -> str:
    """Whose agent runs this: ``github``, ``azure``, or nothing.

    Args:
        choice: The option ``--ci``.
    """
    if choice != "auto":
        return "" if choice == "none" else choice
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "azure" if os.environ.get("TF_BUILD") else ""


def finish(choice: str, result: api.Result, rows: Sequence[Row]) -> None:
    """Leave outcome, summary and annotation where the agent looks for them."""
    from rollout.report import ci  # noqa: PLC0415 - `validate` needs no runs

    match present(choice):
        case "github":
            _append("GITHUB_OUTPUT", ci.github_outputs(result.run, result.outcome))
            _append("GITHUB_STEP_SUMMARY", ci.summary(result.run, result.outcome, rows))
            for line in ci.github_annotations(result.run, result.outcome, result.code):
                write(sys.stderr, line)
        case "azure":
            for line in ci.azure_commands(result.run, result.outcome, result.code):
                write(sys.stderr, line)
        case _:
            return


def _append(variable: str, text: str) -> None:
    """A file of the agent that cannot be written must not change how a rollout ends."""
    name = os.environ.get(variable)
    if name:
        with suppress(OSError), Path(name).open("a", encoding="utf-8") as file:
            file.write(text)
