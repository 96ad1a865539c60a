"""What is found before the first write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rollout.domain.endpoint import CreateEndpoint
from tests.acceptance.local.world import World, perform


def findings(world: World) -> dict[str, tuple[bool, str]]:
    return {one.name: (one.ok, one.text) for one in world.endpoint().preflight()}


def test_a_good_plan_has_only_good_findings_and_writes_nothing(world: World) -> None:
    found = findings(world)

    assert list(found) == [
        "envoy", "port", "baseline files", "baseline interpreter", "candidate files",
        "candidate interpreter",
    ]  # fmt: skip
    assert [text for ok, text in found.values() if not ok] == []
    assert "Without meaning here: environment, instance_type." in found["candidate files"][1]
    assert not world.home.exists()


def test_a_deployment_that_cannot_run_is_found(world: World) -> None:
    world.write("green", model="azureml:credit:3")

    ok, text = findings(world)["candidate files"]

    assert not ok
    assert "asset in the cloud" in text


def test_a_script_that_is_no_python_is_found(world: World) -> None:
    world.write("green", "def init(:\n")

    ok, text = findings(world)["candidate interpreter"]

    assert not ok
    assert "SyntaxError" in text


def test_an_interpreter_without_the_inference_server_is_found(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -I -S "$@"\n')
    bare.chmod(0o755)
    world = make_world(python={"green": str(bare)})
    world.write("blue")
    world.write("green")

    found = findings(world)

    assert found["baseline interpreter"][0]
    assert not found["candidate interpreter"][0]
    assert "-m pip install azureml-inference-server-http" in found["candidate interpreter"][1]


def test_another_port_than_the_endpoint_has_is_found(world: World) -> None:
    perform(world.endpoint(), CreateEndpoint())
    world.options["port"] = 9321

    ok, text = findings(world)["port"]

    assert not ok
    assert "the plan wants 9321" in text
