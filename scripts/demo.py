"""`make demo`: a good candidate promoted and a bad one rolled back, before your eyes.

Everything is real: Envoy, scoring servers, sample models, and clients that send requests all the
time. It runs the same commands that you would type, and removes its endpoint in the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rollout import api
from rollout.domain.events import Measured
from rollout.domain.verdict import Judgement, Verdict
from rollout.ports.clock import Clock
from rollout.wiring import localhost, plugs

ROOT = Path(__file__).resolve().parent.parent
GOOD, BAD = "plans/demo-good.yaml", "plans/demo-bad.yaml"
RPS = 80.0
HOME = ROOT / ".rollout/demo"  # apart from your own runs, and new each time
STATE = f"sqlite:///{HOME}/state.db"
ENVIRONMENT = {**os.environ, "ROLLOUT_STATE": STATE, "ROLLOUT_HOME": str(HOME / "local")}
SETTINGS = api.Settings(state=STATE, home=HOME / "local")
ROLLOUT = [str(Path(sys.executable).with_name("rollout"))]
ROLLED_BACK = 10  # the exit code of a verified rollback


@dataclass(frozen=True, slots=True)
class Part:
    """One rollout of the demo: what was expected of it, and what came."""

    plan: str
    code: int
    seconds: float
    sent: int
    failed: int
    run: api.Run


def main() -> int:
    """Run the demo; 0 only if both rollouts ended as they should and no client was failed."""
    clock = plugs.clock()
    begun = clock.monotonic()
    _say("A local endpoint with real scoring servers, blue serving all of the traffic")
    _rollout("local", "down", "--all", quiet=True)
    shutil.rmtree(HOME, ignore_errors=True)
    if _rollout("local", "up", GOOD) != 0:
        return 1
    try:
        with localhost.clients(api.read_plan(ROOT / GOOD), SETTINGS.home, RPS) as clients:
            _say(f"Clients send {RPS:.0f} requests a second from here on.  1/2: a good candidate")
            good = _part(GOOD, clients, clock)
            _say("2/2: a candidate that fails on every fifth real request")
            bad = _part(BAD, clients, clock)
    finally:
        _rollout("destroy", GOOD, "--auto-approve", "-q", quiet=True)
    return _summary(good, bad, clock.monotonic() - begun)


def _part(plan: str, clients: localhost.Clients, clock: Clock) -> Part:
    before, begun = clients.stats(), clock.monotonic()
    code = _rollout("apply", plan, "--auto-approve")
    seconds = clock.monotonic() - begun
    clock.sleep(1.0)  # answers under way are counted too
    after = clients.stats()
    return Part(
        plan,
        code,
        seconds,
        after.sent - before.sent,
        after.failed - before.failed,
        api.status(settings=SETTINGS),
    )


def _summary(good: Part, bad: Part, seconds: float) -> int:
    fine = good.code == 0 and good.failed == 0 and bad.code == ROLLED_BACK
    _say(f"Done in {seconds:.0f} s")
    for part, name in ((good, "good candidate"), (bad, "bad candidate ")):
        exposed = part.run.exposure
        print(
            f"  {name}  {part.run.phase.value:<12} {part.seconds:4.0f} s  "
            f"{part.sent:>6,} requests, {part.failed} failed for clients; the candidate answered "
            f"{exposed.requests:,} live, {exposed.errors} badly"
        )
    print("\n  What the gates saw:")
    for part in (good, bad):
        for judgement in _last_words(part.run.id):
            print(
                f"    {part.run.id}  {judgement.gate:<7} {judgement.verdict.value:<5} {judgement.reason}"
            )
    print(
        "\n  Try next:\n"
        f"    export ROLLOUT_STATE=sqlite:///.rollout/demo/state.db\n"
        f"    .venv/bin/rollout show {bad.run.id}        why it was rolled back\n"
        f"    .venv/bin/rollout events {good.run.id}      everything that happened to the good one\n"
        "    README.md                              five minutes, step by step\n"
    )
    if not fine:
        print(json.dumps({"good": good.code, "bad": bad.code, "failed": good.failed}))
        print("  That is not what should have come out: 0, 10 and 0. Please report it.")
    return 0 if fine else 1


def _last_words(run_id: str) -> list[Judgement]:
    """The deciding judgement of each gate of a run, in order."""
    said = [
        entry.event.judgement
        for entry in api.events(run_id, SETTINGS)
        if isinstance(entry.event, Measured)
        and entry.event.judgement.verdict in (Verdict.PASS, Verdict.FAIL)
    ]
    return list({judgement.gate: judgement for judgement in said}.values())


def _rollout(*words: str, quiet: bool = False) -> int:
    where = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        [*ROLLOUT, *words], cwd=ROOT, env=ENVIRONMENT, check=False, stdout=where, stderr=where
    ).returncode


def _say(text: str) -> None:
    print(f"\n── {text} ".ljust(100, "─"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
