"""What is wrong with Azure ML's own YAML of a deployment, before Azure is asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from rollout.adapters.endpoints.azureml.kinds import KUBERNETES, MANAGED, kind_of_deployment
from rollout.adapters.endpoints.azureml.limits import Limits
from rollout.planfile.azure_yaml import Finding, Source, spelled, text_of
from rollout.planfile.deployment_file import DeploymentFile, is_registered
from rollout.planfile.wording import meant

Json = Mapping[str, object]

# As the loaders of azure-ai-ml 1.35.2 take them.
_BOTH = frozenset(
    {
        "$schema", "name", "endpoint_name", "description", "id", "tags", "properties", "type",
        "model", "code_configuration", "environment", "environment_variables", "instance_count",
        "instance_type", "scale_settings", "request_settings", "liveness_probe",
        "readiness_probe", "provisioning_state", "app_insights_enabled", "model_mount_path",
        "data_collector",
    }
)  # fmt: skip
KEYS = {
    MANAGED: _BOTH
    | {"egress_public_network_access", "private_network_connection", "creation_context"},
    KUBERNETES: _BOTH | {"resources"},
}
_REQUESTS = ("request_timeout_ms", "max_concurrent_requests_per_instance", "max_queue_wait_ms")
_PROBE = ("period", "initial_delay", "timeout", "success_threshold", "failure_threshold")
_SCALES = {
    "default": (),
    "target_utilization": (
        "polling_interval", "target_utilization_percentage", "min_instances", "max_instances",
    ),
}  # fmt: skip
INSIDE: Mapping[str, Collection[str]] = {
    "request_settings": _REQUESTS,
    "liveness_probe": _PROBE,
    "readiness_probe": _PROBE,
    "scale_settings": ("type", *_SCALES["target_utilization"]),
    "code_configuration": ("code", "scoring_script"),
}
_UNVERSIONED = re.compile(r"azureml:[^/:@\s]+")
_REMOTE = "://"  # azureml://, https://, wasbs://: data in the cloud


def deployment_findings(
    source: Source, overrides: Json, folder: Path, *, name: str | None, kind: str, limits: Limits
) -> list[Finding]:
    """What is wrong with a deployment's file and with what the plan sets in it, all at once.

    Args:
        source: The file.
        overrides: The plan's ``set:``.
        folder: Of the file.
        name: The deployment's name in the plan; None: not compared.
        kind: Of the endpoint.
        limits: Azure's.
    """
    if source.root is None:
        return list(source.findings)
    reader = _Reader(source, overrides, folder)
    reader.look(kind, limits)
    reader.declared(source.data, kind)
    if name is not None:
        reader.compare_name(name)
    return reader.findings


class _Reader(DeploymentFile):
    def look(self, kind: str, limits: Limits) -> None:
        self.unknown(KEYS[kind])
        for section, known in INSIDE.items():
            self._unknown_inside(section, known)
        self._machines(kind, limits)
        self._requests(kind, limits)
        for section in ("liveness_probe", "readiness_probe"):
            for key, value in self.mapping(section).items():
                if key in _PROBE:
                    self.whole(value, f"{section}.{key}", 0 if key == "initial_delay" else 1)
        self._scaling(kind)
        self._code()
        self._asset("model")
        self._asset("environment")
        self._image()
        self.environment()

    def declared(self, written: Json, kind: str) -> None:
        """The file is of the endpoint's kind, and in the words that Azure's loader goes by.

        Args:
            written: The file without the plan's ``set:``, from which the loader tells the kind.
            kind: Of the endpoint.
        """
        said = kind_of_deployment(self.data)
        if said is not None and said.kind != kind:
            what = f"{said.key} makes it a {said.kind} deployment, and the endpoint is {kind}."
            self.find(said.key, what, "Correct the file, or the plan's endpoint.kind.")
        elif kind == KUBERNETES and written.get("type") != KUBERNETES:
            what = "without 'type: kubernetes' Azure's loader takes it for a managed deployment."
            self.find("type", what, "Add 'type: kubernetes' to the file.")

    def _unknown_inside(self, section: str, known: Collection[str]) -> None:
        for key in self.mapping(section):
            if key not in known:
                what = f"Azure ML's {section} has no key {spelled(key)}."
                self.find(f"{section}.{text_of(key)}", what, meant(text_of(key), known))

    def _machines(self, kind: str, limits: Limits) -> None:
        managed = kind == MANAGED
        limit = "instances_most" if managed else "kubernetes_instances_most"
        self.instances(getattr(limits, limit), source=limits.source(limit))
        value = self.data.get("instance_type")
        if value is None and managed:
            what = "a managed deployment needs an instance_type."
            self.find("instance_type", what, "Add 'instance_type: Standard_DS3_v2' or another.")
        elif value is not None and not (isinstance(value, str) and value.strip()):
            what = f"instance_type is {spelled(value)}."
            self.find("instance_type", what, "Write a name such as Standard_DS3_v2.")

    def _requests(self, kind: str, limits: Limits) -> None:
        section = "request_settings"
        settings = self.mapping(section)
        for key in ("request_timeout_ms", "max_queue_wait_ms"):
            if settings.get(key) is not None:
                self._milliseconds(f"{section}.{key}", settings[key], kind, limits)
        key = "max_concurrent_requests_per_instance"
        if settings.get(key) is not None:
            self.whole(settings[key], f"{section}.{key}", 1)

    def _milliseconds(self, path: str, value: object, kind: str, limits: Limits) -> None:
        limit = "request_timeout_most_ms"
        limit = limit if kind == MANAGED else f"kubernetes_{limit}"
        most, step, before = getattr(limits, limit), limits.duration_step_ms, len(self.findings)
        found = self.whole(value, path, 0 if path.endswith("wait_ms") else 1)
        if len(self.findings) > before:
            return
        if found % step:
            low = found - found % step
            near = f"{low} or {low + step}" if low else f"{step}"
            what = (
                f"{path} is {found}: Azure's SDK loses parts of a second when it reads them back."
            )
            self.find(path, what, f"Write {near}.")
        elif found > most:
            self.find(
                path, f"{path} is {found}.", f"Write {most} or less ({limits.source(limit)})."
            )

    def _scaling(self, kind: str) -> None:
        section = "scale_settings"
        settings = self.mapping(section)
        if not settings:
            return
        known = ("default",) if kind == MANAGED else tuple(_SCALES)
        found = settings.get("type")
        if str(found).lower() not in known:
            what = (
                f"{section}.type is {spelled(found)}, and a {kind} deployment has {known[0]} only."
            )
            if len(known) > 1:
                what = f"{section}.type is {spelled(found)}."
            self.find(f"{section}.type", what, f"Write {' or '.join(known)}.")
        least, most = settings.get("min_instances"), settings.get("max_instances")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            what = f"min_instances, {least}, is more than max_instances, {most}."
            self.find(f"{section}.min_instances", what, "Write the smaller number there.")

    def _code(self) -> None:
        configuration = self.mapping("code_configuration")
        if not configuration:
            return  # an MLflow model, or a container of one's own
        code, script = configuration.get("code"), configuration.get("scoring_script")
        if not isinstance(code, str) or not isinstance(script, str):
            what = "code_configuration has no code and scoring_script."
            self.find("code_configuration", what, "Give both.")
        elif is_registered(code):
            self._versioned("code_configuration.code", code)
        else:
            self.code(code, script)

    def _asset(self, key: str) -> None:
        """A model or an environment: one that is registered, or what it is made of."""
        value = self.data.get(key)
        if value is None:
            return
        if isinstance(value, dict):
            if key == "model":
                self._content("model.path", value.get("path"), do="Write model: {path: ../model/}.")
        elif not isinstance(value, str) or not is_registered(value) or value == "azureml:":
            what = f"{key} is {spelled(value)}, which Azure ML takes for no registered one."
            inline = "{path: PATH}" if key == "model" else "{image: IMAGE, conda_file: FILE}"
            self.find(key, what, f"Write azureml:NAME:VERSION, or {key}: {inline}.")
        else:
            self._versioned(key, value)

    def _versioned(self, path: str, value: str) -> None:
        """A registered asset by its short name says which version; one by its id has it inside."""
        if _UNVERSIONED.fullmatch(value):
            do = f"Write {value}:1 or {value}@latest."
            self.find(path, f"{value} has no version.", do)

    def _image(self) -> None:
        """An environment of the file's own: its image, or what its image is built from."""
        inline = self.data.get("environment")
        if not isinstance(inline, dict):
            return
        build, conda = inline.get("build"), inline.get("conda_file")
        if isinstance(build, dict):
            do = "Write environment: {build: {path: FOLDER}}."
            self._content("environment.build.path", build.get("path"), do=do)
        elif not inline.get("image"):
            what = "environment has neither an image nor a build."
            self.find("environment", what, "Add 'image: ...'.")
        if conda is not None and not isinstance(conda, dict):  # written out is as good
            self._content("environment.conda_file", conda, do="Name a conda file.")

    def _content(self, path: str, value: object, *, do: str) -> None:
        if not isinstance(value, str) or not value:
            self.find(path, f"{path} is {spelled(value)}.", do)
        elif not is_registered(value) and _REMOTE not in value:
            self.present(path, value)
