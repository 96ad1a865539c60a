"""What can be checked before the first write to a local endpoint."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rollout.adapters.endpoints.local import gateway, listeners, ports
from rollout.adapters.endpoints.local.desired import PLAN
from rollout.adapters.endpoints.local.folder import Folder, read_json, replace_json
from rollout.adapters.endpoints.local.options import Options
from rollout.adapters.endpoints.local.processes import inherited
from rollout.adapters.endpoints.local.specification import (
    Specification,
    file_findings,
    read_deployment,
)
from rollout.adapters.endpoints.local.xds import Config, Layout
from rollout.domain.errors import EndpointError, EndpointRefused
from rollout.domain.plan import DeploymentRef, Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.endpoint import Answer, Finding

_SECONDS = 10.0
_OK = 200
_NEEDED = "azureml_inference_server_http"
_NO_SERVER = 3
# Asked of the deployment's own interpreter, which may be another version than ours.
_LOOK = f"""
import importlib.util, sys
if importlib.util.find_spec({_NEEDED!r}) is None:
    sys.exit({_NO_SERVER})
with open(sys.argv[1], "rb") as file:
    compile(file.read(), sys.argv[1], "exec")
"""


def preflight(
    plan: Plan, options: Options, folder: Folder, *, probe: Callable[[bytes], Answer | None]
) -> tuple[Finding, ...]:
    """All checks, each with its finding.

    Args:
        plan: The plan to be carried out.
        options: The plan's options for this provider.
        folder: Of the endpoint; it may not exist.
        probe: Sends a request to the baseline; None: it does not serve.
    """
    desired = read_json(folder.desired)
    found = [_envoy(), _port(options) if desired is None else _same_port(plan, options, desired)]
    for role in (BASELINE, CANDIDATE):
        found += _deployment(role, plan.deployment(role), options)
    if desired is not None and plan.requests:
        found += _request(plan, probe)
    return tuple(found)


def _envoy() -> Finding:
    with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
        place = Path(folder)
        layout = Layout(0, place, place / "access.jsonl", place / "a.sock", place / "s.sock")
        bootstrap = place / "bootstrap.json"
        replace_json(bootstrap, listeners.bootstrap(layout))
        for name, resources in gateway.files_of(Config(), layout).items():
            replace_json(place / name, {"version_info": "1", "resources": resources})
        try:
            command = gateway.command(bootstrap, validate=True)
            done = _run(command)
        except EndpointRefused as error:
            return Finding("envoy", ok=False, text=str(error))
        except (OSError, subprocess.TimeoutExpired) as error:
            return Finding("envoy", ok=False, text=f"Envoy cannot be run: {error}.")
    if done.returncode:
        said = gateway.last_complaint(done.stderr)
        text = f"Envoy does not take our configuration: {said}. Install the version we pin."
        return Finding("envoy", ok=False, text=text)
    return Finding("envoy", ok=True, text="Envoy starts.")


def _port(options: Options) -> Finding:
    if options.port is not None and ports.is_taken(options.port):
        text = (
            f"Port {options.port} is taken by another program. "
            "Free it, or write endpoint.port: auto in the plan."
        )
        return Finding("port", ok=False, text=text)
    text = "A port will be chosen." if options.port is None else f"Port {options.port} is free."
    return Finding("port", ok=True, text=text)


def _same_port(plan: Plan, options: Options, desired: Mapping[str, object]) -> Finding:
    port = desired["port"]
    if options.port in (None, port):
        return Finding("port", ok=True, text=f"The endpoint has port {port}.")
    text = (
        f"The endpoint has port {port} already, and the plan wants {options.port}. "
        f"Write endpoint.port: {port}, or remove the endpoint: rollout destroy {_file(plan)}"
    )
    return Finding("port", ok=False, text=text)


def _deployment(role: str, ref: DeploymentRef, options: Options) -> list[Finding]:
    if ref.file is None:
        return []
    problems = file_findings(ref.file, ref.overrides)
    if problems:
        text = " ".join(f"{each.what} {each.do}" for each in problems)
        return [Finding(f"{role} files", ok=False, text=text)]
    found = options.applied(read_deployment(ref.file, ref.overrides), ref.name)
    unused = f" Without meaning here: {', '.join(found.ignored)}." if found.ignored else ""
    text = f"{ref.file} can be run.{unused}"
    return [Finding(f"{role} files", ok=True, text=text), _interpreter(role, found)]


def _interpreter(role: str, specification: Specification) -> Finding:
    name, python = f"{role} interpreter", specification.python or sys.executable
    script = specification.code / specification.scoring_script
    try:
        done = _run([python, "-c", _LOOK, str(script)])
    except (OSError, subprocess.TimeoutExpired) as error:
        text = f"{python} cannot be run: {error}. Correct endpoint.python."
        return Finding(name, ok=False, text=text)
    if done.returncode == _NO_SERVER:
        text = (
            f"{python} has no {_NEEDED}. "
            f"Install it: {python} -m pip install azureml-inference-server-http"
        )
        return Finding(name, ok=False, text=text)
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        text = f"{python} does not take {script}: {said}. Correct the script."
        return Finding(name, ok=False, text=text)
    return Finding(name, ok=True, text=f"{python} has the inference server.")


def _request(plan: Plan, probe: Callable[[bytes], Answer | None]) -> list[Finding]:
    try:
        answer = probe(plan.requests[0])
    except EndpointError as error:
        return [Finding("sample request", ok=False, text=str(error))]
    if answer is None:
        return []
    name = plan.baseline.name
    if answer.status == _OK:
        text = f"'{name}' answered it in {answer.seconds * 1000:.0f} ms."
        return [Finding("sample request", ok=True, text=text)]
    reason = answer.error or f"status {answer.status}"
    text = (
        f"'{name}' answered the plan's first sample request with {reason}. "
        f"Correct the request, or look: rollout logs {name} {_file(plan)}"
    )
    return [Finding("sample request", ok=False, text=text)]


def _file(plan: Plan) -> str:
    return shlex.quote(plan.file or PLAN)  # as a command is typed


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env=inherited(),
        check=False,
    )
