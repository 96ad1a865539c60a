"""``make demo-azure``: the sample plan for Azure ML, carried out on its emulator; no subscription."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from rollout.wiring import plugs

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".rollout/demo-azure"
ROLLOUT = str(Path(sys.executable).with_name("rollout"))
PLAN = "plans/azureml/safe-rollout.yaml"
# The emulator has what happened within a second, Azure within ten minutes.
QUICK = {"delay": "1s", "least": "5s", "longest": "5m", "rps": "60"}
START_SECONDS = 30


def main() -> int:
    """Run it.

    Returns:
        The exit code of the rollout.
    """
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    emulator, environment = started()
    try:
        return carried_out(
            {**os.environ, **environment, "ROLLOUT_STATE": f"sqlite:///{PLACE}/state.db"}
        )
    finally:
        emulator.send_signal(signal.SIGTERM)
        emulator.wait()


def started() -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """The emulator, and what its clients need to know."""
    said = PLACE / "environment.json"
    print("Starting an Azure ML workspace on this machine ...", flush=True)
    command = [ROLLOUT, "emulate", "azureml", "--state", str(PLACE / "emulator"), "-o", "json"]
    with said.open("wb") as out, (PLACE / "emulator.log").open("wb") as err:
        emulator = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
    clock = plugs.clock()
    until = clock.monotonic() + START_SECONDS
    while clock.monotonic() < until and emulator.poll() is None:
        try:
            return emulator, json.loads(said.read_text())
        except ValueError:
            clock.sleep(0.1)
    emulator.kill()
    raise SystemExit(f"The emulator does not start. Read {PLACE / 'emulator.log'}.")


def carried_out(environment: dict[str, str]) -> int:
    """Look at the plan, then apply it."""
    quick = [word for name, value in QUICK.items() for word in ("--var", f"{name}={value}")]
    for words in (["doctor", PLAN], ["apply", PLAN, "--auto-approve"]):
        print(f"\n$ rollout {' '.join(words)}", flush=True)
        done = subprocess.run([ROLLOUT, *words, *quick], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            break
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
