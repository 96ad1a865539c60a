"""Answers of a store that get lost: nobody knows whether it did what it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.servers import environment
from tests.torture.ending import End, end
from tests.torture.place import fresh
from tests.torture.proxy import Proxy, proxied
from tests.torture.row import Row
from tests.torture.scenarios import SCENARIOS
from tests.torture.server import Server, Wish
from tests.torture.stores import Shared

SCENARIO = "rollback"


def swallowed(store: Shared, root: Path, every: int = 1) -> Row:
    """Lose one answer of the store in each run: every ``every``-th, one after the other."""
    with proxied(store.port) as proxy:
        by = store.by(proxy.here)
        server = Server(by.more)
        try:
            with environment(by.more):
                found = list(_runs(by, proxy, server, root, every))
        finally:
            server.close()
    bad = [(at, wrong) for at, _, wrong in found if wrong]
    return Row(
        name="an answer gets lost",
        runs=len(found),
        wrong=len(bad),
        doubled=sum(len(left.doubled) for _, left, _ in found),
        note=f"answer {bad[0][0]}: {bad[0][1]}" if bad else "",
    )


def _runs(
    by: Shared, proxy: Proxy, server: Server, root: Path, every: int
) -> Iterator[tuple[int, End, str]]:
    calm = fresh(root / "calm", SCENARIOS[SCENARIO], by.state)
    proxy.reset(0)
    server.run(Wish(str(calm), SCENARIO, by.state))
    answers, undisturbed = proxy.answers, end(calm, by.state)
    for at in range(1 + every // 2, answers, every):
        folder = fresh(root / str(at), SCENARIOS[SCENARIO], by.state)
        wish = Wish(str(folder), SCENARIO, by.state)
        proxy.reset(at)
        told = server.run(wish)
        # Before a runner drives and when it lets go, a store that fails is told: run it again.
        again = server.run(wish) if told.get("error") == "StoreError" else told
        left = end(folder, by.state)
        wrong = [*left.wrongs()]
        if again.get("phase") != SCENARIOS[SCENARIO].ends.value:
            wrong.append(f"{told}; {again}")
        if left.outcome != undisturbed.outcome:
            wrong.append(f"{left.outcome} instead of {undisturbed.outcome}")
        if not proxy.swallowed:
            wrong.append("no answer was lost")
        yield at, left, "; ".join(wrong)
