"""Questions to a Prometheus server, or to one that speaks like it (Thanos, Mimir, VictoriaMetrics)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout.adapters.metrics.prometheus.counters import Series
from rollout.adapters.metrics.prometheus.metering import Meter, Secret
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused, NotLoggedIn

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS, _READ_SECONDS = 4.0, 8.0
_ALL_SECONDS = 12.0  # until all answers are there; well within a lease's 20
_MOST_BYTES = 64 * 2**20
_QUERY = "/api/v1/query"
_OK, _MOVED, _CLIENT, _UNKNOWN, _FORBIDDEN, _NOT_FOUND = 200, 300, 400, 401, 403, 404
_AGAIN = (408, 425, 429)
_SERVER = 500
_WORDS = 300  # characters of what a server says
_UNREADABLE = (
    TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, RecursionError,
)  # fmt: skip


class Client:
    """One server; nothing is sent before the first question."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._client: httpx.Client | None = None
        self.told: float | None = None  # Unix seconds by the server's clock when it answered last

    def answers(
        self, selectors: Sequence[str], *, start: float, end: float
    ) -> list[tuple[Series, ...]]:
        """Every sample of the series, as it was scraped; all is asked at once.

        So a slow server costs one answer's time, and one that never comes to an end costs no more:
        whoever asks holds a lease, and must have its word.

        Args:
            selectors: Of series of numbers; an empty one has no series.
            start: Unix seconds.
            end: Unix seconds.

        Raises:
            EndpointAway: the server did not answer in time, or only in part.
            EndpointRefused: it would not.
            NotLoggedIn: it does not know who asks.
        """
        client, headers = self._opened(), self._authorization()
        span = max(1, math.ceil((end - start) * 1000.0))
        forms = [_form(each, span, end) if each else None for each in selectors]
        pool = ThreadPoolExecutor(len(forms))
        tasks = [pool.submit(self._series_of, client, headers, form) for form in forms]
        pool.shutdown(wait=False)
        late = wait(tasks, timeout=_ALL_SECONDS).not_done
        if late:
            self.close()  # which ends the threads that still read
            raise EndpointAway(
                f"{self._name} gave no whole answer within {_ALL_SECONDS:g} s.",
                do="Look at its load and the proxies before it; it is asked again.",
            )
        return [each.result() for each in tasks]

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _opened(self) -> httpx.Client:
        import httpx  # noqa: PLC0415 - where it is asked

        if self._client is None:
            timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
            try:
                self._client = httpx.Client(timeout=timeout, headers={"User-Agent": "rollout"})
            except (OSError, ValueError, ImportError) as error:
                raise EndpointRefused(
                    f"Prometheus cannot be asked from here: {_short(str(error))}.",
                    do="Correct SSL_CERT_FILE, or the proxy that HTTPS_PROXY or HTTP_PROXY names.",
                ) from error
        return self._client

    def _series_of(
        self, client: httpx.Client, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[Series, ...]:
        if form is None:
            return ()
        body = self._asked(client, headers, form)
        try:
            return tuple(_series(each) for each in body["data"]["result"])
        except _UNREADABLE as error:
            raise self._strange("a result that cannot be read") from error

    def _asked(
        self, client: httpx.Client, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Mapping[str, Any]:
        import httpx  # noqa: PLC0415 - where it is asked

        address = f"{self._meter.address}{_QUERY}"
        try:
            with client.stream("POST", address, data=dict(form), headers=dict(headers)) as answer:
                content = self._content(answer)
        except (httpx.HTTPError, RuntimeError) as error:  # a client that was closed meanwhile
            raise EndpointAway(
                f"{self._name} cannot be reached: {str(error).rstrip('.') or type(error).__name__}.",
                do="Look at metrics.address and the network; it is asked again.",
            ) from error
        except (OSError, ValueError, httpx.InvalidURL) as error:
            raise EndpointRefused(
                f"{self._name} cannot be asked: {_short(str(error))}.",
                do="Correct metrics.address.",
            ) from error
        self.told = _moment(answer.headers.get("Date"))
        if answer.status_code != _OK:
            raise self._refusal(answer, content, headers)
        body = _json(content)
        if body is None or body.get("status") != "success":
            raise self._strange("an answer that is not Prometheus' JSON")
        warned = body.get("warnings")
        if warned:
            told = "; ".join(map(str, warned)) if isinstance(warned, list) else str(warned)
            raise EndpointAway(
                f"{self._name} answered in part only: {_short(told)}.",
                do="What is missing is not guessed; the same time is asked for again.",
            )
        return body

    def _content(self, answer: httpx.Response) -> bytes:
        content = bytearray()
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) > _MOST_BYTES:
                raise EndpointRefused(
                    f"{self._name} answers with more than {_MOST_BYTES // 2**20} MiB.",
                    do="Let the selectors in the plan's metrics match fewer series.",
                )
        return bytes(content)

    def _authorization(self) -> dict[str, str]:
        if self._meter.token is None:
            return {}
        token = revealed(self._meter.token)
        if not self._meter.username:
            return {"Authorization": f"Bearer {token}"}
        from base64 import b64encode  # noqa: PLC0415 - few need it

        both = b64encode(f"{self._meter.username}:{token}".encode()).decode()
        return {"Authorization": f"Basic {both}"}

    def _refusal(
        self, answer: httpx.Response, content: bytes, headers: Mapping[str, str]
    ) -> EndpointError:
        status = answer.status_code
        told = _said(content) or answer.reason_phrase
        for value in headers.values():  # which a proxy may repeat
            secret = value.partition(" ")[2]
            told = told.replace(secret, "***")
            told = told.replace(_password(secret), "***")
        said = f"{self._name} answered {status}: {_short(told).rstrip('.')}."
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
            do = f"Set it where rollout runs: export {secret.place}=TOKEN"
            raise EndpointRefused(f"{place} of metrics.token is not set.", do=do)
    else:
        place = f"The file {secret.place}"
        try:
            found = Path(secret.place).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise EndpointRefused(
                f"{place} of metrics.token cannot be read: {why}.",
                do="Put the token there, or correct metrics.token in the plan.",
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
    if not all(map(math.isfinite, samples)):
        raise ValueError("a sample has no time")
    finite = {at: value for at, value in samples.items() if math.isfinite(value)}
    return Series(labels, finite, native=bool(data.get("histograms")))


def _moment(date: str | None) -> float | None:
    """Unix seconds of a ``Date`` header; None: there is none that can be read."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - where it is asked

    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _password(secret: str) -> str:
    """What stands behind the name in a basic authentication; else the secret itself."""
    from base64 import b64decode  # noqa: PLC0415 - few need it

    try:
        return b64decode(secret, validate=True).decode().partition(":")[2] or secret
    except ValueError:
        return secret


def _form(selector: str, span: int, end: float) -> dict[str, str]:
    return {
        "query": f"{selector}[{span}ms]",
        "time": f"{end:.3f}",
        "partial_response": "false",  # of Thanos: half an answer is none
    }


def _json(content: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _said(content: bytes) -> str:
    body = _json(content)
    return str(body.get("error") or "") if body is not None else content.decode("utf-8", "replace")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else f"{line[: _WORDS - 3]}..."
