"""YAML 1.2 by PyYAML's scanner, parser and composer: its core schema, within limits.

PyYAML resolves plain scalars by YAML 1.1, where ``on`` is true, ``010`` is eight and ``12:30`` is
750. Here a plain scalar is left as text by the composer and resolved by ``resolve``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from yaml.composer import Composer, ComposerError
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import AliasEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from rollout.planfile.wording import printable

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs hide it
except ImportError:  # PyYAML without libyaml
    CParser = None  # type: ignore[assignment, misc]

MAX_NODES = 10_000  # values of a plan, with every alias written out
MAX_DEPTH = 64  # mappings and lists inside one another, with every alias written out
PLAIN = "plain"  # the tag of a scalar without quotes, to be resolved
_MAX_DIGITS = 100

STR = "tag:yaml.org,2002:str"
_TAGS = {
    ScalarNode: STR,
    SequenceNode: "tag:yaml.org,2002:seq",
    MappingNode: "tag:yaml.org,2002:map",
}
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

Scalar = str | int | float | bool | None


class Unreadable(Exception):
    """The text is not a YAML document that a plan can be.

    Args:
        index: Where, in characters from the start of the text.
        what: A sentence.
        do: An instruction.
    """

    def __init__(self, index: int, what: str, do: str) -> None:
        super().__init__(what)
        self.index = index
        self.what = what
        self.do = do


def resolve(text: str) -> Scalar:
    """The value of a scalar without quotes, by the core schema.

    Raises:
        ValueError: it looks like a number and is none that a plan can hold.

    >>> [resolve(text) for text in ("on", "12:30", "010", "0o10", "1e3", "~", "true")]
    ['on', '12:30', 10, 8, 1000.0, None, True]
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return _whole(text)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    return text


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits is too large")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def compose(text: str) -> Node | None:
    """The document's nodes with their marks; None where nothing is written.

    Anchored nodes are shared, not copied: an alias bomb is counted and refused, never expanded.

    Raises:
        Unreadable: a syntax error, more than one document, or a limit is passed.
    """
    if CParser is not None:
        try:
            return _Quick(text).get_single_node()
        except (YAMLError, ValueError, OverflowError):
            pass  # the careful way says better what is wrong, or finds that nothing is
    composer = _Careful(text)
    try:
        return composer.get_single_node()
    except MarkedYAMLError as error:
        raise _syntax(error, text, composer) from error
    except (ValueError, OverflowError) as error:  # chr() and int() inside the scanner
        raise Unreadable(
            composer.index,
            "the number here is none that YAML knows.",
            "Write the character itself.",
        ) from error


class _Limited(Composer):
    """Composes while it counts: every node knows its size and depth with aliases written out."""

    peek_event: Callable[[], Event]  # by whichever parser stands beside
    check_event: Callable[..., bool]

    def __init__(self) -> None:
        Composer.__init__(self)
        self._open = 0
        self._composed = 0
        self._measured: dict[Node, tuple[int, int]] = {}

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        mark = self.peek_event().start_mark
        start = mark.index if mark is not None else 0
        alias = self.check_event(AliasEvent)
        self._open += 1
        self._composed += 1
        self._limit(self._composed, self._open, start)
        node = super().compose_node(parent, index)
        self._open -= 1
        if node is None:
            return None
        if not alias:
            self._measured[node] = self._measure(node)
        elif node not in self._measured:
            raise Unreadable(
                start, "the alias stands inside the value that it names.", "Write the value out."
            )
        self._limit(*self._measured[node], start)
        return node

    def _measure(self, node: Node) -> tuple[int, int]:
        """Size and depth; aliases inside count in full."""
        if isinstance(node, MappingNode):
            inner = [each for pair in node.value for each in pair]
        else:
            inner = node.value if isinstance(node, SequenceNode) else []
        sizes = [self._measured[each] for each in inner]
        return 1 + sum(size for size, _ in sizes), 1 + max((depth for _, depth in sizes), default=0)

    def _limit(self, size: int, depth: int, start: int) -> None:
        if size > MAX_NODES:
            raise Unreadable(
                start,
                f"the plan has more than {MAX_NODES:,} values, aliases written out.",
                "Use fewer aliases, and keep request bodies in files.",
            )
        if depth > MAX_DEPTH:
            raise Unreadable(
                start,
                f"mappings and lists stand more than {MAX_DEPTH} deep in one another.",
                "Write it flatter; keep request bodies in files.",
            )

    def resolve(self, kind: type[Node], _: str, implicit: tuple[bool, bool]) -> str:
        """PyYAML asks for the tag of a node that has none."""
        return PLAIN if kind is ScalarNode and implicit[0] else _TAGS[kind]

    def descend_resolver(self, parent: Node | None, index: int) -> None:
        """PyYAML's path resolvers are not used."""

    def ascend_resolver(self) -> None:
        """PyYAML's path resolvers are not used."""


class _Careful(_Limited, Reader, Scanner, Parser):
    """By PyYAML's own scanner: slower, and its messages name the place."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        _Limited.__init__(self)


if CParser is not None:

    class _Quick(_Limited, CParser):
        """By libyaml, ten times as fast; the same nodes for what both can read."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            _Limited.__init__(self)


def _syntax(error: MarkedYAMLError, text: str, composer: _Careful) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    index = composer.index if mark is None else mark.index
    problem = _told(error.problem or error.context)
    if isinstance(error, ComposerError) and "another document" in problem:
        return Unreadable(
            index, "a second document begins here.", "Keep one plan in a file; remove the rest."
        )
    if _tab_indents(text, index):
        return Unreadable(index, "a tab indents this line.", "Indent with spaces.")
    context = f" {_told(error.context)}" if error.context and error.problem else ""
    if "mapping values are not allowed" in problem:
        do = "Put text that contains ': ' in quotes, or correct the indentation."
    else:
        do = "Correct indentation, brackets and quotes on this line or the one before."
    return Unreadable(index, f"this is not YAML:{context} {problem}.", do)


def _told(text: str | None) -> str:
    """What PyYAML says; it may quote the file."""
    return printable(str(text)[:200])


def _tab_indents(text: str, index: int) -> bool:
    line = text[text.rfind("\n", 0, index) + 1 :].split("\n", 1)[0]
    return "\t" in line[: len(line) - len(line.lstrip())]
