"""What the product promises about detection, each held against the measured numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.detection import cells, kinds
from benchmarks.detection.cells import Cell
from benchmarks.detection.kinds import Candidate
from benchmarks.detection.methods import ENGINE, FLAGGER, ORACLE, RELATIVE, STRICT
from benchmarks.detection.outage import Silence
from benchmarks.detection.summary import Result, Row
from rollout.domain.verdict import Verdict

_USUAL = 50.0
_SHARED = {
    cells.ERRORS: "no rollback by a relative check",
    cells.MAXIMUM: "caught by a max check",
}


@dataclass(frozen=True, slots=True)
class Promise:
    """One of them.

    Args:
        text: What is promised.
        measured: The numbers.
        kept: Whether they keep it.
    """

    text: str
    measured: str
    kept: bool


def promises(
    results: list[Result], silences: list[Silence], speeds: dict[str, float]
) -> list[Promise]:
    """All of them that these results can tell."""
    return [
        *_false(results),
        *_caught(results),
        *_oracle(results),
        *_latency(results),
        *_promotion(results),
        *_few(results),
        *_silent(silences),
        *_shared(results),
        *_margin(results),
        *_fast(speeds),
    ]


def _of(results: Iterable[Result], gate: str, candidate: Candidate, rps: float) -> list[Result]:
    return [
        each
        for each in results
        if (each.cell.gate, each.cell.candidate, each.cell.rps) == (gate, candidate, rps)
        and each.cell.kind != kinds.OUTAGE
    ]


def _false(results: list[Result]) -> Iterator[Promise]:
    for gate in (cells.ERRORS, cells.BOTH):
        found = _of(results, gate, kinds.HEALTHY, _USUAL)
        if found:
            worst = max(found, key=lambda each: each.rows[ENGINE].caught)
            yield Promise(
                f"at most 1 % false rollbacks in an hour on every kind of traffic ({gate})",
                f"worst {_share(worst.rows[ENGINE])} ({worst.cell.kind.name})",
                worst.rows[ENGINE].caught <= 0.01,
            )


def _caught(results: list[Result]) -> Iterator[Promise]:
    for bad, part in ((kinds.TO_2, 2), (kinds.TO_5, 5), (kinds.CRASH, 100)):
        found = _of(results, cells.ERRORS, bad, _USUAL)
        if not found:
            continue
        least = min(each.rows[ENGINE].caught for each in found)
        worst = max(found, key=_of_flaggers)
        ours, theirs = worst.rows[ENGINE].requests, worst.rows[FLAGGER].requests
        yield Promise(
            f"{bad.name}: 98 % caught, requests at most 1/{part} of Flagger's, on every kind",
            f"least caught {100 * least:.1f} %, worst {ours:,.0f} of {theirs:,.0f} requests"
            f" = 1/{1 / _of_flaggers(worst):.3g} ({worst.cell.kind.name})",
            least >= 0.98 and _of_flaggers(worst) <= 1 / part,
        )


def _of_flaggers(result: Result) -> float:
    ours, theirs = result.rows[ENGINE].requests, result.rows[FLAGGER].requests
    return ours / theirs if ours and theirs else 1.0


def _oracle(results: list[Result]) -> Iterator[Promise]:
    for each in _of(results, cells.ERRORS, kinds.TO_2, _USUAL):
        if each.cell.kind == kinds.CLEAN:
            ours, best = each.rows[STRICT].seconds or 0.0, each.rows[ORACLE].seconds or 1.0
            relative = each.rows[RELATIVE].seconds or 1.0
            yield Promise(
                "0.5 -> 2 %, tolerance 0, clean: at most 1.4 times the median time of the oracle"
                " that knows both rates",
                f"{ours:g} s against {best:g} s = {ours / best:.2f}; against the one that"
                f" knows the ratio {relative:g} s = {ours / relative:.2f}",
                ours <= 1.4 * best,
            )


def _latency(results: list[Result]) -> Iterator[Promise]:
    for bad in (kinds.SLOW_20, kinds.SLOW_50, kinds.SLOW_100, kinds.TAIL):
        found = _of(results, cells.LATENCY, bad, _USUAL)
        if found:
            worst = min(found, key=lambda each: each.rows[ENGINE].caught)
            yield Promise(
                f"{bad.name}: 95 % caught",
                f"worst {_share(worst.rows[ENGINE])} ({worst.cell.kind.name})",
                worst.rows[ENGINE].caught >= 0.95,
            )
    for each in _of(results, cells.LATENCY, kinds.HEALTHY, _USUAL):
        row = each.rows[ENGINE]
        yield Promise(
            "latency, healthy, drifting: no false rollback in the hour",
            f"{row.rolled_back} of {row.trials:,}",
            row.rolled_back == 0,
        )


def _promotion(results: list[Result]) -> Iterator[Promise]:
    found = _of(results, cells.ERRORS, kinds.HEALTHY, _USUAL)
    if found:
        slowest = max(found, key=lambda each: each.rows[ENGINE].seconds_to_promote or 1e9)
        ours, theirs = (slowest.rows[name].seconds_to_promote for name in (ENGINE, FLAGGER))
        yield Promise(
            "healthy: promoted before Flagger promotes (medians), on every kind",
            f"slowest {ours or 1e9:.0f} s against {theirs or 0:.0f} s ({slowest.cell.kind.name})",
            ours is not None and (theirs is None or ours < theirs),
        )


def _few(results: list[Result]) -> Iterator[Promise]:
    for each in _of(results, cells.ERRORS, kinds.HEALTHY, 0.5):
        row = each.rows[ENGINE]
        yield Promise(
            "0.5 requests/s: never a pass",
            f"{row.promoted} of {row.trials:,} promoted",
            row.promoted == 0,
        )
        yield Promise(
            "0.5 requests/s: always inconclusive",
            f"{row.undecided} of {row.trials:,} undecided, {row.rolled_back} rolled back",
            row.undecided == row.trials,
        )


def _silent(silences: list[Silence]) -> Iterator[Promise]:
    if silences:
        held = sum(each.held for each in silences)
        wrong = {Verdict.FAIL, Verdict.PASS}
        hasty = sum(bool(wrong & set(each.verdicts)) for each in silences)
        yield Promise(
            "no metrics for 10 minutes: error, then hold; no rollback, no pass",
            f"held {held} of {len(silences):,}, after {silences[0].error_after:.0f} s;"
            f" rollbacks or passes {hasty}",
            held == len(silences) and hasty == 0,
        )


def _shared(results: list[Result]) -> Iterator[Promise]:
    for each in results:
        row = each.rows[ENGINE]
        if each.cell.kind == kinds.OUTAGE:
            relative = each.cell.gate == cells.ERRORS
            yield Promise(
                f"an outage that both share: {_SHARED[each.cell.gate]}",
                f"{_share(row)} rolled back",
                row.caught <= 0.01 if relative else row.caught == 1,
            )


def _margin(results: list[Result]) -> Iterator[Promise]:
    found = [each for each in results if each.cell.candidate == kinds.MARGIN]
    if found:
        worst = max(found, key=lambda each: each.rows[ENGINE].promoted)
        row = worst.rows[ENGINE]
        yield Promise(
            "exactly at the margin: at most 5 % wrong passes",
            f"worst {100 * row.promoted / row.trials:.1f} % ({_where(worst.cell)})",
            row.promoted <= 0.05 * row.trials,
        )


def _fast(speeds: dict[str, float]) -> Iterator[Promise]:
    if speeds:
        slowest = min(value for what, value in speeds.items() if "update" in what)
        yield Promise(
            "100,000 interval updates a second on one core",
            f"{slowest:,.0f}",
            slowest >= 100_000,
        )


def _share(row: Row) -> str:
    return f"{100 * row.caught:.1f} %"


def _where(cell: Cell) -> str:
    return f"{cell.kind.name}, {cell.rps:g} requests/s"
