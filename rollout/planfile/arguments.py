"""A mapping of a checked plan as arguments for a data class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Form = Callable[[Any], object]


def given(entry: Mapping[str, object], **read: Form | tuple[str, Form]) -> dict[str, Any]:
    """Arguments for the keys that are written; the others keep the default of the dataclass.

    Args:
        entry: A mapping of the plan.
        read: For each key how its value is read, and the argument's name where it differs.
    """
    found = {}
    for key, how in read.items():
        name, form = how if isinstance(how, tuple) else (key, how)
        if key in entry:
            found[name] = form(entry[key])
    return found
