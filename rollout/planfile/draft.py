"""A plan's data while it may still be wrong: looked up without fear, with findings beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as File

from rollout.domain.diagnostics import Diagnostic, Place
from rollout.planfile.text import Document
from rollout.planfile.wording import Path, spell


class Draft:
    """What is known of a plan so far.

    Args:
        document: The file as read; its root is a mapping.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data: dict[str, object] = document.data if isinstance(document.data, dict) else {}
        self.file = document.file
        self.folder = File(document.file).parent
        self.written: dict[Path, str] = {}  # text whose references have been replaced
        self._spoiled = set(document.spoiled)
        self._found: dict[tuple[Place, str], Diagnostic] = {}
        for each in document.findings:
            self._found[each.place, each.what] = each

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """All findings so far, sorted by place."""
        return tuple(sorted(self._found.values()))

    def wrong(self, path: Path, what: str, do: str) -> None:
        """The value at ``path`` is wrong."""
        self._add(self.document.value(path), path, spell(path), what, do)

    def wrong_key(self, path: Path, what: str, do: str, *, told: Path | None = None) -> None:
        """The key at ``path`` is wrong; the finding names ``told`` where the key means nothing."""
        named = spell(path if told is None else told)
        self._add(self.document.key(path), path, named, what, do)

    def wrong_in(self, path: Path, place: Place, what: str, do: str) -> None:
        """The file that is named at ``path`` is wrong, at a place of its own."""
        self._add(place, path, spell(path), what, do)

    def told(self, path: Path) -> bool:
        """Whether something is known to be wrong with the value at ``path``."""
        named = spell(path)
        return any(each.path == named for each in self._found.values())

    def spoil(self, path: Path) -> None:
        """Nothing more is to be said about the value at ``path``."""
        self._spoiled.add(path)

    def _add(self, place: Place, path: Path, named: str, what: str, do: str) -> None:
        if any(path[:size] in self._spoiled for size in range(len(path) + 1)):
            return
        finding = Diagnostic(place, named, what, do)
        # What is written once and aliased to two paths is told once, for the first of them.
        self._found[place, what] = min(finding, self._found.get((place, what), finding))

    def at(self, *path: str | int) -> object:
        """The value at ``path``; None where there is none."""
        found: object = self.data
        for step in path:
            match found, step:
                case dict(), str():
                    found = found.get(step)
                case list(), int() if step < len(found):
                    found = found[step]
                case _:
                    return None
        return found

    def mapping(self, *path: str | int) -> Mapping[str, object]:
        """The mapping at ``path``; an empty one where there is none."""
        found = self.at(*path)
        return found if isinstance(found, dict) else {}

    def items(self, *path: str | int) -> Sequence[object]:
        """The list at ``path``; an empty one where there is none."""
        found = self.at(*path)
        return found if isinstance(found, list) else []

    def text(self, *path: str | int) -> str | None:
        """The text at ``path``; None where there is none."""
        found = self.at(*path)
        return found if isinstance(found, str) else None
