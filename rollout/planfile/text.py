"""A plan file's bytes as plain data that remembers where each key and value was written."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path as File
from types import MappingProxyType
from typing import NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import Reader

from rollout.domain.diagnostics import Diagnostic, Place
from rollout.planfile import yaml12
from rollout.planfile.wording import Path, nearest, printable, shown, spell

MAX_BYTES = 2**20
_BREAK = re.compile(r"\r\n|\n|\r")  # what editors count as a line
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CORE = "tag:yaml.org,2002:"
_TYPES: Mapping[str, tuple[type, ...]] = {
    f"{_CORE}int": (int,),
    f"{_CORE}float": (float, int),
    f"{_CORE}bool": (bool,),
    f"{_CORE}null": (type(None),),
}
_NOWHERE: Mapping[Path, Place] = MappingProxyType({})


class Document(NamedTuple):
    """A plan file as read.

    Args:
        file: As the user typed it.
        data: Mappings, lists, text, numbers, true and false; None where nothing could be read.
        values: Where the value of a path begins; an aliased one where it was written.
        keys: Where the key of a path begins.
        references: Paths of text without quotes that holds a ``$``.
        spoiled: Paths whose value could not be read; nothing more is to be said about them.
        findings: What is wrong with the text itself.
    """

    file: str
    data: object = None
    values: Mapping[Path, Place] = _NOWHERE
    keys: Mapping[Path, Place] = _NOWHERE
    references: frozenset[Path] = frozenset()
    spoiled: frozenset[Path] = frozenset()
    findings: tuple[Diagnostic, ...] = ()

    def value(self, path: Path) -> Place:
        """Where the value of ``path`` stands, or of the nearest part around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(self.file, 1, 1))

    def key(self, path: Path) -> Place:
        """Where the key of ``path`` stands; an item of a list stands where it begins."""
        return self.keys[path] if path in self.keys else self.value(path)


def read(file: File) -> Document:
    """The plan file's data and places; whatever is wrong with it becomes a finding."""
    name = str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        what, do = _unopened(file, error)
        return Document(name, findings=(Diagnostic(Place(name, 1, 1), "plan", what, do),))
    return parse(content, file=name)


def _unopened(file: File, error: Exception) -> tuple[str, str]:
    match error:
        case FileNotFoundError():
            near = nearest(file.name, _siblings(file))
            return "there is no such file.", (
                f"Did you mean '{printable(str(file.with_name(near)))}'?"
                if near
                else "Check the path."
            )
        case IsADirectoryError():
            return "this is a folder.", "Name the plan file in it."
        case PermissionError():
            return "the file may not be read.", "Give yourself the right to read it."
        case _:
            return f"the file cannot be opened: {printable(str(error))}.", "Check the path."


def _siblings(file: File) -> list[str]:
    try:
        return sorted(each.name for each in file.parent.iterdir())
    except OSError:
        return []


def parse(content: bytes, *, file: str) -> Document:
    """The data and places of ``content``.

    Args:
        content: UTF-8, with or without a byte order mark, of YAML 1.2 or JSON.
        file: The name that places carry.
    """
    lines = _Lines(file, "")
    try:
        text = _decode(content)
        if file.endswith(".json"):
            text = text.replace("\t", " ")  # JSON may indent with tabs; its strings hold none
        lines = _Lines(file, text)
        _refuse_unprintable(text)
        root = yaml12.compose(text)
    except yaml12.Unreadable as error:
        if not lines.text:
            lines = _Lines(file, content[: error.index].decode("utf-8", "replace"))
        finding = Diagnostic(lines.place(error.index), "plan", error.what, error.do)
        return Document(file, findings=(finding,))
    return _Walk(lines).document(root)


def _decode(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise yaml12.Unreadable(
            0, "the file is larger than 1 MiB.", "Keep request bodies in files of their own."
        )
    if content.startswith(_UTF16):
        raise yaml12.Unreadable(0, "the file is written in UTF-16.", "Save it as UTF-8.")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8."
        raise yaml12.Unreadable(error.start, what, "Save the file as UTF-8.") from error


def _refuse_unprintable(text: str) -> None:
    found = Reader.NON_PRINTABLE.search(text)
    if found is not None:
        name = "a NUL" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
        raise yaml12.Unreadable(found.start(), f"{name} stands in the text.", "Remove it.")


class _Lines:
    """Places of characters, in lines as editors count them."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts = [0, *(found.end() for found in _BREAK.finditer(text))]

    def place(self, index: int) -> Place:
        index = min(index, len(self.text))
        line = bisect_right(self._starts, index)
        return Place(self.file, line, index - self._starts[line - 1] + 1)


class _Walk:
    """One walk over the nodes: data, places and what is wrong on the way."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._references: set[Path] = set()
        self._spoiled: set[Path] = set()
        self._found: dict[tuple[Place, str], Diagnostic] = {}

    def document(self, root: Node | None) -> Document:
        data = None if root is None else self._value(root, ())
        return Document(
            self._lines.file,
            data,
            self._values,
            self._keys,
            frozenset(self._references),
            frozenset(self._spoiled),
            tuple(sorted(self._found.values())),
        )

    def _value(self, node: Node, path: Path) -> object:
        self._values[path] = self._place(node)
        if isinstance(node, MappingNode):
            self._tag(node, path, "map")
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            self._tag(node, path, "seq")
            return [self._value(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key, value in self._pairs(node, path):
            name = self._name(key, path)
            if name is None or name in data:
                continue
            self._keys[(*path, name)] = self._place(key)
            data[name] = self._value(value, (*path, name))
        return data

    def _pairs(self, node: MappingNode, path: Path) -> list[tuple[Node, Node]]:
        """The mapping's own pairs, then those it takes over by ``<<``."""
        own: list[tuple[Node, Node]] = []
        taken: list[tuple[Node, Node]] = []
        first: dict[str, Place] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                own.append((key, value))
                continue
            if key.value in first:
                line = first[key.value].line
                what = f"the key is written twice in one mapping, first in line {line}."
                self._wrong(self._place(key), (*path, key.value), what, "Keep one of the two.")
            first.setdefault(key.value, self._place(key))
            if key.tag == yaml12.PLAIN and key.value == "<<":
                taken += self._merged(value, path)
            else:
                own.append((key, value))
        return own + taken

    def _merged(self, value: Node, path: Path) -> list[tuple[Node, Node]]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        pairs: list[tuple[Node, Node]] = []
        for source in sources:
            if isinstance(source, MappingNode):
                pairs += self._pairs(source, path)
            else:
                what = "'<<' takes over mappings only."
                self._wrong(self._place(source), (*path, "<<"), what, "Write '<<: *anchor'.")
        return pairs

    def _name(self, key: Node, path: Path) -> str | None:
        if not isinstance(key, ScalarNode):
            self._wrong(self._place(key), path, "a key must be text.", "Write a word as the key.")
            return None
        if key.tag == yaml12.PLAIN and not isinstance(self._resolved(key.value), str):
            what = f"the key {printable(key.value)[:40] or 'before the colon'} is not text."
            do = f'Put it in quotes: "{printable(key.value)[:40]}".'
            self._wrong(self._place(key), path, what, do)
        return self._characters(key, (*path, key.value))

    def _scalar(self, node: Node, path: Path) -> object:
        if node.tag in (yaml12.STR, "!"):
            return self._characters(node, path)
        if node.tag != yaml12.PLAIN and node.tag not in _TYPES:
            self._unknown_tag(node, path)
            return None
        try:
            value = yaml12.resolve(node.value)
        except ValueError as error:
            self._spoil(node, path, f"{error}.", "Write a smaller number, or text in quotes.")
            return None
        if node.tag != yaml12.PLAIN and type(value) not in _TYPES[node.tag]:
            tag = f"!!{node.tag.removeprefix(_CORE)}"
            self._spoil(node, path, f"{shown(value)} is no {tag}.", f"Remove '{tag}'.")
            return None
        if isinstance(value, str) and "$" in value:
            self._references.add(path)
        return value

    def _resolved(self, text: str) -> object:
        try:
            return yaml12.resolve(text)
        except ValueError:
            return None

    def _characters(self, node: Node, path: Path) -> str:
        """Quoted text; JSON spells characters beyond U+FFFF as two escapes."""
        text = str(node.value)
        if not _SURROGATE.search(text):
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            what = "an escape names half a character."
            self._spoil(node, path, what, "Write the character itself.")
            return _SURROGATE.sub("\ufffd", text)

    def _tag(self, node: Node, path: Path, wanted: str) -> None:
        if node.tag != f"{_CORE}{wanted}":
            self._unknown_tag(node, path)

    def _unknown_tag(self, node: Node, path: Path) -> None:
        tag = printable(node.tag.replace(_CORE, "!!"))[:40]
        self._spoil(node, path, f"the tag {tag} has no meaning in a plan.", "Remove it.")

    def _spoil(self, node: Node, path: Path, what: str, do: str) -> None:
        self._spoiled.add(path)
        self._wrong(self._place(node), path, what, do)

    def _wrong(self, place: Place, path: Path, what: str, do: str) -> None:
        self._found.setdefault((place, what), Diagnostic(place, spell(path), what, do))

    def _place(self, node: Node) -> Place:
        return self._lines.place(node.start_mark.index)
