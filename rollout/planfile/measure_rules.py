"""Rules about gates and whoever measures: a check asks for nothing that nobody can tell."""

from __future__ import annotations

from rollout.domain.units import spell_duration
from rollout.planfile import checks, forms
from rollout.planfile.checks import Sketch
from rollout.planfile.draft import Draft
from rollout.planfile.gate_rules import gate_time, probed
from rollout.planfile.metrics import AGREEMENT, DRIFT
from rollout.planfile.provider import Abilities
from rollout.planfile.wording import Path, listed


def check(draft: Draft, able: Abilities) -> None:
    """Note every gate that waits for measurements which do not come."""
    for name in draft.mapping("gates"):
        _late(draft, ("gates", name), able)
        for each in checks.sketches(draft, name):
            _latency(draft, each, able)
            if not able.answers:
                _answers(draft, each, able)


def _late(draft: Draft, path: Path, able: Abilities) -> None:
    """Measurements arrive before the gate's time is over."""
    longest = gate_time(draft, path, "max_duration")
    if not longest or longest >= able.shortest:
        return
    what = (
        f"{able.meter} tells too late what happens for a gate of {spell_duration(longest)}: "
        "it could never pass."
    )
    do = f"Write a max_duration of {spell_duration(able.shortest)} or more."
    where = (*path, "max_duration") if "max_duration" in draft.mapping(*path) else path
    draft.wrong(where, what, do)


def _latency(draft: Draft, written: Sketch, able: Abilities) -> None:
    quantile = forms.quantile(written.metric)
    if quantile is None or able.quantiles is None or quantile in able.quantiles:
        return
    known = [f"latency_p{each * 100:g}".replace(".", "") for each in able.quantiles]
    what = f"{able.meter} does not measure {written.metric}."
    do = f"Write {listed(known)}." if known else "Add metrics.latency, its histogram."
    draft.wrong_key(written.path, what, do)


def _answers(draft: Draft, written: Sketch, able: Abilities) -> None:
    """Only probes tell what deployments answer, and only agreement is read from probes."""
    what = f"{written.metric} is read from answers to clients, and {able.meter} has none."
    if written.metric == AGREEMENT and not probed(draft):
        do = "Add 'compare: {probe: 1rps}' to the plan: then probes are compared."
        draft.wrong_key(written.path, what, do)
    elif written.metric == DRIFT or written.own is not None:
        draft.wrong_key(written.path, what, "Remove the check.")
