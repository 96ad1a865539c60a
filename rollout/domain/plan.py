"""A plan as a value: what shall happen to which endpoint, and what must hold in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.domain.criteria import Custom, Gate, Probing, Risk
from rollout.domain.roles import BASELINE

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EndpointRef:
    """Which endpoint.

    Args:
        provider: The name of the adapter: ``local`` or ``azureml``.
        name: The endpoint's name.
        file: Absolute path of Azure ML's own endpoint YAML, used only to create it when absent.
        options: What only this provider understands (``port``, ``workspace``), parsed by its
            adapter.
    """

    provider: str
    name: str
    file: str | None = None
    options: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeploymentRef:
    """One deployment of the endpoint, by name, and the file that describes it.

    Args:
        name: The deployment's name.
        file: Absolute path of Azure ML's own deployment YAML; None: it must exist already.
        overrides: Values that replace those of the file (``set:`` in the plan).
    """

    name: str
    file: str | None = None
    overrides: Json = field(default_factory=dict)


PROMETHEUS = "prometheus"
"""Who measures endpoints of any provider; the others measure those of one."""


@dataclass(frozen=True, slots=True)
class Metering:
    """Who counts requests and times answers.

    Args:
        provider: ``local``, ``azure_monitor``, ``log_analytics`` or ``prometheus``; empty: whom
            the endpoint's provider takes.
        options: What only this one understands (``workspace``, ``address``), parsed by its adapter.
    """

    provider: str = ""
    options: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Create endpoint and baseline at 100 % where nothing serves yet; passes at once elsewhere."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """Check what can be checked before the first write.

    Args:
        quota: Also that the cores are there which the rollout needs.
        permissions: Also that whoever runs this may do what the rollout does.
        metrics: Also that measurements arrive.
    """

    quota: bool = True
    permissions: bool = True
    metrics: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """Give a deployment (``baseline`` or ``candidate``) this many instances."""

    deployment: str
    instances: int


@dataclass(frozen=True, slots=True)
class Create:
    """Create a deployment (``baseline`` or ``candidate``) with 0 % of the traffic."""

    deployment: str


@dataclass(frozen=True, slots=True)
class Expect:
    """What a good answer is. ``json``: a path such as ``$[0]`` that must exist, and its type."""

    status: int = 200
    latency_max: float | None = None
    json_path: str | None = None
    json_type: str | None = None


@dataclass(frozen=True, slots=True)
class Smoke:
    """Send ``count`` requests to one deployment by header; each answer must be as expected."""

    deployment: str
    count: int = 10
    expect: Expect = field(default_factory=Expect)


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copy this percentage of the live requests to the candidate; its answers are discarded."""

    percent: int


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the candidate this percentage of the live requests; clears the mirror."""

    percent: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Hold the present split for ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Approve:
    """Wait until people approve.

    Args:
        by: Whose word counts; empty: anybody's.
        expires: Seconds until it is too late; None: never.
        count: How many different people must approve.
        author: Whether the word of whoever started the run counts as well.
    """

    by: tuple[str, ...] = ()
    expires: float | None = None
    count: int = 1
    author: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a deployment (``baseline`` or ``candidate``); the point of no return."""

    deployment: str


Work = Bootstrap | Preflight | Scale | Create | Smoke | Mirror | Shift | Wait | Approve | Delete


@dataclass(frozen=True, slots=True)
class Stage:
    """A set-point and the gate that must pass while it holds. Durations in seconds.

    Args:
        id: Unique in the plan; made from kind and value where the plan gives none.
        work: What the stage is.
        gate: Name of the gate that must pass, or None.
        timeout: How long the set-point may take to be reached.
        after: How long to wait before the stage begins, counted from the end of the one before.
    """

    id: str
    work: Work
    gate: str | None = None
    timeout: float = 3600.0
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Guard:
    """What a runner may leave behind that does not stay.

    Args:
        unattended: The candidate's live percent while nobody guards it, at most; 0: a runner stays
            as long as the candidate answers users; None: whatever it has at the time.
    """

    unattended: int | None = 0


@dataclass(frozen=True, slots=True)
class Window:
    """When some kinds of stages may begin.

    Args:
        allow: As written: ``Mon-Thu 09:00-16:00``.
        timezone: An IANA name: ``Europe/Vienna``.
        applies_to: Kinds of stages: ``create``, ``shift``, ``delete``, ...; empty: every one that writes.
    """

    allow: str
    timezone: str = "UTC"
    applies_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnFailure:
    """``action``: rollback or hold. ``candidate``: keep or delete. ``verify_within`` in seconds."""

    action: str = "rollback"
    candidate: str = "keep"
    verify_within: float = 600.0
    verify_smoke: bool = True
    collect_logs: int = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """One rollout, checked; every path in it absolute.

    Args:
        requests: Request bodies for smoke tests, probes and load, as bytes; empty: none given.
        load_rps: Open-loop traffic that the runner itself sends while gates observe, requests/s;
            0: none.
        compare: How answers are compared where mirrored ones cannot be read.
        metrics: Who measures.
        customs: Metrics of the user's own.
        guard: What a runner may leave behind that does not stay.
        windows: When which kinds of stages may begin; empty: always.
        deadline: Seconds from the start after which the run is rolled back; None: none.
        file: Where the plan was read, as the user named it.
        values: What was given for its variables in the call, for the next one.
        source: The plan's text after substitution, as canonical JSON; its SHA-256 is ``digest``.
    """

    name: str
    endpoint: EndpointRef
    baseline: DeploymentRef
    candidate: DeploymentRef
    stages: tuple[Stage, ...]
    gates: Mapping[str, Gate] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[bytes, ...] = ()
    load_rps: float = 0.0
    compare: Probing = field(default_factory=Probing)
    metrics: Metering = field(default_factory=Metering)
    customs: tuple[Custom, ...] = ()
    risk: Risk = field(default_factory=Risk)
    on_failure: OnFailure = field(default_factory=OnFailure)
    guard: Guard = field(default_factory=Guard)
    windows: tuple[Window, ...] = ()
    deadline: float | None = None
    source: str = "{}"
    digest: str = ""
    file: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def deployment(self, role: str) -> DeploymentRef:
        """The deployment that plays ``baseline`` or ``candidate``."""
        return self.baseline if role == BASELINE else self.candidate

    @property
    def preflight(self) -> Preflight:
        """Which pre-checks it wants; without such a stage, those of a bare one."""
        works = (stage.work for stage in self.stages)
        return next((work for work in works if isinstance(work, Preflight)), Preflight())
