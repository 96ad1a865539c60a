"""``rollout schema``: the contract of plan files."""

from __future__ import annotations

import sys

from rollout.cli.exits import Exit
from rollout.cli.options import Given, verb
from rollout.cli.output import write
from rollout.planfile.schema import schema_file


@verb("rollout schema > rollout.v1.schema.json", shows=())
def schema(_: Given) -> int:
    """Print the JSON Schema of plan files, for editors and other checks."""
    write(sys.stdout, schema_file().read_text(encoding="utf-8").rstrip("\n"))
    return Exit.OK
