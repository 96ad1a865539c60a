"""The entry point: finds the command, runs it, and turns every end into an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from rollout import __version__
from rollout.cli.exits import TABLE, Exit
from rollout.cli.options import HELP, Given, shared, wants_json, write_examples

# Section -> command -> module and sentence: the help is made without importing a command.
VERBS: dict[str, dict[str, tuple[str, str]]] = {
    "Plan and apply": {
        "validate": ("validate", "Find everything that is wrong with a plan, without a network."),
        "plan": ("plan", "Show every write that applying a plan would do."),
        "simulate": ("simulate", "Take a plan through all its stages in virtual time."),
        "apply": ("apply", "Start a plan's run, or resume it; drive it to its end."),
        "tick": ("tick", "Do what is due in a run, then leave: for a scheduled job."),
        "undo": ("undo", "Take an endpoint back to the split that a run found."),
        "destroy": ("destroy", "Remove a plan's endpoint with everything on it."),
    },
    "Look": {
        "status": ("status", "Show how a run stands; watch it, or wait for it."),
        "history": ("history", "List the runs, newest first."),
        "show": ("show", "Show everything known of a run."),
        "events": ("events", "List a run's events; follow them."),
        "drift": ("drift", "Compare an endpoint with what its last run left."),
        "diff": ("diff", "Show answers to the same requests that differ."),
        "check": ("check", "Judge one gate of a plan now; nothing is changed."),
        "verify": ("verify", "Recompute every verdict of a run from its evidence."),
        "logs": ("logs", "Show a deployment's own newest log lines."),
        "doctor": ("doctor", "Look at login, permissions, quota, metrics, clock and versions."),
    },
    "Order": {
        "approve": ("orders", "Say yes to the approval that a run waits for."),
        "reject": ("orders", "Say no: the run rolls back."),
        "pause": ("orders", "Stop a run where it is; its guard goes on."),
        "resume": ("orders", "Let a paused or held run go on."),
        "abort": ("orders", "End a run and go back."),
        "retry": ("orders", "Let a held run try its stage again."),
    },
    "Store": {
        "state": ("state", "List, move and prune the journals of a store."),
        "force-unlock": ("force_unlock", "Take an endpoint's lease away from who holds it."),
    },
    "Local endpoint": {
        "local": ("local", "Start, stop, load and disturb endpoints on this machine."),
        "emulate": ("emulate", "Emulate Azure ML on this machine, for the real SDK."),
    },
    "Other": {
        "schema": ("schema", "Print the JSON Schema of plan files."),
        "completion": ("completion", "Print the completion script of a shell."),
        "version": ("version", "Print the version."),
    },
}
EXAMPLES = (
    "rollout validate plans/safe-rollout.yaml",
    "rollout plan plans/safe-rollout.yaml",
    "rollout apply plans/safe-rollout.yaml",
    "rollout status -w",
)


class Verbs(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Every command's name, as the help has them."""
        return [name for section in VERBS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        found = next((each[cmd_name] for each in VERBS.values() if cmd_name in each), None)
        if found is None:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"rollout.cli.{found[0]}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 - a test calls each
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or what may have been meant."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            import difflib  # noqa: PLC0415 - only for a wrong name

            near = difflib.get_close_matches(args[0], known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first."""
        write_examples(formatter, EXAMPLES)
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The commands by section."""
        for section, held in VERBS.items():
            with formatter.section(section):
                formatter.write_dl([(name, sentence) for name, (_, sentence) in held.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl(list(TABLE))
        formatter.write_paragraph()
        formatter.write_text("More on a command: rollout COMMAND -h")


@click.group(cls=Verbs, context_settings=HELP, invoke_without_command=True, params=shared())
@click.version_option(__version__, prog_name="rollout", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Declarative rollouts for machine-learning online endpoints."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return Exit.OK


def main() -> None:
    """Run the command that the process was called with."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Returns:
        The exit code; nothing is raised.
    """
    _harden()
    given = Given()
    try:
        code = cli.main(args=list(arguments), prog_name="rollout", standalone_mode=False, obj=given)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except SystemExit:  # click's own end where the reader of a help text has left
        return Exit.OK
    except Exception as error:  # noqa: BLE001 - the last line: no traceback reaches a user
        return _failed(error, arguments, given)
    return code if isinstance(code, int) else Exit.OK


def _failed(error: Exception, arguments: Sequence[str], given: Given) -> int:
    from rollout.cli.again import again  # noqa: PLC0415 - only where something failed
    from rollout.cli.failures import report  # noqa: PLC0415 - only where something failed

    verbose = "-v" in arguments or "--verbose" in arguments
    as_json = wants_json(arguments)
    return report(error, as_json=as_json, verbose=verbose, again=again(given))


def _harden() -> None:
    """A stream that is closed, or a character that one cannot carry, must not end a rollout."""
    # In the order of their numbers: each then gets its own descriptor back, and no journal or child
    # process ends up with one that is written to as a screen.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


if __name__ == "__main__":
    main()
