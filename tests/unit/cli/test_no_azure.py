"""Azure's libraries are heavy: nothing that needs no Azure loads them, of no plan's provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.startup import fill

REPOSITORY = Path(__file__).resolve().parents[3]
PLAN = "plans/azureml/safe-rollout.yaml"
ID = "01234567-89ab-cdef-0123-456789abcdef"
ENVIRONMENT = {
    "AZURE_SUBSCRIPTION_ID": ID,
    "AZURE_RESOURCE_GROUP": "rg-ml",
    "AZUREML_WORKSPACE": "mlw-prod",
    "LOG_ANALYTICS_WORKSPACE_ID": ID,
}
FOREIGN = ("azure", "msal", "msrest", "marshmallow", "aiohttp", "trustme")
PROBE = """
import json, sys
from rollout.cli.main import run
code = run(sys.argv[1:])
print("\\n" + json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(code: str, *words: str) -> tuple[int, set[str]]:
    """What a program ends with, and whose packages it has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=REPOSITORY,
        env={**os.environ, **ENVIRONMENT},
        check=True,
        capture_output=True,
        text=True,
    )
    ended, modules = json.loads(done.stderr.splitlines()[-1])
    return ended, {each.partition(".")[0] for each in modules}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
    fill(url)
    return url


@pytest.mark.parametrize(
    "module", ["rollout", "rollout.api", "rollout.cli.main", "rollout.wiring.plugs"]
)
def test_an_import_loads_no_library_of_azures(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps([0, [*sys.modules]]), file=sys.stderr)"

    assert not {*FOREIGN} & loaded(code)[1]


def test_reading_a_plan_for_azure_loads_no_library_of_azures() -> None:
    code = f"""
import json, sys
from rollout import api
assert api.read_plan({PLAN!r}).endpoint.provider == "azureml"
print(json.dumps([0, [*sys.modules]]), file=sys.stderr)
"""

    assert not {*FOREIGN} & loaded(code)[1]


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["version"],
        ["schema"],
        ["completion", "bash"],
        ["validate", PLAN],
        ["simulate", PLAN, "--seed", "1"],
        ["apply", "--help"],
        ["plan", "--help"],
    ],
    ids=" ".join,
)
def test_an_offline_command_loads_no_library_of_azures(words: list[str]) -> None:
    code, modules = loaded(PROBE, *words)

    assert code == 0
    assert not {*FOREIGN} & modules


@pytest.mark.parametrize("verb", ["status", "history", "show", "events", "verify", "diff"])
def test_looking_at_a_run_loads_no_library_of_azures(verb: str, state: str) -> None:
    _, modules = loaded(PROBE, verb, "--state", state)

    assert not {*FOREIGN} & modules
