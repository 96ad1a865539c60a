"""Runners on the Azure adapter that can be killed at any of its calls.

The main program keeps an interpreter in which Azure's SDK is imported: for each line of JSON on its
standard input it forks a process that applies a plan, and answers with a line of JSON once that
process is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from rollout import api
from rollout.adapters.endpoints.azureml import sdk, seeing
from rollout.adapters.endpoints.azureml.endpoint import AzureEndpoint
from rollout.ports.observer import Notice

READS = ("observe", "preflight", "probe", "logs", "cursor", "read", "history")
ENDED = 7  # the exit status of a process that was not killed


class Marks:
    """Where a runner stands, told at each call of the adapter.

    Args:
        kill_at: The label at which the process dies, the first time it stands there; empty: never.
    """

    def __init__(self, kill_at: str) -> None:
        self.kill_at = kill_at
        self.labels: list[str] = []
        self.where = "start"

    def saw(self, notice: Notice) -> None:
        run = notice.run
        stage = run.stage.id if run.stage else "end"
        self.where = f"{run.phase.value}/{stage}/{run.step.value}"

    def at(self, what: str) -> None:
        label = f"{self.where}/{what}"
        if label not in self.labels:
            self.labels.append(label)
        if label == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def marked(marks: Marks) -> None:
    """Every call of the adapter tells where it is once it is over; orders also from inside."""

    def wrap(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(self: AzureEndpoint, *given: Any, **named: Any) -> Any:
            order = type(given[0]).__name__ if name == "perform" else ""
            try:
                return call(self, *given, **named)
            finally:
                marks.at(f"after {order or name}")

        return called

    for name in (*READS, "perform"):
        setattr(AzureEndpoint, name, wrap(name, getattr(AzureEndpoint, name)))
    marked_wire(marks)


def marked_wire(marks: Marks) -> None:
    """Inside an order: before a change leaves, once it was taken, and in the middle of uploads."""
    wire = import_module("rollout.adapters.endpoints.azureml.wire")
    send = wire.Wire.send

    def sent(self: Any, request: Any, **named: Any) -> Any:
        kind = request.url.partition("?")[0].rstrip("/").split("/")[-2]
        change = request.method in ("PUT", "DELETE") or "startPendingUpload" in request.url
        if change:
            marks.at(f"{request.method} {kind} leaves")
        try:
            return send(self, request, **named)
        finally:
            if change:
                marks.at(f"{request.method} {kind} answered")

    wire.Wire.send = sent


def run(plan: str, state: str, kill_at: str) -> dict[str, object]:
    """Apply the plan to its end, or to the label."""
    marks = Marks(kill_at)
    marked(marks)
    AzureEndpoint.pace = 0.15  # the emulator answers at once
    seeing.CONFIRM_SECONDS = 0.1
    settings = api.Settings(state=state, home=Path(plan).parent / "local")
    done = api.apply(plan, settings, observer=marks)
    return {"labels": marks.labels, "code": done.code, "outcome": done.outcome}


def forked(plan: str, state: str, kill_at: str) -> dict[str, object]:
    """What became of a process of its own: its signal, or what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(run(plan, state, kill_at)).encode())
            os._exit(ENDED)
        except BaseException as error:  # noqa: BLE001 - the last line of a process
            os.write(2, f"{plan} {kill_at}: {error!r}\n".encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return {"status": os.WEXITSTATUS(status), **(json.loads(said) if said else {})}


def main() -> None:
    """Serve until the input ends."""
    sdk.ready()
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(forked(**wanted)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
