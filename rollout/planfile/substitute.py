"""References such as ``${var.share}`` replaced by what they stand for; nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from rollout.planfile import yaml12
from rollout.planfile.draft import Draft
from rollout.planfile.wording import Path, meant, printable, shown

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENVIRONMENT = re.compile(r"env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_VARIABLE = re.compile(r"var\.([A-Za-z_][A-Za-z0-9_]*)")
# What stands for something else with each question to the meter; it stays as it is written.
_ASKED = ("deployment", "traffic")
_ASKED_IN = frozenset(("metrics", key) for key in ("requests", "errors", "latency"))
_PREFIX = "ROLLOUT_VAR_"
_KINDS = "Write ${var.NAME}, ${env.NAME}, ${env.NAME:-DEFAULT} or ${git.sha}; $${ is a literal ${."


_NOTHING: Mapping[str, str] = MappingProxyType({})


class Inputs(NamedTuple):
    """What a plan may be given from outside.

    Args:
        variables: Values for its variables, by name (``--var``).
        environment: The environment; ``ROLLOUT_VAR_x`` gives the variable ``x`` unless
            ``variables`` does.
    """

    variables: Mapping[str, str] = _NOTHING
    environment: Mapping[str, str] = _NOTHING


class _Unresolved(Exception):
    """A reference stands for nothing."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do


def fill(draft: Draft, inputs: Inputs) -> None:
    """Replace every reference in the draft; one that stands for nothing becomes a finding.

    Text without quotes is read anew afterwards, as if the value had been written there, so that
    ``instances: ${var.n}`` is a number; text in quotes stays text. Keys, ``variables`` and ``x-``
    keys are left as they are.
    """
    filling = _Filling(draft, inputs)
    filling.undeclared()
    for key, value in draft.data.items():
        if key != "variables" and not key.startswith("x-"):
            draft.data[key] = filling.value(value, (key,))


class _Filling:
    def __init__(self, draft: Draft, inputs: Inputs) -> None:
        self._draft = draft
        self._inputs = inputs
        self._declared = draft.mapping("variables")
        self._commit: str | None = None

    def undeclared(self) -> None:
        for name in self._inputs.variables:
            if name not in self._declared:
                what = f"the variable {shown(name)} is given, but the plan has none of that name."
                do = meant(name, self._declared, otherwise="Declare it here, or do not give it.")
                self._draft.wrong_key(("variables",), what, do)

    def value(self, value: object, path: Path) -> object:
        match value:
            case dict():
                return {key: self.value(each, (*path, key)) for key, each in value.items()}
            case list():
                return [self.value(each, (*path, at)) for at, each in enumerate(value)]
            case str() if "${" in value:
                return self._text(value, path)
            case _:
                return value

    def _text(self, text: str, path: Path) -> object:
        self._draft.written[path] = text
        try:
            whole = _REFERENCE.fullmatch(text)
            name = None if whole is None else _VARIABLE.fullmatch(whole[1] or "")
            if name is not None:
                found = self._variable(name[1])
                if not isinstance(found, str):
                    return found
            filled = _REFERENCE.sub(partial(self._replacement, asked=path in _ASKED_IN), text)
            bare = path in self._draft.document.references
            return yaml12.resolve(filled) if bare else filled
        except _Unresolved as error:
            self._draft.wrong(path, error.what, error.do)
        except ValueError as error:
            self._draft.wrong(path, f"{error}.", "Give a smaller number.")
        self._draft.spoil(path)
        return text

    def _replacement(self, found: re.Match[str], *, asked: bool = False) -> str:
        if found[0] == "$${":
            return "${"
        inside = found[1]
        if asked and inside in _ASKED:
            return found[0]
        if inside is None:
            do = "Close it with '}', or write '$${' for a literal '${'."
            raise _Unresolved("'${' is not closed.", do)
        if (name := _VARIABLE.fullmatch(inside)) is not None:
            return _spelled(self._variable(name[1]))
        if (name := _ENVIRONMENT.fullmatch(inside)) is not None:
            return self._environment(name[1], name[2])
        if inside == "git.sha":
            return self._sha()
        if inside == "run.id":
            raise _Unresolved("'${run.id}' is not supported by this version.", "Remove it.")
        raise _Unresolved(f"'${{{printable(inside[:60])}}}' is not a reference.", _KINDS)

    def _variable(self, name: str) -> object:
        """The value given, else the default; text given for another type is read as that."""
        short = name[:60]
        if name not in self._declared:
            what = f"the plan has no variable '{short}'."
            otherwise = f"Declare it: variables: {{{short}: {{default: ...}}}}."
            raise _Unresolved(what, meant(name, self._declared, otherwise=otherwise))
        default = self._draft.at("variables", name, "default")
        given = self._inputs.variables.get(name, self._inputs.environment.get(_PREFIX + name))
        if given is not None:
            _refuse_unprintable(f"variable '{short}'", given)
            return given if default is None or isinstance(default, str) else yaml12.resolve(given)
        if default is None or isinstance(default, dict | list):
            do = f"Give it with --var {short}=VALUE or {_PREFIX}{short}, or give it a default."
            raise _Unresolved(f"the variable '{short}' has no value.", do)
        return self._default(default, ("variables", name, "default"))

    def _default(self, default: object, path: Path) -> object:
        """A default may refer to the environment, not to variables: they would go in circles."""
        if not isinstance(default, str) or "${" not in default:
            return default
        for found in _REFERENCE.finditer(default):
            if _VARIABLE.fullmatch(found[1] or ""):
                what = f"the default of '{path[1]}' refers to a variable."
                raise _Unresolved(what, "Write the value itself, or refer to the environment.")
        filled = _REFERENCE.sub(self._replacement, default)
        return yaml12.resolve(filled) if path in self._draft.document.references else filled

    def _environment(self, name: str, default: str | None) -> str:
        found = self._inputs.environment.get(name)
        if found is None and default is None:
            do = f"Set it, or write ${{env.{name[:60]}:-DEFAULT}}."
            raise _Unresolved(f"the environment has no '{name[:60]}'.", do)
        _refuse_unprintable(f"environment variable '{name[:60]}'", found or "")
        # As in a shell, a default also stands for an empty value.
        return found or default or ""

    def _sha(self) -> str:
        from rollout.planfile import git  # noqa: PLC0415 - few plans ask for it

        self._commit = self._commit or git.head(self._draft.folder)
        if self._commit is None:
            what = "the plan is not in a git repository with a commit."
            raise _Unresolved(what, "Commit it, or use a variable instead of ${git.sha}.")
        return self._commit


def _refuse_unprintable(name: str, value: str) -> None:
    """Line breaks, control characters and bytes that are not UTF-8 have no place in a plan."""
    if not value.isprintable():
        what = f"the value of the {name} is not one line of readable text."
        raise _Unresolved(what, "Set it to one line of UTF-8 text.")


def _spelled(value: object) -> str:
    return shown(value) if isinstance(value, bool) else str(value)
