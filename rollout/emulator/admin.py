"""The emulator's own calls: faults, and what it thinks of its state."""

from __future__ import annotations

import json

from rollout.domain.errors import UsageError
from rollout.emulator.faults import Fault
from rollout.emulator.routes import checked
from rollout.emulator.site import Site
from rollout.emulator.wire import Asked, Json, Reply

PREFIX = "/_emulator/"


def answer(site: Site, asked: Asked) -> Reply:
    """The answer to an admin call; they need no token, as only this machine reaches them."""
    match asked.method, asked.path.removeprefix(PREFIX):
        case "GET", "state":
            return Reply(200, _state(site))
        case "GET", "faults":
            return Reply(200, site.faults.listing())
        case "POST", "faults":
            return _add(site, asked)
        case "DELETE", "faults":
            site.faults.clear()
            site.operations.free()
            return Reply(200, [])
        case _:
            return Reply(404, {"error": f"There is no {asked.method} {asked.path}."})


def _add(site: Site, asked: Asked) -> Reply:
    try:
        found = json.loads(asked.body)
        faults = [
            checked(Fault.parse(each) if isinstance(each, str) else Fault.from_json(each))
            for each in (found if isinstance(found, list) else [found])
        ]
    except (ValueError, UsageError) as error:
        return Reply(400, {"error": f"{error}"})
    for each in faults:
        site.faults.add(each)
    return Reply(200, site.faults.listing())


def _state(site: Site) -> Json:
    return {
        "endpoints": {
            one.name: {
                "state": one.state,
                "traffic": dict(one.traffic),
                "mirror": dict(one.mirror),
                "deployments": {name: each.state for name, each in one.deployments.items()},
            }
            for one in site.records.endpoints.values()
        },
        "operations": [site.documents.operation(one) for one in site.records.operations.values()],
        "faults": site.faults.listing(),
    }
