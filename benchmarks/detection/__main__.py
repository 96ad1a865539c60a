"""`python -m benchmarks.detection`: this engine and other tools' rules on the same traffic."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.detection import cells, kept, svg, table
from benchmarks.detection.outage import Silence, silence
from benchmarks.detection.promises import Promise, promises
from benchmarks.detection.speed import speeds
from benchmarks.detection.summary import Result, results, row
from benchmarks.detection.trials import Ending, over, run


def main() -> int:
    """Print the table and the promises; 1 when one is not kept."""
    asked = _asked()
    trials = asked.trials or (cells.QUICK if asked.quick else cells.TRIALS)
    chosen = [
        cell for cell in (cells.quick() if asked.quick else cells.full()) if asked.only in cell.name
    ]
    print(f"{len(chosen)} cells, {trials:,} trials each, seed {asked.seed}", flush=True)
    began = time.monotonic()
    fast = {} if asked.only else speeds(asked.seed)
    found = _found(chosen, trials, asked)
    silences = [] if asked.only else list(over(silence, trials, asked.seed, asked.jobs))
    said = promises(found, silences, fast)
    _print(found, silences, fast, said)
    print(f"took {time.monotonic() - began:.0f} s")
    _write(asked, found, said, trials)
    return int(not all(each.kept for each in said))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection", description=__doc__.partition(": ")[2]
    )
    parser.add_argument("--quick", action="store_true", help="fewer cells and trials, a minute")
    parser.add_argument("--trials", type=int, help="a cell [1000; 20 with --quick]")
    parser.add_argument(
        "--seed", type=int, default=cells.SEED, help=f"of everything [{cells.SEED}]"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes [all cores]")
    parser.add_argument("--only", default="", help="cells whose name has this text")
    parser.add_argument("--keep", type=Path, help="keep finished cells here, and go on from there")
    parser.add_argument("--svg", type=Path, help="write the figure here")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table as Markdown here")
    return parser.parse_args()


def _found(chosen: list[cells.Cell], trials: int, asked: argparse.Namespace) -> list[Result]:
    """A result a cell; those that a run before this one kept are not measured again."""
    done = kept.read(asked.keep, chosen, trials, asked.seed)
    left = [cell for cell in chosen if cell.name not in done]
    for result in results(run(left, trials, asked.seed, asked.jobs)):
        done[result.cell.name] = result
        if asked.keep:
            kept.append(asked.keep, result, trials, asked.seed)
        if sys.stderr.isatty():
            print(f"{len(done)} of {len(chosen)}: {result.cell.name}", file=sys.stderr)
    return [done[cell.name] for cell in chosen]


def _print(
    found: list[Result], silences: list[Silence], fast: dict[str, float], said: list[Promise]
) -> None:
    print("\n".join(table.lines(found)))
    if silences:
        print("\nno metrics from 60 s to 660 s, healthy, clean, 50 requests/s")
        later = row([Ending(each.later) for each in silences])
        print(
            f"  rollout, had it gone on: {later.rolled_back} rolled back, {later.promoted} promoted"
        )
        for method in silences[0].others:
            ends = row([Ending(each.others[method]) for each in silences])
            at = f"at {table.number(ends.seconds)} s" if ends.rolled_back else ""
            print(f"  {method:<20} {100 * ends.caught:.1f} % rolled back {at}")
    print()
    for what, value in fast.items():
        print(f"{what:<48} {value:>10,.0f} a second")
    print()
    for each in said:
        print(f"{'kept    ' if each.kept else 'NOT KEPT'}  {each.text}: {each.measured}")


def _write(
    asked: argparse.Namespace, found: list[Result], said: list[Promise], trials: int
) -> None:
    if asked.svg:
        asked.svg.write_text(svg.figure(found, asked.seed, trials), encoding="utf-8")
    if asked.markdown:
        asked.markdown.write_text("\n".join(table.markdown(found)), encoding="utf-8")
    if asked.json:
        told = {
            "seed": asked.seed,
            "trials": trials,
            "cells": [each.as_json() for each in found],
            "promises": [[each.text, each.measured, each.kept] for each in said],
        }
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
