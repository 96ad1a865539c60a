"""A query as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rollout.emulator.kql.words import KqlError, Word, words

AGGREGATES = frozenset(
    {"count", "countif", "sum", "sumif", "min", "max", "avg", "dcount", "percentile", "percentiles"}
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value."""

    value: object


@dataclass(frozen=True, slots=True)
class Column:
    """A column's value."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator with its arguments; ``at``: where it stands."""

    name: str
    arguments: tuple[Expression, ...]
    at: int


Expression = Literal | Column | Call


@dataclass(frozen=True, slots=True)
class Named:
    """An expression with the name of its result; ``given``: somebody chose that name."""

    name: str
    expression: Expression
    given: bool


@dataclass(frozen=True, slots=True)
class Where:
    """Keeps rows."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Extend:
    """Adds columns."""

    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """Keeps only these columns."""

    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Summarize:
    """A row a group."""

    aggregates: tuple[Named, ...]
    keys: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """Puts rows in order; each key with whether it falls."""

    keys: tuple[tuple[Expression, bool], ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Keeps the first rows."""

    count: int


Step = Where | Extend | Project | Summarize | Sort | Take

_COMPARISONS = frozenset(
    {"==", "!=", "<", "<=", ">", ">=", "=~", "!~", "contains", "has", "startswith", "endswith"}
)
_SUMS = frozenset({"+", "-"})
_PRODUCTS = frozenset({"*", "/", "%"})


def parse(text: str) -> tuple[str, tuple[Step, ...]]:
    """The table and what is done with its rows.

    Raises:
        KqlError: it is no query, or has something in it that the emulator does not know.
    """
    return _Parser(list(words(text))).query()


class _Parser:
    def __init__(self, found: Sequence[Word]) -> None:
        self._words = found
        self._at = 0

    def query(self) -> tuple[str, tuple[Step, ...]]:
        table = self._name()
        steps: list[Step] = []
        while self._took("|"):
            steps += self._step()
        if self._here.kind != "end":
            raise self._error(f"{self._here.text!r} was not expected")
        return table, tuple(steps)

    # --- steps ----------------------------------------------------------------

    def _step(self) -> list[Step]:
        word = self._name()
        match word:
            case "where" | "filter":
                return [Where(self._expression())]
            case "extend":
                return [Extend(self._named_list())]
            case "project":
                return [Project(self._named_list())]
            case "summarize":
                return [self._summarize()]
            case "count":
                return [Summarize((Named("Count", Call("count", (), 0), True),), ())]
            case "sort" | "order":
                return [self._sort()]
            case "take" | "limit":
                return [Take(self._whole())]
            case "top":
                most = self._whole()
                return [self._sort(), Take(most)]
            case _:
                raise self._error(f"The emulator does not know the operator {word!r}")

    def _summarize(self) -> Summarize:
        aggregates = () if self._here.text == "by" else self._named_list()
        keys = self._named_list() if self._took("by") else ()
        return Summarize(aggregates, keys)

    def _sort(self) -> Sort:
        self._need("by")
        keys = [self._sort_key()]
        while self._took(","):
            keys.append(self._sort_key())
        return Sort(tuple(keys))

    def _sort_key(self) -> tuple[Expression, bool]:
        expression = self._expression()
        if self._took("asc"):
            return expression, False
        self._took("desc")
        return expression, True

    def _named_list(self) -> tuple[Named, ...]:
        found = [self._named()]
        while self._took(","):
            found.append(self._named())
        return tuple(found)

    def _named(self) -> Named:
        following = self._words[min(self._at + 1, len(self._words) - 1)]
        if self._here.kind == "name" and following.text == "=":
            name = self._name()
            self._need("=")
            return Named(name, self._expression(), given=True)
        expression = self._expression()
        return Named(_default_name(expression), expression, given=False)

    # --- expressions ----------------------------------------------------------

    def _expression(self) -> Expression:
        found = self._conjunction()
        while (at := self._here.at, self._took("or"))[1]:
            found = Call("or", (found, self._conjunction()), at)
        return found

    def _conjunction(self) -> Expression:
        found = self._comparison()
        while (at := self._here.at, self._took("and"))[1]:
            found = Call("and", (found, self._comparison()), at)
        return found

    def _comparison(self) -> Expression:
        left = self._sum()
        word = self._here
        if word.text in _COMPARISONS:
            self._at += 1
            return Call(word.text, (left, self._sum()), word.at)
        if self._took("between"):
            self._need("(")
            low = self._sum()
            self._need("..")
            high = self._sum()
            self._need(")")
            return Call("between", (left, low, high), word.at)
        if self._took("in"):
            return Call("in", (left, *self._arguments()), word.at)
        return left

    def _sum(self) -> Expression:
        return self._chain(self._product, _SUMS)

    def _product(self) -> Expression:
        return self._chain(self._unary, _PRODUCTS)

    def _chain(self, inner, signs: frozenset[str]) -> Expression:  # type: ignore[no-untyped-def]
        found: Expression = inner()
        while self._here.kind == "sign" and self._here.text in signs:
            word = self._here
            self._at += 1
            found = Call(word.text, (found, inner()), word.at)
        return found

    def _unary(self) -> Expression:
        word = self._here
        if self._took("-"):
            return Call("negate", (self._unary(),), word.at)
        return self._primary()

    def _primary(self) -> Expression:
        word = self._here
        if word.kind == "literal":
            self._at += 1
            return Literal(word.value)
        if self._took("("):
            found = self._expression()
            self._need(")")
            return found
        name = self._name()
        if self._here.text == "(":
            return Call(name, self._arguments(), word.at)
        if name in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[name])
        return Column(name)

    def _arguments(self) -> tuple[Expression, ...]:
        self._need("(")
        found: list[Expression] = []
        while not self._took(")"):
            if found:
                self._need(",")
            found.append(self._expression())
        return tuple(found)

    # --- words ----------------------------------------------------------------

    @property
    def _here(self) -> Word:
        return self._words[self._at]

    def _took(self, text: str) -> bool:
        found = self._here.kind in ("name", "sign") and self._here.text == text
        self._at += found
        return found

    def _need(self, text: str) -> None:
        if not self._took(text):
            raise self._error(f"{text!r} was expected")

    def _name(self) -> str:
        word = self._here
        if word.kind != "name":
            raise self._error(f"{word.text or 'the end'!r} was not expected")
        self._at += 1
        return word.text

    def _whole(self) -> int:
        word = self._here
        if not isinstance(word.value, int):
            raise self._error("A whole number was expected")
        self._at += 1
        return word.value

    def _error(self, message: str) -> KqlError:
        return KqlError(f"{message}.", at=self._here.at)


def _default_name(expression: Expression) -> str:
    """The name that KQL gives a result that has none; empty: ``Column1`` and so on."""
    match expression:
        case Column(name):
            return name
        case Call("bin", (Column(name), *_)):
            return name
        case Call(function, (Column(name), Literal(value), *_)) if function == "percentile":
            return f"percentile_{name}_{value}"
        case Call(function, (Column(name), *_)) if function in AGGREGATES:
            return f"{function}_{name}"
        case Call(function) if function in AGGREGATES:
            return f"{function}_"
        case _:
            return ""
