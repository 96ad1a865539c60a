"""How findings speak: values as they are shown, paths as they are spelled, names that are near."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

Path = tuple[str | int, ...]

LATER = "is not supported by this version."
ROOT = "plan"  # how a finding about the whole document spells its path
_LONGEST = 60  # characters of a value that are shown
_ALIKE = 0.7  # of 1; at 0.6 'endpoint.yml' is taken for 'green-deployment.yml'
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_COMMAND = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)


def shown(value: object) -> str:
    """A value as a finding shows it: short, in one line, without a control character.

    Args:
        value: Plain data from a plan; it may come from a stranger's pull request.

    >>> shown("10 %"), shown(None), shown(True), shown([1]), shown(0.5)
    ("'10 %'", 'an empty value', 'true', 'a list', '0.5')
    """
    match value:
        case None:
            return "an empty value"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{printable(_short(value))}'"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return _short(str(value))


def printable(text: str) -> str:
    """Text in one line; every character that a terminal or a CI agent would obey is spelled out.

    >>> printable("a" + chr(10)) == "a" + chr(92) + "n", printable("##vso[task.complete]")
    (True, '# #vso[task.complete]')
    """
    spelled = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    # Azure Pipelines obeys '##vso[' and '##[' wherever they stand in a line.
    return _COMMAND.sub("# #", spelled)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def spell(path: Path) -> str:
    """A path as findings spell it.

    >>> spell(("stages", 4, "mirror")), spell(("set", "a.b")), spell(())
    ('stages[4].mirror', "set['a.b']", 'plan')
    """
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step) and len(step) <= _LONGEST:
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{shown(step)}]")
    return "".join(parts) or ROOT


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None.

    >>> nearest("shfit", ["shift", "scale"])
    'shift'
    """
    import difflib  # noqa: PLC0415  (only a plan with a mistake pays for it)

    if len(name) > _LONGEST:
        return None
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_ALIKE)
    return found[0] if found else None


def meant(name: str, known: Collection[str], *, otherwise: str = "Remove it.") -> str:
    """What to do about an unknown name: take the nearest, else ``otherwise``.

    >>> meant("cannary", ["canary"])
    "Did you mean 'canary'?"
    """
    near = nearest(name, known)
    return f"Did you mean '{near}'?" if near else otherwise


def listed(names: Iterable[str], *, joined: str = "or") -> str:
    """Names as a sentence lists them.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b or c', 'a')
    """
    *first, last = names
    return f"{', '.join(first)} {joined} {last}" if first else last
