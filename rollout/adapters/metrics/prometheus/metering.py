"""What a plan says of its Prometheus: where it is, and which counters are the endpoint's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from rollout.domain.errors import EndpointRefused
from rollout.domain.plan import Metering
from rollout.domain.units import parse_duration
from rollout.planfile.wording import listed, meant, shown
from rollout.ports.endpoint import Counting

Finding = tuple[tuple[str, ...], str, str]

DELAY: Final = (
    15.0  # seconds; a scrape may take ten (Prometheus' own scrape_timeout) until it is there
)
UNITS: Final[Mapping[str, float]] = {"s": 1.0, "ms": 1e-3}  # seconds

_LONGEST_RHYTHM = 15.0  # seconds; Prometheus is seldom set to scrape more rarely
_SELECTORS = ("requests", "errors", "latency")
_NEEDED = ("address", "requests", "errors")
_OWN = ("address", *_SELECTORS, "unit", "delay", "token", "username")
_DEPLOYMENT = "${deployment}"
_TRAFFIC = "${traffic}"
# A metric's name, its matchers, or both; quotes hold anything.
_SELECTOR = re.compile(
    r"""\s*(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)?\s*
        (?P<matchers>\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?\s*""",
    re.VERBOSE,
)
_LABEL = 64  # characters of a part of a host's name, and one more
_AN_EXAMPLE = 'Write a counter like http_requests_total{deployment="${deployment}"}.'


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret lies; it is read anew for each use, and kept nowhere.

    Args:
        kind: ``env`` or ``file``.
        place: The variable's name, or the file's.
    """

    kind: str
    place: str


@dataclass(frozen=True, slots=True)
class Meter:
    """Which Prometheus is asked for what.

    Args:
        address: Its URL, without a slash at the end.
        requests, errors: Selectors of counters: what was answered, and what of it failed.
        latency: Selector of a classic histogram's counters; empty: latency is not measured.
        unit: What its edges are multiplied by to be seconds.
        delay: Seconds after which a scrape is taken to be there.
        username: For basic authentication, with the token as its password; empty: the token is
            sent as it is (``Bearer``).
        token: None: nobody has to say who asks.
    """

    address: str
    requests: str
    errors: str
    latency: str = ""
    unit: float = 1.0
    delay: float = DELAY
    username: str = ""
    token: Secret | None = None


def rhythm(delay: float) -> float:
    """Seconds between two readings: short against the delay, and no burden on the server.

    >>> rhythm(15.0), rhythm(120.0), rhythm(1.0)
    (3.75, 15.0, 1.0)
    """
    return min(_LONGEST_RHYTHM, max(1.0, delay / 4.0))


def selector(text: str, *, deployment: str, mirrored: bool) -> str:
    """A selector of the plan for one deployment.

    >>> selector('up{pod=~"${deployment}-.*"}', deployment="blue", mirrored=False)
    'up{pod=~"blue-.*"}'
    """
    traffic = "shadow" if mirrored else "live"
    return text.replace(_DEPLOYMENT, deployment).replace(_TRAFFIC, traffic)


def read_meter(metering: Metering) -> Meter:
    """The meter of a checked plan.

    Raises:
        EndpointRefused: there is none like that.
    """
    for path, what, do in metering_findings(metering):
        raise EndpointRefused(f"{'.'.join(('metrics', *path))}: {what}", do=do)
    options = metering.options
    delay = options.get("delay")
    return Meter(
        address=str(options["address"]).rstrip("/"),
        requests=_text(options, "requests"),
        errors=_text(options, "errors"),
        latency=_text(options, "latency"),
        unit=UNITS[str(options.get("unit", "s"))],
        delay=DELAY if delay is None else parse_duration(str(delay)),
        username=_text(options, "username"),
        token=_secret(options.get("token")),
    )


def _text(options: Mapping[str, object], key: str) -> str:
    return str(options.get(key) or "").strip()


def completed(metering: Metering, source: object) -> Metering:
    """What a plan says, with the counters that its endpoint knows where it names none itself.

    Args:
        metering: Of the plan.
        source: The endpoint, or its provider's check.
    """
    if not isinstance(source, Counting) or any(key in metering.options for key in _SELECTORS):
        return metering
    return replace(metering, options={**source.counters, **metering.options})


def metering_findings(metering: Metering) -> list[Finding]:
    """What is wrong with what a plan says of its Prometheus: (path below metrics, what, do)."""
    options = metering.options
    return [
        *_missing(options),
        *_strange(options),
        *_address(options.get("address")),
        *(finding for key in _SELECTORS for finding in _selector(key, options.get(key))),
        *_beside(options),
    ]


def _missing(options: Mapping[str, object]) -> Iterator[Finding]:
    for key in _NEEDED:
        if not options.get(key):
            do = (
                "Add 'address: http://HOST:9090'." if key == "address" else f"Add it. {_AN_EXAMPLE}"
            )
            yield (), f"prometheus stands without '{key}'.", do


def _strange(options: Mapping[str, object]) -> Iterator[Finding]:
    for key in options:
        if key not in _OWN:
            yield (key,), f"prometheus has no {key}.", meant(key, _OWN)


def _address(value: object) -> Iterator[Finding]:
    if not isinstance(value, str) or not value:
        return
    if "@" in value:
        # Not repeated: it may hold a password.
        what = "a name or a password stands in the URL, which everybody would see."
        yield ("address",), what, "Write 'username: NAME' and 'token: {secret: \"env:VARIABLE\"}'."
    elif "?" in value or "#" in value:
        what = "something stands behind the path, which no Prometheus has; it may be a secret."
        yield ("address",), what, "Write it like http://HOST:9090 or https://HOST/a/path."
    elif not _is_usable(value):
        what = f"{shown(value)} is no address of a Prometheus."
        yield ("address",), what, "Write it like http://HOST:9090 or https://HOST/a/path."


def _is_usable(address: str) -> bool:
    """Whether it can be asked: by the same reading as the client's that asks."""
    import httpx  # noqa: PLC0415 - only plans that name a Prometheus pay for it

    try:
        found = urlsplit(address)
        host, asked = found.hostname or "", httpx.URL(address)
        if found.port == 0 or address.split() != [address] or "%" in found.netloc:
            return False
        numbered = ":" in host and f"[{host}]" in found.netloc.lower()
        fits = numbered or all(0 < len(part) < _LABEL for part in asked.raw_host.decode().rstrip(".").split("."))  # fmt: skip
        if numbered:
            ip_address(host)
        return found.scheme in ("http", "https") and bool(host and asked.host) and fits
    except (ValueError, httpx.InvalidURL):
        return False


def _selector(key: str, value: object) -> Iterator[Finding]:
    if not isinstance(value, str) or not value:
        return
    found = _SELECTOR.fullmatch(value)
    if found is None or not (found["name"] or found["matchers"]):
        what = f"{shown(value)} is not the selector of counters."
        do = "Name the counters themselves, without rate() and [5m]: what they grow by is worked out here."
        yield (key,), what, do
    elif _DEPLOYMENT not in value:
        what = f"it does not say whose {key} they are."
        yield (key,), what, f"Write {_DEPLOYMENT} where the deployment's name stands."


def _beside(options: Mapping[str, object]) -> Iterator[Finding]:
    unit = options.get("unit")
    if unit is not None and "latency" not in options:
        yield (
            ("unit",),
            "there is no latency whose unit it could be.",
            "Add 'latency', or remove it.",
        )
    elif unit is not None and unit not in UNITS:
        yield ("unit",), f"{shown(unit)} is not a unit.", f"Write {listed(UNITS)}."
    if "username" in options and "token" not in options:
        do = "Add 'token: {secret: \"env:VARIABLE\"}', its password."
        yield ("username",), "a name stands without its password.", do


def _secret(value: object) -> Secret | None:
    if not isinstance(value, Mapping):
        return None
    kind, _, place = str(value["secret"]).partition(":")
    return Secret(kind, place)
