from __future__ import annotations

import click
import pytest

from rollout.cli.main import VERBS, cli, run


def commands() -> list[tuple[str, ...]]:
    context = click.Context(cli, info_name="rollout")
    found: list[tuple[str, ...]] = []
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, sub) for sub in command.list_commands(context)]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_helps_with_an_example_first(
    words: tuple[str, ...], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, flag]) == 0

    page = capsys.readouterr().out.splitlines()
    assert page[0] == "Examples:"
    assert f"rollout {' '.join(words)}" in page[1]


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]], ids=str)
def test_the_front_page_has_every_command_and_every_exit_code(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0

    page = capsys.readouterr().out
    assert page.startswith("Examples:\n  rollout validate plans/safe-rollout.yaml\n")
    for section, held in VERBS.items():
        assert f"{section}:" in page
        assert all(f"\n  {name} " in page for name in held)
    assert "  130, 143 " in page


def test_the_short_sentence_of_a_command_is_that_of_its_own_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    context = click.Context(cli, info_name="rollout")
    for held in VERBS.values():
        for name in held:
            command = cli.get_command(context, name)
            assert command is not None
            assert command.name == name
            assert command.help


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert run(["version"]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first == second
