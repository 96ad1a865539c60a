"""What the client may do: role definitions as the portal, the CLI and templates write them."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rollout.domain.errors import UsageError
from rollout.emulator.wire import Json, mapping

_KEYS = ("actions", "notActions", "dataActions", "notDataActions")


@dataclass(frozen=True, slots=True)
class Role:
    """The permissions of one role; it holds at every scope."""

    permissions: Json

    @classmethod
    def read(cls, path: Path) -> Role:
        """The role definition in a file of JSON.

        Raises:
            UsageError: it is not there, or is none.
        """
        try:
            return cls(_permissions(json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError as error:
            raise _unusable(f"{path} is not there.") from error
        except OSError as error:
            raise _unusable(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise _unusable(f"{path} is no role definition: {error}.") from error

    def allows(self, action: str) -> bool:
        """Whether it allows an action."""
        return self._names("actions", action) and not self._names("notActions", action)

    def _names(self, key: str, action: str) -> bool:
        patterns = cast("list[str]", self.permissions[key])
        return any(fnmatch.fnmatch(action.lower(), each.lower()) for each in patterns)


EVERYTHING = Role({"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []})


def _unusable(what: str) -> UsageError:
    return UsageError(what, do="Correct the path of --role.")


def _permissions(data: object) -> Json:
    """The four lists of a definition, as the permissions API has them.

    Raises:
        ValueError: it has none.
    """
    found = mapping(data)
    found = mapping(found.get("properties", found))
    if "permissions" in found:
        listed = found["permissions"]
        found = mapping(listed[0]) if isinstance(listed, list) and listed else {}
    given = {key.lower(): value for key, value in found.items()}
    lists: Json = {key: given.get(key.lower(), []) for key in _KEYS}
    if "actions" not in given and "dataactions" not in given:
        raise ValueError("it has no actions")
    for key, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ValueError(f"its {key} are no list of texts")
    return lists
