"""Ends what serves for an endpoint: each process known by its identity, none by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from rollout.adapters.endpoints.local.folder import Folder, read_json
from rollout.adapters.endpoints.local.processes import Identity, Process, tagged
from rollout.ports.clock import Clock

_GRACE_SECONDS = 3.0
_PAUSE_SECONDS = 0.02


def stop_recorded(folder: Folder, clock: Clock) -> None:
    """End all processes of an endpoint that has no engine."""
    desired = read_json(folder.desired)
    if desired is None:
        return
    records = read_json(folder.processes) or {}
    servers = cast("dict[str, list[dict[str, object]]]", records.get("servers", {}))
    known = [one for each in servers.values() for one in each]
    if records.get("envoy"):
        known.insert(0, cast("dict[str, object]", records["envoy"]))
    found = [Process.adopt(Identity.from_json(record)) for record in known]
    stop(str(desired["identity"]), [one for one in found if one is not None], clock)


def stop(identity: str, known: Iterable[Process], clock: Clock) -> None:
    """Ask ``known`` to end, and whatever else carries the endpoint's mark; then make sure."""
    found = list(known)
    tags = {one.identity.tag for one in found}
    # Workers without their master, and what an engine had no time to write down.
    found += [Process(one) for one in tagged(f"{identity}/") if one.tag not in tags]
    for one in found:
        one.terminate()
    deadline = clock.monotonic() + _GRACE_SECONDS
    while any(one.alive() for one in found) and clock.monotonic() < deadline:
        clock.sleep(_PAUSE_SECONDS)
    for one in found:
        one.kill_group()
    for left in tagged(f"{identity}/"):
        Process(left).kill()


def end_strays(identity: str, known: set[str]) -> None:
    """Ask processes to end that nobody wrote down, or that lost their master."""
    for one in tagged(f"{identity}/"):
        if one.tag not in known:
            Process(one).terminate()
