"""Which runs of a store have something due, told from their newest records without decoding them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.domain.auditing import settles
from rollout.domain.errors import StoreError
from rollout.domain.outcome import code_of
from rollout.domain.run import FINAL, Phase, Why
from rollout.domain.unguarded import unguarded
from rollout.ports.store import Record, Store
from rollout.runtime.chain import body_of, readable
from rollout.runtime.journal import read_entry
from rollout.runtime.lease import Owner, holder_of
from rollout.runtime.upcast import current

_FOR_A_PERSON = (Phase.HELD.value, Phase.UNVERIFIED.value)
_FINAL = frozenset(each.value for each in FINAL)


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as its newest record has it.

    Args:
        stream: Of its journal.
        run, plan, endpoint: Names.
        next_check: When somebody should look, Unix seconds; None: now.
        waits: What it waits for.
        code: The exit code of a run that a person must look at; 0: it needs nobody.
        left: Whether it is over and has left a candidate that nobody guards.
    """

    stream: str
    run: str
    plan: str
    endpoint: str
    next_check: float | None
    waits: str
    code: int = 0
    left: bool = False

    def is_due(self, now: float) -> bool:
        """Whether a runner has something to do at ``now`` (Unix seconds)."""
        return self.next_check is None or now >= self.next_check


def standings(store: Store) -> Iterator[Standing]:
    """Every run of the store to which something may still happen, in one read.

    What is not readable, or is from a newer version, counts as due: whoever drives it says so.
    """
    newest: dict[str, Record] = {}
    for stream, record in store.tails():
        if stream not in newest or record.seq > newest[stream].seq:
            newest[stream] = record
    for stream, record in newest.items():
        try:
            with readable(record):
                found = _found(stream, record)
        except StoreError:  # or of a newer version
            found = Standing(stream, record.run, "?", "?", None, "")
        if found is not None:
            yield found


def left_alone(store: Store, me: Callable[[], Owner]) -> frozenset[str]:
    """Runs that have left a candidate that nobody guards, and that nobody is known to have in hand.

    Args:
        store: Where their journals are.
        me: This process; asked only where somebody holds a lease.
    """
    found = (each for each in standings(store) if each.left)
    held = ((each.run, holder_of(store, each.stream, me)) for each in found)
    return frozenset(run for run, holder in held if holder is None or not holder.lives)


def _found(stream: str, record: Record) -> Standing | None:
    """The run of a stream's newest record; None: nothing happens to it any more."""
    state = current(body_of(record))["state"]
    if state.get("phase", Phase.RUNNING.value) not in _FINAL:
        return _standing(stream, record, state, _number(state, "next_check"))
    if (state.get("loose") or state.get("landed")) and not state.get("leftover"):
        until = settles(_number(state, "ended"), _number(state, "sought"))
        return _standing(stream, record, state, until)  # late calls are looked for
    if _left(record, state):
        return replace(_standing(stream, record, state, None), left=True)
    return None


def _left(record: Record, state: Mapping[str, object]) -> bool:
    cause = state.get("cause")
    if not isinstance(cause, Mapping) or cause.get("why") != Why.SUPERSEDED.value:
        return False
    return unguarded(read_entry(record).state) is not None


def _standing(
    stream: str, record: Record, state: Mapping[str, object], at: float | None
) -> Standing:
    plan, endpoint = (str(state.get(name, "?")) for name in ("plan", "endpoint"))
    waits = str(state.get("waits", ""))
    return Standing(stream, record.run, plan, endpoint, at, waits, _code(state))


def _code(state: Mapping[str, object]) -> int:
    phase, cause = state.get("phase"), state.get("cause")
    if phase not in _FOR_A_PERSON:
        return 0
    why = cause.get("why") if isinstance(cause, Mapping) else None
    return code_of(Phase(phase), Why(why) if why else None)


def _number(state: Mapping[str, object], name: str) -> float | None:
    found = state.get(name)
    return float(found) if isinstance(found, int | float) else None
