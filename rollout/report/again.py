"""What the commands in messages repeat, so that as printed they mean the same run and endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COMMAND = re.compile(
    r"(?<![\w./-])rollout ((?:(?:local|state|emulate) )?[a-z]+(?:-[a-z]+)*)(?![\w./-])"
)
_END = re.compile(r"[.,;:)](?:\s|$)|\n|\brollout ")  # of a command in a sentence
_PLAN = ("state", "home", "values")
_RUN = ("state",)
# Every command that a message may name, and which of the options it repeats.
TAKES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("apply", "destroy", "drift", "plan", "tick"), _PLAN),
    **dict.fromkeys(("check", "doctor", "logs", "local load", "local up"), ("home", "values")),
    **dict.fromkeys(("simulate", "validate"), ("values",)),
    **dict.fromkeys(("abort", "reject", "undo"), ("state", "home")),
    **dict.fromkeys(("approve", "pause", "resume", "retry"), _RUN),
    **dict.fromkeys(("diff", "events", "history", "show", "status"), _RUN),
    **dict.fromkeys(("state list", "state export", "state import", "state prune"), _RUN),
    "force-unlock": _RUN,
    "verify": ("state", "home"),
    **dict.fromkeys(("local fault", "local key", "local ps"), ("home",)),
    "local down": ("state", "home"),
    **dict.fromkeys(("completion", "emulate azureml", "schema", "version"), ()),
}


@dataclass(frozen=True, slots=True)
class Again:
    """The options of this command that another one needs too; each as a shell reads it, or empty.

    Args:
        state: Where journals are kept: ``--state URL``.
        home: Folder of the local endpoints: ``--home DIR``.
        values: What stands for the plan's variables: ``--var K=V``, ``--var-file FILE``.
    """

    state: str = ""
    home: str = ""
    values: str = ""

    def completed(self, text: str) -> str:
        """A message of ours with the options in each of its commands that does not name its own.

        >>> Again("--state sqlite:///a.db").completed("Look: rollout status -w r-7f3a")
        'Look: rollout status --state sqlite:///a.db -w r-7f3a'
        """
        return _COMMAND.sub(self._completed, text)

    def _completed(self, found: re.Match[str]) -> str:
        held = {"state": self.state, "home": self.home, "values": self.values}
        said = _END.split(found.string[found.end() :], maxsplit=1)[0].split()
        if said and said[0].startswith("r-"):
            held["values"] = ""  # a run has its own
        options = [held[name] for name in TAKES.get(found[1], ()) if held[name]]
        return " ".join([found[0], *(each for each in options if each.split()[0] not in said)])


PLAIN = Again()
