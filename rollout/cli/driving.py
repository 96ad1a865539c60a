"""Driving a run from the command line: show it, leave in good order, tell how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from rollout import api
from rollout.cli import agents
from rollout.cli.exits import Exit
from rollout.cli.leaving import Leaving
from rollout.cli.options import Given
from rollout.cli.output import Output, redrawable
from rollout.domain.outcome import waiting_code
from rollout.domain.run import Phase
from rollout.ports.observer import Notice, Observer
from rollout.report.data import result_data
from rollout.report.ending import Ending, explain
from rollout.report.onward import next_command
from rollout.report.plain import Lines
from rollout.report.rows import Ink, Piece, row
from rollout.wiring import plugs

OVER = (Phase.HELD, Phase.UNVERIFIED)
LEAVING = "Leaving after this step; the state is saved. Ctrl-C again: at once."
ROLLING = "Rolling back, then leaving. Ctrl-C again: at once, as it is; the state is saved."


@dataclass(frozen=True, slots=True)
class Drive:
    """What is to be driven.

    Args:
        begin: Drives with an observer, asking between two steps whether to stop.
        again: The command that goes on with it, for the messages.
        settings: Where things are.
        first: The command while nothing has begun; empty: the same.
        stay: How long the runner stays, and what it does when it is interrupted.
        detailed: The exit code tells on whom a run waits that is not over.
        anew: The command that does work anew which has ended already; empty: there is none.
    """

    begin: Callable[[Observer, Callable[[], bool]], api.Result]
    again: str
    settings: api.Settings
    first: str = ""
    stay: api.Stay = field(default_factory=api.Stay)
    detailed: bool = False
    anew: str = ""

    @property
    def leaving(self) -> str:
        """What is said when the first signal comes."""
        return leaving_words(self.stay)


def leaving_words(stay: api.Stay) -> str:
    """What is said when the first signal comes, by what the runner does then."""
    return ROLLING if stay.on_interrupt == "rollback" else LEAVING


def drive(what: Drive, given: Given, output: Output) -> int:
    """Drive a run and tell what came of it.

    Returns:
        The exit code.
    """
    leaving = Leaving()
    try:
        with leaving, _watched(what, given, output, leaving) as observer:
            result = what.begin(observer, leaving.asked)
    except KeyboardInterrupt:
        output.show({"outcome": _word(leaving), "code": int(leaving.code)}, ())
        going = what.again if leaving.driving else what.first or what.again
        output.say(f"Left at once; the state is saved. Go on: {going}")
        return leaving.code
    if leaving.asked() and not (result.run.final or result.run.phase in OVER):
        result = api.Result(result.run, _word(leaving), leaving.code, result.course)
    elif what.detailed and not result.run.final:
        result = replace(result, code=waiting_code(result.run))
    _conclude(what, given, output, result)
    return result.code


def _word(leaving: Leaving) -> str:
    return "terminated" if leaving.code is Exit.TERMINATED else "interrupted"


def _conclude(what: Drive, given: Given, output: Output, result: api.Result) -> None:
    run = result.run
    story = () if run.phase is Phase.COMPLETED else api.events(run.id, what.settings)
    ending = Ending(run, story, result.course, output.again.completed(what.anew))
    for each in explain(ending):
        output.conclude(each)
    head = api.head(run.id, what.settings)
    output.tell(row(Piece(f"Journal head {head}", Ink.DIM)))
    code = f"      exit {result.code}" if result.code else ""
    onward = next_command(run, output.again, going=what.again)
    output.conclude(row(f"{onward}{code}"))
    data = result_data(run, result.outcome, int(result.code), result.course)
    output.show({**data, "head": head}, ())
    agents.finish(given.ci, result, explain(ending))


# --- watching -------------------------------------------------------------------


class _Marked:
    """Tells ``Leaving`` that a run is being driven, from the first notice on."""

    def __init__(self, inner: Observer, leaving: Leaving) -> None:
        self._inner = inner
        self._leaving = leaving

    def saw(self, notice: Notice) -> None:
        """Pass it on."""
        self._leaving.driving = True
        self._inner.saw(notice)


@contextmanager
def _watched(what: Drive, given: Given, output: Output, leaving: Leaving) -> Iterator[Observer]:
    if given.log_format is not None:
        from rollout.telemetry.log import Log  # noqa: PLC0415 - structlog, only if wanted

        leaving.told = lambda: mention(what.leaving)
        yield _Marked(Log(output.log, json=given.log_format == "json"), leaving)
    elif redrawable(output.progress) and not given.quiet and not agents.present(given.ci):
        from rollout.report.live import LiveTree  # noqa: PLC0415 - rich, on terminals only

        again = output.again
        resume = again.completed(what.again)
        footer = f"Ctrl-C leaves it as it is (state saved). Resume: {resume}"
        stream, monotonic = output.progress, plugs.clock().monotonic
        with LiveTree(stream, monotonic, footer, color=output.colors(stream), again=again) as tree:
            leaving.told = lambda: setattr(tree, "footer", what.leaving)
            yield _Marked(tree, leaving)
    else:
        leaving.told = lambda: mention(what.leaving)
        yield _Marked(Lines(output.tell, wordy=given.verbose, again=output.again), leaving)


def mention(text: str) -> None:
    """Say something while a signal is handled.

    From within a signal handler only an unbuffered write is safe.
    """
    with suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"{text}\n".encode())
