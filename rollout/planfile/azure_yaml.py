"""Azure ML's own YAML files as data that remembers where it was written.

Plain scalars are resolved by YAML 1.1, as Azure ML's own loader does: ``on`` is true there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from rollout.planfile.wording import printable, shown

# What PyYAML raises on a stranger's text: a date of 30 February, '0x_', '!!int ""', '[' * 3000.
_UNREADABLE = (
    yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError,
    RecursionError,
)  # fmt: skip
_LONGEST = 200  # characters of what PyYAML says
_INDENT = "Correct indentation, brackets and quotes on this line or the one before."


class Finding(NamedTuple):
    """What is wrong with a file.

    Args:
        path: The keys down to the value; empty: the file as a whole.
        place: Line and column in the file, from 1; None: what is wrong is not written there.
    """

    what: str
    do: str
    path: tuple[str, ...] = ()
    place: tuple[int, int] | None = None


class Source(NamedTuple):
    """A file as read; without findings its root is a mapping."""

    data: dict[str, object]
    root: Node | None = None
    findings: tuple[Finding, ...] = ()

    def value(self, path: tuple[str, ...]) -> tuple[int, int]:
        """Where the value at ``path`` begins, or the nearest part around it."""
        pairs = self._pairs(path)
        return _place(pairs[-1][1] if pairs else self.root)

    def key(self, path: tuple[str, ...]) -> tuple[int, int]:
        """Where the key at ``path`` begins, or the nearest part around it."""
        pairs = self._pairs(path)
        return _place(pairs[-1][0] if pairs else self.root)

    def _pairs(self, path: tuple[str, ...]) -> list[tuple[Node, Node]]:
        found: list[tuple[Node, Node]] = []
        node = self.root
        for step in path:
            inside = node.value if isinstance(node, MappingNode) else []
            # From the end: PyYAML puts what '<<' takes over before the mapping's own pairs.
            pair = next((each for each in reversed(inside) if each[0].value == step), None)
            if pair is None:
                break
            found.append(pair)
            node = pair[1]
        return found


def read(file: str) -> Source:
    """The mapping in ``file``; whatever is wrong with it becomes a finding."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        what = f"{printable(file)} cannot be read: {error.strerror}."
        return _nothing(Finding(what, "Correct the path in the plan."))
    except UnicodeDecodeError:
        what = "the file is not UTF-8, so it is not YAML here."
        return _nothing(Finding(what, "Save it as UTF-8.", place=(1, 1)))
    return _parsed(text)


def located(file: str, finding: Finding) -> str:
    """What is wrong, with its file and the place in it."""
    place = "" if finding.place is None else ":{}:{}".format(*finding.place)
    return f"{file}{place}: {finding.what}"


def text_of(value: object) -> str:
    """Any scalar as text; Python spells no integer of more than 4,300 digits."""
    try:
        return str(value)
    except ValueError:
        return "a very large number"


def spelled(value: object) -> str:
    """A value as a finding shows it."""
    try:
        return shown(value)
    except ValueError:
        return text_of(value)


def _parsed(text: str) -> Source:
    root: Node | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        twice = () if root is None else tuple(_twice(root))
        data = None if root is None else loader.construct_document(root)
    except _UNREADABLE as error:
        return _nothing(_unreadable(error, text, root))
    if not isinstance(data, dict):
        what = "the file holds no mapping."
        return _nothing(Finding(what, "Write Azure ML's YAML there.", place=_place(root)))
    return Source(data, root, twice)


def _nothing(finding: Finding) -> Source:
    return Source({}, findings=(finding,))


def _twice(root: Node) -> Iterator[Finding]:
    """Keys that one mapping has twice; PyYAML would silently take the last."""
    for node in _nodes(root):
        first: dict[tuple[str, str], Node] = {}
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if not isinstance(key, ScalarNode):
                continue
            line = _place(first.setdefault((key.tag, key.value), key))[0]
            if first[key.tag, key.value] is not key:
                name = printable(key.value[:_LONGEST])
                what = f"the key '{name}' is written twice in one mapping, first in line {line}."
                yield Finding(what, "Keep one of the two.", (key.value,), _place(key))


def _nodes(root: Node) -> Iterator[Node]:
    """Every node once, in the order of the file; an anchor may stand inside its own value."""
    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, MappingNode):
            left += [each for pair in reversed(node.value) for each in reversed(pair)]
        elif isinstance(node, SequenceNode):
            left += reversed(node.value)


def _unreadable(error: Exception, text: str, root: Node | None) -> Finding:
    match error:
        case MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            said = " ".join(each for each in (error.context, error.problem) if each)
            place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        case ReaderError():
            before = text[: error.position]
            said = f"the character U+{ord(text[error.position]):04X} may not stand in it"
            place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        case RecursionError():
            said, place = "mappings and lists stand too deep in one another", (1, 1)
        case _:
            said, place = str(error) or "a value is none that YAML knows", _place(_culprit(root))
    what = f"this is not YAML: {printable(' '.join(said.split())[:_LONGEST])}."
    return Finding(
        what, _INDENT if isinstance(error, MarkedYAMLError) else "Correct it.", (), place
    )


def _culprit(root: Node | None) -> Node | None:
    """The scalar that is no value of its kind."""
    for node in () if root is None else _nodes(root):
        if isinstance(node, ScalarNode):
            try:
                yaml.SafeLoader("").construct_object(node)
            except _UNREADABLE:
                return node
    return root


def _place(node: Node | None) -> tuple[int, int]:
    return (1, 1) if node is None else (node.start_mark.line + 1, node.start_mark.column + 1)
