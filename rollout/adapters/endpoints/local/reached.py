"""What a deployment has reached, and why its servers ended, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from rollout.adapters.endpoints.local.desired import Wanted
from rollout.domain.endpoint import Condition

_EXCEPTION = re.compile(r"^(?!azureml_inference_server_http\.)[A-Za-z_][\w.]*(?:: .*)?$")
_NAMED_LIKE_ONE = re.compile(r"(Error|Exception|Exit|Interrupt|Iteration)\b")


@dataclass(slots=True)
class Reached:
    """What a deployment has reached; kept over the engine's own death.

    Args:
        revision: The newest one that has been ready in full, 0: none yet.
        instances: How many servers that was.
        failure: Why it counts as failed; empty: it does not.
    """

    revision: int = 0
    instances: int = 0
    failure: str = ""

    def to_json(self) -> dict[str, object]:
        """As plain data."""
        return {
            "revision": self.revision,
            "instances": self.instances,
            "failure": self.failure,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Reached:
        """The inverse of ``to_json``."""
        counts = (cast(int, data["revision"]), cast(int, data["instances"]))
        return cls(*counts, str(data["failure"]))


def condition(wanted: Wanted, reached: Reached) -> Condition:
    """Where the provisioning of a deployment stands."""
    if wanted.deleting:
        return Condition.DELETING
    if reached.failure:
        return Condition.FAILED
    if (reached.revision, reached.instances) == (wanted.revision, wanted.instances):
        return Condition.READY
    return Condition.UPDATING if reached.revision else Condition.CREATING


def ending(code: int | None) -> str:
    """How a process ended.

    >>> ending(3), ending(-9)
    ('it ended with exit code 3', 'it was ended by signal 9')
    """
    if code is None:
        return "it was killed or ended"
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"


def reason(log: str) -> str:
    r"""The last exception in a log, as the end of a sentence; empty where there is none.

    >>> reason("Traceback (most recent call last):\nKeyError: 'x'\n")
    ": KeyError: 'x'"
    """
    lines = [line.rstrip() for line in log.splitlines()]
    found = [one for one in lines if _EXCEPTION.match(one) and _NAMED_LIKE_ONE.search(one)]
    return f": {found[-1][:300]}" if found else ""
