"""Everything an emulator consists of, put together once and handed to what answers."""

from __future__ import annotations

import base64
import secrets
import uuid
from dataclasses import dataclass

from rollout.emulator.azurite import Azurite
from rollout.emulator.blobs import Blobs
from rollout.emulator.building import Building
from rollout.emulator.certificates import Certificates
from rollout.emulator.documents import Documents
from rollout.emulator.engines import Engines
from rollout.emulator.faults import Fault, Faults
from rollout.emulator.library import Library
from rollout.emulator.operations import Operations
from rollout.emulator.records import Records
from rollout.emulator.settings import Settings
from rollout.emulator.tokens import Tokens
from rollout.emulator.traffic import TrafficLogs
from rollout.emulator.works import Works
from rollout.ports.clock import Clock

_FILE = "emulator.json"
_CLIENT_SECRET = "client-secret"  # the name of a mark  # noqa: S105
_ACCOUNT_KEY = "account-key"


@dataclass(frozen=True, slots=True)
class Site:
    """One emulator.

    Args:
        base: Its address, without a slash at its end.
    """

    settings: Settings
    clock: Clock
    base: str
    certificates: Certificates
    records: Records
    engines: Engines
    azurite: Azurite
    blobs: Blobs
    library: Library
    building: Building
    documents: Documents
    tokens: Tokens
    traffic: TrafficLogs
    faults: Faults
    operations: Operations

    @property
    def client_secret(self) -> str:
        """What a client proves itself with."""
        return self.records.mark(_CLIENT_SECRET, secrets.token_urlsafe(24))


def records_of(settings: Settings) -> Records:
    """What an emulator with this state folder remembers."""
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Records(settings.state / _FILE)


def site(
    settings: Settings, clock: Clock, records: Records, certificates: Certificates, base: str
) -> Site:
    """An emulator that listens at ``base``; nothing runs yet."""
    state = settings.state
    key = records.mark(_ACCOUNT_KEY, base64.b64encode(secrets.token_bytes(48)).decode())
    guid = records.mark("workspace", str(uuid.uuid4()))
    records.mark("began", str(clock.now()))
    engines = Engines(state / "endpoints", clock)
    azurite = Azurite(state / "azurite", settings.azurite, certificates, key, clock)
    blobs = Blobs(azurite, certificates, clock)
    library = Library(records, blobs, state / "assets")
    building = Building(library, settings.python)
    for each in settings.registered:
        library.register(each, clock.now())
    traffic = TrafficLogs(state / "traffic", engines, clock)
    works = Works(records, engines, building, traffic, clock, state / "storage-initializer")
    return Site(
        settings=settings,
        clock=clock,
        base=base,
        certificates=certificates,
        records=records,
        engines=engines,
        azurite=azurite,
        blobs=blobs,
        library=library,
        building=building,
        documents=Documents(settings, base, guid),
        tokens=Tokens(records.mark("signing", secrets.token_hex(32)), base),
        traffic=traffic,
        faults=Faults(Fault.from_json(each) for each in settings.faults),
        operations=Operations(records, works, clock, guid),
    )
