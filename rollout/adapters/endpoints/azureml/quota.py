"""How many more cores a plan needs, and whether the subscription has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

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
        file: That names the size; empty: none does, the deployment has it already.
    """

    name: str
    size: str
    now: int
    most: int
    file: str = ""


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
        named = "" if now and now.size else plan.deployment(role).file or ""
        if max(counts) > counts[0]:
            found.append(Growth(name, size, counts[0], max(counts), named))
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


def sizes_of(items: Iterable[Json]) -> dict[str, Size | None]:
    """Name in lower case -> size, from Azure's list of sizes; None: it tells no cores of it."""
    found: dict[str, Size | None] = {}
    for each in items:
        cores = each.get("vCPUs")
        size = Size(str(each.get("family")), cores) if isinstance(cores, int) else None
        found[str(each.get("name")).lower()] = size
    return found


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
    growing: Sequence[Growth],
    sizes: Mapping[str, Size | None],
    usages: Sequence[Json],
    quota: Quota,
    *,
    region: str = "this region",
) -> tuple[Sign, ...]:
    """A sign for each family, and one for each size that is not there or not known.

    Args:
        growing: From ``growths``.
        sizes: From ``sizes_of``.
        usages: Azure's list of usages.
        quota: What a deployment takes.
        region: Where.
    """
    if not growing:
        return (Sign(TOPIC, "cores", State.GOOD, "No more cores are needed."),)
    signs, families, needed = [], dict[str, list[Growth]](), dict[str, int]()
    for each in growing:
        size = sizes.get(each.size.lower())
        if size is None:
            signs.append(_unsized(each, sizes, region))
        else:
            families.setdefault(size.family, []).append(each)
            needed[each.name] = quota(each.most, size.cores) - quota(each.now, size.cores)
    for family, group in families.items():
        cores = sum(needed[each.name] for each in group)
        signs.append(_sign(pool_of(family, usages), family, cores, group))
    all_of, total = regional_pool(usages), sum(needed.values())
    if all_of is not None and all_of.free is not None and total > all_of.free:
        signs.append(_short(all_of, total, growing))
    return tuple(signs)


def _unsized(each: Growth, sizes: Mapping[str, Size | None], region: str) -> Sign:
    """A size that nobody can have there, or of which Azure tells too little to say so."""
    if each.file and each.size and sizes and each.size.lower() not in sizes:
        text = (
            f"Azure lists no size {each.size} in {region}. "
            f"Correct instance_type in {each.file} or the plan's set."
        )
        return Sign(TOPIC, each.size, State.BAD, text)
    why = f"Azure tells no cores of size {each.size or '(none)'} in {region} ({each.name})."
    return unlooked(TOPIC, each.size or each.name, f"{why} {_WAY_OUT}")


def _sign(pool: Pool | None, family: str, total: int, group: Sequence[Growth]) -> Sign:
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
