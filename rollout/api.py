"""The Python interface: values in, values out, nothing printed.

    >>> from rollout import api
    >>> [finding.path for finding in api.validate("no-such-plan.yaml")]
    ['plan']

A rollout is driven by ``apply`` and looked at with ``status``, ``history`` and ``events``; a
person's orders are ``approve``, ``reject``, ``pause``, ``resume``, ``abort``, ``retry`` and
``undo``. Everything that can go wrong as expected is a ``RolloutError`` with ``what`` and ``do``.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rollout.domain.diagnostics import Diagnostic
from rollout.domain.errors import EndpointError, Locked, RolloutError, UsageError

# Half of a short command's time would go into imports that it does not need: `validate` takes no
# journal, `status` no YAML. So every function here imports what it uses, and the values that they
# take and give are looked up when somebody names them.
if TYPE_CHECKING:
    from rollout.domain import events as e
    from rollout.domain.plan import Plan
    from rollout.domain.run import Run
    from rollout.ports.endpoint import Endpoint
    from rollout.ports.observer import Notice, Observer
    from rollout.ports.store import Store
    from rollout.runtime.begin import Course, Standing
    from rollout.runtime.journal import Entry, Journal
    from rollout.runtime.preview import Preview
else:
    _ELSEWHERE = {
        "Course": "rollout.runtime.begin",
        "Entry": "rollout.runtime.journal",
        "Plan": "rollout.domain.plan",
        "Preview": "rollout.runtime.preview",
        "Run": "rollout.domain.run",
        "Standing": "rollout.runtime.begin",
    }

    def __getattr__(name):
        """A value's class, from where it is defined."""
        if name not in _ELSEWHERE:
            raise AttributeError(f"module 'rollout.api' has no attribute {name!r}")
        return getattr(import_module(_ELSEWHERE[name]), name)


STATE = "sqlite:///.rollout/state.db"
HOME = ".rollout/local"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are, and who asks.

    Args:
        state: URL of the store that keeps the journals.
        home: Folder of the local endpoints.
        variables: Values for the plan's ``variables``.
        environment: What ``${env.X}`` sees.
        user: Who orders; None: the user of this process.
    """

    state: str = field(default_factory=lambda: os.environ.get("ROLLOUT_STATE", STATE))
    home: Path = field(default_factory=lambda: Path(os.environ.get("ROLLOUT_HOME", HOME)))
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    user: str | None = None

    @property
    def who(self) -> str:
        """The name that orders are signed with."""
        return self.user or _user()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an ``apply``.

    Args:
        run: The run as it stands now.
        outcome: One word: ``completed``, ``rolled_back``, ``inconclusive``, ``held``, ...
        code: The exit code that the command line would end with.
        course: Whether it was started, resumed, or there was nothing to do.
    """

    run: Run
    outcome: str
    code: int
    course: Course


class Silent:
    """An observer that takes no note."""

    def saw(self, notice: Notice) -> None:
        """Nothing."""


def validate(plan: str | Path, settings: Settings | None = None) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a plan file, sorted by place; empty: it is good."""
    from rollout import wiring  # noqa: PLC0415
    from rollout.planfile.load import examine  # noqa: PLC0415

    used = settings or Settings()
    _, findings = examine(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        check_provider=wiring.LocalFiles(),
    )
    return findings


def read_plan(plan: str | Path, settings: Settings | None = None) -> Plan:
    """The plan in a file.

    Raises:
        PlanInvalid: with every finding.
    """
    from rollout import wiring  # noqa: PLC0415
    from rollout.planfile.load import load  # noqa: PLC0415

    used = settings or Settings()
    return load(
        Path(plan),
        variables=used.variables,
        environment=used.environment,
        check_provider=wiring.LocalFiles(),
    )


def standing(
    plan: str | Path, settings: Settings | None = None, *, again: bool = False
) -> Standing:
    """What applying the plan would mean: start, resume, nothing, or in another run's way.

    Unlike ``preview`` it does not look at the endpoint.
    """
    from rollout.runtime import begin  # noqa: PLC0415
    from rollout.runtime.journal import Journal  # noqa: PLC0415

    used = settings or Settings()
    value = read_plan(plan, used)
    with _opened(value, used, create=False) as (endpoint, store):
        journal = Journal(store, endpoint.key, used.who)
        return begin.stand(value, endpoint, journal.refresh(), again=again)


def preview(plan: str | Path, settings: Settings | None = None, *, again: bool = False) -> Preview:
    """What applying the plan would do to the endpoint as it is now; writes nothing."""
    from rollout.runtime import begin  # noqa: PLC0415
    from rollout.runtime.journal import Journal  # noqa: PLC0415
    from rollout.runtime.preview import preview_of  # noqa: PLC0415

    used = settings or Settings()
    value = read_plan(plan, used)
    with _opened(value, used, create=False) as (endpoint, store):
        journal = Journal(store, endpoint.key, used.who)
        found = begin.stand(value, endpoint, journal.refresh(), again=again)
        return preview_of(value, endpoint.observe(), found)


def apply(
    plan: str | Path,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    lock_timeout: float = 0.0,
    again: bool = False,
    identity: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Start the plan's run, or resume it from wherever it stands; idempotent.

    Args:
        plan: The plan file.
        settings: Where things are.
        observer: Told of everything that happens.
        lock_timeout: Seconds to wait for another runner that is alive.
        again: Begin anew although the same work has ended already.
        identity: What was agreed to, from ``standing``: refused if the plan means other work now.
        stopping: Asked between two steps; True leaves with the state saved.

    Raises:
        PlanInvalid, Locked, Fenced, EndpointError, StoreError: see ``rollout.domain.errors``.
    """
    from rollout.runtime import begin  # noqa: PLC0415

    used = settings or Settings()
    value = read_plan(plan, used)

    def own(endpoint: Endpoint, journal: Journal) -> Course:
        found = begin.stand(value, endpoint, journal.refresh(), again=again)
        if identity not in (None, found.identity):
            raise UsageError(
                f"{plan} or one of its files changed while you were asked.",
                do=f"Look again: rollout plan {plan}",
            )
        if found.course is not begin.Course.NOTHING:
            begin.own(value, endpoint, journal, found, used.who)
        return found.course

    return _driven(value, used, own, observer or Silent(), lock_timeout, stopping)


def carry_on(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Drive an open run from the journal alone, without its plan file."""
    from rollout.runtime import begin, orders  # noqa: PLC0415

    used = settings or Settings()
    with _stored(used) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)

    def own(_: Endpoint, journal: Journal) -> Course:
        run = journal.refresh()
        if run is None or run.final:
            return begin.Course.NOTHING
        begin.resume(journal)
        return begin.Course.RESUME

    return _driven(value, used, own, observer or Silent(), 0.0, stopping)


def undo(
    run_id: str | None = None,
    settings: Settings | None = None,
    *,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Result:
    """Take an endpoint back to the split that a finished run found; an open run is aborted."""
    from rollout.runtime import begin, orders  # noqa: PLC0415

    used = settings or Settings()
    with _stored(used) as store:
        found = orders.find_run(store, run_id)
        value = orders.plan_of(store, found)
    if not found.run.final:
        abort(found.run.id, settings=used)
        return carry_on(found.run.id, used, observer=observer, stopping=stopping)

    def own(_: Endpoint, journal: Journal) -> Course:
        journal.refresh()
        begin.undo(journal, found.run, value, used.who)
        return begin.Course.START

    return _driven(value, used, own, observer or Silent(), 0.0, stopping)


def destroy(plan: str | Path, settings: Settings | None = None) -> None:
    """Remove the plan's endpoint with everything on it; the journal is kept."""
    from rollout import wiring  # noqa: PLC0415
    from rollout.runtime.lease import living_holder  # noqa: PLC0415

    used = settings or Settings()
    value = read_plan(plan, used)
    with _opened(value, used, create=False) as (endpoint, store):
        who = living_holder(store, endpoint.key, wiring.owner().surely_dead)
        if who is not None:
            raise Locked(
                f"{who} is driving a run on {value.endpoint.name}.",
                do="End it first: rollout abort",
            )
        endpoint.destroy()


def logs(plan: str | Path, deployment: str, tail: int, settings: Settings | None = None) -> str:
    """The newest log lines of a deployment of the plan's endpoint.

    Args:
        plan: The plan file.
        deployment: A deployment's name, or ``baseline`` or ``candidate``.
        tail: How many lines.
        settings: Where things are.
    """
    used = settings or Settings()
    value = read_plan(plan, used)
    names = {"baseline": value.baseline.name, "candidate": value.candidate.name}
    with _opened(value, used, create=False) as (endpoint, _):
        return endpoint.logs(names.get(deployment, deployment), tail=tail)


# --- from the journal ---------------------------------------------------------


def status(run_id: str | None = None, settings: Settings | None = None) -> Run:
    """A run as the journal has it: by id or prefix, or else the open or newest one."""
    from rollout.runtime import orders  # noqa: PLC0415

    with _stored(settings or Settings(), create=False) as store:
        return orders.find_run(store, run_id).run


def history(settings: Settings | None = None) -> tuple[Run, ...]:
    """Every run of the store, newest first."""
    from rollout.runtime import orders  # noqa: PLC0415

    with _stored(settings or Settings(), create=False) as store:
        return tuple(found.run for found in orders.all_runs(store))


def events(
    run_id: str | None = None, settings: Settings | None = None, *, after: int = -1
) -> tuple[Entry, ...]:
    """The events of a run with a ``seq`` above ``after``, oldest first."""
    from rollout.runtime import orders  # noqa: PLC0415
    from rollout.runtime.journal import read_entry  # noqa: PLC0415

    with _stored(settings or Settings(), create=False) as store:
        found = orders.find_run(store, run_id)
        if after < 0:
            return orders.story(store, found)
        records = store.read(found.stream, after=after)
        return tuple(read_entry(each) for each in records if each.run == found.run.id)


def driven_by(run_id: str | None = None, settings: Settings | None = None) -> str | None:
    """Who drives a run at this moment, as people read it; None: nobody."""
    from rollout import wiring  # noqa: PLC0415
    from rollout.runtime import orders  # noqa: PLC0415
    from rollout.runtime.lease import living_holder  # noqa: PLC0415

    with _stored(settings or Settings(), create=False) as store:
        found = orders.find_run(store, run_id)
        # Looked up late: a lease that was given back is nobody's, whatever processes there are.
        return living_holder(store, found.stream, lambda who: wiring.owner().surely_dead(who))


# --- a person's orders -----------------------------------------------------------


def approve(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Say yes to the approval that a run waits for."""
    from rollout.runtime import orders  # noqa: PLC0415

    used = settings or Settings()
    with _stored(used) as store:
        found = orders.find_run(store, run_id)
        return orders.approve(store, found, used.who, message)


def reject(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Say no: the run rolls back."""
    from rollout.domain.events import Rejected  # noqa: PLC0415

    used = settings or Settings()
    return _give(run_id, Rejected(used.who, message), used)


def pause(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Stop a run where it is; its guard goes on."""
    from rollout.domain.events import PauseOrdered  # noqa: PLC0415

    used = settings or Settings()
    return _give(run_id, PauseOrdered(used.who, message), used)


def resume(
    run_id: str | None = None,
    message: str = "",
    settings: Settings | None = None,
    *,
    adopt: bool = False,
) -> Run:
    """Let a paused or held run go on; ``adopt`` takes the split as somebody changed it."""
    from rollout.domain.events import ResumeOrdered  # noqa: PLC0415

    used = settings or Settings()
    return _give(run_id, ResumeOrdered(used.who, adopt, message), used)


def abort(
    run_id: str | None = None,
    message: str = "",
    settings: Settings | None = None,
    *,
    keep_traffic: bool = False,
) -> Run:
    """End a run: back to the captured split, or with ``keep_traffic`` as it is."""
    from rollout.domain.events import AbortOrdered  # noqa: PLC0415

    used = settings or Settings()
    return _give(run_id, AbortOrdered(used.who, keep_traffic, message), used)


def retry(run_id: str | None = None, message: str = "", settings: Settings | None = None) -> Run:
    """Let a held run try its stage again."""
    from rollout.domain.events import RetryOrdered  # noqa: PLC0415

    used = settings or Settings()
    return _give(run_id, RetryOrdered(used.who, message), used)


def _give(run_id: str | None, order: e.Order, used: Settings) -> Run:
    from rollout.runtime import orders  # noqa: PLC0415

    with _stored(used) as store:
        return orders.give(store, orders.find_run(store, run_id), order, used.who)


# --- the workings ---------------------------------------------------------------


def _driven(
    plan: Plan,
    used: Settings,
    own: Callable[[Endpoint, Journal], Course],
    observer: Observer,
    patience: float,
    stopping: Callable[[], bool],
) -> Result:
    from rollout import wiring  # noqa: PLC0415
    from rollout.domain.outcome import exit_code, outcome  # noqa: PLC0415
    from rollout.gates.rules import compile_rules  # noqa: PLC0415
    from rollout.runtime.begin import Course  # noqa: PLC0415
    from rollout.runtime.drive import Driver  # noqa: PLC0415
    from rollout.runtime.journal import Journal  # noqa: PLC0415
    from rollout.runtime.lease import acquire  # noqa: PLC0415
    from rollout.runtime.meter import Meter  # noqa: PLC0415

    clock, me = wiring.clock(), wiring.owner()
    with _opened(plan, used) as (endpoint, store):
        lease = acquire(store, endpoint.key, me, clock, patience=patience)
        try:
            journal = Journal(store, endpoint.key, me.name)
            course = own(endpoint, journal)
            if course is not Course.NOTHING:
                load = (
                    endpoint.load(rps=plan.load_rps, bodies=plan.requests)
                    if plan.load_rps
                    else None
                )
                meter = Meter(endpoint, compile_rules(plan), clock)
                Driver(
                    plan, endpoint, journal, lease, meter, clock, observer, load, stopping
                ).drive()
            run = journal.refresh() or status(None, used)
        finally:
            lease.release()
    return Result(run, outcome(run), exit_code(run), course)


@contextmanager
def _opened(plan: Plan, used: Settings, *, create: bool = True) -> Iterator[tuple[Endpoint, Store]]:
    from rollout import wiring  # noqa: PLC0415

    endpoint = wiring.endpoint(plan, home=used.home, clock=wiring.clock())
    try:
        with _stored(used, create=create) as store:
            yield endpoint, store
    finally:
        endpoint.close()


@contextmanager
def _stored(used: Settings, *, create: bool = True) -> Iterator[Store]:
    from rollout import wiring  # noqa: PLC0415

    store = wiring.store(used.state, create=create)
    try:
        yield store
    finally:
        store.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


__all__ = [
    "Course",
    "Diagnostic",
    "EndpointError",
    "Entry",
    "Plan",
    "Preview",
    "Result",
    "RolloutError",
    "Run",
    "Settings",
    "Standing",
    "abort",
    "apply",
    "approve",
    "carry_on",
    "destroy",
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
    "standing",
    "status",
    "undo",
    "validate",
]
