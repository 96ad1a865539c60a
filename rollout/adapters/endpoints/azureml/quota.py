"""How many more cores a plan needs, and whether the subscription has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from rollout.adapters.endpoints.azureml.arm import Json, inside
from rollout.adapters.endpoints.azureml.wanted import Wanted
from rollout.domain.plan import Bootstrap, Create, Plan, Scale
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.doctor import Sign, State, unlooked

TOPIC = "quota"
_UNLIMITED = -1
_WAY_OUT = "To do without this check, write preflight: {quota: false}."
Quota = Callable[[int, int], int]
"""Instances and cores of one -> cores of quota that a deployment takes."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A deployment between now and its largest.

    Args:
        name: The deployment's.
        size: Virtual machine size.
        now: Instances that it has; their cores are in use already.
        most: Instances that it will have at most.
    """

    name: str
    size: str
    now: int
    most: int


@dataclass(frozen=True, slots=True)
class Size:
    """A virtual machine size: its family and how many cores it has."""

    family: str
    cores: int


@dataclass(frozen=True, slots=True)
class Pool:
    """What is left of a family's cores, or of the region's; None: there is no limit."""

    name: str
    free: int | None


def growths(
    plan: Plan, files: Mapping[str, Wanted | None], there: Mapping[str, Wanted]
) -> tuple[Growth, ...]:
    """What the plan's deployments grow by, both at once: the baseline goes last, or never.

    Args:
        plan: The plan.
        files: Role -> what its file asks for.
        there: Name -> the deployments as they are.
    """
    found = []
    for role in (BASELINE, CANDIDATE):
        name = plan.deployment(role).name
        now, file = there.get(name), files.get(role)
        counts = [now.instances if now else 0, *_counts(plan, role, now, file)]
        size = (now.size if now else "") or (file.size if file else "")
        if max(counts) > counts[0]:
            found.append(Growth(name, size, counts[0], max(counts)))
    return tuple(found)


def _counts(plan: Plan, role: str, now: Wanted | None, file: Wanted | None) -> list[int]:
    """How many instances the stages give a deployment."""
    counts = []
    for stage in plan.stages:
        match stage.work:
            case Scale(deployment, instances) if deployment == role:
                counts.append(instances)
            case Create(deployment) if deployment == role and file is not None:
                counts.append(file.instances)
            case Bootstrap() if role == BASELINE and now is None and file is not None:
                counts.append(file.instances)
            case _:
                pass
    return counts


def sizes_of(items: Iterable[Json]) -> dict[str, Size]:
    """Name in lower case -> size, from Azure's list of sizes."""
    return {
        str(each.get("name")).lower(): Size(str(each.get("family")), cast(int, each.get("vCPUs")))
        for each in items
        if isinstance(each.get("vCPUs"), int)
    }


def pool_of(family: str, items: Sequence[Json]) -> Pool | None:
    """What is left of a family's dedicated cores.

    A family stands in the list once with its dedicated cores and once with those of low priority,
    and again for workspaces that have a limit of their own; the tightest of the first kind counts.
    """
    return _tightest(
        family,
        [each for each in items if str(inside(each, "name", "value")).lower() == family.lower()],
    )


def regional_pool(items: Sequence[Json]) -> Pool | None:
    """What is left of all dedicated cores of the region."""
    name = "all families of the region"
    words = ("total", "dedicated")
    return _tightest(name, [each for each in items if all(word in _label(each) for word in words)])


def _tightest(name: str, items: Iterable[Json]) -> Pool | None:
    free = [_free(each) for each in items if not _low_priority(each)]
    limited = [each for each in free if each is not None]
    return Pool(name, min(limited) if limited else None) if free else None


def _free(usage: Json) -> int | None:
    limit, used = usage.get("limit"), usage.get("currentValue")
    if not isinstance(limit, int) or not isinstance(used, int) or limit == _UNLIMITED:
        return None
    return max(0, limit - used)


def _low_priority(usage: Json) -> bool:
    text = f"{_label(usage)} {usage.get('type')}".lower()
    return "lowpriority" in text.replace(" ", "")


def _label(usage: Json) -> str:
    name = usage.get("name")
    return " ".join(map(str, name.values())).lower() if isinstance(name, Mapping) else ""


def judged(
    growing: Sequence[Growth], sizes: Mapping[str, Size], usages: Sequence[Json], quota: Quota
) -> tuple[Sign, ...]:
    """A sign for each family, and one for each size of which nothing is known.

    Args:
        growing: From ``growths``.
        sizes: From ``sizes_of``.
        usages: Azure's list of usages.
        quota: What a deployment takes.
    """
    if not growing:
        return (Sign(TOPIC, "cores", State.GOOD, "No more cores are needed."),)
    signs, families = [], dict[str, list[Growth]]()
    for each in growing:
        size = sizes.get(each.size.lower())
        if size is None:
            why = f"Azure lists no size {each.size or '(none)'} in this region ({each.name})."
            signs.append(unlooked(TOPIC, each.size or each.name, f"{why} {_WAY_OUT}"))
        else:
            families.setdefault(size.family, []).append(each)
    total = 0
    for family, group in families.items():
        needed = {each.name: _cores(each, sizes, quota) for each in group}
        total += sum(needed.values())
        signs.append(_sign(pool_of(family, usages), family, needed, group))
    region = regional_pool(usages)
    if region is not None and region.free is not None and total > region.free:
        signs.append(_short(region, total, growing))
    return tuple(signs)


def _cores(each: Growth, sizes: Mapping[str, Size], quota: Quota) -> int:
    cores = sizes[each.size.lower()].cores
    return quota(each.most, cores) - quota(each.now, cores)


def _sign(
    pool: Pool | None, family: str, needed: Mapping[str, int], group: Sequence[Growth]
) -> Sign:
    total = sum(needed.values())
    if pool is None:
        why = f"Azure tells no usage of {family}; {total} more cores are needed. {_WAY_OUT}"
        return unlooked(TOPIC, family, why)
    if pool.free is None:
        text = f"Needs {total} more cores of {family} (no limit)."
        return Sign(TOPIC, family, State.GOOD, text)
    if total > pool.free:
        return _short(pool, total, group)
    text = f"Needs {total} more cores of {family} (have {pool.free})."
    return Sign(TOPIC, family, State.GOOD, text)


def _short(pool: Pool, total: int, group: Sequence[Growth]) -> Sign:
    what = ", ".join(f"{each.name} {each.now} -> {each.most} x {each.size}" for each in group)
    text = (
        f"Needs {total} more cores of {pool.name} (have {pool.free}): {what}, with the fifth that "
        f"Azure keeps for upgrades. Ask for more cores, or take fewer instances. {_WAY_OUT}"
    )
    return Sign(TOPIC, pool.name, State.BAD, text)
