"""The lease: when may I take an endpoint over, and may I still start a call?

It is a hint for liveness only; safety is the journal's. Expiry is judged as "the version did not
change for ttl on my own monotonic clock", so clocks of machines are never compared. An owner that
certainly died on this very machine is not waited for.

An owner that fell silent may still live. Its calls begin early enough to end within its ttl; whoever
takes over waits for one call more (``grace``). What a frozen process still sends after that is found
by ``rollout.runtime.audit``.
"""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from rollout.domain.errors import EndpointAway, Fenced, Locked
from rollout.domain.run import Run
from rollout.domain.units import spell_duration
from rollout.ports.clock import Clock
from rollout.ports.store import Conflict, LeaseRecord, Store
from rollout.runtime.journal import read_entry

TTL = 20.0  # seconds without a sign of life until others may take over
POLL = 0.2  # seconds

Dead = Callable[[Mapping[str, object]], bool]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who this process is, for the lease, and how to tell that another owner certainly died."""

    identity: Mapping[str, object]
    surely_dead: Dead

    @property
    def name(self) -> str:
        """As people read it: ``ada@host pid 4711``."""
        who = self.identity
        return f"{who.get('user', '?')}@{who.get('host', '?')} pid {who.get('pid', '?')}"


class Life(Enum):
    """What is known of a process."""

    LIVES = "lives"
    DEAD = "dead"
    UNKNOWN = "unknown"


def life_of(identity: Mapping[str, object], me: Owner) -> Life:
    """Whether another process lives, as far as this one can tell without watching its lease."""
    if me.surely_dead(identity):
        return Life.DEAD
    here = all(identity.get(each) == me.identity.get(each) for each in ("host", "boot"))
    return Life.LIVES if here and identity.get("boot") else Life.UNKNOWN


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease.

    Args:
        name: As people read it.
        lives: It is a process of this machine, which is there. Without, nobody knows unless
            somebody watches the lease: ``watched_holder``.
    """

    name: str
    lives: bool


class Before(Enum):
    """How the owner before left the lease to this one."""

    NOBODY = "nobody"
    RELEASED = "released"
    ABANDONED = "abandoned"  # in good order, but with a call under way
    DEAD = "dead"
    SILENT = "silent"
    FORCED = "forced"

    @property
    def crashed(self) -> bool:
        """Whether it did not leave in good order."""
        return self in (Before.DEAD, Before.SILENT, Before.FORCED)

    @property
    def contested(self) -> bool:
        """Whether it may still live, so that a call which it had begun may still land."""
        return self in (Before.SILENT, Before.FORCED, Before.ABANDONED)


class Lease:
    """A lease held by this process since ``renewed`` (monotonic); made by ``acquire``.

    ``before`` says how the owner before left it.
    """

    def __init__(
        self,
        store: Store,
        stream: str,
        owner: Owner,
        clock: Clock,
        held: LeaseRecord,
        renewed: float,
        before: Before = Before.NOBODY,
    ) -> None:
        self.before = before
        self._store = store
        self._stream = stream
        self._owner = owner
        self._clock = clock
        self._held = held
        self._renewed = renewed

    def beat(self) -> None:
        """Renew if a third of the ttl is over.

        Raises:
            Fenced: another runner has it.
        """
        if self._clock.monotonic() - self._renewed >= TTL / 3:
            self.renew()

    def renew(self) -> None:
        """Begin a new ttl.

        Raises:
            Fenced: another runner has it.
        """
        started = self._clock.monotonic()
        try:
            body = _body(self._owner, released=False)
            self._held = self._store.put_lease(self._stream, body, version=self._held.version)
        except Conflict as error:
            silent = started - self._renewed >= TTL
            raise _fenced(self._store, self._stream, silent=silent) from error
        self._renewed = started

    def may_act(self, seconds: float) -> bool:
        """Whether a call of at most ``seconds``, started now, ends before the lease does."""
        return self._clock.monotonic() - self._renewed + seconds < TTL

    def hold(self, seconds: float) -> None:
        """See that the lease lasts for so many more seconds; a ``Hold`` of the port ``Endpoint``.

        Raises:
            Fenced: another runner has it.
            EndpointAway: the store takes too long to renew it; the call must not be begun.
        """
        if not self.may_act(seconds):
            self.renew()
        if not self.may_act(seconds):
            raise EndpointAway(
                "The lease could not be renewed in time for the call, which was not sent.",
                do="It is tried again. Look whether the store of the journal is slow.",
            )

    def release(self, *, calling: bool = False) -> None:
        """Let others in; a lease that is lost already stays lost.

        Args:
            calling: A call is under way whose end this process does not wait for; others wait
                until it has landed. Else they come in at once.
        """
        try:
            body = _body(self._owner, released=True, calling=calling)
            self._store.put_lease(self._stream, body, version=self._held.version)
        except Conflict:
            return


def acquire(
    store: Store,
    stream: str,
    owner: Owner,
    clock: Clock,
    *,
    patience: float,
    grace: float = 0.0,
    file: str = "",
) -> Lease:
    """Wait until the lease is free, then take it.

    Args:
        store: Where leases are kept.
        stream: The endpoint's key.
        owner: This process.
        clock: For waiting; only its monotonic side.
        patience: Seconds to wait for an owner that shows signs of life; 0: refuse at once.
        grace: Seconds that a call of an owner who may still live may take to land; so much longer
            than its ttl it must have been silent.
        file: The plan that it is for, for messages; empty: not known.

    Raises:
        Locked: a living runner holds it.
    """
    began = since = clock.monotonic()
    version: str | None = None
    while True:
        found, now = store.lease(stream), clock.monotonic()
        alive = found is not None and version not in (None, found.version) and _held(found)
        if found is not None and found.version != version:
            version, since = found.version, now
        before = _before(found, owner.surely_dead, now - since, grace)
        if before is not None:
            try:
                held = store.put_lease(
                    stream,
                    _body(owner, released=False),
                    version=found.version if found else None,
                )
                return Lease(store, stream, owner, clock, held, now, before)
            except Conflict:
                continue
        if found is not None and alive and now - began >= patience:
            raise _locked(store, stream, found, file)
        clock.sleep(POLL)


def holder_of(store: Store, stream: str, me: Callable[[], Owner]) -> Holder | None:
    """Who holds the lease, told at once; None: nobody, or one that certainly died.

    Args:
        store: Where it is kept.
        stream: The endpoint's key.
        me: This process; asked only where somebody holds the lease.
    """
    found = store.lease(stream)
    if found is None or not _held(found):
        return None
    life = life_of(json.loads(found.body)["owner"], me())
    return None if life is Life.DEAD else Holder(_name(found), life is Life.LIVES)


def watched_holder(
    store: Store, stream: str, me: Owner, clock: Clock, watching: Callable[[str], None]
) -> str | None:
    """Who drives, as people read it; None: nobody, or one that is silent for as long as its lease.

    An owner elsewhere is watched until it renews the lease (seconds), at most for its ttl;
    ``watching`` is called first, with its name.
    """
    began, first, told = clock.monotonic(), store.lease(stream), False
    while (holder := holder_of(store, stream, lambda: me)) is not None and not holder.lives:
        if not told:
            watching(holder.name)
            told = True
        found = store.lease(stream)
        if found is None or first is None or found.version != first.version:
            return holder.name
        if _before(found, me.surely_dead, clock.monotonic() - began, 0.0) is not None:
            return None
        clock.sleep(POLL)
    return holder.name if holder is not None else None


def _held(found: LeaseRecord) -> bool:
    return not json.loads(found.body)["released"]


def _before(found: LeaseRecord | None, dead: Dead, unchanged: float, grace: float) -> Before | None:
    """How the lease became free; None: it is not, or not yet."""
    if found is None:
        return Before.NOBODY
    body = json.loads(found.body)
    if body["released"] and not body.get("forced"):
        # A call may outlive the process that made it, so it is no matter whether that is dead.
        if body.get("calling"):
            return Before.ABANDONED if unchanged >= grace else None
        return Before.RELEASED
    if dead(body["owner"]):
        return Before.DEAD
    if body["released"]:  # by a person, in the place of an owner who may still live
        return Before.FORCED if unchanged >= grace else None
    return Before.SILENT if unchanged >= body["ttl"] + grace else None


def _body(owner: Owner, *, released: bool, calling: bool = False) -> bytes:
    # The random part makes every write of the lease a different one: a lost acknowledgement
    # can then be told from a rival's write.
    body = {
        "owner": dict(owner.identity),
        "ttl": TTL,
        "released": released,
        "id": uuid.uuid4().hex,
        **({"calling": True} if calling else {}),
    }
    return json.dumps(body).encode()


def _name(found: LeaseRecord) -> str:
    who = json.loads(found.body)["owner"]
    return f"{who.get('user', '?')}@{who.get('host', '?')} pid {who.get('pid', '?')}"


def _locked(store: Store, stream: str, found: LeaseRecord, file: str) -> Locked:
    run = _open_run(store, stream)
    what = f"{run.id} of {run.plan}" if run is not None else "this endpoint"
    wait = f"rollout apply {shlex.quote(file or 'PLAN')} --lock-timeout 10m"
    return Locked(
        f"{_name(found)} is driving {what} now.",
        do=f"Watch it: {_watching(run)}. Or wait for it: {wait}",
    )


def _fenced(store: Store, stream: str, *, silent: bool) -> Fenced:
    found = store.lease(stream)
    by = json.loads(found.body).get("forced") if found else None
    if by:
        return Fenced(
            f"{by} took the lease away from this runner, by rollout force-unlock.",
            do=f"This one stopped. Whoever goes on next: {_watching(_open_run(store, stream))}",
        )
    why = f"; this runner was silent for more than {spell_duration(TTL)}" if silent else ""
    return Fenced(
        f"The lease is lost to {_name(found) if found else 'somebody'}{why}.",
        do=f"This one stopped. Watch the other: {_watching(_open_run(store, stream))}",
    )


def _open_run(store: Store, stream: str) -> Run | None:
    """The run that whoever holds the lease is driving; None: it has not begun one."""
    record = store.last(stream)
    run = read_entry(record).state if record is not None else None
    return None if run is None or run.final else run


def _watching(run: Run | None) -> str:
    return "rollout status -w" if run is None else f"rollout status -w {run.id}"
