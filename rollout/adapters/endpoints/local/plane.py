"""The control plane of one local endpoint: takes orders, and keeps what serves as it shall be."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import rollout
from rollout.adapters.endpoints.local import ports, shutdown
from rollout.adapters.endpoints.local.desired import PLAN, Desired
from rollout.adapters.endpoints.local.fleet import Fleet
from rollout.adapters.endpoints.local.folder import (
    Folder,
    read_json,
    replace_json,
    write_json,
)
from rollout.adapters.endpoints.local.gateway import Gateway
from rollout.adapters.endpoints.local.house import House
from rollout.adapters.endpoints.local.journal import Journal
from rollout.adapters.endpoints.local.records import Records
from rollout.adapters.endpoints.local.specification import Specification
from rollout.adapters.endpoints.local.wish import Wish
from rollout.adapters.endpoints.local.xds import Config, Layout
from rollout.domain.errors import EndpointError, EndpointRefused
from rollout.ports.clock import Clock

Json = dict[str, object]

DOWN = "down"
RELEASE = "release"

_TICK_SECONDS = 0.05
_UNBORN_SECONDS = 60.0


class ControlPlane:
    """Holds one endpoint. Orders come from the control socket, deeds from ``tick``."""

    def __init__(self, folder: Folder, sockets: Path, clock: Clock) -> None:
        self._folder = folder
        self._sockets = sockets
        self._clock = clock
        self._journal = Journal(folder.engine_log, clock)
        self._house = House(folder)
        self._lock = threading.RLock()
        self._woken = threading.Event()
        self._desired: Desired | None = None
        self._gateway: Gateway | None = None
        self._fleets: dict[str, Fleet] = {}
        self._keys: Mapping[str, str] = {}
        self._records = Records(folder)
        self._wish = Wish(folder.wish, clock)
        self._born_at = clock.monotonic()
        self.ending: str | None = None

    # --- orders -------------------------------------------------------------------------------

    def create(self, name: str, port: int | None, auth_mode: str, head: str = "") -> None:
        """Create the endpoint; one that exists is left as it is.

        Args:
            name: The endpoint's name.
            port: None: the first free one.
            auth_mode: As in the endpoint's file; every mode means keys here.
            head: The entry of the orderer's journal; kept with what is wanted, as for each order.

        Raises:
            EndpointRefused: the port is taken, or Envoy is not installed.
        """
        with self._lock:
            if self._desired is not None:
                return
            identity = secrets.token_hex(8)
            self._keys = {
                "primary": secrets.token_urlsafe(32),
                "secondary": secrets.token_urlsafe(32),
            }
            write_json(self._folder.keys, dict(self._keys))
            for candidate in ports.candidates(port, self._folder.path.parent):
                desired = Desired(name, identity, candidate, auth_mode, head=head)
                write_json(self._folder.desired, desired.to_json())
                gateway = self._new_gateway(desired)
                try:
                    gateway.start(Config(keys=self._keys))
                except EndpointError as error:
                    gateway.abandon()
                    self._folder.desired.unlink()
                    # Free a moment ago: only a proxy that listens has a port for itself.
                    if port is None and isinstance(error, ports.PortTaken):
                        continue
                    raise
                self._desired, self._gateway = desired, gateway
                self._journal.write("endpoint.created", name=name, port=candidate)
                return
            raise EndpointRefused("No port is free.", do="Give one with endpoint.port.")

    def split(self, traffic: Mapping[str, int], mirror: Mapping[str, int], head: str = "") -> None:
        """Set live split and mirror; both are in force when this returns without an error.

        Raises:
            EndpointRefused: a rule forbids it, or Envoy refused it.
        """
        with self._lock:
            before = self._existing()
            ready = frozenset(name for name, fleet in self._fleets.items() if fleet.may_serve)
            after = before.with_split(traffic, mirror, ready)
            if after == before:
                return
            self._save(after, head)
            try:
                self._apply()
            except EndpointRefused:
                self._save(before)
                raise
            self._journal.write("split.set", traffic=dict(traffic), mirror=dict(mirror))

    def put(
        self, name: str, specification: Specification, digest: str, run: str, head: str = ""
    ) -> None:
        """Create a deployment or begin to bring it to another specification."""
        with self._lock:
            before = self._existing()
            after = before.with_deployment(name, specification, digest=digest, run=run)
            self._save(after, head)
            fleet = self._fleets.get(name)
            if fleet is None:
                self._fleets[name] = fleet = self._new_fleet(name, after)
            else:
                fleet.change(after.deployments[name])
            if after != before:
                fleet.begin_chapter()
            self._journal.write("deployment.put", deployment=name, digest=digest, run=run)
        self.wake()

    def scale(self, name: str, instances: int, run: str, head: str = "") -> None:
        """Begin to give a deployment another number of servers."""
        with self._lock:
            after = self._existing().scaled(name, instances, run=run)
            self._save(after, head)
            self._fleets[name].change(after.deployments[name])
            self._journal.write("deployment.scaled", deployment=name, instances=instances)
        self.wake()

    def delete(self, name: str, head: str = "") -> None:
        """Begin to delete a deployment; absent already is success."""
        with self._lock:
            after = self._existing().without(name)
            self._save(after, head)
            if name in self._fleets:
                self._fleets[name].change(after.deployments[name])
                self._journal.write("deployment.deleted", deployment=name)
        self.wake()

    def kill_envoy(self) -> None:
        """Kill the proxy, as a fault."""
        with self._lock:
            self._existing()
            if self._gateway is not None and self._gateway.process is not None:
                self._gateway.process.kill_group()

    def kill_server(self, deployment: str) -> None:
        """Kill one ready server of a deployment, as a fault.

        Raises:
            EndpointRefused: it has none.
        """
        with self._lock:
            fleet = self._fleets.get(deployment)
            if fleet is None or not fleet.kill_one():
                raise EndpointRefused(
                    f"Deployment '{deployment}' has no ready server.", do="Look: rollout local ps"
                )

    def show_fault(self, deployment: str, fault: Json) -> None:
        """Let the servers of a deployment show a fault from the next request on; {}: none.

        Raises:
            EndpointRefused: there is no such deployment.
        """
        with self._lock:
            if deployment not in self._fleets:
                there = ", ".join(sorted(self._fleets)) or "none"
                raise EndpointRefused(
                    f"There is no deployment '{deployment}'.", do=f"Name one of: {there}."
                )
            replace_json(self._folder.fault(deployment), fault)
            self._journal.write("fault.set", deployment=deployment, fault=fault)

    def capture(self, seconds: float) -> None:
        """Keep answers in the access log from about now on for so long; 0: no longer."""
        with self._lock:
            if self._desired is not None:
                self._wish.renew(seconds)
        self.wake()

    def rotate(self) -> None:
        """Finish the present segment of the access log."""
        with self._lock:
            if self._gateway is not None:
                self._house.rotate(self._gateway)

    def end(self, how: str) -> None:
        """Leave soon: ``down`` stops everything first, ``release`` lets all go on serving."""
        self.ending = how
        self.wake()

    # --- answers ------------------------------------------------------------------------------

    def view(self) -> Json:
        """The endpoint as it is."""
        with self._lock:
            desired, gateway = self._existing(), self._gateway
            applied = gateway.applied if gateway is not None else None
            shown = applied or self._config()
            return {
                "name": desired.name,
                "port": desired.port,
                "auth_mode": desired.auth_mode,
                "busy": applied is None,
                "error": gateway.error if gateway is not None else "",
                "traffic": dict(shown.traffic),
                "mirror": dict(shown.mirror),
                "deployments": {name: fleet.seen() for name, fleet in self._fleets.items()},
                "head": desired.head,
            }

    def processes(self) -> list[Json]:
        """Everything that runs for this endpoint."""
        with self._lock:
            found: list[Json] = [{"role": "engine", "pid": os.getpid(), "state": "ready"}]
            if self._gateway is not None:
                found += self._gateway.listing()
            for _, fleet in sorted(self._fleets.items()):
                found += fleet.listing()
            return found

    # --- deeds --------------------------------------------------------------------------------

    def wake(self) -> None:
        """Let the next tick come at once."""
        self._woken.set()

    def start(self) -> None:
        """Adopt what an earlier engine left, or start it again."""
        with self._lock:
            data = read_json(self._folder.desired)
            if data is None:
                return
            self._desired = desired = Desired.from_json(data)
            self._keys = cast(Mapping[str, str], read_json(self._folder.keys) or {})
            self._gateway = gateway = self._new_gateway(desired)
            gateway.adopt(self._records.envoy())
            for name in desired.deployments:
                self._fleets[name] = fleet = self._new_fleet(name, desired)
                fleet.reached = self._records.reached(name)
                fleet.adopt(self._records.servers(name), self._clock.monotonic())
            shutdown.end_strays(desired.identity, self._known())
            self._journal.write("engine.started", version=rollout.__version__)
            try:
                gateway.start(self._config())
            except EndpointError as error:
                gateway.error = error.what
                self._journal.write("envoy.away", error=str(error))

    def wait(self) -> None:
        """Until the next tick is due."""
        self._woken.wait(_TICK_SECONDS)
        self._woken.clear()

    def stop_all(self) -> None:
        """End everything that serves."""
        with self._lock:
            if self._desired is None:
                return
            known = [one.process for fleet in self._fleets.values() for one in fleet.replicas]
            if self._gateway is not None and self._gateway.process is not None:
                known.insert(0, self._gateway.process)
            shutdown.stop(self._desired.identity, known, self._clock)

    def tick(self) -> None:
        """Look at everything once and do what is due."""
        with self._lock:
            now = self._clock.monotonic()
            if self._desired is None or self._gateway is None:
                if now - self._born_at > _UNBORN_SECONDS:
                    self.end(RELEASE)
                return
            self._gateway.watch()
            draining = any(fleet.draining for fleet in self._fleets.values())
            idle = self._gateway.idle() if draining else frozenset()
            for fleet in self._fleets.values():
                fleet.step(now, idle)
            self._record()
            try:
                self._apply()
            except EndpointRefused as error:
                self._gateway.error = error.what
            self._forget()
            self._house.keep(now, list(self._fleets.values()), self._gateway)

    def _apply(self) -> None:
        if self._gateway is not None:
            self._gateway.apply(self._config())
            self._record()

    def _config(self) -> Config:
        desired = self._existing()
        upstreams = {name: fleet.upstream() for name, fleet in self._fleets.items()}
        until = self._wish.until()
        return Config(upstreams, desired.traffic, desired.mirror, self._keys, until)

    def _existing(self) -> Desired:
        if self._desired is None:
            raise EndpointRefused(
                "The endpoint has not been created.", do=f"Run: rollout apply {PLAN}"
            )
        return self._desired

    def _save(self, desired: Desired, head: str = "") -> None:
        """Keep what is wanted from now on, with who ordered it in one write."""
        if desired != self._desired:
            marked = replace(desired, head=head or desired.head)
            write_json(self._folder.desired, marked.to_json())
            self._desired = marked

    def _forget(self) -> None:
        for name, fleet in list(self._fleets.items()):
            if not fleet.gone:
                continue
            del self._fleets[name]
            self._folder.fault(name).unlink(missing_ok=True)
            self._save(self._existing().forgotten(name))
            self._apply()
            self._journal.write("deployment.gone", deployment=name)

    def _record(self) -> None:
        if self._gateway is not None:
            self._records.write(self._gateway, self._fleets.values())

    def _known(self) -> set[str]:
        gateway = self._gateway
        known = {one.process.identity.tag for f in self._fleets.values() for one in f.replicas}
        if gateway is not None and gateway.process is not None:
            known.add(gateway.process.identity.tag)
        return known

    def _new_gateway(self, desired: Desired) -> Gateway:
        layout = Layout(
            port=desired.port,
            xds=self._folder.xds,
            access_log=self._folder.access_log,
            admin_socket=self._sockets / "admin.sock",
            shadow_socket=self._sockets / "shadow.sock",
        )
        return Gateway(self._folder, layout, desired.identity, self._clock)

    def _new_fleet(self, name: str, desired: Desired) -> Fleet:
        wanted, mark = desired.deployments[name], desired.identity
        return Fleet(name, wanted, self._folder, self._journal, mark, self.wake)
