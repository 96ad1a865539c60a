"""From Azure's JSON of a deployment to what the local endpoint runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local.specification import Specification
from rollout.emulator.library import Library
from rollout.emulator.rules import instances_of
from rollout.emulator.wire import Json, Refusal, mapping

_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_DEFAULT_TIMEOUT = 5.0
_DEFAULT_START = 310.0  # initialDelay and 30 failures with a period of 10 s


class Building:
    """A deployment's specification with its files on this machine.

    Args:
        library: Of the assets.
        python: Interpreter of the scoring servers; None: the one that rollout runs in.
    """

    def __init__(self, library: Library, python: str | None) -> None:
        self._library = library
        self._python = python

    def check(self, body: Json) -> None:
        """See at once that what a deployment names is there.

        Raises:
            Refusal: it is not, or there is no scoring script to run.
        """
        properties = mapping(body.get("properties"))
        if properties.get("model"):
            self._library.find("models", str(properties["model"]))
        if properties.get("environmentId"):
            self._library.find("environments", str(properties["environmentId"]))
        code = mapping(properties.get("codeConfiguration"))
        if not code.get("codeId") or not code.get("scoringScript"):
            raise Refusal(
                400,
                "EmulatorUnsupported",
                "The emulator runs scoring scripts only: this deployment has no codeConfiguration, "
                "as with MLflow models and containers of one's own.",
            )
        self._library.find("codes", str(code["codeId"]))

    def specification(self, body: Json) -> tuple[Specification, list[str]]:
        """What shall run, and what was fetched for it, in words.

        Raises:
            Refusal: files are missing.
        """
        properties = mapping(body.get("properties"))
        code = mapping(properties.get("codeConfiguration"))
        said: list[str] = []
        folder = self._fetched("codes", str(code["codeId"]), said)
        model = None
        if properties.get("model"):
            model = self._fetched("models", str(properties["model"]), said)
        script = str(code["scoringScript"])
        if not (folder / script).is_file():
            raise Refusal(400, "UserError", f"The scoring script {script} is not in the code.")
        variables = mapping(properties.get("environmentVariables"))
        requests = mapping(properties.get("requestSettings"))
        timeout = seconds(requests.get("requestTimeout"), _DEFAULT_TIMEOUT)
        wanted = Specification(
            model=model,
            code=folder,
            scoring_script=script,
            environment={name: str(value) for name, value in variables.items()},
            instances=instances_of(body),
            timeout_ms=max(1, round(timeout * 1000)),
            start_seconds=_start_seconds(properties),
            python=self._python,
        )
        return wanted, said

    def _fetched(self, kind: str, identity: str, said: list[str]) -> Path:
        path, count = self._library.files(self._library.find(kind, identity))
        what = f"{count} blobs" if count else "already there"
        said.append(f"{kind[:-1]} {identity.rsplit('/', 3)[-3]}: {what}, {path.name}")
        return path


def seconds(value: object, default: float) -> float:
    """A duration in ISO 8601.

    >>> seconds("PT1M30S", 5.0), seconds(None, 5.0), seconds("PT0.5S", 5.0)
    (90.0, 5.0, 0.5)
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return default
    hours, minutes, rest = (float(each or 0) for each in match.groups())
    return hours * 3600 + minutes * 60 + rest


def _start_seconds(properties: Json) -> float:
    """As long as the probes may fail before a server is given up."""
    longest = 0.0
    for name in ("readinessProbe", "livenessProbe"):
        probe = mapping(properties.get(name))
        if probe:
            longest = max(longest, _of_probe(probe))
    return longest or _DEFAULT_START


def _of_probe(probe: Mapping[str, object]) -> float:
    first = seconds(probe.get("initialDelay"), 10.0)
    period = seconds(probe.get("period"), 10.0)
    return first + period * cast(int, probe.get("failureThreshold") or 30)
