"""One measurement, in a process of its own: many open rollouts on one store."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time

import psutil

from benchmarks.scale import crowd, memory, raw
from rollout import api
from rollout.api.ticking import tick_all
from rollout.wiring import plugs


def main() -> None:
    """Fill the store that the arguments name, and print what a pass costs as JSON."""
    url, (count, due, records, passes) = sys.argv[1], map(int, sys.argv[2:6])
    crowd.install()
    memory.install(url)
    store = plugs.store(url)
    began = time.perf_counter()
    names = crowd.gather(store, count, records)
    filled = time.perf_counter() - began
    store.close()
    settings = api.Settings(state=url)
    api.history(settings=api.Settings(state="sqlite:///no/such/file"))  # imports are not the pass
    before = psutil.Process().memory_info().rss
    waiting = [_seconds(lambda: tick_all(settings)) for _ in range(passes)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {
        "filled": filled,
        "raw": raw.reading(url, count, records, passes),
        "waiting": statistics.median(waiting),
        "bytes": max(peak - before, 0) / count,
        "due": 0.0,
    }
    if due:
        some = names[:due]
        found["due"] = _seconds(lambda: _see(tick_all(settings, only=some))) / due
    print(json.dumps(found))


def _seconds(deed: object) -> float:
    began = time.perf_counter()
    deed()  # type: ignore[operator]
    return time.perf_counter() - began


def _see(done: tuple[object, ...]) -> None:
    bad = [each for each in done if getattr(each, "error", None)]
    assert not bad, bad[0]


if __name__ == "__main__":
    main()
