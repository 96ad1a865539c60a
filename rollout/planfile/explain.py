"""What a refusal of the schema means to the person who wrote the plan, and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.planfile.forms import TEXT
from rollout.planfile.misshapen import Misshapen
from rollout.planfile.wording import LATER, Path, listed, meant, nearest, printable, shown

_TYPES = {
    "object": ("a mapping", "Write 'key: value' lines below it."),
    "array": ("a list", "Write a list: [...]."),
    "string": ("text", "Write text."),
    "number": ("a number", "Write a number."),
    "integer": ("a whole number", "Write a whole number."),
    "boolean": ("true/false", "Write true or false."),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the schema's checker refuses, in its own terms.

    Args:
        path: Where the refused value stands.
        keyword: The schema's keyword that refuses it.
        wants: The keyword's value.
        given: The refused value.
        here: The part of the schema that the keyword stands in.
        message: The checker's own words.
        cause: Why the value is not in its form; None for all other keywords.
        written: The text with a reference that the value came from; None: it stands as it is.
    """

    path: Path
    keyword: str
    wants: Any
    given: Any
    here: Mapping[str, Any]
    message: str
    cause: Misshapen | None
    written: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        path: Where.
        what: A sentence.
        do: An instruction.
        key: The key at ``path`` is meant, not its value.
        told: The path to name instead of ``path``.
    """

    path: Path
    what: str
    do: str
    key: bool = False
    told: Path | None = None


def explain(refusal: Refusal) -> Iterator[Problem]:
    """The problems behind one refusal; none where another refusal says it better."""
    keyword = refusal.keyword
    if _is_secret(refusal):
        yield Problem(refusal.path, f"a secret {LATER}", "Remove it.")
    elif keyword in _BESIDE_FORMS or not _form_says_it(refusal):
        yield from _EXPLAINED.get(keyword, _unexplained)(refusal)


def _form_says_it(refusal: Refusal) -> bool:
    """Whether the value's form speaks in place of type, pattern and bounds beside it."""
    form = refusal.here.get("x-form")
    return form is not None and not (refusal.keyword == "type" and form["is"] in TEXT)


def _is_secret(refusal: Refusal) -> bool:
    asked = refusal.keyword in ("type", "x-form", "enum", "const")
    return asked and isinstance(refusal.given, dict) and list(refusal.given) == ["secret"]


def _unexplained(refusal: Refusal) -> Iterator[Problem]:
    do = str(refusal.here.get("description", "Correct it."))
    yield Problem(refusal.path, f"{printable(refusal.message[:200])}.", do)


def _form(refusal: Refusal) -> Iterator[Problem]:
    if refusal.cause is not None:
        yield Problem(refusal.path, refusal.cause.what, refusal.cause.do)


def _type(refusal: Refusal) -> Iterator[Problem]:
    given = refusal.given
    wanted = refusal.wants if isinstance(refusal.wants, list) else [refusal.wants]
    names = listed([_TYPES[each][0] for each in wanted if each in _TYPES])
    do = refusal.here.get("errorMessage") or _TYPES[wanted[0]][1]
    if wanted[0] == "string" and isinstance(given, int | float):
        do = f'Put it in quotes: "{printable(refusal.written or shown(given))}".'
    # Where a secret is asked for, what stands there may be one.
    seen = "a value" if "secret" in refusal.here.get("properties", ()) else shown(given)
    what = "it is empty" if given is None else f"{seen} stands here"
    yield Problem(refusal.path, f"{what}; it must be {names}.", do)


def _choice(refusal: Refusal) -> Iterator[Problem]:
    given = refusal.given
    choices = refusal.wants if refusal.keyword == "enum" else [refusal.wants]
    known = [each for each in choices if isinstance(each, str)]
    do = refusal.here.get("errorMessage") or f"Write {listed(known)}."
    if given in refusal.here.get("x-later", ()):
        yield Problem(refusal.path, f"{shown(given)} {LATER}", do)
    elif isinstance(given, str):
        do = meant(given, known, otherwise=do)
        yield Problem(refusal.path, f"{shown(given)} is not known here.", do)
    else:
        yield Problem(refusal.path, f"{shown(given)} cannot stand here.", do)


def _excluded(refusal: Refusal) -> Iterator[Problem]:
    do = str(refusal.here["errorMessage"])
    yield Problem(refusal.path, f"{shown(refusal.given)} cannot stand here.", do)


def _missing(refusal: Refusal) -> Iterator[Problem]:
    properties = refusal.here.get("properties", {})
    unknown = [key for key in refusal.given if key not in properties]
    for name in refusal.wants:
        misspelled = any(nearest(key, properties) == name for key in unknown)
        if name not in refusal.given and not misspelled:
            do = _add(name, properties[name])
            yield Problem(refusal.path, f"'{name}' is missing.", do, key=True)


def _add(name: str, about: Mapping[str, Any]) -> str:
    examples = [about["const"]] if "const" in about else about.get("enum", about.get("examples"))
    example = examples[0] if examples and isinstance(examples[0], str) else "..."
    return f"Add '{name}: {example}'."


def _needed(refusal: Refusal) -> Iterator[Problem]:
    for name, others in refusal.wants.items():
        for other in others:
            if name in refusal.given and other not in refusal.given:
                what = f"'{name}' stands without '{other}'."
                yield _about_key(refusal, name, what, f"Add '{other}: ...'.")


def _about_key(refusal: Refusal, name: str, what: str, do: str) -> Problem:
    """A problem with a key inside the refused mapping; the mapping is named."""
    return Problem((*refusal.path, name), what, do, key=True, told=refusal.path)


def _unknown(refusal: Refusal) -> Iterator[Problem]:
    here = refusal.here
    known = list(here.get("properties", {}))
    patterns = here.get("patternProperties", {})
    for name in refusal.given:
        if name in known or any(re.search(each, name) for each in patterns):
            continue
        if name in here.get("x-later", ()):
            yield Problem((*refusal.path, name), f"'{name}' {LATER}", "Remove it.", key=True)
        elif "x-kinds" in here:
            yield _unknown_in_stage(refusal, name, known)
        else:
            noun = "metric" if "x-metrics" in here else "key"
            do = f"Remove it, or write {listed(known)}." if known else "Remove it."
            do = meant(name, known, otherwise=do)
            yield _about_key(refusal, name, f"there is no {noun} {shown(name)}.", do)


def _unknown_in_stage(refusal: Refusal, name: str, known: list[str]) -> Problem:
    """A misspelled kind where the stage has none yet; else a misspelled key."""
    kinds = refusal.here["x-kinds"]
    near = nearest(name, known)
    if any(kind in refusal.given for kind in kinds) or (near is not None and near not in kinds):
        do = f"Did you mean '{near}'?" if near else f"Remove it, or write {listed(known)}."
        return _about_key(refusal, name, f"there is no key {shown(name)}.", do)
    do = f"Did you mean '{near}'? " if near else ""
    do += f"Stages: {', '.join(kinds)}."
    return _about_key(refusal, name, f"{shown(name)} is not a stage.", do)


def _one_kind(refusal: Refusal) -> Iterator[Problem]:
    here, stage = refusal.here, refusal.given
    if not isinstance(stage, dict):
        return
    found = [kind for kind in here["x-kinds"] if kind in stage]
    if len(found) > 1:
        what = f"the stage has {len(found)} kinds: {listed(found, joined='and')}."
        do = "Write each as a stage of its own, with its own '-'."
        yield Problem(refusal.path, what, do, key=True)
    elif not found and all(key in here["properties"] for key in stage):
        what = "the stage does not say what happens."
        yield Problem(refusal.path, what, f"Add one of: {', '.join(here['x-kinds'])}.", key=True)


def _name_of_key(refusal: Refusal) -> Iterator[Problem]:
    name = str(refusal.given)
    do = str(refusal.here.get("errorMessage", "Choose another name."))
    yield _about_key(refusal, name, f"{shown(name)} cannot be a name here.", do)


def _empty(refusal: Refusal) -> Iterator[Problem]:
    noun = "text"
    if isinstance(refusal.given, list | dict):
        noun = "list" if isinstance(refusal.given, list) else "mapping"
    do = refusal.here.get("errorMessage", "Fill it or remove it.")
    yield Problem(refusal.path, f"the {noun} is empty.", do)


def _no_criterion(refusal: Refusal) -> Iterator[Problem]:
    """A check whose keys are all known, and none of them is a criterion."""
    given, here = refusal.given, refusal.here
    if isinstance(given, dict) and given and all(key in here["properties"] for key in given):
        yield Problem(refusal.path, "the check has no criterion.", str(here["errorMessage"]))


def _crowded(refusal: Refusal) -> Iterator[Problem]:
    what = f"the check has {len(refusal.given)} metrics."
    do = "Write each metric as an item of its own, with its own '-'."
    yield Problem(refusal.path, what, do)


_BESIDE_FORMS = ("x-form", "required", "additionalProperties")
_EXPLAINED: Mapping[str, Callable[[Refusal], Iterator[Problem]]] = {
    "x-form": _form,
    "type": _type,
    "enum": _choice,
    "const": _choice,
    "not": _excluded,
    "required": _missing,
    "dependentRequired": _needed,
    "additionalProperties": _unknown,
    "oneOf": _one_kind,
    "anyOf": _no_criterion,
    "pattern": _name_of_key,
    "minItems": _empty,
    "minProperties": _empty,
    "minLength": _empty,
    "maxProperties": _crowded,
}
