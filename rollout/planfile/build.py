"""A checked draft as the Plan that the rest of the program works with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollout.domain.criteria import Check, Gate, OnInconclusive, Risk
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Expect,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Work,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.planfile import forms, overrides
from rollout.planfile.draft import Draft
from rollout.planfile.files import absolute
from rollout.planfile.rules import options
from rollout.planfile.stage_rules import BOOTSTRAP
from rollout.planfile.stages import Sketch, identify, role_of, sketches, wait_seconds

Form = Callable[[Any], object]


def build(draft: Draft, bodies: tuple[bytes, ...]) -> Plan:
    """The plan.

    Args:
        draft: Without findings; everything in it is in its form.
        bodies: The request bodies.
    """
    source = _source(draft)
    return Plan(
        name=str(draft.data["name"]),
        endpoint=_endpoint(draft),
        baseline=_deployment(draft, BASELINE),
        candidate=_deployment(draft, CANDIDATE),
        stages=_stages(draft),
        gates={name: _gate(draft, name) for name in draft.mapping("gates")},
        labels={key: str(value) for key, value in draft.mapping("labels").items()},
        requests=bodies,
        risk=Risk(
            **_given(
                draft.mapping("risk"), false_rollback=forms.percent, wrong_promotion=forms.percent
            )
        ),
        on_failure=_on_failure(draft),
        source=source,
        digest=_digest(source, bodies),
        file=draft.file,
        **_given(draft.mapping("load"), rps=("load_rps", forms.rate)),
        **_given(draft.mapping("policy"), deadline=forms.duration),
    )


def _given(entry: Mapping[str, object], **read: Form | tuple[str, Form]) -> dict[str, Any]:
    """Arguments for the keys that are written; the others keep the default of the dataclass.

    Args:
        entry: A mapping of the plan.
        read: For each key how its value is read, and the argument's name where it differs.
    """
    found = {}
    for key, how in read.items():
        name, form = how if isinstance(how, tuple) else (key, how)
        if key in entry:
            found[name] = form(entry[key])
    return found


def _source(draft: Draft) -> str:
    """Canonical JSON of what has an effect; files stay as written, so that it fits any machine."""
    data = {
        key: value
        for key, value in draft.data.items()
        if key != "variables" and not key.startswith("x-")
    }
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def _digest(source: str, bodies: Sequence[bytes]) -> str:
    """SHA-256 over source and bodies, each with its length, so that no two plans run together."""
    digest = hashlib.sha256()
    for part in (source.encode(), *bodies):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _endpoint(draft: Draft) -> EndpointRef:
    entry = draft.mapping("endpoint")
    file = entry.get("file")
    return EndpointRef(
        provider=str(entry["provider"]),
        name=str(entry["name"]),
        file=None if file is None else absolute(draft.folder, str(file)),
        options=options(draft),
    )


def _deployment(draft: Draft, role: str) -> DeploymentRef:
    entry = draft.mapping(role)
    file = entry.get("file")
    return DeploymentRef(
        name=str(entry["deployment"]),
        file=None if file is None else absolute(draft.folder, str(file)),
        overrides=overrides.nested(draft.mapping(role, "set")),
    )


def _gate(draft: Draft, name: str) -> Gate:
    entry = draft.mapping("gates", name)
    checks = [
        _check(metric, criteria)
        for each in draft.items("gates", name, "checks")
        if isinstance(each, dict)
        for metric, criteria in each.items()
    ]
    return Gate(
        name=name,
        checks=tuple(checks),
        **_given(
            entry,
            min_duration=forms.duration,
            max_duration=forms.duration,
            min_requests=forms.count,
            warm_up=forms.duration,
            on_inconclusive=_on_inconclusive,
        ),
    )


def _check(metric: str, criteria: Mapping[str, object]) -> Check:
    quantile = forms.quantile(metric)
    allowed = forms.allowance if quantile is None else forms.relative
    largest = forms.percent if quantile is None else forms.duration
    return Check(
        metric=metric if quantile is None else "latency",
        quantile=quantile,
        **_given(criteria, tolerance=allowed, margin=allowed, max=("maximum", largest)),
    )


def _on_inconclusive(entry: Mapping[str, object]) -> OnInconclusive:
    extend = ("extend_seconds", forms.duration)
    return OnInconclusive(**_given(entry, extend=extend, times=forms.count, then=str))


def _on_failure(draft: Draft) -> OnFailure:
    verify = draft.mapping("on_failure", "verify")
    return OnFailure(
        **_given(draft.mapping("on_failure"), action=str, candidate=str),
        **_given(
            verify, within=("verify_within", forms.duration), smoke=("verify_smoke", forms.flag)
        ),
        **_given(draft.mapping("on_failure", "collect"), logs=("collect_logs", forms.count)),
    )


def _stages(draft: Draft) -> tuple[Stage, ...]:
    """The plan's stages, and before them the creation of an absent baseline."""
    found = sketches(draft)
    bootstraps = "file" in draft.mapping(BASELINE)
    ids = identify(found, taken=[BOOTSTRAP] if bootstraps else [])
    stages = [_stage(draft, each, name) for each, name in zip(found, ids, strict=True)]
    if bootstraps:
        leading = isinstance(stages[0].work, Preflight)
        stages.insert(1 if leading else 0, Stage(id=BOOTSTRAP, work=Bootstrap()))
    return tuple(stages)


def _stage(draft: Draft, sketch: Sketch, name: str) -> Stage:
    return Stage(
        id=name,
        work=_work(draft, sketch),
        **_given(sketch.entry, gate=str, timeout=forms.duration, after=forms.duration),
    )


def _work(draft: Draft, sketch: Sketch) -> Work:
    value = sketch.value
    inside = value if isinstance(value, dict) else {}
    match sketch.kind:
        case "preflight":
            return Preflight()
        case "scale":
            who = role_of(draft, inside["deployment"])
            return Scale(str(who), forms.count(inside["instances"]))
        case "create" | "delete":
            return (Create if sketch.kind == "create" else Delete)(str(value))
        case "smoke":
            return _smoke(value)
        case "mirror" | "shift":
            return (Mirror if sketch.kind == "mirror" else Shift)(forms.share(value))
        case "wait":
            return Wait(wait_seconds(value))
        case "approve":
            return Approve(**_given(inside, by=tuple, expires=forms.duration))
        case kind:
            raise AssertionError(kind)


def _smoke(value: object) -> Smoke:
    match value:
        case dict():
            chosen = {"deployment": CANDIDATE}
            return Smoke(
                **chosen | _given(value, deployment=str, count=forms.count, expect=_expect)
            )
        case None:
            return Smoke(CANDIDATE)
        case _:
            return Smoke(CANDIDATE, count=forms.count(value))


def _expect(entry: Mapping[str, Any]) -> Expect:
    return Expect(
        **_given(entry, status=forms.count, latency_max=forms.duration),
        **_given(
            entry.get("json", {}),
            path=("json_path", forms.json_path),
            type=("json_type", str),
        ),
    )
