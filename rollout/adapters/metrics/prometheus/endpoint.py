"""An endpoint of any provider whose measurements come from Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rollout.adapters.metrics.prometheus.arriving import NAME
from rollout.adapters.metrics.prometheus.client import Client
from rollout.adapters.metrics.prometheus.metering import completed, read_meter
from rollout.adapters.metrics.prometheus.source import Source
from rollout.domain.endpoint import Effect, Seen
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import Arm
from rollout.domain.plan import Metering, Plan
from rollout.domain.roles import BASELINE, CANDIDATE
from rollout.ports.clock import Clock
from rollout.ports.doctor import Doctor, Sign, sign_of
from rollout.ports.endpoint import Answer, Endpoint, Finding, Hold, Load, Reading, unfenced

_TOPIC = "metrics"


def unmeasured(plan: Plan) -> Plan:
    """The plan as the endpoint's own provider gets it: there is nothing to measure.

    So it looks for no measurements, nor for the right to read any.
    """
    return replace(plan, metrics=Metering(), gates={})


class Measured:
    """See ``Endpoint``: all of another one but its measurements.

    Args:
        plan: The checked plan.
        endpoint: Of its provider, made for `unmeasured` of the plan.
        clock: Time.
    """

    def __init__(self, plan: Plan, endpoint: Endpoint, clock: Clock) -> None:
        self._plan = plan
        self._inner = endpoint
        self._clock = clock
        meter = read_meter(completed(plan.metrics, endpoint))
        names = {BASELINE: plan.baseline.name, CANDIDATE: plan.candidate.name}
        self._source = Source(meter, names, Client(meter))
        self.call_seconds, self.pace = endpoint.call_seconds, endpoint.pace
        self.measure_pace, self.lag = self._source.pace, self._source.lag

    # --- what Prometheus knows ---

    def cursor(self) -> str:
        """See ``Endpoint.cursor``."""
        return self._source.cursor(self._clock.now())

    def read(
        self, cursor: str, *, mirrored: bool, histogram: bool, answers: bool = False
    ) -> Reading:
        """See ``Endpoint.read``; Prometheus has no answers, and its latencies cost nothing more."""
        del histogram, answers
        return self._source.read(cursor, moment=self._clock.now(), mirrored=mirrored)

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        """See ``Endpoint.history``."""
        return self._source.history(moment=self._clock.now(), seconds=seconds, batch=batch)

    def preflight(self) -> tuple[Finding, ...]:
        """See ``Endpoint.preflight``: the provider's, and whether measurements arrive.

        Raises:
            EndpointAway: Prometheus does not answer; whoever waits asks again.
        """
        found = self._inner.preflight()
        return (*found, *self._arrives()) if self._looks() else found

    def diagnose(self) -> tuple[Sign, ...]:
        """See ``Doctor.diagnose``."""
        try:
            found = self._arrives()
        except EndpointAway as error:
            found = (Finding(NAME, False, str(error)),)
        return (*self._signs(), *(sign_of(_TOPIC, each) for each in found))

    def _looks(self) -> bool:
        return self._plan.preflight.metrics and bool(self._plan.gates)

    def _signs(self) -> Iterator[Sign]:
        if isinstance(self._inner, Doctor):
            yield from (each for each in self._inner.diagnose() if each.topic != _TOPIC)
        else:
            yield from (sign_of("plan", each) for each in self._inner.preflight())

    def _arrives(self) -> tuple[Finding, ...]:
        checks = [check for gate in self._plan.gates.values() for check in gate.checks]
        try:
            return self._source.arrives(checks, moment=self._clock.now())
        except EndpointRefused as error:
            return (Finding(NAME, False, str(error)),)

    # --- what the provider knows ---

    @property
    def key(self) -> str:
        """See ``Endpoint.key``."""
        return self._inner.key

    def digest(self, role: str) -> str:
        """See ``Endpoint.digest``."""
        return self._inner.digest(role)

    def observe(self) -> Seen:
        """See ``Endpoint.observe``."""
        return self._inner.observe()

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        """See ``Endpoint.perform``."""
        self._inner.perform(effect, run=run, hold=hold, head=head)

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        """See ``Endpoint.probe``."""
        return self._inner.probe(body, deployment=deployment, timeout=timeout)

    def logs(self, deployment: str, *, tail: int) -> str:
        """See ``Endpoint.logs``."""
        return self._inner.logs(deployment, tail=tail)

    def load(self, *, rps: float, bodies: tuple[bytes, ...]) -> Load:
        """See ``Endpoint.load``."""
        return self._inner.load(rps=rps, bodies=bodies)

    def destroy(self) -> None:
        """See ``Endpoint.destroy``."""
        self._inner.destroy()

    def close(self) -> None:
        """See ``Endpoint.close``."""
        self._source.close()
        self._inner.close()
