"""``rollout emulate``: a cloud on this machine, for the real SDK."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from rollout.cli.exits import Exit
from rollout.cli.options import HELP, Given, Verb, verb, write_examples
from rollout.cli.output import Output
from rollout.domain.errors import UsageError
from rollout.report.rows import row
from rollout.wiring import plugs

if TYPE_CHECKING:
    from rollout.emulator.settings import Settings

STATE = ".rollout/emulator"
EXAMPLES = (
    "rollout emulate azureml --env-file azure.env",
    "rollout emulate azureml --register models/diabetes/1=models/blue/model",
    "rollout emulate azureml --fault 429:on=endpoint.put,times=2,retry_after=1",
    "rollout emulate azureml --down",
)


class _Emulate(click.Group):
    """The group; its help begins with examples, too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first."""
        write_examples(formatter, EXAMPLES)
        super().format_help(ctx, formatter)


@click.group(cls=_Emulate, context_settings=HELP)
def emulate() -> None:
    """Emulate a cloud on this machine, for trying and for tests."""


def _add(command: Verb) -> Verb:
    emulate.add_command(command)
    return command


@_add
@verb(*EXAMPLES, own=("state",))
@click.option("--port", type=click.IntRange(1, 65535), metavar="P", help="Of its HTTPS.")
@click.option("--state", "folder", default=STATE, metavar="DIR", help=f"What it keeps. [{STATE}]")
@click.option("--env-file", metavar="FILE", help="Write the environment for clients there.")
@click.option("--subscription", metavar="ID", help="The subscription there is.")
@click.option("--resource-group", metavar="NAME", help="The resource group there is. [rg-lab]")
@click.option("--workspace", metavar="NAME", help="The workspace there is. [mlw-lab]")
@click.option("--location", metavar="REGION", help="Its region. [eastus2]")
@click.option(
    "--delays",
    type=click.Choice(["quick", "real"]),
    default="quick",
    help="How long operations take. [quick]",
)
@click.option(
    "--register",
    "registered",
    multiple=True,
    metavar="KIND/NAME/VERSION=PATH",
    help="An asset that is there: models, codes; environments need no path.",
)
@click.option("--compute", metavar="NAME", help="A Kubernetes compute that is attached.")
@click.option("--quota", multiple=True, metavar="FAMILY=CORES", help="Instead of 100 cores.")
@click.option("--fault", "faults", multiple=True, metavar="SPEC", help="Let calls go wrong.")
@click.option("--record", metavar="FILE", help="A line for each request with its reply.")
@click.option("--role", "roles", multiple=True, metavar="FILE", help="The client's role, as JSON.")
@click.option("--azurite", metavar="PATH", help="The program azurite-blob, for uploads.")
@click.option("--python", metavar="PATH", help="Interpreter of the scoring servers.")
@click.option("--down", is_flag=True, help="Stop what a killed emulator left running.")
def azureml(given: Given, env_file: str | None, down: bool, **options: object) -> int:
    """Azure ML's online endpoints over HTTPS, with real scoring servers behind them."""
    # It starts with what it needs only here.
    from rollout.emulator import azurite, checks, server  # noqa: PLC0415

    output, settings = Output(given), _settings(options)
    if down:
        names = server.stop(settings, plugs.clock())
        output.show({"outcome": "done", "down": names}, ())
        output.say(f"Down: {', '.join(names) or 'there was none'}.")
        return Exit.OK

    path = None if env_file is None else checks.file(env_file, "--env-file")
    if azurite.find(settings.azurite) is None:
        lost = "deployments with local folders will be refused"
        output.say(f"No Azurite: {lost}. {azurite.INSTALL}")

    def ready(environment: Mapping[str, str]) -> None:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
        if path is not None:
            path.touch(mode=0o600)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        # There is a secret in it: with a file of its own it does not belong on a terminal.
        rows = [row(line) for line in lines] if path is None else []
        output.show(dict(environment), rows)
        how = "Set what is printed." if path is None else f"Clients: . {_sourced(path)};"
        output.say(f"The emulator answers. {how} Ctrl-C ends it.")

    server.run(settings, plugs.clock(), ready)
    output.say("The emulator has ended; its state is kept.")
    return Exit.OK


def _settings(options: Mapping[str, object]) -> Settings:
    from dataclasses import replace  # noqa: PLC0415

    from rollout.emulator import checks  # noqa: PLC0415
    from rollout.emulator.faults import Fault  # noqa: PLC0415
    from rollout.emulator.roles import Role  # noqa: PLC0415
    from rollout.emulator.routes import checked  # noqa: PLC0415
    from rollout.emulator.settings import QUICK, REAL, Registered, Settings  # noqa: PLC0415

    def text(name: str) -> list[str]:
        return list(cast("tuple[str, ...]", options[name]))

    found = Settings(
        state=Path(str(options["folder"])).resolve(),
        port=options["port"],  # type: ignore[arg-type]
        delays=REAL if options["delays"] == "real" else QUICK,
        registered=tuple(map(Registered.parse, text("registered"))),
        quota=dict(map(_quota, text("quota"))),
        faults=tuple(checked(Fault.parse(each)).to_json() for each in text("faults")),
        record=_path(options["record"]),
        roles=tuple(Role.read(Path(each)) for each in text("roles")),
    )
    ways: Mapping[str, Callable[[str], str]] = {
        "subscription": checks.subscription,
        "resource_group": str,
        "workspace": checks.workspace,
        "location": str,
        "compute": str,
        "azurite": lambda path: checks.program(path, "--azurite"),
        "python": lambda path: checks.program(path, "--python"),
    }
    given = {
        name: way(str(options[name])) for name, way in ways.items() if options[name] is not None
    }
    return replace(found, **given)  # type: ignore[arg-type]


def _sourced(path: Path) -> str:
    """A path for the shell's ``.``, which looks for a bare name on the PATH."""
    return shlex.quote(str(path) if path.is_absolute() else f"./{path}")


def _path(value: object) -> Path | None:
    return None if value is None else Path(str(value)).resolve()


def _quota(text: str) -> tuple[str, int]:
    family, _, cores = text.partition("=")
    if not family or not cores.isdigit():
        raise UsageError(f"{text!r} is no quota.", do="Write FAMILY=CORES.")
    return family, int(cores)
