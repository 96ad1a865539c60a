"""Questions to a Prometheus server, or to one that speaks like it (Thanos, Mimir, VictoriaMetrics)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from rollout.adapters.metrics.prometheus.counters import Series
from rollout.adapters.metrics.prometheus.metering import Meter, Secret
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, NotLoggedIn

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS, _READ_SECONDS = 4.0, 8.0  # together well within a lease's 20
_QUERY = "/api/v1/query"
_OK, _MOVED, _CLIENT, _UNKNOWN, _FORBIDDEN, _NOT_FOUND = 200, 300, 400, 401, 403, 404
_AGAIN = (408, 425, 429)
_SERVER = 500
_WORDS = 300  # characters of what a server says


class Client:
    """One server; nothing is sent before the first question. Several threads may ask at once."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._client: httpx.Client | None = None
        self._opening = Lock()

    def samples(self, selector: str, *, start: float, end: float) -> tuple[Series, ...]:
        """Every sample of the series, as it was scraped.

        Args:
            selector: Of series of numbers.
            start: Unix seconds.
            end: Unix seconds.

        Raises:
            EndpointAway: the server did not answer, or only in part.
            EndpointRefused: it would not.
            NotLoggedIn: it does not know who asks.
        """
        span = max(1, math.ceil((end - start) * 1000.0))
        form = {
            "query": f"{selector}[{span}ms]",
            "time": f"{end:.3f}",
            "partial_response": "false",  # of Thanos: half an answer is none
        }
        body = self._asked(form)
        data = body.get("data")
        found = data.get("result") if isinstance(data, Mapping) else None
        if not isinstance(found, list):
            raise self._strange("an answer without a result")
        try:
            return tuple(_series(each) for each in found)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            raise self._strange("a result that cannot be read") from error

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _asked(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        import httpx  # noqa: PLC0415 - where it is asked

        with self._opening:
            if self._client is None:
                timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
                self._client = httpx.Client(timeout=timeout, headers={"User-Agent": "rollout"})
        try:
            answer = self._client.post(
                f"{self._meter.address}{_QUERY}", data=dict(form), headers=self._authorization()
            )
        except httpx.HTTPError as error:
            raise EndpointAway(
                f"{self._name} cannot be reached: {str(error).rstrip('.') or type(error).__name__}.",
                do="Look at metrics.address and the network; it is asked again.",
            ) from error
        if answer.status_code != _OK:
            raise self._refusal(answer)
        body = _json(answer)
        if body is None or body.get("status") != "success":
            raise self._strange("an answer that is not Prometheus' JSON")
        if body.get("warnings"):
            raise EndpointAway(
                f"{self._name} answered in part only: {_short(str(body['warnings'][0]))}",
                do="What is missing is not guessed; the same time is asked for again.",
            )
        return body

    def _authorization(self) -> dict[str, str]:
        if self._meter.token is None:
            return {}
        token = revealed(self._meter.token)
        if not self._meter.username:
            return {"Authorization": f"Bearer {token}"}
        from base64 import b64encode  # noqa: PLC0415 - few need it

        both = b64encode(f"{self._meter.username}:{token}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def _refusal(self, answer: httpx.Response) -> EndpointError:
        status, told = answer.status_code, _said(answer)
        said = f"{self._name} answered {status}: {told}."
        if status == _UNKNOWN:
            return NotLoggedIn(said, do="Correct metrics.token (and metrics.username).")
        if status == _FORBIDDEN:
            return EndpointRefused(said, do="Let the holder of metrics.token ask queries there.")
        if status == _NOT_FOUND:
            do = f"Correct metrics.address: behind it {_QUERY} must answer."
            return EndpointRefused(said, do=do)
        if _MOVED <= status < _CLIENT:
            there = answer.headers.get("Location", "elsewhere")
            return EndpointRefused(
                f"{self._name} sends us on to {_short(there)}.",
                do="Write that address into the plan, or log in where it asks for it.",
            )
        if status in _AGAIN or status >= _SERVER:
            return EndpointAway(said, do="It is asked again in a while.")
        return EndpointRefused(said, do="Correct the selector in the plan's metrics.")

    def _strange(self, what: str) -> EndpointAway:
        return EndpointAway(
            f"{self._name} gave {what}.",
            do="Look at metrics.address and the proxies before it; it is asked again.",
        )

    @property
    def _name(self) -> str:
        return f"Prometheus at {self._meter.address}"


def revealed(secret: Secret, read: Callable[[str], str | None] = os.environ.get) -> str:
    """A secret's value, as it is now.

    Raises:
        EndpointRefused: there is none, or none that can stand in a header.
    """
    if secret.kind == "env":
        found, place = read(secret.place), f"The environment variable {secret.place}"
        if not found:
            raise EndpointRefused(f"{place} of metrics.token is not set.", do="Set it.")
    else:
        place = f"The file {secret.place}"
        try:
            found = Path(secret.place).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise EndpointRefused(
                f"{place} of metrics.token cannot be read: {why}.", do="Correct it."
            ) from error
    found = found.strip()
    if not found or not found.isascii() or not found.isprintable():
        raise EndpointRefused(
            f"{place} of metrics.token holds no token.", do="Put the token there, in one line."
        )
    return found


def _series(data: Mapping[str, Any]) -> Series:
    labels = {str(name): str(value) for name, value in data["metric"].items()}
    samples = {float(at): float(value) for at, value in data.get("values", ())}
    finite = {at: value for at, value in samples.items() if math.isfinite(value)}
    return Series(labels, finite, native=bool(data.get("histograms")))


def _json(answer: httpx.Response) -> Mapping[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


def _said(answer: httpx.Response) -> str:
    body = _json(answer)
    told: object = body.get("error") if body is not None else answer.text
    return _short(str(told or answer.reason_phrase)).rstrip(".")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS - 3]}..."
