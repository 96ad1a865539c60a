"""``local``, ``schema``, ``completion``, and the options that go anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from rollout import api
from rollout.cli.exits import Exit
from rollout.cli.options import Given
from rollout.cli.settings import settings
from rollout.wiring import localhost, plugs
from tests.unit.cli.scene import Scene


class Machine:
    """What the wiring knows of local endpoints."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.there = [
            SimpleNamespace(
                name="churn",
                scoring_uri="http://127.0.0.1:8700/score",
                up=True,
                traffic={"blue": 100},
                mirror={"green": 10},
                deployments={"blue": 1, "green": 1},
            )
        ]

    def wire(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(localhost, "up", self.up)
        patch.setattr(localhost, "endpoints", lambda home: self.there)
        patch.setattr(localhost, "down", lambda name, home: self.calls.append(("down", name)))
        patch.setattr(localhost, "processes", self.processes)
        patch.setattr(localhost, "fault", self.fault)
        patch.setattr(localhost, "key", lambda name, home: f"key of {name}")
        patch.setattr(localhost, "clients", self.clients)

    def up(self, plan: api.Plan, *, home: Path, told: object) -> str:
        self.calls.append(("up", plan.endpoint.name, str(home)))
        return "http://127.0.0.1:8700/score"

    def processes(self, name: str, *, home: Path) -> list[SimpleNamespace]:
        common = {"state": "ready", "restarts": 0}
        return [
            SimpleNamespace(role="envoy", deployment=None, pid=7, port=8700, memory=0, **common),
            SimpleNamespace(role="server", deployment="blue", pid=8, port=1, memory=9e7, **common),
        ]

    def fault(self, name: str, **fault: object) -> None:
        self.calls.append(
            (name, fault["kind"], fault["deployment"], fault["percent"], fault["seconds"])
        )

    @contextmanager
    def clients(self, plan: api.Plan, home: Path, rps: float) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(stats=lambda: SimpleNamespace(sent=int(rps) * 10, failed=1))


@pytest.fixture
def machine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    made.wire(monkeypatch)
    return made


def test_up_prints_where_clients_send(scene: Scene, machine: Machine) -> None:
    told = scene.call("local", "up", "plan.yaml", "--home", "/somewhere")

    assert told.out == "http://127.0.0.1:8700/score\n"
    assert told.err.endswith("rollout apply --home /somewhere plan.yaml\n")
    assert machine.calls == [("up", "churn", "/somewhere")]


def test_ps_lists_endpoints_and_processes(scene: Scene, machine: Machine) -> None:
    assert "churn     up  blue 100, mirror green 10  http" in scene.call("local", "ps").out
    assert json.loads(scene.call("local", "ps", "-o", "json").out)[0]["traffic"] == {"blue": 100}
    assert (
        "server  blue        8    ready  1     0         90 MB"
        in scene.call("local", "ps", "churn").out
    )
    machine.there = []
    assert scene.call("local", "ps").out == ""


def test_down_takes_a_name_or_all(scene: Scene, machine: Machine) -> None:
    assert scene.call("local", "down", "other").code == 0
    assert scene.call("local", "down", "--all").code == 0
    assert machine.calls == [("down", "other"), ("down", "churn")]


def test_faults_are_passed_on(scene: Scene, machine: Machine) -> None:
    words = ("local", "fault", "churn", "--kind", "delay", "--deployment", "green")

    assert scene.call(*words, "--percent", "20", "--for", "300ms").code == 0
    assert scene.call("local", "fault", "churn", "--kind", "kill-envoy").code == 0
    assert scene.call("local", "fault", "churn", "--kind", "error").code == Exit.USAGE
    assert machine.calls == [
        ("churn", "delay", "green", 20.0, 0.3),
        ("churn", "kill-envoy", None, 100.0, 0.0),
    ]


def test_load_tells_what_came_of_it(scene: Scene, machine: Machine) -> None:
    told = scene.call("local", "load", "plan.yaml", "--rps", "20", "--for", "10s")

    assert told.out == "200 sent, 1 failed\n"
    assert scene.clock.monotonic() >= 10


def test_a_key_is_data(scene: Scene, machine: Machine) -> None:
    assert scene.call("local", "key", "churn").out == "key of churn\n"


def test_the_schema_is_the_published_one(scene: Scene) -> None:
    data = json.loads(scene.call("schema").out)

    assert data["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(scene: Scene, shell: str) -> None:
    assert "_ROLLOUT_COMPLETE" in scene.call("completion", shell).out


def test_the_word_after_the_verb_outranks_that_before_it_and_the_environment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def store(url: str, create: bool = True) -> object:
        seen.append(url)
        return scene.store()

    monkeypatch.setattr(plugs, "store", store)
    monkeypatch.setenv("ROLLOUT_STATE", "sqlite:///env.db")
    scene.call("history")
    scene.call("--state", "sqlite:///a.db", "history")
    scene.call("--state", "sqlite:///a.db", "history", "--state", "sqlite:///b.db")

    assert seen == ["sqlite:///env.db", "sqlite:///a.db", "sqlite:///b.db"]


def test_variables_of_the_call_outrank_those_of_files(tmp_path: Path) -> None:
    file = tmp_path / "vars.yaml"
    file.write_text("one: 010\ntwo: true\nthree: 'on'\n")
    given = Given(files=[str(file)], variables={"one": "x"})

    assert dict(settings(given).variables) == {"one": "x", "two": "true", "three": "on"}


@pytest.mark.parametrize(
    "words",
    [
        ("local", "up", "plan.yaml"),
        ("local", "down", "--all"),
        ("local", "fault", "churn", "--kind", "kill-envoy"),
        ("local", "key", "churn"),
        ("local", "load", "plan.yaml", "--for", "1s"),
        ("version",),
        ("logs", "blue", "plan.yaml"),
    ],
    ids=" ".join,
)
def test_every_object_has_an_outcome(
    scene: Scene, machine: Machine, words: tuple[str, ...]
) -> None:
    assert json.loads(scene.call(*words, "-o", "json").out)["outcome"] == "done"


def test_a_comparison_has_an_outcome(scene: Scene) -> None:
    scene.call("apply", "plan.yaml", "--auto-approve")

    assert json.loads(scene.call("diff", "-o", "json").out)["outcome"] == "nothing_compared"
