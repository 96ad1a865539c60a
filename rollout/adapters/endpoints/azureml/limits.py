"""Azure ML's limits, read from data: a number, and the document that says it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rollout.domain.errors import UsageError
from rollout.planfile.wording import meant, printable, shown

OVERRIDE = "ROLLOUT_AZUREML_LIMITS"
_FILE = Path(__file__).with_name("limits.yaml")

Raw = Mapping[str, Any]


class Row(NamedTuple):
    """Where a limit comes from.

    Args:
        about: What it limits, with its unit.
        source: The document's title and date.
    """

    about: str
    source: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit; what each one is about stands in ``limits.yaml``. Patterns match whole texts."""

    name_shortest: int
    name_longest: int
    name_pattern: str
    kubernetes_names_shortest: int
    kubernetes_names_longest: int
    guid_pattern: str
    resource_group_pattern: str
    workspace_pattern: str
    deployments_of_an_endpoint: int
    endpoints_of_a_subscription: int
    deployments_of_a_subscription: int
    instances_least: int
    instances_most: int
    kubernetes_instances_most: int
    instances_for_availability: int
    quota_factor: float
    small_instance_types: tuple[str, ...]
    mirror_most: int
    kubernetes_mirror_most: int
    endpoint_requests_a_second: int
    endpoint_connections_a_second: int
    endpoint_connections: int
    endpoint_megabytes_a_second: float
    requests_in_flight_factor: int
    request_timeout_default_ms: int
    request_timeout_most_ms: int
    kubernetes_request_timeout_most_ms: int
    duration_step_ms: int
    reads_burst: int
    reads_a_second: int
    writes_burst: int
    writes_a_second: int
    deployment_writes_burst: int
    operation_seconds: float
    metrics_delay_seconds: float
    metrics_grain_seconds: float
    metrics_gate_seconds: float
    metrics_quantiles: tuple[float, ...]
    logs_delay_seconds: float
    logs_begin_seconds: float
    version: str
    rows: Mapping[str, Row]

    def quota(self, instances: int, cores: int) -> int:
        """The cores of the quota that a managed deployment takes.

        Args:
            instances: How many it has.
            cores: Of one instance.
        """
        # Rounded first: 1.2 x 5 is a little more than 6 in binary fractions.
        return math.ceil(round(self.quota_factor * instances, 9)) * cores

    def source(self, name: str) -> str:
        """The document that says the limit ``name``, for people."""
        return self.rows[name].source


def read_limits(environment: Mapping[str, str] | None = None) -> Limits:
    """The limits, with the rows of the user's own file over ours.

    Args:
        environment: Names that file in ``ROLLOUT_AZUREML_LIMITS``; None: the process's.

    Raises:
        UsageError: the user's file cannot be read, or has a row that is none.
    """
    ours = _mapping(_FILE)
    own = (os.environ if environment is None else environment).get(OVERRIDE)
    theirs = _mapping(Path(own)) if own else {}
    sources = {**ours["sources"], **_part(theirs, "sources")}
    rows = {**ours["limits"], **_part(theirs, "limits")}
    return Limits(
        **{name: _value(name, row) for name, row in rows.items()},
        version=str(theirs.get("version", ours["version"])),
        rows={name: _row(row, sources) for name, row in rows.items()},
    )


def _mapping(file: Path) -> Raw:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())[:200]
        raise _refused(f"{printable(str(file))} cannot be read: {printable(why)}.") from error
    if not isinstance(found, dict):
        raise _refused(f"{printable(str(file))} holds no mapping.")
    return found


def _part(data: Raw, key: str) -> Raw:
    found = data.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise _refused(f"{key} is not a mapping of rows.")
    return found


_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "tuple[str, ...]": (list,),
    "tuple[float, ...]": (list,),
}


def _value(name: str, row: Raw) -> Any:
    kinds = {each.name: str(each.type) for each in fields(Limits) if str(each.type) in _KINDS}
    kinds.pop("version")
    if name not in kinds:
        raise _refused(f"there is no limit {shown(name)}.", do=meant(name, kinds))
    value = row.get("value")
    if isinstance(value, bool) or not isinstance(value, _KINDS[kinds[name]]):
        raise _refused(f"the limit {name} is {shown(value)}.")
    return tuple(value) if isinstance(value, list) else value


def _row(row: Raw, sources: Raw) -> Row:
    named = sources.get(str(row.get("source")))
    source = "the user's own file" if named is None else f"{named['title']}, {named['date']}"
    return Row(str(row.get("about", "")), source)


def _refused(what: str, *, do: str = "") -> UsageError:
    form = "Write {limits: {NAME: {value: ...}}}, as in rollout's own limits.yaml"
    do = do or f"{form}, or unset the variable."
    return UsageError(f"{OVERRIDE}: {what}", do=do)
