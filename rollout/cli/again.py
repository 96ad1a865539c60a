"""The options of this call that the commands in its messages repeat."""

from __future__ import annotations

import shlex

from rollout.cli.options import Given
from rollout.report.again import Again


def again(given: Given) -> Again:
    """What was said by option; the environment says the rest to the next command as well."""
    files = [word for name in given.files for word in ("--var-file", name)]
    pairs = [word for pair in given.variables.items() for word in ("--var", "=".join(pair))]
    return Again(
        state=_spoken(given, "state", given.state),
        home=_spoken(given, "home", given.home),
        values=shlex.join([*files, *pairs]),
    )


def _spoken(given: Given, name: str, value: str | None) -> str:
    return shlex.join([f"--{name}", value]) if value and name in given.spoken else ""
