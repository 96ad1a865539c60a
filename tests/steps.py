"""A bound on the work of a call, counted instead of timed: it is the same on every machine."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def at_most(steps: int) -> Iterator[None]:
    """Fail as soon as the code within has run more than so many lines of Python.

    Args:
        steps: the bound, in lines, calls and returns as `sys.settrace` reports them.

    Raises:
        AssertionError: the bound was passed.
    """
    done = 0

    def count(frame: FrameType, event: str, arg: object) -> object:
        nonlocal done
        done += 1
        if done > steps:
            raise AssertionError(f"more than {steps:,} steps")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
