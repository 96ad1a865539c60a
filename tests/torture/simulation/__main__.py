"""Tell the story of a seed, or of many: ``python -m tests.torture.simulation --seed 7``."""

from __future__ import annotations

import argparse
import sys

from tests.torture.simulation.campaign import campaign, shortest, told
from tests.torture.simulation.story import Outcome


def main() -> int:
    """0 where every story is clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the seed, or the first of many")
    parser.add_argument("--count", type=int, default=1, help="how many stories")
    parser.add_argument("--processes", type=int, default=None, help="how many at once")
    parser.add_argument("--shortest", action="store_true", help="leave out what is not needed")
    options = parser.parse_args()
    if options.count > 1:
        tally = campaign(options.seed, options.count, processes=options.processes)
        _say(f"{tally.row('simulation')}\n{tally.phases}")
        return 0 if not tally.unclean else 1
    outcome = told(options.seed)
    if options.shortest and not outcome.clean:
        kinds, outcome = shortest(outcome)
        _say(f"needs: {', '.join(sorted(kinds))}")
    _tell(outcome)
    return 0 if outcome.clean else 1


def _tell(outcome: Outcome) -> None:
    for line in outcome.log:
        _say(line)
    broken = ", ".join(outcome.wrong) or "nothing"
    _say(f"seed {outcome.seed}: {outcome.phase}, wrong: {broken}, doubled: {outcome.doubled}")
    _say("it is stuck" if outcome.stuck else f"{outcome.events} events, {outcome.seconds:.0f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
