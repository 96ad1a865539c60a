"""Cross-field rules: what a schema cannot say because it lies between two parts of a plan."""

from __future__ import annotations

from collections.abc import Sequence

from rollout.domain.diagnostics import Place
from rollout.domain.plan import Metering
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.domain.units import spell_duration
from rollout.planfile import forms, gate_rules, measure_rules, metrics, overrides, stage_rules
from rollout.planfile.draft import Draft
from rollout.planfile.files import Kind, absolute, kind_of, missing
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.provider import (
    Abilities,
    Deployment,
    Flaw,
    ProviderCheck,
    Providers,
    Subject,
)
from rollout.planfile.stages import Sketch, sketches, wait_seconds
from rollout.planfile.wording import Path, shown

PROVIDERS = ("local", "azureml")  # whose keys and files can be checked
OWN_KEYS = ("provider", "name", "file")  # of ``endpoint``; the others are the provider's
OF_METRICS = ("provider", "custom")  # of ``metrics``; the others are the meter's


def set_apart(draft: Draft) -> None:
    """Say nothing of the keys of a provider that this version does not know."""
    if _foreign(draft):
        for key in options(draft):
            draft.spoil(("endpoint", key))


def _foreign(draft: Draft) -> bool:
    return draft.text("endpoint", "provider") not in (None, *PROVIDERS)


def check(draft: Draft, providers: Providers | None) -> None:
    """Note everything that does not fit together, on whatever parts can be read."""
    stages = sketches(draft)
    provider = _provider(draft, providers)
    about = _subject(draft)
    able = Abilities() if provider is None else provider.abilities(about)
    _names(draft)
    metrics.check(draft)
    gate_rules.check(draft)
    measure_rules.check(draft, able)
    stage_rules.check(draft, stages, able)
    _requests(draft)
    _deadline(draft, stages)
    if provider is not None:
        _ask(draft, provider, about)
    _scales(draft, stages, able)


def _provider(draft: Draft, providers: Providers | None) -> ProviderCheck | None:
    name = draft.text("endpoint", "provider")
    if providers is None or name not in PROVIDERS:
        return None
    return providers(name, draft.text("metrics", "provider") or "")


def _names(draft: Draft) -> None:
    names = [draft.text(role, "deployment") for role in (BASELINE, CANDIDATE)]
    if names[0] is not None and names[0] == names[1]:
        what = f"{shown(names[0])} is the baseline's name too."
        draft.wrong((CANDIDATE, "deployment"), what, "Give the candidate a name of its own.")


def _requests(draft: Draft) -> None:
    if "requests" in draft.data:
        return
    do = "Add 'requests: FILE' to the plan."
    if "load" in draft.data:
        draft.wrong_key(("load",), "there are no requests to send.", do)
    if "probe" in draft.mapping("compare"):
        draft.wrong_key(("compare", "probe"), "there are no requests to send.", do)
    if draft.at("on_failure", "verify", "smoke") in (True, "true"):
        path = ("on_failure", "verify", "smoke")
        draft.wrong(path, "there are no requests to send.", do)


def _deadline(draft: Draft, stages: Sequence[Sketch]) -> None:
    """The stages' own waiting fits into the deadline."""
    try:
        deadline = forms.duration(draft.at("policy", "deadline"))
        least = sum(_least(draft, each) for each in stages)
    except Misshapen:
        return  # absent, or told by the schema
    if least >= deadline:
        what = f"the stages wait for at least {spell_duration(least)}."
        do = f"Write a deadline of more than {spell_duration(least)}."
        draft.wrong(("policy", "deadline"), what, do)


def _least(draft: Draft, stage: Sketch) -> float:
    """Seconds that a stage takes when everything goes well at once."""
    after = forms.duration(stage.entry.get("after", "0s"))
    waits = wait_seconds(stage.value) if stage.kind == "wait" else 0.0
    gate = draft.at("gates", stage.gate, "min_duration") if stage.gate else None
    return after + max(waits, forms.duration(gate) if isinstance(gate, str) else 0.0)


def _subject(draft: Draft) -> Subject:
    """What the provider is asked about; what is wrong with files and ``set`` is noted."""
    return Subject(
        endpoint=draft.text("endpoint", "name"),
        options=options(draft),
        file=_file(draft, ("endpoint", "file")),
        metering=metering(draft),
        deployments={role: _deployment(draft, role) for role in (BASELINE, CANDIDATE)},
    )


def _deployment(draft: Draft, role: str) -> Deployment:
    overrides.check(draft, role)
    if "set" in draft.mapping(role) and "file" not in draft.mapping(role):
        do = "Add 'file: ...', or remove 'set'."
        draft.wrong_key((role, "set"), "there is no file whose values it could replace.", do)
    name, file = draft.text(role, "deployment"), _file(draft, (role, "file"))
    try:
        return Deployment(name, file, overrides.nested(draft.mapping(role, "set")))
    except overrides.Clash:
        return Deployment(name, None, {})


def _ask(draft: Draft, provider: ProviderCheck, about: Subject) -> None:
    for path, what, do in provider.problems(about):
        if len(path) == 1 or not draft.told(path):  # else the schema has said it
            draft.wrong(path, what, do)
    if about.file is not None:
        _note(draft, "endpoint", provider.endpoint_file(about))
    for role, deployment in about.deployments.items():
        if deployment.file is not None:
            _note(draft, role, provider.deployment(about, role))


def _file(draft: Draft, path: Path) -> str | None:
    """The absolute path of the file named at ``path``; None unless it is there."""
    name = draft.text(*path)
    if not name:
        return None
    match kind_of(draft.folder / name):
        case Kind.FILE:
            return absolute(draft.folder, name)
        case Kind.MISSING:
            draft.wrong(path, *missing(draft.folder, name))
        case other:
            draft.wrong(path, f"{shown(name)} is {other.value}.", "Name a file.")
    return None


def options(draft: Draft) -> dict[str, object]:
    """The keys of ``endpoint`` that only its provider understands."""
    return {key: each for key, each in draft.mapping("endpoint").items() if key not in OWN_KEYS}


def metering(draft: Draft) -> Metering:
    """Who measures."""
    own = {key: each for key, each in draft.mapping("metrics").items() if key not in OF_METRICS}
    return Metering(draft.text("metrics", "provider") or "", own)


def _note(draft: Draft, part: str, flaws: Sequence[Flaw]) -> None:
    """Each flaw at its place in the part's file, or at the key of the plan that says it."""
    file = (part, "file")
    shown_as = str(draft.folder / (draft.text(*file) or ""))
    for what, do, path, place in flaws:
        if place is None:
            draft.wrong(_setting(draft, part, path) or file, what, do)
        else:
            draft.wrong_in(file, Place(shown_as, *place), what, do)


def _setting(draft: Draft, part: str, path: tuple[str, ...]) -> Path | None:
    """Where ``set:`` says the value at ``path`` of the part's file; None: it does not."""
    for key in draft.mapping(part, "set"):
        steps = tuple(key.split("."))
        if path[: len(steps)] == steps:
            return (part, "set", key, *path[len(steps) :])
    return None


def _scales(draft: Draft, stages: Sequence[Sketch], able: Abilities) -> None:
    """No stage asks for more instances than a deployment can have."""
    most = able.instances
    for stage in stages:
        path = (*stage.value_path, "instances")
        try:
            wanted = forms.count(draft.at(*path)) if stage.kind == "scale" else 0
        except Misshapen:
            continue  # told by the schema
        if wanted > most:
            what = f"a deployment has at most {most} instances here, not {wanted}."
            draft.wrong(path, what, f"Write {most} or less.")
