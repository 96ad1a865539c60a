"""The options that every command takes, before or after its name, and commands that show examples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from click.core import ParameterSource

from rollout.domain.addresses import refuse_secrets

FORMS = ("text", "table", "json", "yaml", "none")
PLACES = ("auto", "github", "azure", "none")
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_UNSAID = (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


@dataclass
class Given:
    """The shared options as a person gave them, wherever in the command line.

    Args:
        state: URL of the store; None: the default.
        home: Folder of the local endpoints; None: the default.
        variables: Values for the plan's variables, by name.
        files: Files with such values; ``variables`` outrank them.
        output: ``text``, ``json``, ``yaml`` or ``none``.
        log_format: ``text`` or ``json`` for event lines with fields; None: a tree or sentences.
        ci: Whose agent runs this: ``auto``, ``github``, ``azure``, ``none``.
        color: Whether colours are allowed.
        input: Whether questions are allowed.
        spoken: Names of those that were said as options, not by the environment.
    """

    state: str | None = None
    home: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    output: str = "text"
    quiet: bool = False
    verbose: bool = False
    log_format: str | None = None
    ci: str = "auto"
    color: bool = True
    input: bool = True
    spoken: set[str] = field(default_factory=set)


class Verb(click.Command):
    """A command whose help begins with examples, and that takes the shared options too.

    Args:
        examples: Whole command lines.
        shows: Which of the shared options its help names.
        own: Which of the shared options it defines itself.
    """

    def __init__(
        self,
        name: str | None,
        *,
        examples: Sequence[str] = (),
        shows: Collection[str] = ("output",),
        own: Collection[str] = (),
        params: list[click.Parameter] | None = None,
        **rest: Any,
    ) -> None:
        inherited = shared(shows=shows, without=own)
        attributes = {"context_settings": HELP, **rest}
        super().__init__(name, params=[*(params or ()), *inherited], **attributes)
        self.examples = tuple(examples)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first."""
        write_examples(formatter, self.examples)
        super().format_help(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the rest of the options is told."""
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("Options for every command, and the exit codes: rollout -h")


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """The first lines of a help text."""
    with formatter.section("Examples"):
        for each in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{each}\n")
    formatter.write_paragraph()


def verb(
    *examples: str, shows: Collection[str] = ("output",), own: Collection[str] = ()
) -> Callable[[Callable[..., int]], Verb]:
    """Makes a function a command; it takes ``Given`` first and returns the exit code.

    Args:
        examples: Whole command lines, the commonest first.
        shows: Which of the shared options its help names.
        own: Which of the shared options it defines itself.
    """

    def made(function: Callable[..., int]) -> Verb:
        first = click.make_pass_decorator(Given, ensure=True)
        making = click.command(cls=Verb, examples=examples, shows=shows, own=own)
        return making(first(function))

    return made


def shared(
    *, shows: Collection[str] | None = None, without: Collection[str] = ()
) -> list[click.Parameter]:
    """The shared options.

    Args:
        shows: Names of those that the help names; None: all, with their environment variables.
        without: Names of those to leave out.
    """
    root = shows is None
    made: list[click.Parameter] = []
    for name, (flags, attributes) in _SHARED.items():
        if name in without:
            continue
        fitting = {key: value for key, value in attributes.items() if root or key != "envvar"}
        hidden = shows is not None and name not in shows
        made.append(
            click.Option(
                [*flags, name], expose_value=False, callback=_keep, hidden=hidden, **fitting
            )
        )
    return made


_Attributes = Mapping[str, Any]
_SHARED: Mapping[str, tuple[Sequence[str], _Attributes]] = {
    "state": (
        ["--state"],
        {
            "metavar": "URL",
            "envvar": "ROLLOUT_STATE",
            "help": "Where journals are kept. [ROLLOUT_STATE; sqlite:///.rollout/state.db]",
        },
    ),
    "home": (
        ["--home"],
        {
            "metavar": "DIR",
            "envvar": "ROLLOUT_HOME",
            "help": "Folder of the local endpoints. [ROLLOUT_HOME; .rollout/local]",
        },
    ),
    "var": (
        ["--var"],
        {"metavar": "K=V", "multiple": True, "help": "A value for one of the plan's variables."},
    ),
    "var_file": (
        ["--var-file"],
        {"metavar": "FILE", "multiple": True, "help": "A YAML or JSON file of such values."},
    ),
    "output": (
        ["-o", "--output"],
        {"type": click.Choice(FORMS), "metavar": "FORM", "help": "text, json, yaml or none."},
    ),
    "quiet": (["-q", "--quiet"], {"is_flag": True, "help": "Results and errors only."}),
    "verbose": (
        ["-v", "--verbose"],
        {"is_flag": True, "help": "Also what runners do for themselves."},
    ),
    "log_format": (
        ["--log-format"],
        {
            "type": click.Choice(["text", "json"]),
            "help": "Event lines with names and fields in place of the tree or the sentences.",
        },
    ),
    "ci": (
        ["--ci"],
        {
            "type": click.Choice(PLACES),
            "help": "Also write the outcome as this system reads it. [auto]",
        },
    ),
    "no_color": (["--no-color"], {"is_flag": True, "help": "No colours. [NO_COLOR]"}),
    "no_input": (["--no-input"], {"is_flag": True, "help": "Ask nothing; fail with 64 instead."}),
}


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> object:
    """Note what was said; what was not said leaves the word before the verb as it is."""
    name = param.name or ""
    source = ctx.get_parameter_source(name)
    if source not in _UNSAID and not ctx.resilient_parsing:
        given = ctx.ensure_object(Given)
        _note(given, name, value)
        if source is ParameterSource.COMMANDLINE:
            given.spoken.add(name)
    return value


def _note(given: Given, name: str, value: object) -> None:
    match name, value:
        case "var", tuple():
            given.variables.update(_pair(each) for each in value)
        case "var_file", tuple():
            given.files += value
        case "state", str():
            refuse_secrets(value)  # before it is kept, because messages repeat what is kept
            given.state = value
        case "output", str():
            given.output = "text" if value == "table" else value
        case "no_color" | "no_input", _:
            setattr(given, name.removeprefix("no_"), False)
        case _:
            setattr(given, name, value)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise click.BadParameter(f"{text!r} is not of the form name=value.", param_hint="--var")
    return name.strip(), value


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the words of a command line ask for JSON, even if they cannot be parsed."""
    joined = " ".join(arguments)
    return any(
        form in f" {joined} "
        for form in (" -o json ", " -ojson ", " --output json ", " --output=json ")
    )
