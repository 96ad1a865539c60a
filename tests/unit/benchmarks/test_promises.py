"""The benchmark's promises tell the same whichever process measured them."""

from __future__ import annotations

import pickle

from benchmarks.detection import cells, kinds
from benchmarks.detection.cells import Cell
from benchmarks.detection.promises import promises
from benchmarks.detection.summary import results
from benchmarks.detection.trials import run

CELLS = [
    Cell(cells.ERRORS, kinds.CLEAN, 50.0, kinds.TO_2),
    Cell(cells.ERRORS, kinds.CLEAN, 50.0, kinds.HEALTHY),
    Cell(cells.ERRORS, kinds.OUTAGE, 50.0, kinds.HEALTHY),
    Cell(cells.MAXIMUM, kinds.OUTAGE, 50.0, kinds.HEALTHY),
]


def test_results_of_another_process_tell_the_same() -> None:
    found = list(results(run(CELLS, trials=2, seed=1, jobs=1)))

    mine = promises(found, [], {})
    theirs = promises(pickle.loads(pickle.dumps(found)), [], {})  # noqa: S301 - our own

    assert theirs == mine
    texts = " ".join(each.text for each in mine)
    assert "the oracle that knows both rates" in texts
    assert "an outage that both share: no rollback" in texts
    assert "an outage that both share: caught" in texts
    assert not any("shared outage" in each.measured for each in mine)
