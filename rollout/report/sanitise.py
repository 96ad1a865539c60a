"""Foreign text made harmless: logs, answers and error bodies come from the model under test.

Three readers would obey such text: a terminal (escape sequences), the agent of Azure Pipelines
(``##vso[`` and ``##[`` anywhere in a line) and the runner of GitHub Actions (a leading ``::``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

# Patterns as text: compiled when the first text needs them, which most short commands have none of.
# A sequence without its end stops at the line's end, so that it cannot swallow what follows.
_ESCAPES = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, ...
    r"|\x1b[ -/]*[0-~]?"
)
_BREAKS = "\r\n|[\r\x0b\x0c\x85\u2028\u2029]"
_CONTROLS = "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_SURROGATES = "[\ud800-\udfff]"
_HASHES = r"##(?=\w*\[)"
_COLONS = r"(?<!\S):{2,}"


def clean(text: str) -> str:
    r"""The text with line ends and tabs, but without anything that a reader would obey.

    >>> clean("\x1b[31mred\x1b[0m ##vso[task.complete]")
    'red # #vso[task.complete]'
    >>> clean("::error::no")
    ': :error::no'
    """
    if text.isascii() and text.isprintable() and "##" not in text and "::" not in text:
        return text
    plain = re.sub(_CONTROLS, "", re.sub(_BREAKS, "\n", re.sub(_ESCAPES, "", text)))
    plain = re.sub(_SURROGATES, "\ufffd", plain)
    return re.sub(_COLONS, _apart, re.sub(_HASHES, "# #", plain))


def _apart(found: re.Match[str]) -> str:
    return " ".join(found[0])


def line(text: str) -> str:
    r"""The same in one line.

    >>> line("one\ntwo")
    'one two'
    """
    return clean(text).replace("\n", " ").replace("\t", " ")


def compact_json(value: object) -> str:
    """One line of JSON that is safe to print and reads back as the very same value."""
    return _defused(json.dumps(_finite(value), separators=(",", ":")))


def pretty_json(value: object) -> str:
    """Indented JSON that is safe to print and reads back as the very same value."""
    return _defused(json.dumps(_finite(value), indent=2))


def json_line(text: str) -> str:
    """A finished line of ASCII JSON, made safe without a change of its values."""
    return _defused(text)


def _finite(value: object) -> object:
    """JSON has no infinity; what is beyond every number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return value


def _defused(text: str) -> str:
    # Only strings can hold these, and there an escape is the same character.
    return text.replace("##", "#\\u0023").replace("\x7f", "\\u007f")


def clean_tree(value: object) -> object:
    """Plain data with every string in it cleaned; for formats without an escape that is safe."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_tree(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [clean_tree(held) for held in value]
    return value
