"""The whole command line on a platform in memory, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rollout.cli.main import run
from rollout.domain.plan import Plan
from rollout.runtime.lease import Owner, acquire
from rollout.wiring import plugs
from tests.fakes.clock import FakeClock
from tests.fakes.endpoint import FakeEndpoint, World
from tests.fakes.store import FakeStore, Shelf

PLAN = """\
apiVersion: rollout/v1
kind: Rollout
name: churn-green
endpoint: {provider: local, name: churn}
baseline: {deployment: blue}
candidate: {deployment: green, file: green.yml}
requests: requests.jsonl
gates:
  canary:
    warm_up: 3s
    min_duration: 10s
    max_duration: 10m
    checks:
      - error_rate: {tolerance: 0.5pp, margin: 3pp}
      - latency_p95: {tolerance: 50%, margin: 150%}
stages:
  - create: candidate
  - smoke: {count: 3}
  - shift: 10%
    gate: canary
  - approve: {expires: 1d, author: true}
  - shift: 100%
on_failure: {verify: {within: 2m}}
"""
GREEN = """\
name: green
endpoint_name: churn
model: {path: model/}
code_configuration: {code: code/, scoring_script: score.py}
environment: {conda_file: conda.yaml}
instance_type: Standard_DS3_v2
instance_count: 1
"""


@dataclass
class Told:
    """What a command ended with, and what it wrote."""

    code: int
    out: str
    err: str


@dataclass
class Scene:
    """A folder with a plan, a platform on which blue serves, and a journal.

    Args:
        plan: The plan file.
    """

    folder: Path
    capture: pytest.CaptureFixture[str]
    clock: FakeClock = field(default_factory=FakeClock)
    shelf: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.world = World(self.clock)
        self.world.serve("blue")
        self.plan = self.folder / "plan.yaml"
        self.write(PLAN.replace("  - approve: {expires: 1d, author: true}\n", ""))

    def write(self, text: str) -> None:
        self.plan.write_text(text)
        (self.folder / "green.yml").write_text(GREEN)
        (self.folder / "requests.jsonl").write_text('{"data": [1]}\n')
        (self.folder / "model").mkdir(exist_ok=True)
        (self.folder / "code").mkdir(exist_ok=True)
        (self.folder / "code" / "score.py").write_text("def run(data): return [1]\n")
        (self.folder / "conda.yaml").write_text("dependencies: [python]\n")

    def call(self, *words: str) -> Told:
        self.capture.readouterr()
        code = run(words)
        out, err = self.capture.readouterr()
        return Told(code, out, err)

    def store(self) -> FakeStore:
        return FakeStore(now=self.clock.now, shelf=self.shelf)

    def occupy(self) -> None:
        """Another runner holds the lease, and shows signs of life."""
        them = Owner({"user": "bob", "host": "lab", "pid": 12}, lambda _: False)
        lease = acquire(self.store(), "fake/churn", them, self.clock, patience=0)

        def live() -> None:
            lease.renew()
            self.clock.after(4, live)

        live()

    def wire(self, patch: pytest.MonkeyPatch) -> None:
        """Let the command line find all this in place of the machine."""

        def endpoint(
            plan: Plan, *, home: Path, clock: FakeClock, start: bool = True
        ) -> FakeEndpoint:
            return FakeEndpoint(plan, self.world)

        me = {"user": "ada", "host": "desk", "pid": 4711}
        patch.setattr(plugs, "endpoint", endpoint)
        patch.setattr(plugs, "clock", lambda: self.clock)
        patch.setattr(plugs, "store", lambda url, create=True: self.store())
        patch.setattr(plugs, "owner", lambda: Owner(me, lambda _: False))
