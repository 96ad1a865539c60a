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
    from rollout.api.doctoring import doctor
    from rollout.api.driving import (
        ON_HOLD,
        Result,
        apply,
        carry_on,
        destroy,
        logs,
        preview,
        standing,
        undo,
    )
    from rollout.api.looking import check, diff, verify
    from rollout.api.ordering import abort, approve, pause, reject, resume, retry
    from rollout.api.plans import read_plan
    from rollout.api.reading import driven_by, events, history, status
    from rollout.api.settings import Settings
    from rollout.api.simulating import Wish, simulate
    from rollout.api.validating import validate
    from rollout.domain.diagnostics import Diagnostic
    from rollout.domain.errors import (
        Drifted,
        EndpointAway,
        EndpointError,
        EndpointRefused,
        Fenced,
        Locked,
        NotLoggedIn,
        PlanInvalid,
        PreflightFailed,
        RolloutError,
        StoreError,
        UsageError,
    )
    from rollout.domain.plan import Plan
    from rollout.domain.run import Run
    from rollout.ports.doctor import Sign, State
    from rollout.runtime.begin import Course, Standing
    from rollout.runtime.journal import Entry
    from rollout.runtime.preview import Preview
    from rollout.runtime.simulation.summary import Simulation

_HOMES = {
    "rollout.api.plans": ("read_plan",),
    "rollout.api.validating": ("validate",),
    "rollout.api.driving": (
        "ON_HOLD",
        "Result",
        "apply",
        "carry_on",
        "destroy",
        "logs",
        "preview",
        "standing",
        "undo",
    ),
    "rollout.api.doctoring": ("doctor",),
    "rollout.api.looking": ("check", "diff", "verify"),
    "rollout.api.ordering": ("abort", "approve", "pause", "reject", "resume", "retry"),
    "rollout.api.reading": ("driven_by", "events", "history", "status"),
    "rollout.api.settings": ("Settings",),
    "rollout.api.simulating": ("Wish", "simulate"),
    "rollout.domain.diagnostics": ("Diagnostic",),
    "rollout.domain.errors": (
        "Drifted",
        "EndpointAway",
        "EndpointError",
        "EndpointRefused",
        "Fenced",
        "Locked",
        "NotLoggedIn",
        "PlanInvalid",
        "PreflightFailed",
        "RolloutError",
        "StoreError",
        "UsageError",
    ),
    "rollout.domain.plan": ("Plan",),
    "rollout.domain.run": ("Run",),
    "rollout.ports.doctor": ("Sign", "State"),
    "rollout.runtime.begin": ("Course", "Standing"),
    "rollout.runtime.journal": ("Entry",),
    "rollout.runtime.preview": ("Preview",),
    "rollout.runtime.simulation.summary": ("Simulation",),
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
    "EndpointAway",
    "EndpointError",
    "EndpointRefused",
    "Entry",
    "Fenced",
    "Locked",
    "NotLoggedIn",
    "Plan",
    "PlanInvalid",
    "PreflightFailed",
    "Preview",
    "Result",
    "RolloutError",
    "Run",
    "Settings",
    "Sign",
    "Simulation",
    "Standing",
    "State",
    "StoreError",
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
    "driven_by",
    "events",
    "history",
    "logs",
    "pause",
    "preview",
    "read_plan",
    "reject",
    "resume",
    "retry",
    "simulate",
    "standing",
    "status",
    "undo",
    "validate",
    "verify",
]
