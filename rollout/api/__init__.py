"""The Python interface: values in, values out, nothing printed.

    >>> from rollout import api
    >>> [finding.path for finding in api.validate("no-such-plan.yaml")]
    ['plan']

A rollout is driven by ``apply`` and looked at with ``status``, ``history`` and ``events``; a
person's orders are ``approve``, ``reject``, ``pause``, ``resume``, ``abort``, ``retry`` and
``undo``. Everything that can go wrong as expected is a ``RolloutError`` with ``what`` and ``do``.

A name is imported when it is first used: ``validate`` needs no journal, ``status`` no YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout.api.attending import Stay
    from rollout.api.doctoring import doctor
    from rollout.api.drifting import Drifting, drift
    from rollout.api.driving import (
        ON_HOLD,
        apply,
        carry_on,
        destroy,
        logs,
        preview,
        standing,
        undo,
        undoing,
    )
    from rollout.api.keeping import (
        export_journals,
        force_unlock,
        import_journals,
        lock,
        prunable,
        prune,
        streams,
    )
    from rollout.api.looking import check, diff, placed, see_reachable, verify
    from rollout.api.ordering import abort, approve, pause, reject, resume, retry
    from rollout.api.plans import read_plan
    from rollout.api.reading import driven_by, events, head, history, left_alone, status
    from rollout.api.seating import Result
    from rollout.api.settings import Settings
    from rollout.api.simulating import Wish, simulate
    from rollout.api.ticking import Ticked, tick_all
    from rollout.api.validating import validate
    from rollout.domain.diagnostics import Diagnostic
    from rollout.domain.errors import (
        Drifted,
        EndpointAway,
        EndpointError,
        EndpointRefused,
        Fenced,
        Locked,
        NewerJournal,
        NotLoggedIn,
        PlanInvalid,
        PreflightFailed,
        RolloutError,
        StoreError,
        Unguarded,
        UsageError,
    )
    from rollout.domain.plan import Plan
    from rollout.domain.run import Run
    from rollout.ports.doctor import Sign, State
    from rollout.runtime.begin import Course, Standing
    from rollout.runtime.journal import Entry
    from rollout.runtime.lease import Holder
    from rollout.runtime.preview import Preview
    from rollout.runtime.pruning import Prunable
    from rollout.runtime.replay import Placed
    from rollout.runtime.simulation.summary import Simulation
    from rollout.runtime.stock import Stream
    from rollout.runtime.unlock import Lock

_HOMES = {
    "rollout.api.attending": ("Stay",),
    "rollout.api.plans": ("read_plan",),
    "rollout.api.validating": ("validate",),
    "rollout.api.driving": (
        "ON_HOLD",
        "apply",
        "carry_on",
        "destroy",
        "logs",
        "preview",
        "standing",
        "undo",
        "undoing",
    ),
    "rollout.api.doctoring": ("doctor",),
    "rollout.api.drifting": ("Drifting", "drift"),
    "rollout.api.keeping": (
        "export_journals",
        "force_unlock",
        "import_journals",
        "lock",
        "prunable",
        "prune",
        "streams",
    ),
    "rollout.api.looking": ("check", "diff", "placed", "see_reachable", "verify"),
    "rollout.api.ordering": ("abort", "approve", "pause", "reject", "resume", "retry"),
    "rollout.api.reading": ("driven_by", "events", "head", "history", "left_alone", "status"),
    "rollout.api.seating": ("Result",),
    "rollout.api.settings": ("Settings",),
    "rollout.api.simulating": ("Wish", "simulate"),
    "rollout.api.ticking": ("Ticked", "tick_all"),
    "rollout.domain.diagnostics": ("Diagnostic",),
    "rollout.domain.errors": (
        "Drifted",
        "EndpointAway",
        "EndpointError",
        "EndpointRefused",
        "Fenced",
        "Locked",
        "NewerJournal",
        "NotLoggedIn",
        "PlanInvalid",
        "PreflightFailed",
        "RolloutError",
        "StoreError",
        "Unguarded",
        "UsageError",
    ),
    "rollout.domain.plan": ("Plan",),
    "rollout.domain.run": ("Run",),
    "rollout.ports.doctor": ("Sign", "State"),
    "rollout.runtime.begin": ("Course", "Standing"),
    "rollout.runtime.journal": ("Entry",),
    "rollout.runtime.preview": ("Preview",),
    "rollout.runtime.pruning": ("Prunable",),
    "rollout.runtime.replay": ("Placed",),
    "rollout.runtime.simulation.summary": ("Simulation",),
    "rollout.runtime.stock": ("Stream",),
    "rollout.runtime.lease": ("Holder",),
    "rollout.runtime.unlock": ("Lock",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it."""
    if name not in _HOME:
        raise AttributeError(f"module 'rollout.api' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "ON_HOLD",
    "Course",
    "Diagnostic",
    "Drifted",
    "Drifting",
    "EndpointAway",
    "EndpointError",
    "EndpointRefused",
    "Entry",
    "Fenced",
    "Holder",
    "Lock",
    "Locked",
    "NewerJournal",
    "NotLoggedIn",
    "Placed",
    "Plan",
    "PlanInvalid",
    "PreflightFailed",
    "Preview",
    "Prunable",
    "Result",
    "RolloutError",
    "Run",
    "Settings",
    "Sign",
    "Simulation",
    "Standing",
    "State",
    "Stay",
    "StoreError",
    "Stream",
    "Ticked",
    "Unguarded",
    "UsageError",
    "Wish",
    "abort",
    "apply",
    "approve",
    "carry_on",
    "check",
    "destroy",
    "diff",
    "doctor",
    "drift",
    "driven_by",
    "events",
    "export_journals",
    "force_unlock",
    "head",
    "history",
    "import_journals",
    "left_alone",
    "lock",
    "logs",
    "pause",
    "placed",
    "preview",
    "prunable",
    "prune",
    "read_plan",
    "reject",
    "resume",
    "retry",
    "see_reachable",
    "simulate",
    "standing",
    "status",
    "streams",
    "tick_all",
    "undo",
    "undoing",
    "validate",
    "verify",
]
