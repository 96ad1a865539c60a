"""What the runtime needs of any serving platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from rollout.domain.answers import Said
from rollout.domain.endpoint import Effect, Seen
from rollout.domain.measure import Arm, Interval


@dataclass(frozen=True, slots=True)
class Finding:
    """One pre-check: its name, whether it is good, and a sentence (with what to do if not)."""

    name: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the endpoint to a request of ours.

    Args:
        status: HTTP status; 0: no answer.
        seconds: Until the last byte.
        deployment: Which deployment says it answered; None: it did not say.
        body: The first 64 KiB.
        error: Why there was no answer; empty otherwise.
        content_type: As its header has it; empty: none.
    """

    status: int
    seconds: float
    deployment: str | None = None
    body: bytes = b""
    error: str = ""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """Measurements since a cursor: at most one interval, and where the next reading starts.

    ``interval`` is None where nothing new has been closed yet.

    Args:
        cursor: For the next reading.
        interval: What was measured; None where nothing new has been closed.
        said: Role -> its answers in the interval, where they were asked for.
        pairs: The baseline's and the candidate's answer to the same request; each pair once.
        lost: Why some of the interval's requests are not in it and never will be; empty: all are.
        since: When the first of its requests was sent, at the earliest, where that is before its
            start; None: it is not.
    """

    cursor: str
    interval: Interval | None
    said: Mapping[str, tuple[Said, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[Said, Said], ...] = ()
    lost: str = ""
    since: float | None = None


class Load(Protocol):
    """Open-loop traffic that the runner itself sends."""

    def start(self) -> None:
        """Begin to send; a second call changes nothing."""
        ...

    def stop(self) -> None:
        """Stop sending; a second call changes nothing."""
        ...


Hold = Callable[[float], None]
"""See that whoever drives may do so for that many more seconds; raises ``Fenced`` if it may not.

Called last before a request that changes something leaves, and now and then during long work, so
that nothing is sent by a runner that was taken over while it prepared it.
"""


def unfenced(_: float) -> None:
    """A ``Hold`` for whoever has no rival."""


class Endpoint(Protocol):
    """An endpoint of one provider, bound to one plan.

    No request that changes something may take longer than ``call_seconds``: long work is begun
    here and seen in ``observe``. ``pace`` is the number of seconds between two observations that
    are worth their cost, ``measure_pace`` that between two readings of measurements; ``lag`` how
    many seconds closed measurements lie behind the present at most.
    Every method may raise ``EndpointAway`` (try again) or ``EndpointRefused`` (do not).
    """

    call_seconds: float
    pace: float
    measure_pace: float
    lag: float

    @property
    def key(self) -> str:
        """The full resource id in lower case; names the journal's stream."""
        ...

    def digest(self, role: str) -> str:
        """SHA-256 over the specification of ``baseline`` or ``candidate`` and all its inputs."""
        ...

    def observe(self) -> Seen:
        """The endpoint as it is now; an endpoint that is not there is a value, not an error."""
        ...

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        """Begin ``effect``, absolute and idempotent, stamped with the run's id.

        Args:
            effect: What shall be.
            run: The run's id.
            hold: Called before each request that changes something, and during long work.
            head: The digest of the journal's entry that orders this. Where the endpoint has a place
                for it, it is written with the change itself, never on its own; empty: leave it.

        Raises:
            Fenced: by ``hold``; the request was not sent.
        """
        ...

    def preflight(self) -> tuple[Finding, ...]:
        """All pre-checks of this provider; writes nothing."""
        ...

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        """Send one request, to one deployment by header or (None) through the split."""
        ...

    def logs(self, deployment: str, *, tail: int) -> str:
        """The deployment's own newest log lines."""
        ...

    def cursor(self) -> str:
        """Where measurements stand now; a reading from here sees only later requests."""
        ...

    def read(
        self, cursor: str, *, mirrored: bool, histogram: bool, answers: bool = False
    ) -> Reading:
        """Closed measurements since ``cursor``, as ``baseline`` and ``candidate`` arms.

        Args:
            cursor: From ``cursor()`` or an earlier reading.
            mirrored: The candidate's arm holds the mirrored copies instead of live answers.
            histogram: Latencies are wanted with this interval.
            answers: The answers themselves are wanted, from about now on; an endpoint that keeps
                none gives none.
        """
        ...

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        """What the baseline answered lately, in batches, oldest first.

        Args:
            seconds: How far back.
            batch: Length of a batch, seconds; one without requests stands for one that is missing.

        Returns:
            The baseline's live answers with their latencies; empty: the endpoint keeps none.
        """
        ...

    def load(self, *, rps: float, bodies: tuple[bytes, ...]) -> Load:
        """Traffic of ``rps`` requests/s through the split, with these bodies in turn."""
        ...

    def destroy(self) -> None:
        """Remove the endpoint with everything on it; absent already is success."""
        ...

    def close(self) -> None:
        """Let go of connections. The endpoint itself lives on."""
        ...


@runtime_checkable
class Counting(Protocol):
    """An endpoint, or its provider's check of plans, that knows its own counters in Prometheus."""

    @property
    def counters(self) -> Mapping[str, str]:
        """What a plan may leave out below ``metrics``: key -> value."""
        ...


Beat = Callable[[], None]
