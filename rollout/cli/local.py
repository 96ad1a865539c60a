"""``rollout local``: endpoints on this machine, without a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.leaving import Leaving
from rollout.cli.options import HELP, Given, Verb, verb, write_examples
from rollout.cli.output import Output
from rollout.cli.settings import settings
from rollout.cli.spans import Span
from rollout.domain.errors import UsageError
from rollout.domain.units import spell_duration
from rollout.report import words
from rollout.report.onward import watching
from rollout.report.rows import Ink, Part, Piece, columns, row
from rollout.wiring import localhost, plugs

if TYPE_CHECKING:
    from rollout.adapters.endpoints.local.administer import Summary
    from rollout.domain.plan import Plan

PACE = 0.25  # seconds between two looks whether to stop
FAULTS = ("error", "delay", "hang", "crash", "kill-server", "kill-envoy", "none")
EXAMPLES = (
    "rollout local up plans/safe-rollout.yaml",
    "rollout local ps",
    "rollout local load plans/safe-rollout.yaml --rps 50 --for 1m",
    "rollout local fault diabetes --kind error --deployment green --percent 20",
    "rollout local down --all",
)


class _Local(click.Group):
    """The group; its help begins with examples, too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first."""
        write_examples(formatter, EXAMPLES)
        super().format_help(ctx, formatter)


@click.group(cls=_Local, context_settings=HELP)
def local() -> None:
    """Start, stop, load and disturb endpoints on this machine."""


def _add(command: Verb) -> Verb:
    local.add_command(command)
    return command


@_add
@verb("rollout local up plans/safe-rollout.yaml", shows=("output", "home", "var", "var_file"))
@click.argument("plan")
def up(given: Given, plan: str) -> int:
    """Create or start the endpoint of a plan, with its baseline."""
    output, used = Output(given), settings(given)
    value = api.read_plan(plan, used)
    if value.endpoint.provider != "local":
        raise UsageError(
            f"{plan} is for the provider {value.endpoint.provider}.", do="Name a local plan."
        )
    uri = localhost.up(value, home=used.home, told=output.say)
    data = {"outcome": "done", "endpoint": value.endpoint.name, "scoring_uri": uri}
    output.show(data, [row(uri)])
    output.say(_what_next(value, plan, used.home))
    return Exit.OK


def _what_next(value: Plan, file: str, home: Path) -> str:
    """Who serves, where that is not the plan's baseline: nothing was changed about it."""
    name, baseline = value.endpoint.name, value.baseline.name
    found = [each for each in localhost.endpoints(home=home) if each.name == name]
    if any(baseline not in each.traffic for each in found):
        return (
            f"{name} serves, by {_split(found[0])}; {baseline}, the plan's baseline, has no "
            f"traffic. Correct baseline.deployment, or begin anew: "
            f"rollout destroy {shlex.quote(file)}"
        )
    return f"{name} serves. Roll out on it: rollout apply {shlex.quote(file)}"


@_add
@verb("rollout local down diabetes", "rollout local down --all", shows=("output", "home", "state"))
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Every endpoint of this home.")
def down(given: Given, name: str | None, every: bool) -> int:
    """Stop an endpoint; its files stay, and up brings it back.

    Refused while somebody drives a run on it with the same --state; runners with another are not seen.
    """
    if (name is None) != every:
        raise UsageError("Which endpoint?", do="Give its name, or --all. List: rollout local ps")
    output, used = Output(given), settings(given)
    names = [each.name for each in localhost.endpoints(home=used.home)] if name is None else [name]
    for each in names:
        localhost.see_undriven(
            each,
            home=used.home,
            state=used.state,
            watching=lambda who: output.say(watching(who)),
        )
    for each in names:
        localhost.down(each, home=used.home)
        output.say(f"{each} is down.")
    output.show({"outcome": "done", "down": names}, ())
    output.say("Bring one back: rollout local up PLAN")
    return Exit.OK


@_add
@verb("rollout local ps", "rollout local ps diabetes -o json", shows=("output", "home"))
@click.argument("name", required=False)
def ps(given: Given, name: str | None) -> int:
    """List the local endpoints, or what runs for one of them."""
    output, used = Output(given), settings(given)
    if name is not None:
        _processes(output, used.home, name)
        return Exit.OK
    found = localhost.endpoints(home=used.home)
    table: list[list[Part]] = [[Piece(head, Ink.DIM) for head in ("endpoint", "", "split", "uri")]]
    table += [
        [each.name, "up" if each.up else "down", _split(each), each.scoring_uri] for each in found
    ]
    output.show([_told(each) for each in found], columns(table) if found else ())
    output.say("One of them: rollout local ps NAME" if found else "None. rollout local up PLAN")
    return Exit.OK


def _told(each: Summary) -> dict[str, object]:
    return {
        "endpoint": each.name,
        "up": each.up,
        "scoring_uri": each.scoring_uri,
        "traffic": dict(each.traffic),
        "mirror": dict(each.mirror),
        "deployments": dict(each.deployments),
    }


def _split(each: Summary) -> str:
    live = " ".join(f"{name} {share}" for name, share in sorted(each.traffic.items()))
    copied = " ".join(f"{name} {share}" for name, share in sorted(each.mirror.items()))
    return f"{live or 'nobody'}{f', mirror {copied}' if copied else ''}"


def _processes(output: Output, home: Path, name: str) -> None:
    found = localhost.processes(name, home=home)
    heads = ("role", "deployment", "pid", "state", "port", "restarts", "memory")
    table: list[list[Part]] = [[Piece(head, Ink.DIM) for head in heads]]
    table += [
        [
            each.role,
            each.deployment or "-",
            str(each.pid),
            each.state,
            str(each.port or "-"),
            str(each.restarts),
            f"{each.memory / 1e6:.0f} MB" if each.memory else "-",
        ]
        for each in found
    ]
    data = [{head: getattr(each, head) for head in heads} for each in found]
    output.show(data, columns(table) if found else [row(f"{name} is down.")])


@_add
@verb(
    "rollout local load plans/safe-rollout.yaml --rps 50 --for 1m",
    "rollout local load plan.yaml                     (until Ctrl-C)",
    shows=("home", "var", "var_file"),
)
@click.argument("plan")
@click.option("--rps", type=click.FloatRange(min=0.1, max=10_000), default=20.0, metavar="N")
@click.option("--for", "span", type=Span(), metavar="D", help="Stop after this long.")
def load(given: Given, plan: str, rps: float, span: float | None) -> int:
    """Send the requests of a plan to its endpoint."""
    output, used = Output(given), settings(given)
    value = api.read_plan(plan, used)
    clients = localhost.clients(value, used.home, rps)
    clock = plugs.clock()
    limit = f" for {spell_duration(span)}" if span is not None else ""
    output.say(f"Sending {rps:g} requests/s to {value.endpoint.name}{limit}. Ctrl-C ends it.")
    began = clock.monotonic()
    with Leaving() as leaving, clients as sending:
        leaving.driving = True
        while not leaving.asked() and (span is None or clock.monotonic() - began < span):
            clock.sleep(PACE)
        sent = sending.stats()
    name = value.endpoint.name
    data = {"outcome": "done", "endpoint": name, "sent": sent.sent, "failed": sent.failed}
    output.show(data, [row(f"{sent.sent:,} sent, {sent.failed:,} failed")])
    output.say(f"Sent for {words.lapse(clock.monotonic() - began)}. Look: rollout local ps")
    return Exit.OK


@_add
@verb(
    "rollout local fault diabetes --kind error --deployment green --percent 20",
    "rollout local fault diabetes --kind delay --deployment green --for 300ms",
    "rollout local fault diabetes --kind none --deployment green",
    shows=("output", "home"),
)
@click.argument("name")
@click.option("--kind", type=click.Choice(FAULTS), required=True, help="none: takes it away.")
@click.option("--deployment", metavar="NAME", help="Which one; not for kill-envoy.")
@click.option("--percent", type=click.FloatRange(0, 100), default=100.0, metavar="P")
@click.option("--for", "span", type=Span(), default=0.0, metavar="D", help="How long a delay is.")
def fault(
    given: Given, name: str, kind: str, deployment: str | None, percent: float, span: float
) -> int:
    """Disturb an endpoint on purpose, to see a rollout notice it."""
    output, used = Output(given), settings(given)
    if deployment is None and kind != "kill-envoy":
        raise UsageError(f"A fault of kind {kind} is a deployment's.", do="Add --deployment NAME.")
    localhost.fault(
        name, home=used.home, kind=kind, deployment=deployment, percent=percent, seconds=span
    )
    data = {"outcome": "done", "endpoint": name, "fault": kind, "deployment": deployment}
    output.show(data, ())
    away = f"rollout local fault {name} --kind none --deployment {deployment}"
    output.say(
        f"{name}: {kind}. " + (f"Take it away: {away}" if deployment else "Look: rollout local ps")
    )
    return Exit.OK


@_add
@verb('curl -H "Authorization: Bearer $(rollout local key diabetes)" ...', shows=("home",))
@click.argument("name")
def key(given: Given, name: str) -> int:
    """Print the key that clients of an endpoint send."""
    output, used = Output(given), settings(given)
    found = localhost.key(name, home=used.home)
    output.show({"outcome": "done", "endpoint": name, "key": found}, [row(found)])
    return Exit.OK
