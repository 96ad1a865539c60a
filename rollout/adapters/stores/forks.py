"""What a store does around a fork: connections must not be in two processes."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def around_forks(before: Callable[[], None], after: Callable[[], None]) -> None:
    """Call bound methods before each fork, and after it on both sides, while their object lives.

    Args:
        before: Lets go of what must not cross the fork.
        after: Goes on.
    """
    os.register_at_fork(
        before=_weakly(before), after_in_parent=_weakly(after), after_in_child=_weakly(after)
    )


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Calls ``method`` as long as its object lives; fork hooks are never unregistered."""
    alive = weakref.WeakMethod(method)

    def call() -> None:
        bound = alive()
        if bound is not None:
            bound()

    return call
