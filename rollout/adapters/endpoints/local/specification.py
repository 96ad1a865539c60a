"""Azure ML's own YAML of deployments, read for what can run on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from rollout.adapters.endpoints.local import azure_yaml
from rollout.adapters.endpoints.local.azure_yaml import Finding, Source, located, spelled, text_of
from rollout.domain.errors import EndpointRefused
from rollout.planfile.wording import meant, printable, shown

Json = Mapping[str, object]

_USED = frozenset(
    {
        "$schema", "name", "endpoint_name", "description", "tags", "properties", "type", "model",
        "code_configuration", "environment_variables", "instance_count", "request_settings",
        "liveness_probe", "readiness_probe",
    }
)  # fmt: skip
_KNOWN = _USED | {
    "app_insights_enabled", "code_path", "creation_context", "data_collector",
    "egress_public_network_access", "environment", "id", "instance_type", "local",
    "model_mount_path", "package_model", "private_network_connection", "provisioning_state",
    "resources", "scale_settings", "scoring_script", "startup_probe",
}  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME = 60  # characters of a name that are shown
_MOST = 10**9  # of any number
_LEAST_TIMEOUT_MS = 1000
_MOST_TIMEOUT_MS = 180_000  # Azure ML's limit of a managed online deployment
_DEFAULT_TIMEOUT_MS = 5000  # Azure ML's own default
_DEFAULT_START_SECONDS = 300.0
MOST_INSTANCES = 50  # of one deployment


class Specification(NamedTuple):
    """A deployment as this machine runs it; all paths absolute.

    Args:
        model: File or folder; None: the scoring script brings its own.
        code: The folder of the scoring script.
        scoring_script: Path below ``code``.
        instances: How many scoring servers; not part of the digest.
        timeout_ms: Time limit of one request.
        start_seconds: Time limit from the start to the first healthy answer.
        python: Interpreter with the model's packages; None: the one that rollout runs in.
        memory: Bytes that one scoring server may hold; None: no limit.
        ignored: Keys of the file that have no meaning here.
    """

    model: Path | None
    code: Path
    scoring_script: str
    environment: Mapping[str, str] = MappingProxyType({})
    instances: int = 1
    timeout_ms: int = _DEFAULT_TIMEOUT_MS
    start_seconds: float = _DEFAULT_START_SECONDS
    python: str | None = None
    memory: int | None = None
    ignored: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """All of it as plain data."""
        return {
            "model": None if self.model is None else str(self.model),
            "code": str(self.code),
            "scoring_script": self.scoring_script,
            "environment": dict(self.environment),
            "instances": self.instances,
            "timeout_ms": self.timeout_ms,
            "start_seconds": self.start_seconds,
            "python": self.python,
            "memory": self.memory,
            "ignored": list(self.ignored),
        }

    @classmethod
    def from_json(cls, data: Json) -> Specification:
        """The inverse of ``to_json``."""
        found = cls(
            model=None,
            code=Path(cast(str, data["code"])),
            scoring_script=cast(str, data["scoring_script"]),
            environment=cast(Mapping[str, str], data["environment"]),
            instances=cast(int, data["instances"]),
            timeout_ms=cast(int, data["timeout_ms"]),
            start_seconds=cast(float, data["start_seconds"]),
            python=cast("str | None", data["python"]),
            memory=cast("int | None", data["memory"]),
            ignored=tuple(cast("list[str]", data["ignored"])),
        )
        model = cast("str | None", data["model"])
        return found if model is None else found._replace(model=Path(model))


def read_deployment(file: str, overrides: Json) -> Specification:
    """The deployment that ``file`` describes, with the plan's overrides.

    Raises:
        EndpointRefused: this machine cannot run it; all reasons in one sentence.
    """
    found, findings = _deployment(file, overrides)
    if found is None:
        raise EndpointRefused(
            " ".join(located(file, each) for each in findings),
            do=" ".join(dict.fromkeys(each.do for each in findings)),
        )
    return found


def file_findings(file: str, overrides: Json, *, name: str | None = None) -> list[Finding]:
    """Why this machine cannot run the deployment of ``file``, all at once.

    Args:
        file: Azure ML's YAML of the deployment.
        overrides: The plan's ``set:``.
        name: The deployment's name in the plan; None: not compared.
    """
    return _deployment(file, overrides, name)[1]


def _deployment(
    file: str, overrides: Json, name: str | None = None
) -> tuple[Specification | None, list[Finding]]:
    source = azure_yaml.read(file)
    if source.root is None:
        return None, list(source.findings)
    reader = _Reader(source, overrides, Path(file).parent)
    found = reader.specification()
    if name is not None:
        reader.compare_name(name)
    return (None if reader.findings else found), reader.findings


def _overridden(data: Json, overrides: Json) -> dict[str, object]:
    """Overrides, nested or with dotted keys, put over the file's values.

    >>> _overridden({"a": {"b": 1, "c": 2}}, {"a.b": 5})
    {'a': {'b': 5, 'c': 2}}
    """
    found = dict(data)
    for dotted, value in overrides.items():
        key, _, rest = dotted.partition(".")
        below = found.get(key)
        inner = below if isinstance(below, dict) else {}
        if rest:
            found[key] = _overridden(inner, {rest: value})
        elif isinstance(value, dict):
            found[key] = _overridden(inner, value)
        else:
            found[key] = value
    return found


def _overrides(path: tuple[str, ...], overrides: Json) -> bool:
    """Whether ``overrides`` say what is at ``path``.

    >>> _overrides(("a", "b"), {"a.b": 5}), _overrides(("a", "c"), {"a": {"b": 5}})
    (True, False)
    """
    for dotted, value in overrides.items():
        steps = tuple(dotted.split("."))
        if path[: len(steps)] != steps:
            continue
        if not isinstance(value, dict) or _overrides(path[len(steps) :], value):
            return True
    return False


class _Reader:
    """Collects everything that is wrong with a deployment, instead of stopping at the first."""

    def __init__(self, source: Source, overrides: Json, folder: Path) -> None:
        self._source = source
        self._overrides = overrides
        self._data = _overridden(source.data, overrides)
        self._folder = folder
        self.findings = list(source.findings)

    def specification(self) -> Specification:
        code, script = self._code()
        self._unknown()
        timeout = self._timeout()
        instances = self._whole(self._data.get("instance_count", 1), "instance_count", 1)
        if instances > MOST_INSTANCES:
            do = f"Write {MOST_INSTANCES} or less."
            self._find("instance_count", f"instance_count is {instances}.", do)
        return Specification(
            model=self._model(),
            code=code,
            scoring_script=script,
            environment=self._environment(),
            instances=instances,
            timeout_ms=timeout,
            start_seconds=self._start_seconds(),
            ignored=self._ignored(),
        )

    def compare_name(self, name: str) -> None:
        """The file's own name of the deployment, where it has one, is the plan's."""
        own = self._data.get("name", name)
        if own != name:
            what = f"name is {spelled(own)}, and the plan names the deployment {spelled(name)}."
            self._find("name", what, "Make them equal, in the file or by 'set: {name: ...}'.")

    def _unknown(self) -> None:
        for key in self._data:
            if key not in _KNOWN:
                what = f"Azure ML's deployments have no key {spelled(key)}."
                path = (text_of(key),)
                self._note(Finding(what, meant(path[0], _KNOWN), path, self._source.key(path)))

    def _find(self, path: str, what: str, do: str) -> None:
        """Note what is wrong with the value at a dotted path."""
        steps = tuple(path.split("."))
        self._note(Finding(what, do, steps, self._source.value(steps)))

    def _note(self, found: Finding) -> None:
        by_plan = _overrides(found.path, self._overrides)
        self.findings.append(found._replace(place=None) if by_plan else found)

    def _mapping(self, key: str) -> Json:
        value = self._data.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._find(key, f"{key} is not a mapping.", f"Write the keys of {key} below it.")
        return {}

    def _whole(self, value: object, name: str, least: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST:
            return value
        most = (
            f"{_MOST} or less" if isinstance(value, int) and value > _MOST else f"{least} or more"
        )
        self._find(name, f"{name} is {spelled(value)}.", f"Write a whole number, {most}.")
        return least

    def _timeout(self) -> int:
        section, key = "request_settings", "request_timeout_ms"
        value, path = self._mapping(section).get(key, _DEFAULT_TIMEOUT_MS), f"{section}.{key}"
        found = self._whole(value, path, 1)
        if found == value and found < _LEAST_TIMEOUT_MS:
            do = "Azure ML's SDK rounds sub-second timeouts; write 1000 or more."
            self._find(path, f"{path} is {found}.", do)
        if found > _MOST_TIMEOUT_MS:
            do = f"Azure ML's limit is {_MOST_TIMEOUT_MS}, three minutes; write that or less."
            self._find(path, f"{path} is {found}.", do)
        return found

    def _number(self, section: str, key: str, default: int, least: int) -> int:
        return self._whole(self._mapping(section).get(key, default), f"{section}.{key}", least)

    def _code(self) -> tuple[Path, str]:
        nowhere = (self._folder, "score.py")
        configuration = self._mapping("code_configuration")
        code, script = configuration.get("code"), configuration.get("scoring_script")
        if not isinstance(code, str) or not isinstance(script, str):
            self._find(
                "code_configuration",
                "code_configuration has no code and scoring_script, as with MLflow models and "
                "containers of one's own; the local endpoint runs scoring scripts only.",
                "Give both, or use the provider azureml.",
            )
            return nowhere
        if _is_registered(code):
            self._find("code_configuration.code", *_registered("code", code))
            return nowhere
        folder = self._absolute(code)
        if not _holds(folder.is_dir):
            what = f"code_configuration.code: {_path(folder)} is not a folder."
            self._find("code_configuration.code", what, "Correct the path.")
        elif not _holds((folder / script).is_file):
            what = f"scoring_script: {_path(folder / script)} is not there."
            self._find("code_configuration.scoring_script", what, "Correct the path.")
        return folder, script

    def _model(self) -> Path | None:
        model = self._data.get("model")
        path = model.get("path") if isinstance(model, dict) else model
        if model is None:
            return None
        if not isinstance(path, str):
            self._find("model", "model has no path.", "Write model: {path: ../model/}.")
            return None
        if _is_registered(path) or "://" in path:
            self._find("model.path", *_registered("model", path))
            return None
        found = self._absolute(path)
        if not _holds(found.exists):
            what = f"model.path: {_path(found)} is not there."
            self._find("model.path", what, "Correct the path.")
        return found

    def _absolute(self, path: str) -> Path:
        return Path(os.path.normpath(self._folder.absolute() / path))

    def _environment(self) -> dict[str, str]:
        found = {}
        for key, value in self._mapping("environment_variables").items():
            name = text_of(key)
            told = f"environment_variables.{printable(name[:_LONGEST_NAME])}"
            path = f"environment_variables.{name}"
            if not _VARIABLE.fullmatch(name):
                do = "Write letters, digits and underscores, and no digit first."
                self._find(path, f"{told} cannot be the name of a variable.", do)
            elif not isinstance(value, str | int | float):
                self._find(path, f"{told} is {spelled(value)}.", "Write a string in quotes.")
            elif not _can_be_passed(text_of(value)):
                self._find(path, f"{told} holds a NUL or half a character.", "Remove it.")
            else:
                found[name] = text_of(value)
        return found

    def _start_seconds(self) -> float:
        """As long as Azure ML lets its probes fail before it gives a server up."""
        longest = 0
        for section in ("readiness_probe", "liveness_probe"):
            if self._data.get(section) is None:
                continue
            first = self._number(section, "initial_delay", 10, 0)
            period = self._number(section, "period", 10, 1)
            longest = max(
                longest, first + period * self._number(section, "failure_threshold", 30, 1)
            )
        return float(longest) or _DEFAULT_START_SECONDS

    def _ignored(self) -> tuple[str, ...]:
        unused = [text_of(key) for key in self._data if key not in _USED]
        settings = self._mapping("request_settings")
        inner = [
            f"request_settings.{text_of(key)}" for key in settings if key != "request_timeout_ms"
        ]
        return tuple(sorted([*unused, *inner]))


def _path(path: Path) -> str:
    return printable(str(path))


def _holds(look: Callable[[], bool]) -> bool:
    """Whether a path is what it should be; one that no file can have is not."""
    try:
        return look()
    except (OSError, ValueError):
        return False


def _can_be_passed(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)


def _is_registered(text: str) -> bool:
    return text.startswith(("azureml:", "/subscriptions/"))


def _registered(kind: str, text: str) -> tuple[str, str]:
    return (
        f"{kind} is {shown(text)}, an asset in the cloud; the local endpoint reads files only.",
        f"Download it and give {kind} a local path, or use the provider azureml.",
    )
