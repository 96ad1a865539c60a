"""Lines of the access log: which requests count, for whom, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from rollout.adapters.endpoints.local.answers import read_answer
from rollout.adapters.endpoints.local.xds import LIVE, SHADOW, cluster_name
from rollout.domain.answers import Said

_SERVER_ERRORS = 500
_CLIENT_ERRORS_OF_MODELS = (408, 424, 429)
_UNAUTHORIZED = 401
_NOT_THE_MODELS = frozenset({"DC", "UO"})  # the client left; a shadow was dropped on purpose
_BY_THE_SERVER = "via_upstream"


@dataclass(frozen=True, slots=True)
class Line:
    """One request that counts for an arm.

    Args:
        arm: For whom.
        failed: Whether it was answered badly, or not at all.
        entry: All of the line.
    """

    arm: str
    failed: bool
    entry: Mapping[str, object]

    @property
    def id(self) -> str:
        """Shared by a request and its mirrored copy, and by no other."""
        return str(self.entry["id"] or "")

    @property
    def seconds(self) -> float:
        """How long it took; of a failed one it says nothing."""
        took = self.entry["upstream_us"] if self.entry["attempts"] == 1 else None
        return _seconds(took if took is not None else self.entry["us"])

    @property
    def ended(self) -> float:
        """Unix seconds; lines are written in this order, all but a little."""
        return _began(self.entry) + _seconds(self.entry["us"])

    @property
    def has_answer(self) -> bool:
        """Whether the answer was kept."""
        return bool(self.entry.get("answer"))

    def said(self) -> Said | None:
        """The answer; None: it was not kept, or cannot be read."""
        return read_answer(self.entry)


def arms_of(baseline: str, candidate: str, *, mirrored: bool) -> dict[str, str]:
    """Cluster name -> arm."""
    return {
        cluster_name(baseline, LIVE): "baseline",
        cluster_name(candidate, SHADOW if mirrored else LIVE): "candidate",
    }


def judge(line: bytes, arms: Mapping[str, str], since: float) -> Line | None:
    """A line of the access log, if its request counts for an arm.

    Args:
        line: As it stands in the file.
        arms: Cluster name -> arm.
        since: Requests that began earlier do not count, Unix seconds.
    """
    entry = _parse(line)
    if entry is None or _began(entry) < since:
        return None
    arm = arms.get(str(entry["cluster"]))
    counts = entry["route"] == "split" or entry["shadow"]
    flags = str(entry["flags"] or "").split(",")
    if arm is None or not counts or _NOT_THE_MODELS & set(flags):
        return None
    status = cast(int, entry["status"] or 0)
    if status == _UNAUTHORIZED and entry["details"] != _BY_THE_SERVER:
        return None
    failed = status == 0 or status >= _SERVER_ERRORS or status in _CLIENT_ERRORS_OF_MODELS
    return Line(arm, failed, entry)


def _parse(line: bytes) -> Mapping[str, object] | None:
    # After a kill of Envoy a torn line may stand before the first new one.
    whole = line[line.rfind(b'{"') :]
    try:
        found = json.loads(whole)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "cluster" in found else None


def _began(entry: Mapping[str, object]) -> float:
    return float(cast(str, entry["ts"]))


def _seconds(microseconds: object) -> float:
    return cast(float, microseconds or 0) / 1e6
