"""The list of stages as far as it can be read: kind, value, shares and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import spell_duration
from rollout.planfile import forms
from rollout.planfile.draft import Draft
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import Path

KINDS = (
    "preflight", "scale", "create", "smoke", "mirror", "shift", "wait", "approve", "delete",
)  # fmt: skip
OBSERVED = ("mirror", "shift", "wait")  # the kinds that hold while a gate looks


class Sketch(NamedTuple):
    """One stage of exactly one known kind; its value may still be wrong.

    Args:
        at: Its index in the plan.
        entry: The whole stage as written.
    """

    at: int
    kind: str
    value: object
    entry: Mapping[str, object]

    @property
    def path(self) -> Path:
        """Where the stage stands."""
        return ("stages", self.at)

    @property
    def value_path(self) -> Path:
        """Where the kind's value stands."""
        return ("stages", self.at, self.kind)

    @property
    def gate(self) -> str | None:
        """The gate's name, if one is written."""
        gate = self.entry.get("gate")
        return gate if isinstance(gate, str) else None

    @property
    def share(self) -> int | None:
        """The percentage of a mirror or shift; None where it cannot be read."""
        try:
            return forms.share(self.value)
        except Misshapen:
            return None

    def __str__(self) -> str:
        return f"stages[{self.at}]"


def sketches(draft: Draft) -> tuple[Sketch, ...]:
    """Every stage whose kind is clear."""
    found = []
    for at, entry in enumerate(draft.items("stages")):
        kinds = [kind for kind in KINDS if isinstance(entry, dict) and kind in entry]
        if isinstance(entry, dict) and len(kinds) == 1:
            found.append(Sketch(at, kinds[0], entry[kinds[0]], entry))
    return tuple(found)


def role(draft: Draft, sketch: Sketch) -> str | None:
    """``baseline`` or ``candidate``: whom the stage is about; None where that cannot be read."""
    match sketch.kind, sketch.value:
        case ("create" | "delete", str(name)):
            return name if name in (BASELINE, CANDIDATE) else None
        case "smoke", dict(inside):
            name = inside.get("deployment", CANDIDATE)
            return name if name in (BASELINE, CANDIDATE) else None
        case "smoke", _:
            return CANDIDATE
        case "scale", dict(inside):
            return role_of(draft, inside.get("deployment"))
        case _:
            return None


def role_of(draft: Draft, name: object) -> str | None:
    """The role that a role's or a deployment's name means."""
    for each in (BASELINE, CANDIDATE):
        if name is not None and name in (each, draft.at(each, "deployment")):
            return each
    return None


def identify(stages: Sequence[Sketch], taken: Sequence[str] = ()) -> tuple[str, ...]:
    """An id for each stage: its own, else one of kind and value, unique and not in ``taken``."""
    used = {*taken, *(str(each.entry["id"]) for each in stages if "id" in each.entry)}
    return tuple(str(each.entry.get("id", "")) or _unique(_id(each), used) for each in stages)


def _unique(base: str, used: set[str]) -> str:
    name, number = base, 1
    while name in used:
        number += 1
        name = f"{base}-{number}"
    used.add(name)
    return name


def _id(stage: Sketch) -> str:
    match stage.kind, stage.value:
        case (("mirror" | "shift"), value):
            detail = str(forms.share(value))
        case (("create" | "delete"), value):
            detail = str(value)
        case "scale", dict(inside):
            detail = f"{inside['deployment']}-{forms.count(inside['instances'])}"
        case "smoke", dict(inside):
            detail = str(inside.get("deployment", CANDIDATE))
        case "smoke", _:
            detail = CANDIDATE
        case "wait", value:
            detail = spell_duration(wait_seconds(value))
        case _:
            return stage.kind
    return f"{stage.kind}-{detail}"


def wait_seconds(value: object) -> float:
    """How long a wait lasts, in either way of writing it."""
    return forms.duration(value.get("duration") if isinstance(value, dict) else value)
