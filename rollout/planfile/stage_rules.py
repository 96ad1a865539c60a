"""Rules about stages: what each of them needs of the stages before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.planfile import forms
from rollout.planfile.draft import Draft
from rollout.planfile.gate_rules import of_metric, probed, relative_metrics
from rollout.planfile.metrics import AGREEMENT, REQUESTS
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.provider import Abilities
from rollout.planfile.stages import OBSERVED, Sketch, role, role_of
from rollout.planfile.wording import Path, listed, meant, shown

BOOTSTRAP = "bootstrap"  # the id of the stage that a baseline's file brings
WHOLE = 100  # percent


def check(draft: Draft, stages: Sequence[Sketch], able: Abilities) -> None:
    """Note every stage that cannot work where it stands."""
    _ids(draft)
    for stage in stages:
        _gate(draft, stage)
        _deployment(draft, stage)
        _smoke(draft, stage)
        _approve(draft, stage)
    _walk(draft, stages, able)


def _ids(draft: Draft) -> None:
    first: dict[str, int] = {}
    for at, entry in enumerate(draft.items("stages")):
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            continue
        path = ("stages", at, "id")
        if name in first:
            what = f"stages[{first[name]}] has the id {shown(name)} too."
            draft.wrong(path, what, "Give each stage an id of its own.")
        elif name == BOOTSTRAP and "file" in draft.mapping(BASELINE):
            what = f"the stage that creates an absent baseline has the id '{BOOTSTRAP}'."
            draft.wrong(path, what, "Choose another id.")
        first.setdefault(name, at)


def _gate(draft: Draft, stage: Sketch) -> None:
    if "gate" not in stage.entry:
        return
    path = (*stage.path, "gate")
    if stage.kind not in OBSERVED:
        what = f"no gate watches a stage of the kind {stage.kind}."
        draft.wrong_key(path, what, f"Put the gate on a {listed(OBSERVED)}.")
    elif stage.gate is not None and stage.gate not in draft.mapping("gates"):
        known = draft.mapping("gates")
        if "gates" in draft.data and not known:
            return  # nothing there could be read
        do = f"Declare it: gates: {{{shown(stage.gate)[1:-1]}: {{checks: [...]}}}}."
        what = f"there is no gate {shown(stage.gate)}."
        draft.wrong(path, what, meant(stage.gate, known, otherwise=do))


def _deployment(draft: Draft, stage: Sketch) -> None:
    """Scale names somebody the plan knows; create has a file to create from."""
    if stage.kind == "scale":
        name = draft.text(*stage.value_path, "deployment")
        if name is not None and role_of(draft, name) is None:
            names = [draft.text(each, "deployment") for each in (BASELINE, CANDIDATE)]
            known = [BASELINE, CANDIDATE, *(each for each in names if each)]
            do = meant(name, known, otherwise=f"Write {listed(known)}.")
            what = f"{shown(name)} is no deployment of this plan."
            draft.wrong((*stage.value_path, "deployment"), what, do)
    who = role(draft, stage) if stage.kind == "create" else None
    if who is not None and isinstance(draft.at(who), dict) and "file" not in draft.mapping(who):
        do = f"Add '{who}: {{file: ...}}', or remove the stage if the deployment is there already."
        draft.wrong(stage.value_path, f"the {who} has no file to create it from.", do)


def _smoke(draft: Draft, stage: Sketch) -> None:
    if stage.kind == "smoke" and "requests" not in draft.data:
        do = "Add 'requests: FILE' to the plan."
        draft.wrong_key(stage.value_path, "there are no requests to send.", do)


def _approve(draft: Draft, stage: Sketch) -> None:
    """No more approvals than people who may give them."""
    by = {
        name.strip().casefold()
        for name in draft.items(*stage.value_path, "by")
        if isinstance(name, str)
    }
    path = (*stage.value_path, "count")
    if stage.kind != "approve" or not by or draft.at(*path) is None:
        return
    try:
        count = forms.count(draft.at(*path))
    except Misshapen:
        return  # told by the schema
    if count > len(by):
        people = f"{len(by)} people" if len(by) > 1 else "1 person"
        do = f"Write {len(by)} or less, or name more people."
        draft.wrong(path, f"{count} approvals are asked for, and 'by' names {people}.", do)


@dataclass(slots=True)
class _Traffic:
    """What the stages so far have done.

    Args:
        able: What the endpoint's provider can do.
        live: The candidate's percentage of live requests; None: it could not be read.
        mirror: Its percentage of mirrored requests; None: it could not be read.
        shifted: The stage that gave it live traffic.
        created: Roles that a stage has created, and where.
        gone: Roles that a stage has deleted, and where.
        paired: Gates that have looked at mirrored requests.
    """

    able: Abilities
    live: int | None = 0
    mirror: int | None = 0
    shifted: Sketch | None = None
    created: dict[str, Sketch] = field(default_factory=dict)
    gone: dict[str, Sketch] = field(default_factory=dict)
    paired: set[str] = field(default_factory=set)


def _walk(draft: Draft, stages: Sequence[Sketch], able: Abilities) -> None:
    traffic = _Traffic(able)
    births = [each for each in stages if each.kind == "create" and each.value == CANDIDATE]
    for stage in stages:
        if not _served(draft, stage, traffic, births):
            continue
        match stage.kind:
            case "create":
                _create(draft, stage, traffic)
            case "shift":
                _shift(draft, stage, traffic)
            case "mirror":
                _mirror(draft, stage, traffic)
            case "delete":
                _delete(draft, stage, traffic)
            case _:
                pass
        _observed(draft, stage, traffic)


def _served(draft: Draft, stage: Sketch, traffic: _Traffic, births: Sequence[Sketch]) -> bool:
    """Whether the deployments that a stage works on are there."""
    needed = _needed(draft, stage)
    for who in needed:
        if who in traffic.gone:
            what = f"{traffic.gone[who]} has deleted the {who}."
            draft.wrong_key(stage.value_path, what, "Put this stage before the delete.")
            return False
    if CANDIDATE in needed and stage.kind != "create" and births and births[0].at > stage.at:
        what = f"the candidate is not created before {births[0]}."
        draft.wrong_key(stage.value_path, what, "Put 'create: candidate' before this stage.")
        return False
    return True


def _needed(draft: Draft, stage: Sketch) -> tuple[str, ...]:
    match stage.kind:
        case "mirror":
            return (CANDIDATE, BASELINE)
        case "shift":
            return (CANDIDATE,) if stage.share == WHOLE else (CANDIDATE, BASELINE)
        case _:
            who = role(draft, stage)
            return () if who is None else (who,)


def _create(draft: Draft, stage: Sketch, traffic: _Traffic) -> None:
    who = role(draft, stage)
    if who is None:
        return
    if who in traffic.created:
        what = f"{traffic.created[who]} creates the {who} already."
        draft.wrong(stage.value_path, what, "Remove one of the two.")
    traffic.created.setdefault(who, stage)


def _shift(draft: Draft, stage: Sketch, traffic: _Traffic) -> None:
    share, before = stage.share, traffic.live
    if share == 0:
        do = "Remove the stage; a rollout that fails goes back by itself."
        draft.wrong(stage.value_path, "a shift to 0 % gives the candidate nothing.", do)
        return
    if share is not None and before is not None and share <= before:
        how = "repeats" if share == before else "falls behind"
        what = f"a shift to {share} % {how} the {before} % of {traffic.shifted}."
        do = "Write a larger share, or hold the split with '- wait: 10m'."
        draft.wrong(stage.value_path, what, do if before < WHOLE else "Remove it.")
        return
    traffic.live, traffic.mirror, traffic.shifted = share, 0, stage


def _mirror(draft: Draft, stage: Sketch, traffic: _Traffic) -> None:
    share = stage.share
    if traffic.shifted is not None:
        what = (
            f"{traffic.shifted} has given the candidate live traffic; an endpoint mirrors only to "
            "a deployment without."
        )
        draft.wrong_key(stage.value_path, what, "Put mirror stages before the first shift.")
        return
    most = traffic.able.mirror
    if share and not most:
        do = "Remove the stage; the first shift can be a small one."
        draft.wrong_key(stage.value_path, f"{traffic.able.mirrors}.", do)
    elif share is not None and share > most:
        what = f"{traffic.able.mirrors}; got {share} %."
        draft.wrong(stage.value_path, what, f"Write {most}% or less.")
    traffic.mirror = share


def _delete(draft: Draft, stage: Sketch, traffic: _Traffic) -> None:
    who = role(draft, stage)
    if who is None:
        return
    if who == BASELINE and traffic.live is not None and traffic.live < WHOLE:
        what = f"the baseline still has {WHOLE - traffic.live} % of the traffic here."
        draft.wrong(stage.value_path, what, "Put '- shift: 100%' before it.")
    elif who == CANDIDATE and traffic.shifted is not None:
        what = f"{traffic.shifted} has given the candidate live traffic."
        do = "Remove it; 'on_failure: {candidate: delete}' removes a candidate that failed."
        draft.wrong(stage.value_path, what, do)
    elif who == CANDIDATE and traffic.mirror:
        what = f"{traffic.mirror} % of the traffic is still mirrored to the candidate here."
        draft.wrong(stage.value_path, what, "Put '- mirror: 0%' before it.")
    else:
        traffic.gone[who] = stage


def _observed(draft: Draft, stage: Sketch, traffic: _Traffic) -> None:
    """A gate has something to look at, and something to compare it with."""
    name = stage.gate
    if name is None or stage.kind not in OBSERVED or (stage.kind == "shift" and stage.share == 0):
        return
    path = (*stage.path, "gate")
    if traffic.live == 0 and traffic.mirror == 0:
        what = f"the candidate has no traffic here, so gate {shown(name)} can never pass."
        draft.wrong(path, what, "Put the gate on a mirror or a shift.")
    elif traffic.live == 0:
        traffic.paired.add(name)
    if traffic.live == WHOLE:
        _whole(draft, path, name)
    if traffic.live:
        _answers(draft, path, name, traffic)


def _whole(draft: Draft, path: Path, gate: str) -> None:
    """At 100 % there is neither a baseline to compare with nor a split to keep to."""
    metrics = relative_metrics(draft, gate)
    if metrics:
        what = (
            f"gate {shown(gate)} compares {listed(metrics, joined='and')} with the baseline, "
            "which has no traffic left at 100 %."
        )
        draft.wrong(path, what, "Name a gate here whose checks are all {max: ...}.")
    if any(of_metric(draft, gate, REQUESTS)):
        what = f"gate {shown(gate)} checks how requests are split, and at 100 % none are."
        draft.wrong(path, what, f"Name a gate here without {REQUESTS}.")


def _answers(draft: Draft, path: Path, gate: str, traffic: _Traffic) -> None:
    """Answers to compare come from probes where the candidate has live traffic."""
    found = [*of_metric(draft, gate, AGREEMENT)]
    if not found:
        return
    if BASELINE in traffic.gone:
        what = (
            f"gate {shown(gate)} compares answers with those of the baseline, which "
            f"{traffic.gone[BASELINE]} has deleted."
        )
        draft.wrong(path, what, f"Name a gate here without {AGREEMENT}.")
    elif probed(draft) or (gate in traffic.paired and all(each.warns for each in found)):
        return
    elif traffic.able.answers:
        what = f"gate {shown(gate)} compares answers, and none are mirrored beside live traffic."
        do = f"name a gate here without {AGREEMENT}."
        draft.wrong(path, what, f"Add 'compare: {{probe: 1rps}}' to the plan, or {do}")
