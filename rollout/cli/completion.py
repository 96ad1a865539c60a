"""``rollout completion``: the script that a shell sources."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from rollout.cli.exits import Exit
from rollout.cli.main import cli
from rollout.cli.options import Given, verb
from rollout.cli.output import write


@verb(
    'eval "$(rollout completion bash)"                (in ~/.bashrc)',
    'eval "$(rollout completion zsh)"                 (in ~/.zshrc)',
    "rollout completion fish > ~/.config/fish/completions/rollout.fish",
    shows=(),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(_: Given, shell: str) -> int:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choices are click's own
    write(sys.stdout, found(cli, {}, "rollout", "_ROLLOUT_COMPLETE").source())
    return Exit.OK
