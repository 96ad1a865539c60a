"""What the commands in messages repeat, so that as printed they mean the same run and endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COMMAND = re.compile(r"(?<![\w./-])rollout ((?:local )?[a-z]+)(?![\w./-])")
_PLAN = ("state", "home", "values")
_RUN = ("state",)
_TAKES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("apply", "destroy", "drift", "plan"), _PLAN),
    **dict.fromkeys(("check", "logs", "local load", "local up"), ("home", "values")),
    **dict.fromkeys(("simulate", "validate"), ("values",)),
    **dict.fromkeys(("abort", "reject", "undo"), ("state", "home")),
    **dict.fromkeys(("approve", "pause", "resume", "retry"), _RUN),
    **dict.fromkeys(("diff", "events", "history", "show", "status", "verify"), _RUN),
    **dict.fromkeys(("local fault", "local key", "local ps"), ("home",)),
    "local down": ("state", "home"),
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
        """A message of ours with the options in each of its commands.

        >>> Again("--state sqlite:///a.db").completed("Look: rollout status -w r-7f3a")
        'Look: rollout status --state sqlite:///a.db -w r-7f3a'
        """
        return _COMMAND.sub(self._completed, text)

    def _completed(self, found: re.Match[str]) -> str:
        held = {"state": self.state, "home": self.home, "values": self.values}
        options = [held[name] for name in _TAKES.get(found[1], ()) if held[name]]
        return " ".join([found[0], *options])


PLAIN = Again()
