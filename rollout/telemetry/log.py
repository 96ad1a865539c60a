"""Log lines with names and fields: an observer for machines that read what a runner does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, assert_never

import structlog

from rollout.domain import events as e
from rollout.domain.codec import encode
from rollout.domain.run import Split
from rollout.domain.verdict import Judgement, Verdict
from rollout.ports.observer import Alert, Appended, Notice, Waiting, Watched
from rollout.telemetry import names

Fields = dict[str, object]
HEARTBEAT = 300.0  # seconds of silence
_FIRST = ("at", "level", "event", "run")


class Log:
    """An observer that writes a line for each event.

    Args:
        write: Takes a finished line; it is told nothing else, and must not raise.
        json: One JSON object a line; else ``key=value`` pairs.
    """

    def __init__(self, write: Callable[[str], None], *, json: bool) -> None:
        renderer: structlog.typing.Processor = (
            structlog.processors.JSONRenderer()
            if json
            else structlog.processors.LogfmtRenderer(key_order=_FIRST, bool_as_flag=False)
        )
        self._log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            _Written(write),
            processors=[structlog.processors.add_log_level, _flat if not json else _same, renderer],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )
        self._told: float | None = None
        self._waits: tuple[str, int, str] | None = None

    def saw(self, notice: Notice) -> None:
        """Write a line for an event, a new wait, an alert, or after long silence."""
        match notice:
            case Appended(event):
                self._tell(notice, names.name(event), fields(event), _level(event))
            case Alert(_, text):
                self._tell(notice, names.ALERT, {"text": text}, "warning")
            case Waiting(run, on, until):
                waits = (run.id, run.at, on)
                if waits != self._waits or self._silent(notice):
                    self._waits = waits
                    stage = run.stage.id if run.stage else None
                    limit = _moment(until) if until is not None else None
                    self._tell(notice, names.WAITING, {"stage": stage, "on": on, "until": limit})
            case Watched(_, judgement):
                if self._silent(notice):
                    self._tell(notice, names.WATCHED, _judged(judgement))
            case _:
                assert_never(notice)

    def _silent(self, notice: Notice) -> bool:
        self._told = notice.at if self._told is None else self._told
        return notice.at - self._told >= HEARTBEAT

    def _tell(self, notice: Notice, event: str, more: Fields, level: str = "info") -> None:
        self._told = notice.at
        bound = self._log.bind(
            at=_moment(notice.at),
            run=notice.run.id,
            plan=notice.run.plan,
            endpoint=notice.run.endpoint,
        )
        match level:
            case "error":
                bound.error(event, **more)
            case "warning":
                bound.warning(event, **more)
            case _:
                bound.info(event, **more)


class _Written:
    """What structlog takes for a logger: every level leads to one function."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.info = self.warning = self.error = write


def _same(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return line


def _flat(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Pairs have no room for lists and mappings."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in line.items()
        if value is not None
    }


def fields(event: e.Event) -> Fields:
    """What is worth a field of an event; the journal has all of it."""
    match event:
        case e.RunStarted(run):
            return {"author": run.author, "stages": [stage.id for stage in run.stages]}
        case e.Intended(effect, found):
            return {"effect": encode(effect), "found": str(found)}
        case e.EffectFailed(effect, error, refused):
            return {"effect": encode(effect), "error": error, "refused": refused}
        case e.Measured(judgement=judgement):
            served = {"requests": event.requests, "errors": event.errors}
            return {**_judged(judgement), **served}
        case e.LogsCollected(deployment, text):
            return {"deployment": deployment, "lines": len(text.splitlines())}
        case e.ObservationBegan():
            return {}
        case _:
            return _plain(event)


def _plain(event: e.Event) -> Fields:
    """The event's own fields; those with values of ours in words."""
    told: Fields = {}
    for each in dataclasses.fields(event):
        held = getattr(event, each.name)
        told[each.name] = str(held) if isinstance(held, Split) else encode(held)
    cause = told.pop("cause", None)
    if isinstance(cause, dict):
        told |= {"why": cause.get("why"), "text": cause.get("text")}
    return told


def _judged(judgement: Judgement) -> Fields:
    return {
        "gate": judgement.gate,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "evidence": judgement.evidence,
        "bound": judgement.bound,
    }


def _level(event: e.Event) -> str:
    match event:
        case e.RollbackBegan() | e.RollbackUnverified() | e.Held():
            return "error"
        case e.EffectFailed() | e.RollbackProbed(ok=False):
            return "warning"
        case e.SmokeTested(ok=False) | e.PreflightChecked(ok=False):
            return "error"
        case e.Measured(judgement=judgement) if judgement.verdict is Verdict.FAIL:
            return "error"
        case _:
            return "info"


def _moment(at: float) -> str:
    spelt = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return spelt.replace("+00:00", "Z")
