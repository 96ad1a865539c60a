"""The real command line in processes of its own, on the fake endpoint of ``plugin``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from rollout import api
from rollout.domain.run import Run
from rollout.runtime.journal import Entry
from tests.torture.plugin.torture_endpoint import QuickWorld, Steady

ROOT = Path(__file__).parents[2]
ROLLOUT = str(Path(sys.executable).with_name("rollout"))
PATIENCE = 120.0  # seconds for what does not take long, however busy the machine is
BOOT = round(time.time() - time.monotonic(), 3)  # noqa: TID251 - when the machine was started
LOOK = 0.05  # seconds between two looks
SOON = threading.Event()  # its wait is a sleep that no linter objects to

GATE = {
    "warm_up": "0s",
    "min_duration": "1s",
    "max_duration": "60s",
    "checks": [{"error_rate": {"max": "40%"}}],
}
SHIFTS = [
    {"preflight": {}},
    {"create": "candidate"},
    {"shift": "50%", "gate": "short"},
    {"shift": "100%", "gate": "short"},
]


@dataclass
class Shell:
    """A folder with a plan, an endpoint that is there already, and what a user types.

    Args:
        folder: The folder of the plan, and where commands run.
        state: ``--state``; empty: a file in the folder.
        more: Environment that the store needs.
    """

    folder: Path
    state: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.state or f"sqlite:///{self.folder}/state.db"
        fresh = not (self.folder / "world.db").exists()
        self.world = QuickWorld(Steady(BOOT), path=self.folder / "world.db", rps=50.0)
        if fresh:
            self.world.serve("blue")
        self.out = self.folder / "runner.out"

    def plan(self, stages: list[dict[str, object]] = SHIFTS, **changes: object) -> str:
        """A plan file; its name."""
        plan = {
            "apiVersion": "rollout/v1",
            "kind": "Rollout",
            "name": "torture",
            "endpoint": {"provider": "local", "name": self.name},
            "baseline": {"deployment": "blue"},
            "candidate": {
                "deployment": "green",
                "file": str(ROOT / "plans/green-deployment.yml"),
            },
            "requests": [{"data": [[1]]}],
            "gates": {"short": GATE},
            "stages": stages,
            **changes,
        }
        (self.folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        return "plan.yaml"

    @property
    def name(self) -> str:
        """The endpoint's name, unique among stores that are shared."""
        return (
            f"{self.folder.parent.name}-{self.folder.name}".replace("_", "-")
            .lower()[-30:]
            .strip("-")
        )

    @property
    def environment(self) -> dict[str, str]:
        paths = f"{ROOT / 'tests/torture/plugin'}{os.pathsep}{ROOT}"
        return {
            **os.environ,
            **self.more,
            "PYTHONPATH": paths,
            "TORTURE_WORLD": str(self.folder / "world.db"),
            "TORTURE_BOOT": repr(BOOT),
            "ROLLOUT_STATE": self.state,
            "NO_COLOR": "1",
        }

    def rollout(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [ROLLOUT, *words],
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(
        self, *words: str, before: tuple[str, ...] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        """Start a command and go on; ``before``: what starts it, ``more``: environment."""
        with self.out.open("ab") as said:
            process = subprocess.Popen(
                [*before, ROLLOUT, *words],
                cwd=self.folder,
                env={**self.environment, **more},
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self.running.append(process)
        return process

    def apply(self, plan: str = "plan.yaml", *more: str) -> subprocess.Popen[bytes]:
        """Start to apply the plan."""
        return self.start("apply", plan, "--auto-approve", *more)

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code of a command that was started."""
        return process.wait(PATIENCE)

    def said(self) -> str:
        """What the commands that were started wrote."""
        return self.out.read_text() if self.out.exists() else ""

    @property
    def settings(self) -> api.Settings:
        return api.Settings(state=self.state)

    def run(self) -> Run:
        """The open or newest run."""
        return api.status(settings=self.settings)

    def events(self) -> tuple[Entry, ...]:
        """Its events."""
        return api.events(settings=self.settings)

    def stage(self) -> str:
        """The present stage's id; empty before the run begins."""
        try:
            run = self.run()
        except api.RolloutError:
            return ""
        return run.stage.id if run.stage and not run.final else "over"

    def wait(self, what: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Until ``what`` is true; fails with what the runner said."""
        for _ in range(int(seconds / LOOK)):
            if what():
                return
            SOON.wait(LOOK)
        pytest.fail(f"not within {seconds} s: {self.said()[-3000:]}")

    def doubled(self) -> list[str]:
        """Requests to the endpoint that changed nothing."""
        return [f"{each.op} {each.arg}" for each in self.world.accepted if not each.changed]

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        self.world.close()
