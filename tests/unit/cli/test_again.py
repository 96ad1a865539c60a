"""Commands in messages work as printed: on the same run, with the same plan, in any shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from click import Command, Context, Group

from rollout.cli.exits import Exit
from rollout.cli.main import VERBS, cli
from rollout.report.again import TAKES, Again
from rollout.wiring import plugs
from tests.fakes.store import FakeStore, Shelf
from tests.unit.cli.scene import PLAN, Scene
from tests.unit.cli.test_apply import Terminal

OTHER = "sqlite:///other folder/s.db"
STATE = ("--state", OTHER)
VARIED = PLAN.replace("endpoint:", "variables: {share: null}\nendpoint:", 1).replace(
    "shift: 10%", "shift: ${var.share}"
)
VALUES = ("--var", "share=20%")


def commands() -> dict[str, Command]:
    """Every command there is, by its name as a message has it."""
    made: dict[str, Command] = {}
    for name in (name for section in VERBS.values() for name in section):
        command = cli.get_command(Context(cli), name)
        assert command is not None
        under = command.commands.items() if isinstance(command, Group) else ()
        made |= {f"{name} {each}": held for each, held in under} or {name: command}
    return made


def test_every_command_repeats_the_options_that_its_help_names() -> None:
    known = commands()
    names = {"state": "state", "home": "home", "var": "values"}

    assert set(TAKES) == set(known)
    for name, command in known.items():
        shown = {each.name for each in command.params if not getattr(each, "hidden", True)}
        assert {names[each] for each in shown & set(names)} <= set(TAKES[name]), name
        said = Again(state="S", home="H", values="V").completed(f"Go on: rollout {name} X. Then")
        words = [{"state": "S", "home": "H", "values": "V"}[each] for each in TAKES[name]]
        assert said == f"Go on: rollout {' '.join([name, *words])} X. Then"


@pytest.mark.parametrize(
    "text",
    [
        "Exported. Into another store: rollout state import a.jsonl --state URL",
        "Look: rollout status --state sqlite:///b.db, then on",
        "The rollout is over; a rollout tick-tocks",
    ],
)
def test_a_command_with_its_own_store_stays_as_it_is(text: str) -> None:
    assert Again(state="--state sqlite:///a.db").completed(text) == text


def test_only_the_command_that_names_its_store_keeps_it() -> None:
    text = "rollout force-unlock x. Or rollout state import a.jsonl --state URL"

    told = Again(state="--state sqlite:///a.db").completed(text)

    assert told == text.replace("unlock x", "unlock --state sqlite:///a.db x")


@pytest.mark.parametrize(
    ("words", "lead", "onward"),
    [
        (
            ("tick", "plan.yaml", "--auto-approve"),
            "Go on:",
            ["tick", "--state", OTHER, "plan.yaml"],
        ),
        (
            ("state", "prune", "--older-than", "1s", "--dry-run"),
            "Forget them:",
            ["state", "prune", "--state", OTHER, "--older-than", "1s"],
        ),
    ],
    ids=["tick", "prune"],
)
def test_what_a_store_was_named_for_stays_with_that_store(
    scene: Scene, stores: dict[str, FakeStore], words: list[str], lead: str, onward: list[str]
) -> None:
    if words[0] == "state":
        scene.call("apply", "plan.yaml", "--auto-approve", *STATE)
        scene.call("undo", *STATE)
        scene.clock.sleep(60.0)

    told = scene.call(*words, *STATE)

    assert command(told.out + told.err, lead) == onward


@pytest.fixture
def stores(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeStore]:
    """Each journal is a place of its own."""
    made: dict[str, FakeStore] = {}

    def store(url: str, create: bool = True) -> FakeStore:
        return made.setdefault(url, FakeStore(now=scene.clock.now, shelf=Shelf()))

    monkeypatch.setattr(plugs, "store", store)
    return made


def interrupt(scene: Scene) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), signal.SIGINT)


def command(text: str, lead: str) -> list[str]:
    """The words, as a shell has them, of the command behind ``lead``."""
    found = re.search(rf"{re.escape(lead)} rollout (.*?)(?: {{6}}exit \d+)?$", text, re.M)
    assert found, text
    return shlex.split(found[1])


def left(scene: Scene, *words: str) -> list[str]:
    """Begin a run at its approval, leave it, and what it says to go on with."""
    scene.clock.after(70, interrupt(scene))
    told = scene.call("apply", *words, "--auto-approve")
    assert told.code == Exit.INTERRUPTED, told
    return [told.out, told.err]


def test_go_on_finds_the_same_run_with_the_same_values(
    scene: Scene, stores: dict[str, FakeStore]
) -> None:
    scene.write(VARIED)
    scene.clock.after(36, interrupt(scene))

    told = scene.call("apply", "plan.yaml", *VALUES, *STATE, "--auto-approve")
    onward = command(told.out, "Go on:")
    scene.clock.after(300, lambda: scene.call("approve", *STATE))
    resumed = scene.call(*onward)

    assert told.code == Exit.INTERRUPTED
    assert resumed.code == 0, resumed
    assert len(json.loads(scene.call("history", *STATE, "-o", "json").out)) == 1
    assert list(stores) == [OTHER]


def test_a_home_and_a_file_of_values_are_repeated(scene: Scene) -> None:
    scene.write(VARIED)
    (scene.folder / "my values.yaml").write_text("share: 20%\n")
    words = ("plan.yaml", "--var-file", "my values.yaml", "--home", "/some where")
    scene.clock.after(36, interrupt(scene))

    told = scene.call("apply", *words, "--auto-approve")

    onward = command(told.out, "Go on:")
    assert ("--var-file", "my values.yaml") in pairwise(onward)
    assert ("--home", "/some where") in pairwise(onward)


def test_what_the_environment_says_is_not_repeated(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLOUT_STATE", OTHER)
    scene.clock.after(36, interrupt(scene))

    told = scene.call("apply", "plan.yaml", "--auto-approve")

    assert command(told.out, "Go on:") == ["apply", "plan.yaml"]


def test_commands_about_a_run_name_its_journal(scene: Scene, stores: dict[str, FakeStore]) -> None:
    scene.write(PLAN)
    out, _ = left(scene, "plan.yaml", *STATE)

    status, show = scene.call("status", *STATE), scene.call("show", *STATE)
    approved = scene.call("approve", *STATE)

    assert f"Approve: rollout approve --state '{OTHER}' r-" in out
    assert status.out.count(f"rollout approve --state '{OTHER}' r-") == 2  # the tree, the last line
    assert command(approved.err, "go on:") == ["apply", "--state", OTHER, "plan.yaml"]
    assert f"rollout show --state '{OTHER}' r-" in scene.call("history", *STATE).err
    assert f"rollout approve --state '{OTHER}' r-" in show.out


def test_an_error_names_the_journal_too(scene: Scene, stores: dict[str, FakeStore]) -> None:
    scene.write(PLAN)
    left(scene, "plan.yaml", *STATE)

    assert f"rollout status --state '{OTHER}' r-" in scene.call("resume", *STATE).err


@pytest.mark.parametrize("verb", ["approve", "status", "resume"])
def test_a_file_with_a_blank_is_quoted(scene: Scene, verb: str) -> None:
    scene.write(PLAN)
    scene.plan = scene.plan.rename(scene.folder / "my plan.yaml")
    out, _ = left(scene, "my plan.yaml")
    scene.call("pause")
    if verb != "resume":
        scene.call("resume")
    if verb == "status":
        scene.call("approve")

    told = scene.call(verb)

    assert "Approve: rollout approve r-" in out
    lead = "Go on:" if verb == "status" else "go on:"
    assert command(told.out + told.err, lead) == ["apply", "my plan.yaml"]


def test_a_driven_run_is_watched_and_not_applied(scene: Scene) -> None:
    scene.write(PLAN)
    left(scene, "plan.yaml")
    scene.call("approve")
    alone = scene.call("status").out.splitlines()[-1]
    scene.occupy()

    driven = [scene.call(verb).out.splitlines()[-1] for verb in ("status", "show")]

    assert alone.startswith("Go on: rollout apply")
    assert all(re.fullmatch(r"Watch: rollout status -w r-[0-9a-f]{8}", each) for each in driven)


def test_a_declined_again_is_repeated(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(PLAN.replace("  - approve: {expires: 1d, author: true}\n", ""))
    assert scene.call("apply", "plan.yaml", "--auto-approve").code == 0
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    monkeypatch.setattr(sys, "stderr", screen := Terminal())

    assert scene.call("apply", "plan.yaml", "--again").code == Exit.ABORTED

    assert screen.getvalue().endswith("Apply it: rollout apply plan.yaml --again\n")


def test_who_is_in_the_way_is_named_with_its_run(scene: Scene) -> None:
    scene.write(PLAN)
    left(scene, "plan.yaml")
    scene.occupy()

    told = scene.call("apply", "plan.yaml", "--auto-approve")

    assert told.code == Exit.LOCKED
    assert re.search(r"bob@lab pid 12 is driving r-[0-9a-f]{8} of churn-green now\.", told.err)
    assert re.search(r"Watch it: rollout status -w r-[0-9a-f]{8}\. Or wait", told.err)
    assert command(told.err, "Or wait for it:") == ["apply", "plan.yaml", "--lock-timeout", "10m"]


def test_a_left_undo_goes_on_as_an_undo(scene: Scene) -> None:
    scene.write(PLAN.replace("  - approve: {expires: 1d, author: true}\n", ""))
    assert scene.call("apply", "plan.yaml", "--auto-approve").code == 0
    scene.clock.after(1, interrupt(scene))

    told = scene.call("undo")

    assert told.code == Exit.INTERRUPTED
    assert scene.call("status").out.splitlines()[-1].startswith("Go on: rollout undo r-")
    assert scene.call(*command(scene.call("status").out, "Go on:")).code in (0, Exit.ABORTED)
    assert scene.world.splits[-1] == "blue 100"


def test_who_only_looks_is_told_the_values_that_the_run_was_given(scene: Scene) -> None:
    scene.write(VARIED)
    left(scene, "plan.yaml", *VALUES)

    approved = scene.call("approve")
    looked = scene.call("status")

    for onward in (command(approved.err, "go on:"), command(looked.out, "Go on:")):
        assert onward == ["apply", "plan.yaml", *VALUES]
    assert scene.call(*onward, "--auto-approve").code == 0
