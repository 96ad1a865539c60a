"""The endings of a cell's trials as the numbers of a table's row."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby

from benchmarks.detection.cells import Cell
from benchmarks.detection.trials import Chunk, Ending


@dataclass(frozen=True, slots=True)
class Row:
    """One method in one cell.

    Args:
        trials: How many.
        rolled_back: How many of them; false alarms where the candidate is healthy. One after a
            promotion counts there, and nowhere else.
        promoted: How many.
        undecided: How many had neither within the hour.
        seconds, requests, bad: Medians up to the rollback; None: there was none.
        seconds_to_promote: Median; None: there was none.
    """

    trials: int
    rolled_back: int
    promoted: int
    undecided: int
    seconds: float | None
    requests: float | None
    bad: float | None
    seconds_to_promote: float | None

    @property
    def caught(self) -> float:
        """Share of the trials that were rolled back."""
        return self.rolled_back / self.trials


@dataclass(frozen=True, slots=True)
class Result:
    """One cell, with the rows by method."""

    cell: Cell
    rows: dict[str, Row]

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        about = {
            "gate": self.cell.gate,
            "kind": self.cell.kind.name,
            "rps": self.cell.rps,
            "candidate": asdict(self.cell.candidate),
        }
        return about | {"rows": {method: asdict(row) for method, row in self.rows.items()}}


def results(chunks: Iterable[Chunk]) -> Iterator[Result]:
    """One result a cell, as soon as its last chunk is there; chunks come cell by cell."""
    for cell, group in groupby(chunks, key=lambda chunk: chunk.cell):
        methods: dict[str, list[Ending]] = {}
        for chunk in group:
            for method, endings in chunk.endings.items():
                methods.setdefault(method, []).extend(endings)
        yield Result(cell, {method: row(endings) for method, endings in methods.items()})


def row(endings: list[Ending]) -> Row:
    """The numbers of one method."""
    back = [each for each in endings if each.outcome.rolled_back is not None]
    promoted = [each.outcome.promoted for each in endings if each.outcome.promoted is not None]
    neither = [
        each
        for each in endings
        if each.outcome.rolled_back is None and each.outcome.promoted is None
    ]
    return Row(
        trials=len(endings),
        rolled_back=len(back),
        promoted=len(promoted),
        undecided=len(neither),
        seconds=_median([each.outcome.rolled_back for each in back]),
        requests=_median([each.requests for each in back]),
        bad=_median([each.bad for each in back]),
        seconds_to_promote=_median(promoted),
    )


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None
