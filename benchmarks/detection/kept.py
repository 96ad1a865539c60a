"""Finished cells in a file, a line each: a run that was stopped goes on where it was.

The file knows nothing of the code: after a change of the product or the benchmark, delete it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from benchmarks.detection.cells import Cell
from benchmarks.detection.summary import Result, Row


def read(path: Path | None, cells: Iterable[Cell], trials: int, seed: int) -> dict[str, Result]:
    """Those of these cells that the file has with as many trials and the same seed, by name."""
    if path is None or not path.exists():
        return {}
    wanted = {cell.name: cell for cell in cells}
    told = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {
        line["cell"]: Result(
            wanted[line["cell"]], {method: Row(**row) for method, row in line["rows"].items()}
        )
        for line in told
        if line["cell"] in wanted and (line["trials"], line["seed"]) == (trials, seed)
    }


def append(path: Path, result: Result, trials: int, seed: int) -> None:
    """Add a finished cell."""
    rows = {method: asdict(row) for method, row in result.rows.items()}
    line = {"cell": result.cell.name, "trials": trials, "seed": seed, "rows": rows}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
