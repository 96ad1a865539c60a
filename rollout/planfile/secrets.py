"""Secrets of a plan: only where they lie is ever written in one."""

from __future__ import annotations

import re

from rollout.planfile.misshapen import Misshapen


def place(value: object) -> str:
    """Where a secret lies; what is written in its place may be the secret, so it is not shown.

    >>> place("env:TOKEN")
    'env:TOKEN'
    """
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+", str(value)):
        what = "that does not say where the secret lies."
        raise Misshapen(what, "Write env:VARIABLE or file:/PATH, never the secret itself.")
    return str(value)
