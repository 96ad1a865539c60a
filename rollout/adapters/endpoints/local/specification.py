"""Azure ML's own YAML of deployments, read for what can run on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

from rollout.domain.errors import EndpointRefused
from rollout.planfile import azure_yaml
from rollout.planfile.azure_yaml import Finding, located, text_of
from rollout.planfile.deployment_file import DeploymentFile, is_registered
from rollout.planfile.wording import shown

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


class _Reader(DeploymentFile):
    """Makes a specification of a deployment, instead of stopping at the first thing wrong."""

    def specification(self) -> Specification:
        code, script = self._code()
        self.unknown(_KNOWN)
        timeout = self._timeout()
        instances = self.instances(MOST_INSTANCES)
        return Specification(
            model=self._model(),
            code=code,
            scoring_script=script,
            environment=self.environment(),
            instances=instances,
            timeout_ms=timeout,
            start_seconds=self._start_seconds(),
            ignored=self._ignored(),
        )

    def _timeout(self) -> int:
        section, key = "request_settings", "request_timeout_ms"
        value, path = self.mapping(section).get(key, _DEFAULT_TIMEOUT_MS), f"{section}.{key}"
        found = self.whole(value, path, 1)
        if found == value and found < _LEAST_TIMEOUT_MS:
            do = "Azure ML's SDK rounds sub-second timeouts; write 1000 or more."
            self.find(path, f"{path} is {found}.", do)
        if found > _MOST_TIMEOUT_MS:
            do = f"Azure ML's limit is {_MOST_TIMEOUT_MS}, three minutes; write that or less."
            self.find(path, f"{path} is {found}.", do)
        return found

    def _number(self, section: str, key: str, default: int, least: int) -> int:
        return self.whole(self.mapping(section).get(key, default), f"{section}.{key}", least)

    def _code(self) -> tuple[Path, str]:
        nowhere = (self.absolute("."), "score.py")
        configuration = self.mapping("code_configuration")
        code, script = configuration.get("code"), configuration.get("scoring_script")
        if not isinstance(code, str) or not isinstance(script, str):
            self.find(
                "code_configuration",
                "code_configuration has no code and scoring_script, as with MLflow models and "
                "containers of one's own; the local endpoint runs scoring scripts only.",
                "Give both, or use the provider azureml.",
            )
            return nowhere
        if is_registered(code):
            self.find("code_configuration.code", *_registered("code", code))
            return nowhere
        return self.code(code, script)

    def _model(self) -> Path | None:
        model = self.data.get("model")
        path = model.get("path") if isinstance(model, dict) else model
        if model is None:
            return None
        if not isinstance(path, str):
            self.find("model", "model has no path.", "Write model: {path: ../model/}.")
            return None
        if is_registered(path) or "://" in path:
            self.find("model.path", *_registered("model", path))
            return None
        return self.present("model.path", path)

    def _start_seconds(self) -> float:
        """As long as Azure ML lets its probes fail before it gives a server up."""
        longest = 0
        for section in ("readiness_probe", "liveness_probe"):
            if self.data.get(section) is None:
                continue
            first = self._number(section, "initial_delay", 10, 0)
            period = self._number(section, "period", 10, 1)
            longest = max(
                longest, first + period * self._number(section, "failure_threshold", 30, 1)
            )
        return float(longest) or _DEFAULT_START_SECONDS

    def _ignored(self) -> tuple[str, ...]:
        unused = [text_of(key) for key in self.data if key not in _USED]
        settings = self.mapping("request_settings")
        inner = [
            f"request_settings.{text_of(key)}" for key in settings if key != "request_timeout_ms"
        ]
        return tuple(sorted([*unused, *inner]))


def _registered(kind: str, text: str) -> tuple[str, str]:
    return (
        f"{kind} is {shown(text)}, an asset in the cloud; the local endpoint reads files only.",
        f"Download it and give {kind} a local path, or use the provider azureml.",
    )
