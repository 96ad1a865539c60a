"""What may go wrong, how often in this story, and in what order: all from its seed.

Each kind has a lot of its own, so that a story without one kind stays much as it was: that is how
``shortest`` finds out which kinds a violation needs.
"""

from __future__ import annotations

from random import Random

# Chances a call: each story has about half of the kinds, each of these at a rate up to the one here.
CALLS = {
    "killed": 0.03,  # the process dies at this call
    "frozen": 0.01,  # the process stands still here, perhaps for longer than its lease
    "store refuses": 0.02,  # nothing was written
    "store forgets to answer": 0.02,  # it was written
    "store slow": 0.03,
    "call lost": 0.15,  # of calls that change the endpoint
    "reply lost": 0.15,
    "call refused": 0.05,
    "call late": 0.3,  # the process stands still behind its last look at the lease
    "call slow": 0.5,
    "read lost": 0.02,  # of calls that only look
    "read stale": 0.1,
}
# Chances a second of the story's troubled time.
DEEDS = {
    "store away": 0.005,
    "store clock jumps": 0.005,
    "endpoint away": 0.01,
    "measurements away": 0.01,
    "measurements mute": 0.005,
    "operation stuck": 0.01,
    "split does not land": 0.02,
    "candidate fails": 0.005,
    "baseline fails": 0.005,
    "creation doomed": 0.01,
    "candidate turns bad": 0.01,
    "split by hand": 0.01,
    "deployment by hand": 0.01,
    "order": 0.03,
    "approval": 0.1,
    "second runner": 0.03,
    "runner leaves": 0.02,
    "plan edited": 0.01,
}
KINDS = (*CALLS, *DEEDS)


class Troubles:
    """The lots of one story.

    Args:
        seed: Of everything.
        without: Kinds that do not happen.
    """

    def __init__(self, seed: int, without: frozenset[str] = frozenset()) -> None:
        self.calm = False
        self.lots = {kind: Random(f"{seed} {kind}") for kind in KINDS}  # noqa: S311
        self.rates = {
            kind: 0.0 if kind in without else _rate(self.lots[kind], limit)
            for kind, limit in {**CALLS, **DEEDS}.items()
        }

    def happens(self, kind: str) -> bool:
        """Whether a call meets this trouble."""
        rate = self.rates[kind]
        return rate > 0.0 and not self.calm and self.lots[kind].random() < rate

    def moments(self, kind: str, seconds: float) -> list[float]:
        """When in so many seconds this happens."""
        rate, lot = self.rates[kind], self.lots[kind]
        found, at = [], 0.0
        while rate > 0.0 and (at := at + lot.expovariate(rate)) < seconds:
            found.append(at)
        return found


def _rate(lot: Random, limit: float) -> float:
    """Half of the kinds never happen; drawn always, so that lots stay in step."""
    on, share = lot.random() < 0.5, lot.uniform(0.1, 1.0)
    return limit * share if on else 0.0
