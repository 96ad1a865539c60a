"""A word that is a plan's file or a run's id."""

from __future__ import annotations

from pathlib import Path

_FILES = (".yaml", ".yml", ".json")


def names_plan(word: str) -> bool:
    """Whether a word means a plan's file rather than a run.

    >>> names_plan("plans/safe.yaml"), names_plan("r-7f3a")
    (True, False)
    """
    return word.endswith(_FILES) or "/" in word or Path(word).is_file()
