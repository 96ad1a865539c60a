"""The figure: what a bad candidate costs under each method, and how often a good one is blamed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

from benchmarks.detection import cells, kinds
from benchmarks.detection.methods import ARGO_0, ARGO_3, ENGINE, FLAGGER, KAYENTA, ORACLE, ZTEST
from benchmarks.detection.summary import Result, Row

MARKS = {
    ENGINE: ("var(--own)", "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0 -14 0z"),
    ORACLE: ("var(--soft)", "M-1.2 -9h2.4v18h-2.4z"),
    FLAGGER: ("var(--a)", "M-5 -5h10v10h-10z"),
    ARGO_0: ("var(--b)", "M0 -6.5L6.5 5h-13z"),
    ARGO_3: ("var(--b)", "M0 6.5L6.5 -5h-13z"),
    KAYENTA: ("var(--c)", "M0 -7L7 0L0 7L-7 0z"),
    ZTEST: ("var(--d)", "M-6 -2h4v-4h4v4h4v4h-4v4h-4v-4h-4z"),
}
_STYLE = """
svg{--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--page:#ffffff;--own:#0b6bcb;--a:#c2410c;--b:#7c3aed;
--c:#15803d;--d:#a16207;font:13px system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--page:#0d1117;
--own:#58a6ff;--a:#ff9a5c;--b:#c297ff;--c:#56d364;--d:#e3b341}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-weight:600;font-size:15px}
.grid{stroke:var(--line);stroke-width:1}.hollow{fill:var(--page)!important;stroke-width:1.6}
"""
Value = Callable[[Row], tuple[float | None, bool]]
_WIDTH, _LEFT, _RIGHT, _ROW = 900, 150, 30, 36
_TOP = 100
_CLOSE, _MOVES = 11.0, (0.0, -9.0, 9.0)  # pixels


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal scale.

    Args:
        title: With its unit.
        ticks: Values, ascending; the first and the last are the ends.
        logarithmic: Else it is of square roots, which has a zero and spreads small shares.
    """

    title: str
    ticks: tuple[float, ...]
    logarithmic: bool

    def place(self, value: float) -> float:
        """Pixels from the left."""
        low, high, at = (self._moved(each) for each in (self.ticks[0], self.ticks[-1], value))
        inside = min(1.0, max(0.0, (at - low) / (high - low)))
        return _LEFT + inside * (_WIDTH - _LEFT - _RIGHT)

    def _moved(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.logarithmic else math.sqrt(value)


REQUESTS = Axis(
    "candidate requests served before the rollback, median (hollow: fewer than 95 % caught)",
    (1, 10, 100, 1000, 10_000, 30_000),
    logarithmic=True,
)
FALSE = Axis(
    "healthy candidates rolled back, % (rollout: looks for the whole hour; others until they promote)",
    (0, 1, 5, 10, 25, 50, 100),
    logarithmic=False,
)


def figure(results: list[Result], seed: int, trials: int) -> str:
    """The SVG's text."""
    bad = [each for each in results if _is_bad(each)]
    good = [each for each in results if _is_good(each)]
    second = _TOP + _ROW * len(bad) + 104
    height = second + _ROW * len(good) + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Detection benchmark</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="var(--page)"/>',
        _text(16, 26, "Cost of a bad candidate, 50 requests/s, 10 % share", "title"),
        _text(
            16, 46, "errors: drift, bursts, incidents and the time of day; latency: drift", "soft"
        ),
        *_legend(72),
        *_panel(bad, REQUESTS, _TOP, _requests),
        _text(16, second - 22, "Healthy candidates blamed, 50 requests/s", "title"),
        *_panel(good, FALSE, second, _blamed),
        _text(16, height - 10, f"{trials:,} rollouts a line, seed {seed}", "soft"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _is_bad(result: Result) -> bool:
    cell = result.cell
    kind = kinds.DRIFTING if cell.gate == cells.LATENCY else kinds.ALL
    shown = not cell.candidate.healthy and cell.candidate != kinds.MARGIN
    return shown and cell.rps == 50 and cell.kind == kind


def _is_good(result: Result) -> bool:
    cell = result.cell
    return cell.candidate.healthy and cell.gate == cells.BOTH and cell.rps == 50


def _requests(row: Row) -> tuple[float | None, bool]:
    return row.requests, row.caught < 0.95


def _blamed(row: Row) -> tuple[float | None, bool]:
    return 100 * row.caught, False


def _legend(top: float) -> Iterator[str]:
    at = 24.0
    for method in MARKS:
        yield _mark(method, at, top, hollow=False)
        yield _text(at + 13, top + 4.5, method)
        at += 34 + 7.4 * len(method)


def _panel(results: list[Result], axis: Axis, top: float, value: Value) -> Iterator[str]:
    bottom = top + _ROW * len(results)
    for tick in axis.ticks:
        at = axis.place(tick)
        yield f'<path class="grid" d="M{at:.1f} {top}V{bottom}"/>'
        yield _text(at, bottom + 17, f"{tick:,g}", "soft", "middle")
    yield _text((_LEFT + _WIDTH) / 2, bottom + 36, axis.title, "soft", "middle")
    for line, result in enumerate(results):
        middle = top + _ROW * (line + 0.5)
        label = result.cell.candidate.name if axis.logarithmic else result.cell.kind.name
        yield _text(_LEFT - 14, middle + 4.5, label, anchor="end")
        yield f'<path class="grid" d="M{_LEFT} {middle}H{_WIDTH - _RIGHT}"/>'
        yield from _line(result, axis, middle, value)


def _line(result: Result, axis: Axis, middle: float, value: Value) -> Iterator[str]:
    """The marks of a line; those that would hide one another are moved up and down."""
    told = {method: value(result.rows[method]) for method in MARKS if method in result.rows}
    places = {method: axis.place(found) for method, (found, _) in told.items() if found is not None}
    last, moved = -math.inf, 0
    for method in sorted(places, key=places.__getitem__):
        moved = moved + 1 if places[method] - last < _CLOSE else 0
        last = places[method]
        height = middle + _MOVES[moved % len(_MOVES)]
        yield _mark(method, places[method], height, hollow=told[method][1])


def _mark(method: str, at: float, middle: float, *, hollow: bool) -> str:
    colour, shape = MARKS[method]
    kind = ' class="hollow"' if hollow else ""
    return (
        f'<path{kind} transform="translate({at:.1f} {middle:.1f})" fill="{colour}" '
        f'stroke="{colour}" d="{shape}"><title>{escape(method)}</title></path>'
    )


def _text(at: float, line: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{at:.1f}" y="{line:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
