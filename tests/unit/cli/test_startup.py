"""What a command imports: nothing that only another one needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rollout.cli.main
from benchmarks.startup import fill
from rollout.cli import start
from rollout.cli.exits import Exit

REPOSITORY = Path(__file__).resolve().parents[3]
HEAVY = ("rich", "structlog", "httpx", "psutil", "envoy", "azureml_inference_server_http")
PLANS = ("yaml", "jsonschema", "rollout.planfile")
PROVIDERS = ("rollout.adapters.endpoints.local.endpoint",)
RUNNERS = ("rollout.runtime.drive", "rollout.gates", "rollout.stats")

PROBE = """
import json, sys
from rollout.cli.main import run
code = run(sys.argv[1:])
print("\\n" + json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
    fill(url)
    return url


def test_help_and_version_import_nothing_but_click() -> None:
    for words in (["--help"], ["version"]):
        unwanted = {*HEAVY, *PLANS, *PROVIDERS, *RUNNERS, "sqlite3", "rollout.api"}
        assert not unwanted & imported(*words)


def test_an_interrupt_before_the_command_begins_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rollout.cli.main, "main", interrupted)

    with pytest.raises(SystemExit) as ended:
        start.main()

    assert ended.value.code == Exit.INTERRUPTED == start.INTERRUPTED


def test_validate_imports_no_runner() -> None:
    modules = imported("validate", "plans/safe-rollout.yaml")

    assert not {*HEAVY, *PROVIDERS, *RUNNERS, "sqlite3", "rollout.runtime.journal"} & modules
    assert {"yaml", "jsonschema"} <= modules


@pytest.mark.parametrize("verb", ["status", "history"])
def test_looking_imports_neither_plans_nor_runners(verb: str, state: str) -> None:
    assert not {*HEAVY, *PLANS, *PROVIDERS, *RUNNERS} & imported(verb, "--state", state)
