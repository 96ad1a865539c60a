"""Everything that a rollout must survive, in one table: ``make torture``.

Exit code 0 only when every line is clean, 1 when one is not, 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rollout.adapters.clock import SystemClock
from tests.torture.parts import PARTS, Extent
from tests.torture.row import Row

HEAD = f"{'what':58}{'runs':>9}{'wrong':>7}{'doubled':>9}{'stuck':>7}{'s':>7}  note"
KILLED = ("SIGKILL", "SIGSTOP")  # lines that count crash-and-resume runs of real processes
ENOUGH = 500  # of these, in all of it
INTERRUPTED = 130
NOTE = 400  # characters of a note that are shown
CLOCK = SystemClock()


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts and print the table as it grows."""
    options = _options(words)
    extent = Extent(quick=options.quick, seed=options.seed)
    rows: list[Row] = []
    began = CLOCK.monotonic()
    _say(HEAD)
    try:
        for name in options.only or PARTS:
            _part(name, extent, rows)
    except KeyboardInterrupt:
        _total(rows, CLOCK.monotonic() - began)
        _say("Interrupted: this is not the whole of it.")
        return INTERRUPTED
    if not (options.only or options.quick):
        rows.append(_enough(rows))
    _total(rows, CLOCK.monotonic() - began)
    return 0 if rows and all(each.clean for each in rows) else 1


def _enough(rows: Sequence[Row]) -> Row:
    """A line that is not clean where fewer runs than promised died and were gone on with."""
    killed = _killed(rows)
    return Row(
        f"at least {ENOUGH} runs that died", 1, wrong=int(killed < ENOUGH), note=f"{killed:,}"
    )


def _killed(rows: Sequence[Row]) -> int:
    return sum(each.runs for each in rows if each.name.startswith(KILLED))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=[*PARTS], help="this part; may be given more than once"
    )
    parser.add_argument("--quick", action="store_true", help="a look at every part, in minutes")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of the simulation")
    return parser.parse_args(words)


def _part(name: str, extent: Extent, rows: list[Row]) -> None:
    """One part; what breaks it is a line of the table as well."""
    since = CLOCK.monotonic()
    try:
        for row in PARTS[name](extent):
            rows.append(row)
            now = CLOCK.monotonic()
            _say(_line(row, now - since))
            since = now
    except Exception as error:  # noqa: BLE001 - the other parts go on
        rows.append(Row(name, 1, wrong=1, note=f"{type(error).__name__}: {error}"))
        _say(_line(rows[-1], CLOCK.monotonic() - since))


def _line(row: Row, seconds: float) -> str:
    counts = f"{row.runs:>9,}{row.wrong:>7,}{row.doubled:>9,}{row.stuck:>7,}"
    mark = "" if row.clean else "NOT CLEAN "
    return f"{row.name:58.58}{counts}{seconds:>7.0f}  {mark}{row.note:.{NOTE}}".rstrip()


def _total(rows: Sequence[Row], seconds: float) -> None:
    sums = [sum(getattr(each, what) for each in rows) for what in ("wrong", "doubled", "stuck")]
    everything = Row("all of it", sum(each.runs for each in rows), *sums)
    _say("-" * len(HEAD))
    _say(_line(everything, seconds))
    _say(f"crash-and-resume runs in real processes: {_killed(rows):,}")
    bad = [each.name for each in rows if not each.clean]
    _say(f"not clean: {', '.join(bad)}" if bad else f"{len(rows)} lines, all clean")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
