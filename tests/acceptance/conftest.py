"""Acceptance tests: the real commands, Envoy and scoring servers, under an independent client."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from rollout import api
from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint, build
from rollout.runtime.journal import Entry
from tests.acceptance.traffic import Traffic

ROOT = Path(__file__).resolve().parents[2]
ROLLOUT = str(Path(sys.executable).with_name("rollout"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """See that a group of tests, which shares one endpoint, runs in one process.

    A worker marks a test's id with its group, and by that mark the tests are dealt out.
    """
    dealt = getattr(item.config.option, "loadgroup", False)
    if dealt and item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
        pytest.fail(
            "This test does not stay with its group: this pytest-xdist cannot mark the tests of "
            "this pytest. Install the versions of constraints.txt.",
            pytrace=False,
        )


@dataclass
class Site:
    """A folder of a user: plans, state, endpoints; and what a user types there."""

    folder: Path
    running: list[subprocess.Popen] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)  # environment of what is started

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "NO_COLOR": "1", "ROLLOUT_STATE": self.state}

    @property
    def state(self) -> str:
        return f"sqlite:///{self.folder / '.rollout/state.db'}"

    @property
    def settings(self) -> api.Settings:
        return api.Settings(state=self.state, home=self.folder / ".rollout/local")

    def rollout(self, *words: str, timeout: float = 850) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        self._note(words)
        return subprocess.run(
            [ROLLOUT, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen:
        """Start a command and go on."""
        self._note(words)
        with (self.folder / "runner.out").open("ab") as said:
            process = subprocess.Popen(
                [ROLLOUT, *words],
                cwd=self.folder,
                env={**self.environment, **self.more},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.running.append(process)
        return process

    def _note(self, words: tuple[str, ...]) -> None:
        self.plans += [word for word in words if word.startswith("plans/")]

    def change(self, plan: str, **changes: object) -> str:
        """A plan of the samples with other values; the new file's name."""
        data = yaml.safe_load((self.folder / plan).read_text())
        for path, value in changes.items():
            *way, last = path.split("__")
            at = data
            for step in way:
                at = at[int(step) if step.isdigit() else step]
            if value is None:
                at.pop(last, None)
            else:
                at[last] = value
        name = f"plans/changed-{len(self.plans)}-{Path(plan).name}"
        (self.folder / name).write_text(yaml.safe_dump(data, sort_keys=False))
        return name

    def quick(self, plan: str, **changes: object) -> str:
        """The plan without load of its own, on servers that two busy cores can bear."""
        light = {"environment_variables.FEATURE_STORE_MS": "2"}
        sets = {"baseline__set": {"instance_count": 2, **light}, "candidate__set": light}
        return self.change(plan, **{"load": None, **sets, **changes})

    def brief(self, plan: str, **changes: object) -> str:
        """As ``quick``, and its gates pass soon: for tests of something else than them."""
        gate = {
            "warm_up": "1s",
            "min_duration": "4s",
            "max_duration": "3m",
            "checks": [{"error_rate": {"max": "20%"}}],
        }
        gates = yaml.safe_load((self.folder / plan).read_text())["gates"]
        return self.quick(plan, gates={name: {**gate} for name in gates}, **changes)

    def endpoint(self, plan: str) -> LocalEndpoint:
        """The plan's endpoint, to be looked at."""
        value = api.read_plan(self.folder / plan, self.settings)
        return build(value, home=self.settings.home, clock=SystemClock())

    def rests(self, plan: str) -> tuple[dict[str, int], dict[str, int], set[str]]:
        """What the plan's endpoint has now: live shares, mirrored shares, deployments."""
        with closing(self.endpoint(plan)) as endpoint:
            seen = endpoint.observe()
        return dict(seen.traffic), dict(seen.mirror), set(seen.deployments)

    def traffic(self, plan: str, rps: float) -> Traffic:
        """An independent client of the plan's endpoint."""
        endpoint = self.endpoint(plan)
        uri = endpoint.scoring_uri
        assert uri is not None, "the endpoint is not up"
        port = int(uri.split(":")[2].split("/")[0])
        bodies = (self.folder / "plans/requests.jsonl").read_bytes().splitlines()
        return Traffic(port, endpoint.key_value(), bodies, rps)

    def run(self) -> api.Run:
        """The newest or open run."""
        return api.status(settings=self.settings)

    def events(self) -> tuple[Entry, ...]:
        """The newest run's events."""
        return api.events(settings=self.settings)

    def wait(self, what: Callable[[], object], seconds: float = 240) -> None:
        """Until ``what`` is true; fails with what the runner said."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if what():
                return
            time.sleep(0.05)
        said = self.folder / "runner.out"
        pytest.fail(f"not within {seconds} s: {said.read_text()[-3000:] if said.exists() else ''}")

    def stage(self) -> str:
        """The present stage's id; empty before the run begins."""
        try:
            run = self.run()
        except api.RolloutError:
            return ""
        return run.stage.id if run.stage and not run.final else "over"

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        for plan in dict.fromkeys(self.plans):
            if (self.folder / plan).exists():
                endpoint = self.endpoint(plan)
                endpoint.destroy()
                endpoint.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A fresh folder with the sample plans."""
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    made = Site(tmp_path)
    try:
        yield made
    finally:
        made.close()


def read_json(done: subprocess.CompletedProcess) -> dict:
    """What a command with ``-o json`` said."""
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
