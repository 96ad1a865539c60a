"""``rollout simulate``: a whole plan in virtual time."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click

from rollout import api
from rollout.api.simulating import CONSENTS, TRAFFICS, Wish
from rollout.cli.exits import Exit
from rollout.cli.leaving import Leaving
from rollout.cli.options import Given, verb
from rollout.cli.output import Output, redrawable
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.units import parse_percent
from rollout.report.simulation import simulation_data, story_rows, table_rows
from rollout.runtime.simulation.scenarios import SCENARIOS
from rollout.telemetry.names import name

MANY = 1000  # rollouts that make a probability worth reading


class Rate(click.ParamType[float]):
    """A percentage as plans write it; a fraction of 1."""

    name = "percentage"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """A fraction from ``0.5%``."""
        try:
            found = value if isinstance(value, float) else parse_percent(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        if found > 1.0:
            self.fail("a rate is at most 100%.", param, ctx)
        return found


class Some(Span):
    """A duration above 0."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds from ``80ms``."""
        found = super().convert(value, param, ctx)
        if found <= 0:
            self.fail("it must be longer than 0s.", param, ctx)
        return found


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@verb(
    "rollout simulate plans/safe-rollout.yaml                       (a healthy candidate)",
    "rollout simulate plan.yaml --scenario errors --runs 1000       (probabilities)",
    "rollout simulate plan.yaml --scenario slow --effect 20% --rps 500",
    "rollout simulate plan.yaml --scenario crash --from shift-10",
    "rollout simulate plan.yaml --scenario recorded.jsonl           (measured intervals)",
    shows=("output", "var", "var_file"),
)
@click.argument("plan")
@click.option(
    "--scenario", default="healthy", metavar="S", help="A scenario or a recording. [healthy]"
)
@click.option("--effect", metavar="X", help="Another size of the scenario: 1pp, 20%.")
@click.option("--from", "onset", metavar="STAGE", help="The stage with which it begins.")
@click.option(
    "--runs",
    type=click.IntRange(1, 1_000_000),
    default=1,
    metavar="N",
    help="Rollouts; more than one give probabilities. [1]",
)
@click.option("--seed", type=int, default=1, metavar="N", help="Of all random numbers. [1]")
@click.option(
    "--pick", type=click.IntRange(min=0), metavar="N", help="Only number N of many, as a story."
)
@click.option(
    "--rps",
    type=click.FloatRange(0.0, 1e6, min_open=True),
    metavar="R",
    help="Requests a second. [the plan's load, else 50]",
)
@click.option("--error-rate", type=Rate(), metavar="P", help="The baseline's. [0.5%]")
@click.option("--latency", type=Some(), metavar="D", help="The baseline's median. [80ms]")
@click.option(
    "--traffic", type=click.Choice(TRAFFICS), help="Whether all that moves by itself. [drifting]"
)
@click.option(
    "--approve",
    "consent",
    type=click.Choice(CONSENTS),
    default="yes",
    help="What people say when a stage asks them. [yes]",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes. [one a processor]"
)
def simulate(  # noqa: PLR0913, PLR0917 - an option each
    given: Given,
    plan: str,
    scenario: str,
    effect: str | None,
    onset: str | None,
    runs: int,
    seed: int,
    pick: int | None,
    rps: float | None,
    error_rate: float | None,
    latency: float | None,
    traffic: str | None,
    consent: str,
    jobs: int | None,
) -> int:
    """Take a plan through all its stages in virtual time; nothing real is touched.

    The stages, decisions, gates and pace are those of rollout apply; the endpoint and its traffic
    are a model's. It exits with 0 whatever came of the rollout; the text and -o json say what.
    """
    output = Output(given)
    wish = Wish(scenario, effect, onset, rps, error_rate, latency, traffic, consent, seed)
    many = runs > 1 and pick is None
    progress = Progress(sys.stderr, runs, shown=many and not given.quiet)
    with Leaving() as leaving, progress:
        leaving.driving = many
        found = api.simulate(
            plan,
            settings(given),
            wish=wish,
            runs=runs,
            pick=pick,
            jobs=jobs or _cpus(),
            told=progress.told,
            stopping=leaving.asked,
        )
    stopped = leaving.asked() and len(found.trials) < found.asked
    if stopped and not found.trials:
        output.show({"outcome": "interrupted", "code": int(leaving.code)}, ())
        output.say(f"Stopped before the first rollout was over. Again: {_again(plan, wish)}")
        return leaving.code
    rows = story_rows(found, wordy=given.verbose) if found.story else table_rows(found)
    output.show(simulation_data(found, name), rows)
    output.say(_next(plan, wish, found))
    return leaving.code if stopped else Exit.OK


def _next(plan: str, wish: Wish, found: api.Simulation) -> str:
    """The other way to look at the same scenario; behind a recording there is only the plan."""
    again = _again(plan, wish)
    if not found.story:
        return f"One of them as a story: {again} --pick {found.trials[0].number}"
    if wish.scenario in SCENARIOS:
        return f"How often it goes so: {again} --runs {MANY}"
    return f"Apply it: rollout apply {shlex.quote(plan)}"


def _again(plan: str, wish: Wish) -> str:
    """The command line with everything that was not as usual."""
    usual, said = Wish(), ["rollout", "simulate", plan]
    for field, (flag, spell) in _FLAGS.items():
        value = getattr(wish, field)
        if value != getattr(usual, field):
            said += [flag, spell(value)]
    return shlex.join(said)


_FLAGS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "scenario": ("--scenario", str),
    "effect": ("--effect", str),
    "onset": ("--from", str),
    "rps": ("--rps", "{:g}".format),
    "error_rate": ("--error-rate", lambda rate: f"{rate * 100:g}%"),
    "latency": ("--latency", lambda seconds: f"{seconds * 1000:g}ms"),
    "traffic": ("--traffic", str),
    "consent": ("--approve", str),
    "seed": ("--seed", str),
}


class Progress:
    """A line on a terminal that counts the rollouts.

    Args:
        stream: Where people watch while data goes elsewhere.
        asked: How many there are to be.
        shown: Whether it is wanted at all.
    """

    def __init__(self, stream: TextIO, asked: int, *, shown: bool) -> None:
        self._stream = stream
        self._asked = asked
        self._shown = shown and redrawable(stream)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw("")

    def told(self, finished: int) -> None:
        """So many are over."""
        self._draw(f"{finished:,} of {self._asked:,} rollouts simulated. Ctrl-C: what there is.")

    def _draw(self, text: str) -> None:
        if self._shown:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()


def _scenarios() -> str:
    """The scenarios, for the help."""
    wide = max(map(len, SCENARIOS))
    told = (f"  {each.name:<{wide}}  {each.sentence}" for each in SCENARIOS.values())
    return "\n".join(["\b", "Scenarios:", *told])


simulate.epilog = _scenarios()
