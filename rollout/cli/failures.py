"""Errors as people and scripts read them: what happened, what to do, and the code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

import click

from rollout.api.faults import Fault
from rollout.cli.output import write
from rollout.domain.errors import (
    Drifted,
    Fenced,
    Locked,
    NotLoggedIn,
    PlanInvalid,
    PreflightFailed,
    RolloutError,
    UsageError,
)
from rollout.report import sanitise
from rollout.report.again import PLAIN, Again

_WORDS: dict[type[Exception], str] = {
    UsageError: "usage",
    PlanInvalid: "invalid",
    Locked: "locked",
    Fenced: "locked",
    Drifted: "drift",
    PreflightFailed: "preflight_failed",
    NotLoggedIn: "not_logged_in",
}


def report(error: Exception, *, as_json: bool, verbose: bool = False, again: Again = PLAIN) -> int:
    """Say what went wrong.

    Args:
        error: Ours, click's, or one that nobody expected.
        as_json: Also as data on standard output.
        verbose: Also show where an unexpected one came from.
        again: What the commands repeat.

    Returns:
        The exit code.
    """
    known = _known(error, verbose=verbose)
    if known is error:
        known.do = again.completed(known.do)
    findings = known.findings if isinstance(known, PlanInvalid) else ()
    if as_json:
        write(sys.stdout, sanitise.pretty_json(_data(known)))
    for each in findings:
        write(sys.stderr, sanitise.line(str(each)))
    write(sys.stderr, sanitise.line(f"Error: {known.what} {known.do}"))
    return known.code


def _data(error: RolloutError) -> dict[str, object]:
    told: dict[str, object] = {"what": error.what, "do": error.do, "code": int(error.code)}
    if isinstance(error, PlanInvalid):
        from rollout.planfile.findings import as_data  # noqa: PLC0415 - only for invalid plans

        told["findings"] = as_data(error.findings)
    return {"outcome": _WORDS.get(type(error), "error"), "code": int(error.code), "error": told}


def _known(error: Exception, *, verbose: bool) -> RolloutError:
    if isinstance(error, RolloutError):
        return error
    if isinstance(error, click.ClickException):
        return _misused(error)
    return detailed(Fault(error), verbose=verbose)


def detailed(error: RolloutError, *, verbose: bool = False) -> RolloutError:
    """The error; one that nobody expected says where its traceback was written to.

    Args:
        error: Any.
        verbose: Also show the traceback.
    """
    if not isinstance(error, Fault) or error.__cause__ is None:
        return error
    lines = "".join(traceback.format_exception(error.__cause__))
    if verbose:
        write(sys.stderr, sanitise.clean(lines))
    return RolloutError(error.what, do=f"{error.do} Details for a report: {_kept(lines)}")


def _misused(error: click.ClickException) -> UsageError:
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else None
    return UsageError(_sentence(error.format_message()), do=f"See: {command or 'rollout'} -h")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _kept(lines: str) -> str:
    """The file that a traceback was written to, readable by its owner only."""
    try:
        handle, name = tempfile.mkstemp(prefix="rollout-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(lines)
    except OSError as trouble:
        return f"none, no file could be written ({trouble})"
    return name
