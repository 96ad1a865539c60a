"""Many runners started at once on one endpoint: one drives, the others leave it alone."""

from __future__ import annotations

from pathlib import Path

from tests.torture.ending import end
from tests.torture.place import REAL, fresh
from tests.torture.row import Row
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import Server, Wish

RACERS = 8
SCENARIO = "keep"


def race(server: Server, root: Path, state: str = "") -> Row:
    """Eight at once, in real time; whoever does not drive must say that it is locked, or over."""
    folder = fresh(root / "race", SCENARIOS[SCENARIO], state, REAL)
    ends = server.race(Wish(str(folder), SCENARIO, state, REAL), RACERS)
    left = end(folder, state, REAL)
    drove = [each for each in ends if each.get("course") in ("start", "resume")]
    away = [each for each in ends if each.get("code") == 30 or each.get("course") == "nothing"]
    wrong = [*left.wrongs()]
    if len(drove) != 1 or len(away) != RACERS - 1:
        wrong.append(f"{len(drove)} drove: {ends}")
    if left.run.phase is not SCENARIOS[SCENARIO].ends:
        wrong.append(left.run.phase.value)
    name = f"{RACERS} runners at once"
    return Row(name, RACERS, wrong=len(wrong), doubled=len(left.doubled), note="; ".join(wrong))
