"""The results as text: one table, a block a cell, a line a method."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.detection.methods import (
    ARGO_0,
    ARGO_3,
    ARGO_HOUR,
    ENGINE,
    FLAGGER,
    FLAGGER_HOUR,
    KAYENTA,
    ORACLE,
    RELATIVE,
    STRICT,
    ZTEST,
)
from benchmarks.detection.summary import Result, Row

ORDER = (
    ENGINE,
    STRICT,
    RELATIVE,
    ORACLE,
    FLAGGER,
    FLAGGER_HOUR,
    ARGO_0,
    ARGO_3,
    ARGO_HOUR,
    KAYENTA,
    ZTEST,
)
NONE = "-"
_TITLES = (
    "rolled back",
    "promoted",
    "undecided",
    "median s",
    "requests",
    "bad answers",
    "s to promote",
)
_WIDTHS = (12, 9, 10, 9, 9, 12, 13)


def lines(results: list[Result]) -> Iterator[str]:
    """The table. Of a healthy candidate every rollback is false, of a bad one every other end."""
    head = "".join(title.rjust(width) for title, width in zip(_TITLES, _WIDTHS, strict=True))
    yield f"{'':<22}{head}"
    for result in results:
        healthy = result.cell.candidate.healthy
        yield ""
        yield result.cell.name + (" (rollbacks are false)" if healthy else "")
        for method in ORDER:
            if method in result.rows:
                cells = zip(_cells(result.rows[method]), _WIDTHS, strict=True)
                yield f"  {method:<20}" + "".join(text.rjust(width) for text, width in cells)


def _cells(row: Row) -> tuple[str, ...]:
    shares = [_percent(count, row.trials) for count in (row.rolled_back, row.promoted)]
    medians = (row.seconds, row.requests, row.bad, row.seconds_to_promote)
    return (*shares, _percent(row.undecided, row.trials), *(number(each) for each in medians))


def _percent(count: int, trials: int) -> str:
    return f"{100 * count / trials:.1f} %"


def number(value: float | None) -> str:
    """A median.

    >>> number(1234.0), number(7.5), number(None)
    ('1,234', '7.5', '-')
    """
    return NONE if value is None else f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def markdown(results: list[Result]) -> Iterator[str]:
    """The same as Markdown, a line a cell: rollbacks, median seconds, requests, bad answers."""
    methods = [each for each in ORDER if each not in (FLAGGER_HOUR, ARGO_HOUR)]
    for healthy in (True, False):
        title = (
            "healthy: false rollbacks, seconds to promote"
            if healthy
            else "bad: rollbacks, s, requests, bad answers"
        )
        yield f"| {title} | {' | '.join(methods)} |"
        yield "|---" * (1 + len(methods)) + "|"
        for result in results:
            if result.cell.candidate.healthy == healthy:
                yield (
                    f"| {result.cell.name} | "
                    + " | ".join(
                        _short(result.rows.get(method), healthy=healthy) for method in methods
                    )
                    + " |"
                )
        yield ""


def _short(row: Row | None, *, healthy: bool) -> str:
    if row is None:
        return ""
    parts = [_percent(row.rolled_back, row.trials)]
    if healthy:
        parts.append(number(row.seconds_to_promote))
    else:
        parts += [number(each) for each in (row.seconds, row.requests, row.bad)]
    return " · ".join(parts)
