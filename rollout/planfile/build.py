"""A checked draft as the Plan that the rest of the program works with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rollout.domain.criteria import Probing, Risk
from rollout.domain.plan import (
    Approve,
    Bootstrap,
    Create,
    Delete,
    DeploymentRef,
    EndpointRef,
    Expect,
    Guard,
    Mirror,
    OnFailure,
    Plan,
    Preflight,
    Scale,
    Shift,
    Smoke,
    Stage,
    Wait,
    Window,
    Work,
)
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.planfile import attendance, build_gates, forms, overrides
from rollout.planfile.arguments import given
from rollout.planfile.draft import Draft
from rollout.planfile.files import absolute
from rollout.planfile.rules import metering, options
from rollout.planfile.stage_rules import BOOTSTRAP
from rollout.planfile.stages import Sketch, identify, role_of, sketches, wait_seconds


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
        gates=build_gates.gates(draft),
        labels={key: str(value) for key, value in draft.mapping("labels").items()},
        requests=bodies,
        compare=_probing(draft),
        metrics=metering(draft),
        customs=build_gates.customs(draft),
        risk=Risk(
            **given(
                draft.mapping("risk"), false_rollback=forms.percent, wrong_promotion=forms.percent
            )
        ),
        on_failure=_on_failure(draft),
        source=source,
        digest=_digest(source, bodies),
        file=draft.file,
        **given(draft.mapping("load"), rps=("load_rps", forms.rate)),
        **given(draft.mapping("policy"), deadline=forms.duration, windows=_windows),
        guard=Guard(**given(draft.mapping("guard"), unattended=attendance.unattended)),
    )


def _windows(entries: Sequence[Mapping[str, object]]) -> tuple[Window, ...]:
    return tuple(
        Window(
            **given(
                entry, allow=attendance.allowed, timezone=attendance.time_zone, applies_to=tuple
            )
        )
        for entry in entries
    )


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


def _probing(draft: Draft) -> Probing:
    entry = draft.mapping("compare")
    probe = ("rps", forms.rps)
    return Probing(**given(entry, probe=probe, noise=forms.flag, examples=forms.count))


def _on_failure(draft: Draft) -> OnFailure:
    verify = draft.mapping("on_failure", "verify")
    return OnFailure(
        **given(draft.mapping("on_failure"), action=str, candidate=str),
        **given(
            verify, within=("verify_within", forms.duration), smoke=("verify_smoke", forms.flag)
        ),
        **given(draft.mapping("on_failure", "collect"), logs=("collect_logs", forms.count)),
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
        **given(sketch.entry, gate=str, timeout=forms.duration, after=forms.duration),
    )


def _work(draft: Draft, sketch: Sketch) -> Work:
    value = sketch.value
    inside = value if isinstance(value, dict) else {}
    match sketch.kind:
        case "preflight":
            flags = dict.fromkeys(("quota", "permissions", "metrics"), forms.flag)
            return Preflight(**given(inside, **flags))
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
            return Approve(
                **given(
                    inside, by=tuple, expires=forms.duration, count=forms.count, author=forms.flag
                )
            )
        case kind:
            raise AssertionError(kind)


def _smoke(value: object) -> Smoke:
    match value:
        case dict():
            chosen = {"deployment": CANDIDATE}
            return Smoke(**chosen | given(value, deployment=str, count=forms.count, expect=_expect))
        case None:
            return Smoke(CANDIDATE)
        case _:
            return Smoke(CANDIDATE, count=forms.count(value))


def _expect(entry: Mapping[str, Any]) -> Expect:
    return Expect(
        **given(entry, status=forms.count, latency_max=forms.duration),
        **given(
            entry.get("json", {}),
            path=("json_path", forms.json_path),
            type=("json_type", str),
        ),
    )
