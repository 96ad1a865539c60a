"""Where a plan stands in Azure, and the looks at it that pre-checks and doctor share.

Every look ends as a sign: good, bad with what to do, or unknown with why it could not be made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rollout.adapters.endpoints.azureml import permissions, quota
from rollout.adapters.endpoints.azureml.arm import (
    AUTHORIZATION,
    ML,
    Arm,
    Json,
    inside,
    items,
    listed,
)
from rollout.adapters.endpoints.azureml.kinds import KUBERNETES, MANAGED
from rollout.adapters.endpoints.azureml.login import Login
from rollout.adapters.endpoints.azureml.permissions import Scope
from rollout.adapters.endpoints.azureml.place import Place
from rollout.adapters.endpoints.azureml.wanted import Wanted, wanted, wants_of
from rollout.domain.errors import EndpointError, EndpointRefused, NotLoggedIn
from rollout.domain.plan import Bootstrap, Create, Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.doctor import LOGIN, Sign, State, sign_of, unlooked
from rollout.ports.endpoint import Finding

AZURE_MONITOR = "azure_monitor"
_ROLE = "docs/azureml/permissions.md"
_STEADY, _GOING = ("Succeeded", "Creating", "Updating"), "Deleting"
_MODES = {"key": "key", "amltoken": "aml_token", "aadtoken": "aad_token"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the looks need. Whatever talks to Azure here may raise ``EndpointError``.

    Args:
        plan: The plan.
        place: Where its endpoint lies.
        kind: ``managed`` or ``kubernetes``.
        arm: Reads of Azure Resource Manager.
        login: Who asks; raises ``NotLoggedIn``.
        loads: Findings of Azure's own loaders on the plan's files.
        arrives: The finding that measurements arrive.
        metrics: Who counts: ``azure_monitor``, ``log_analytics`` or another.
        quota: Cores of quota that so many instances of so many cores take.
    """

    plan: Plan
    place: Place
    kind: str
    arm: Arm
    login: Callable[[], Login]
    loads: Callable[[], tuple[Finding, ...]]
    arrives: Callable[[], Finding]
    metrics: str
    quota: quota.Quota


def login(ground: Ground) -> Sign:
    """Who asks."""
    try:
        return ground.login().sign
    except NotLoggedIn as error:
        return Sign(LOGIN, "identity", State.BAD, str(error))
    except EndpointError as error:
        return unlooked(LOGIN, "identity", error)


def workspace(ground: Ground) -> tuple[Sign, str]:
    """Whether the workspace is there, and its region; empty: unknown."""
    place = ground.place
    try:
        found = ground.arm.get(place.workspace_id, ML)
    except EndpointRefused as error:
        return Sign("workspace", place.workspace, State.BAD, str(error)), ""
    except EndpointError as error:
        return unlooked("workspace", place.workspace, error), ""
    if found is None:
        text = (
            f"There is no workspace '{place.workspace}' in resource group "
            f"'{place.resource_group}' of subscription {place.subscription}, or this identity may "
            "not see it. Correct endpoint.workspace, or assign the role of the permissions page."
        )
        return Sign("workspace", place.workspace, State.BAD, text), ""
    location = str(found.get("location") or "")
    text = f"In {place.resource_group}, region {location}."
    return Sign("workspace", place.workspace, State.GOOD, text), location


def endpoint(ground: Ground) -> tuple[Sign, Json | None]:
    """How the endpoint is, and Azure's own words of it; None: it is not there, or unknown."""
    name = ground.place.endpoint
    try:
        found = ground.arm.get(ground.place.endpoint_id, ML)
    except EndpointRefused as error:
        return Sign("endpoint", name, State.BAD, str(error)), None
    except EndpointError as error:
        return unlooked("endpoint", name, error), None
    if found is None:
        return _absent(ground), None
    state = str(inside(found, "properties", "provisioningState"))
    kind = KUBERNETES if inside(found, "properties", "compute") else MANAGED  # as the SDK tells
    text = f"{kind}, {state}, traffic {_split(inside(found, 'properties', 'traffic'))}."
    if kind != ground.kind:
        text += f" The plan is for the kind {ground.kind}. Correct endpoint.kind or endpoint.name."
        return Sign("endpoint", name, State.BAD, text), found
    if state == _GOING:
        text += " Let Azure remove it, then try again."
        return Sign("endpoint", name, State.BAD, text), found
    if state not in _STEADY:
        text += " Whether Azure takes the next order is seen when it is given; look in the studio."
        return Sign("endpoint", name, State.UNKNOWN, text), found
    return Sign("endpoint", name, State.GOOD, text), found


def _absent(ground: Ground) -> Sign:
    name = ground.place.endpoint
    if any(isinstance(stage.work, Bootstrap) for stage in ground.plan.stages):
        text = "It does not exist yet; the plan creates it."
        return Sign("endpoint", name, State.GOOD, text)
    text = (
        f"There is no endpoint '{name}' in '{ground.place.workspace}', and the plan creates none. "
        "Correct endpoint.name, or give endpoint and baseline a file each."
    )
    return Sign("endpoint", name, State.BAD, text)


def _split(traffic: object) -> str:
    shares = traffic if isinstance(traffic, dict) else {}
    return ", ".join(f"{name} {share}" for name, share in shares.items() if share) or "none"


def files(ground: Ground) -> tuple[Sign, ...]:
    """Whether Azure's own loaders take the plan's files."""
    try:
        return tuple(sign_of("files", each) for each in ground.loads())
    except EndpointError as error:
        return (Sign("files", "files", State.BAD, str(error)),)


def rights(ground: Ground, seen: Json | None) -> tuple[Sign, ...]:
    """Which of the needed permissions there are, purpose by purpose.

    Args:
        ground: Where the plan stands.
        seen: The endpoint, for how it authenticates requests; None: as by key.
    """
    mode = str(inside(seen, "properties", "authMode") or "key").lower()
    wants = wants_of(
        ground.plan,
        sends=_MODES.get(mode, "key"),
        azure_monitor=ground.metrics == AZURE_MONITOR,
        managed=ground.kind == MANAGED,
    )
    needed = permissions.needs(wants)
    scopes = {need.scope for need in needed}
    replies = {scope: _allowed(ground, scope) for scope in scopes}
    return permissions.judged(needed, replies, role=_ROLE)


def _allowed(ground: Ground, scope: Scope) -> Sequence[Json] | EndpointError:
    place = ground.place
    at = place.workspace_id if scope is Scope.WORKSPACE else place.subscription_id
    path = f"{at}/providers/Microsoft.Authorization/permissions"
    try:
        page = ground.arm.get(path, AUTHORIZATION)
        if page is not None:
            return list(items(ground.arm, page, AUTHORIZATION))
    except EndpointError as error:
        return error
    do = "Look at its access control (IAM) in the portal."
    return EndpointRefused(f"Azure does not tell the permissions on {scope.value}.", do=do)


def cores(ground: Ground, location: str) -> tuple[Sign, ...]:
    """Whether the subscription has the cores that the plan needs more.

    Args:
        ground: Where the plan stands.
        location: The workspace's region; empty: unknown.
    """
    if ground.kind == KUBERNETES:
        text = "Not needed: a Kubernetes endpoint runs on the cluster's own machines."
        return (Sign(quota.TOPIC, "cores", State.GOOD, text),)
    if not location:
        return (unlooked(quota.TOPIC, "cores", "The workspace's region is not known."),)
    roles = {role: wanted(ground.plan.deployment(role)) for role in (BASELINE, CANDIDATE)}
    region = ground.place.location_id(location)
    try:
        growing = quota.growths(ground.plan, roles, _there(ground))
        if not growing:
            return quota.judged((), {}, (), ground.quota)
        sizes = quota.sizes_of(listed(ground.arm, f"{region}/vmSizes", ML))
        usages = list(listed(ground.arm, f"{region}/usages", ML))
    except EndpointError as error:
        return (unlooked(quota.TOPIC, "cores", error),)
    return quota.judged(growing, sizes, usages, ground.quota, region=location)


def machines(ground: Ground) -> tuple[Sign, ...]:
    """Deployments that the plan would put onto other machines, which Azure silently does not do."""
    try:
        there = _there(ground)
    except EndpointError:
        return ()  # told by whoever looks at the endpoint
    found = []
    for stage in ground.plan.stages:
        role = stage.work.deployment if isinstance(stage.work, Create) else None
        want = None if role is None else wanted(ground.plan.deployment(role))
        now = None if want is None else there.get(want.name)
        if want and now and want.size and now.size and want.size.lower() != now.size.lower():
            text = (
                f"It runs on {now.size}, and its file says {want.size}: the instance type of a "
                "deployment cannot be changed. Delete it, or give the new one another name."
            )
            found.append(Sign("endpoint", want.name, State.BAD, text))
    return tuple(found)


def _there(ground: Ground) -> dict[str, Wanted]:
    """The deployments as they are: their sizes and instances."""
    made = {}
    for each in listed(ground.arm, f"{ground.place.endpoint_id}/deployments", ML):
        name = str(each.get("name"))
        count = inside(each, "sku", "capacity")
        size = str(inside(each, "properties", "instanceType") or "")
        made[name] = Wanted(name, size, count if isinstance(count, int) else 1)
    return made


def measurements(ground: Ground) -> Sign:
    """Whether measurements arrive; the source says itself where it cannot tell."""
    try:
        return sign_of("metrics", ground.arrives())
    except EndpointRefused as error:
        return Sign("metrics", "metrics", State.BAD, str(error))
    except EndpointError as error:
        return unlooked("metrics", "metrics", error)


def chosen(ground: Ground) -> frozenset[str]:
    """Which of the checks that a plan can switch off it wants."""
    found = ground.plan.preflight
    switches = {"quota": found.quota, "permissions": found.permissions, "metrics": found.metrics}
    return frozenset(name for name, wants in switches.items() if wants)
