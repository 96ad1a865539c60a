"""A command that reads no plan does not pay for the schema's checker."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("jsonschema", "referencing", "attr", "difflib", "subprocess", "asyncio", "httpx")


def test_the_schemas_checker_is_imported_when_a_plan_is_checked() -> None:
    code = f"import sys, rollout.planfile.load; print([x for x in {HEAVY} if x in sys.modules])"

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout == "[]\n"
