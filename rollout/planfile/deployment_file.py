"""Azure ML's own YAML of a deployment, with the plan's ``set:`` over it; every provider reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from rollout.planfile.azure_yaml import Finding, Source, spelled, text_of
from rollout.planfile.wording import meant, printable

Json = Mapping[str, object]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME = 60  # characters of a name that are shown
_MOST = 10**9  # of any number


class DeploymentFile:
    """A deployment as its file and the plan say; collects everything that is wrong with it.

    Args:
        source: The file.
        overrides: What the plan sets in it, nested or with dotted keys.
        folder: Of the file; its paths are relative to it.
    """

    def __init__(self, source: Source, overrides: Json, folder: Path) -> None:
        self._source = source
        self._overrides = overrides
        self._folder = folder
        self.data = overridden(source.data, overrides)
        self.findings = list(source.findings)

    def find(self, path: str, what: str, do: str) -> None:
        """Note what is wrong with the value at a dotted path."""
        steps = tuple(path.split("."))
        self._note(Finding(what, do, steps, self._source.value(steps)))

    def find_key(self, key: object, what: str, do: str) -> None:
        """Note what is wrong with a key of the file."""
        path = (text_of(key),)
        self._note(Finding(what, do, path, self._source.key(path)))

    def _note(self, found: Finding) -> None:
        by_plan = _overrides(found.path, self._overrides)
        self.findings.append(found._replace(place=None) if by_plan else found)

    def compare_name(self, name: str) -> None:
        """The file's own name of the deployment, where it has one, is the plan's."""
        own = self.data.get("name", name)
        if own != name:
            what = f"name is {spelled(own)}, and the plan names the deployment {spelled(name)}."
            self.find("name", what, "Make them equal, in the file or by 'set: {name: ...}'.")

    def unknown(self, known: Collection[str], *, noun: str = "deployments") -> None:
        """Keys that Azure ML does not know are no keys."""
        for key in self.data:
            if key not in known:
                what = f"Azure ML's {noun} have no key {spelled(key)}."
                self.find_key(key, what, meant(text_of(key), known))

    def mapping(self, key: str) -> Json:
        """The mapping at ``key``; an empty one where there is none."""
        value = self.data.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.find(key, f"{key} is not a mapping.", f"Write the keys of {key} below it.")
        return {}

    def whole(self, value: object, name: str, least: int) -> int:
        """A whole number of at least ``least``, which it also is where it cannot be read.

        Args:
            value: As written, or its default.
            name: Its dotted path.
            least: The least that it may be.
        """
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST:
            return value
        most = (
            f"{_MOST} or less" if isinstance(value, int) and value > _MOST else f"{least} or more"
        )
        self.find(name, f"{name} is {spelled(value)}.", f"Write a whole number, {most}.")
        return least

    def instances(self, most: int, *, source: str = "") -> int:
        """How many instances it shall have.

        Args:
            most: That it can have.
            source: Who says so; empty: nobody is named.
        """
        found = self.whole(self.data.get("instance_count", 1), "instance_count", 1)
        if found > most:
            do = f"Write {most} or less{source and f' ({source})'}."
            self.find("instance_count", f"instance_count is {found}.", do)
        return found

    def environment(self) -> dict[str, str]:
        """The environment variables, as text."""
        found = {}
        for key, value in self.mapping("environment_variables").items():
            name = text_of(key)
            told = f"environment_variables.{printable(name[:_LONGEST_NAME])}"
            path = f"environment_variables.{name}"
            if not _VARIABLE.fullmatch(name):
                do = "Write letters, digits and underscores, and no digit first."
                self.find(path, f"{told} cannot be the name of a variable.", do)
            elif not isinstance(value, str | int | float):
                self.find(path, f"{told} is {spelled(value)}.", "Write a string in quotes.")
            elif not _can_be_passed(text_of(value)):
                self.find(path, f"{told} holds a NUL or half a character.", "Remove it.")
            else:
                found[name] = text_of(value)
        return found

    def code(self, code: str, script: str) -> tuple[Path, str]:
        """The folder of the scoring script and its path below it; both are there."""
        folder = self.absolute(code)
        if not holds(folder.is_dir):
            what = f"code_configuration.code: {printable(str(folder))} is not a folder."
            self.find("code_configuration.code", what, "Correct the path.")
        elif not holds((folder / script).is_file):
            what = f"scoring_script: {printable(str(folder / script))} is not there."
            self.find("code_configuration.scoring_script", what, "Correct the path.")
        return folder, script

    def present(self, path: str, value: str) -> Path:
        """The file or folder that is named at a dotted path; it is there."""
        found = self.absolute(value)
        if not holds(found.exists):
            what = f"{path}: {printable(str(found))} is not there."
            self.find(path, what, "Correct the path.")
        return found

    def absolute(self, path: str) -> Path:
        """A path of the file, from the root."""
        return Path(os.path.normpath(self._folder.absolute() / path))


def overridden(data: Json, overrides: Json) -> dict[str, object]:
    """Overrides, nested or with dotted keys, put over the file's values.

    >>> overridden({"a": {"b": 1, "c": 2}}, {"a.b": 5})
    {'a': {'b': 5, 'c': 2}}
    """
    found = dict(data)
    for dotted, value in overrides.items():
        key, _, rest = dotted.partition(".")
        below = found.get(key)
        inner = below if isinstance(below, dict) else {}
        if rest:
            found[key] = overridden(inner, {rest: value})
        elif isinstance(value, dict):
            found[key] = overridden(inner, value)
        else:
            found[key] = value
    return found


def _overrides(path: tuple[str, ...], overrides: Json) -> bool:
    """Whether ``overrides`` say what is at ``path``.

    >>> _overrides(("a", "b"), {"a.b": 5}), _overrides(("a", "c"), {"a": {"b": 5}})
    (True, False)
    """
    for dotted, value in overrides.items():
        steps = tuple(dotted.split("."))
        if path[: len(steps)] != steps:
            continue
        if not isinstance(value, dict) or _overrides(path[len(steps) :], value):
            return True
    return False


def holds(look: Callable[[], bool]) -> bool:
    """Whether a path is what it should be; one that no file can have is not."""
    try:
        return look()
    except (OSError, ValueError):
        return False


def _can_be_passed(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)


def is_registered(text: str) -> bool:
    """Whether an asset's name means one in the cloud, not a file.

    >>> is_registered("azureml:credit:3"), is_registered("../model/")
    (True, False)
    """
    return text.startswith(("azureml:", "/subscriptions/"))
