"""What can be checked before the first write to an endpoint in Azure."""

from __future__ import annotations

from rollout.adapters.endpoints.azureml import ground as looks
from rollout.adapters.endpoints.azureml.ground import Ground
from rollout.adapters.endpoints.azureml.permissions import TOPIC
from rollout.ports.doctor import Sign, State
from rollout.ports.endpoint import Finding


def preflight(ground: Ground) -> tuple[Finding, ...]:
    """All checks that the plan wants, each with its finding; a check that cannot be made says so.

    Whoever is not logged in is told only that: everything else would fail for the same reason.
    """
    who = looks.login(ground)
    if who.state is State.BAD:
        return (who.finding, *(each.finding for each in looks.files(ground)))
    return tuple(each.finding for each in (who, *_looked(ground)))


def _looked(ground: Ground) -> list[Sign]:
    wants = looks.chosen(ground)
    house, location = looks.workspace(ground)
    there, seen = looks.endpoint(ground)
    found = [house, there, *looks.machines(ground), *looks.files(ground)]
    if "permissions" in wants:
        found += _summed(looks.rights(ground, seen))
    if "quota" in wants:
        found += looks.cores(ground, location)
    if "metrics" in wants and ground.plan.gates:
        found.append(looks.measurements(ground))
    return found


def _summed(rights: tuple[Sign, ...]) -> list[Sign]:
    """Of permissions only what is not good, or one sign that all of them are."""
    rest = [each for each in rights if each.state is not State.GOOD]
    if rest:
        return rest
    return [Sign(TOPIC, TOPIC, State.GOOD, "Everything that the plan needs is granted.")]
