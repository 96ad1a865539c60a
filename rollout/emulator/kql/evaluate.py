"""Answers a query from rows in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, assert_never

from rollout.emulator.kql.functions import FUNCTIONS
from rollout.emulator.kql.grammar import (
    AGGREGATES,
    Call,
    Column,
    Expression,
    Extend,
    Literal,
    Named,
    Project,
    Sort,
    Step,
    Summarize,
    Take,
    Where,
    parse,
)
from rollout.emulator.kql.words import KqlError

Row = Mapping[str, object]
Compiled = Callable[[Row], object]

_LEAST = datetime(1, 1, 1, tzinfo=UTC)


class Table(NamedTuple):
    """Rows with the types of their columns, in order."""

    columns: Mapping[str, str]
    rows: Sequence[Row]


def evaluate(query: str, tables: Mapping[str, Table], now: datetime) -> Table:
    """The result of a query.

    Args:
        query: Its text.
        tables: By name.
        now: What ``now()`` is.

    Raises:
        KqlError: the emulator cannot answer it.
    """
    name, steps = parse(query)
    if name not in tables:
        known = ", ".join(tables)
        message = f"'{name}' is no table here; the emulator has {known}."
        raise KqlError(message, code="SemanticError")
    found = tables[name]
    for step in steps:
        found = _Evaluator(found, now).after(step)
    return found


class _Evaluator:
    """One step on one table."""

    def __init__(self, table: Table, now: datetime) -> None:
        self._table = table
        self._now = now

    def after(self, step: Step) -> Table:
        table = self._table
        match step:
            case Where(condition):
                holds = self._compiled(condition)
                return table._replace(rows=[row for row in table.rows if holds(row) is True])
            case Extend(columns):
                return self._extended(columns)
            case Project(columns):
                extended = self._extended(columns)
                names = [named.name for named in _numbered(columns)]
                kept = {name: extended.columns[name] for name in names}
                return Table(kept, [{name: row[name] for name in names} for row in extended.rows])
            case Summarize(aggregates, keys):
                return self._summarized(_numbered(aggregates), _numbered(keys))
            case Sort(keys):
                return self._sorted(keys)
            case Take(count):
                return table._replace(rows=table.rows[:count])
            case _:
                assert_never(step)

    def _extended(self, columns: Sequence[Named]) -> Table:
        # One expression does not see another of the same operator.
        made = [(named.name, self._compiled(named.expression)) for named in _numbered(columns)]
        rows = [{**row, **{name: value(row) for name, value in made}} for row in self._table.rows]
        types = {name: _type_of(row[name] for row in rows) for name, _ in made}
        for named in columns:
            if isinstance(named.expression, Column):
                types[named.name] = self._table.columns[named.expression.name]
        return Table({**self._table.columns, **types}, rows)

    def _summarized(self, aggregates: Sequence[Named], keys: Sequence[Named]) -> Table:
        made = [(named.name, self._compiled(named.expression)) for named in keys]
        groups: dict[tuple[object, ...], list[Row]] = {} if keys else {(): []}
        for row in self._table.rows:
            groups.setdefault(tuple(value(row) for _, value in made), []).append(row)
        counted = [(one.name, self._aggregate(one.expression)) for one in _spread(aggregates)]
        rows = [
            {
                **dict(zip([name for name, _ in made], labels, strict=True)),
                **{name: value(inside) for name, value in counted},
            }
            for labels, inside in groups.items()
        ]
        names = [*(name for name, _ in made), *(name for name, _ in counted)]
        return Table({name: _type_of(row[name] for row in rows) for name in names}, rows)

    def _sorted(self, keys: Sequence[tuple[Expression, bool]]) -> Table:
        rows = list(self._table.rows)
        for expression, falling in reversed(keys):
            value = self._compiled(expression)
            rows.sort(key=lambda row, value=value: _orderable(value(row)), reverse=falling)  # type: ignore[misc]
        return self._table._replace(rows=rows)

    def _aggregate(self, expression: Expression) -> Callable[[Sequence[Row]], object]:
        if not isinstance(expression, Call) or expression.name not in AGGREGATES:
            raise KqlError("summarize needs an aggregate of the emulator's: " + _LIST)
        if expression.name == "count":
            return len
        inner = [self._compiled(each) for each in expression.arguments]
        if not inner:
            raise KqlError(f"{expression.name}() needs a column.", at=expression.at)
        aggregate, first, rest = _AGGREGATES[expression.name], inner[0], inner[1:]

        def value(rows: Sequence[Row]) -> object:
            return aggregate(
                [first(row) for row in rows], [[each(row) for each in rest] for row in rows]
            )

        return value

    def _compiled(self, expression: Expression) -> Compiled:
        match expression:
            case Literal(value):
                return lambda _: value
            case Column(name):
                if name not in self._table.columns:
                    message = f"Failed to resolve column or scalar expression named '{name}'."
                    raise KqlError(message, code="SemanticError")
                return lambda row: row[name]
            case Call(name, arguments, at):
                return self._called(name, [self._compiled(each) for each in arguments], at)
            case _:
                assert_never(expression)

    def _called(self, name: str, inner: Sequence[Compiled], at: int) -> Compiled:
        now = self._now
        if name == "now" and not inner:
            return lambda _: now
        if name == "ago" and len(inner) == 1:
            return lambda row: now - inner[0](row)  # type: ignore[operator]
        function = FUNCTIONS.get(name)
        if function is None:
            message = f"The emulator does not know the function '{name}' here."
            raise KqlError(message, code="SemanticError", at=at)

        def value(row: Row) -> object:
            try:
                return function(*[each(row) for each in inner])
            except TypeError as error:
                raise KqlError(f"{name}: {error}.", code="SemanticError", at=at) from error

        return value


def _known(values: Iterable[object]) -> list[Any]:
    return [value for value in values if value is not None]


def _percentile(values: Sequence[object], rest: Sequence[Sequence[object]]) -> object:
    ordered = sorted(_known(values))
    if not ordered:
        return None
    percent = float(rest[0][0])  # type: ignore[arg-type]  # a literal, the same in each row
    return ordered[max(0, math.ceil(len(ordered) * percent / 100.0) - 1)]


_AGGREGATES: Mapping[str, Callable[[Sequence[object], Sequence[Sequence[object]]], object]] = {
    "countif": lambda values, _: sum(value is True for value in values),
    "sum": lambda values, _: sum(_known(values)),
    "sumif": lambda values, rest: sum(
        _known(value for value, (holds, *_) in zip(values, rest, strict=True) if holds is True)
    ),
    "min": lambda values, _: min(_known(values), default=None),
    "max": lambda values, _: max(_known(values), default=None),
    "avg": lambda values, _: sum(_known(values)) / len(_known(values)) if _known(values) else None,
    "dcount": lambda values, _: len(set(values)),
    "percentile": _percentile,
}
_LIST = ", ".join(sorted(AGGREGATES)) + "."


def _spread(aggregates: Sequence[Named]) -> list[Named]:
    """``percentiles(x, 50, 95)`` as a column each."""
    found: list[Named] = []
    for named in aggregates:
        match named.expression:
            case Call("percentiles", (Column(name) as column, *percents), at):
                for each in percents:
                    shown = each.value if isinstance(each, Literal) else ""
                    call = Call("percentile", (column, each), at)
                    found.append(Named(f"percentile_{name}_{shown}", call, given=False))
            case _:
                found.append(named)
    return found


def _numbered(columns: Sequence[Named]) -> list[Named]:
    """All with a name: KQL numbers those that have none."""
    return [
        named if named.name else Named(f"Column{number}", named.expression, given=False)
        for number, named in enumerate(columns, 1)
    ]


def _type_of(values: Iterable[object]) -> str:
    for value in values:
        match value:
            case None:
                continue
            case bool():
                return "bool"
            case int():
                return "long"
            case float():
                return "real"
            case datetime():
                return "datetime"
            case timedelta():
                return "timespan"
            case _:
                return "string"
    return "string"


def _orderable(value: object) -> tuple[bool, Any]:
    return value is not None, value if value is not None else 0
