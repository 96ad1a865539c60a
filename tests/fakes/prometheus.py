"""A Prometheus in memory: processes with counters, scraped at stated times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.adapters.metrics.prometheus.counters import Series

Labels = tuple[tuple[str, str], ...]


@dataclass
class Process:
    """One target; its counters begin at zero when it does."""

    instance: str
    labels: Mapping[str, str]
    edges: tuple[float, ...] = (0.1, 0.25, 0.5)
    codes: dict[str, int] = field(default_factory=dict)
    below: dict[float, int] = field(default_factory=dict)

    def answer(self, count: int, *, code: str = "200", seconds: float = 0.2) -> None:
        """Answer so many requests; each label has a series once it was needed."""
        self.codes[code] = self.codes.get(code, 0) + count
        for edge in (*self.edges, float("inf")):
            self.below[edge] = self.below.get(edge, 0) + (count if seconds <= edge else 0)

    def restart(self) -> None:
        """Count from nothing."""
        self.codes, self.below = {}, {}


class FakePrometheus:
    """See ``Client.answers``; selectors are ``NAME DEPLOYMENT`` of ``requests``, ``errors``, ``latency``."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.asked: list[str] = []
        self.told: float | None = None
        self._kept: dict[tuple[str, Labels], dict[float, float]] = {}

    def start(self, deployment: str, instance: str, **labels: str) -> Process:
        """One more target."""
        made = Process(instance, {"deployment": deployment, **labels})
        self.processes.append(made)
        return made

    def scrape(self, at: float, processes: Iterable[Process] | None = None) -> None:
        """All targets at once, or some; times are whole milliseconds, as Prometheus keeps them."""
        at = round(at, 3)
        for each in self.processes if processes is None else processes:
            base = {"job": "pods", "instance": each.instance, **each.labels}
            for code, count in each.codes.items():
                self._keep("requests_total", {**base, "code": code}, at, count)
            for edge, count in each.below.items():
                text = "+Inf" if edge == float("inf") else repr(edge)
                self._keep("seconds_bucket", {**base, "le": text}, at, count)

    def _keep(self, name: str, labels: Mapping[str, str], at: float, value: float) -> None:
        key = (name, tuple(sorted(labels.items())))
        self._kept.setdefault(key, {})[at] = value

    def answers(
        self, selectors: Sequence[str], *, start: float, end: float
    ) -> list[tuple[Series, ...]]:
        """See ``Client.answers``."""
        return [self.samples(each, start=start, end=end) if each else () for each in selectors]

    def samples(self, selector: str, *, start: float, end: float) -> tuple[Series, ...]:
        """What one selector finds."""
        self.asked.append(selector)
        what, _, deployment = selector.partition(" ")
        found = []
        for (name, items), samples in self._kept.items():
            labels = dict(items)
            if labels["deployment"] != deployment or name != _NAMES[what]:
                continue
            if what == "errors" and not labels["code"].startswith("5"):
                continue
            within = {at: value for at, value in samples.items() if start <= at <= end}
            if within:
                found.append(Series({"__name__": name, **labels}, within))
        return tuple(found)

    def close(self) -> None:
        """Nothing is held."""


_NAMES = {"requests": "requests_total", "errors": "requests_total", "latency": "seconds_bucket"}
