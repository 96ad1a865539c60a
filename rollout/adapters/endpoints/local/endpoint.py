"""The port ``Endpoint`` over a local engine: a thin client, so that killing it harms nothing."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import math
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never, cast
from urllib.parse import urlsplit

from rollout.adapters.endpoints.local import access_log, chapters, past, resting, snapshot
from rollout.adapters.endpoints.local.access_log import Asked, Reader
from rollout.adapters.endpoints.local.client import CALL_SECONDS, Client
from rollout.adapters.endpoints.local.counted import COUNTERS
from rollout.adapters.endpoints.local.cursor import Cursor
from rollout.adapters.endpoints.local.desired import PLAN, check_name
from rollout.adapters.endpoints.local.doctor import signs
from rollout.adapters.endpoints.local.endpoint_file import read_auth_mode
from rollout.adapters.endpoints.local.entries import arms_of
from rollout.adapters.endpoints.local.folder import Folder, key_of, read_json, sockets_of
from rollout.adapters.endpoints.local.options import Options, options_findings, read_options
from rollout.adapters.endpoints.local.preflight import preflight
from rollout.adapters.endpoints.local.replica import tail
from rollout.adapters.endpoints.local.specification import (
    Specification,
    file_findings,
    read_deployment,
)
from rollout.adapters.endpoints.local.wish import LONGEST_SECONDS, RENEW_SECONDS
from rollout.adapters.endpoints.local.xds import DEPLOYMENT_HEADER
from rollout.adapters.load.openloop import OpenLoopLoad
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    DeleteDeployment,
    DeploymentSeen,
    Effect,
    PutDeployment,
    ScaleDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.errors import EndpointAway, EndpointRefused
from rollout.domain.measure import Arm, Interval
from rollout.domain.plan import Plan
from rollout.ports.clock import Clock
from rollout.ports.doctor import Sign
from rollout.ports.endpoint import Answer, Finding, Hold, Reading, unfenced

__all__ = ["LocalEndpoint", "build", "file_findings", "options_findings"]

Json = dict[str, object]

_BODY_BYTES = 64 * 1024
_PROBE_SECONDS = 10.0
_LOG_BYTES_A_LINE = 4096


def build(plan: Plan, *, home: Path, clock: Clock, start: bool = True) -> LocalEndpoint:
    """The endpoint that ``plan`` is about; nothing is started or written yet.

    Args:
        plan: The checked plan.
        home: The folder of all local endpoints, ``.rollout/local`` by custom.
        clock: Time.
        start: Whoever drives a run: its engine is started where it is down. Without, a look is
            answered from its files.
    """
    return LocalEndpoint(plan, home=home, clock=clock, start=start)


class LocalEndpoint:
    """One endpoint on this machine, bound to one plan."""

    call_seconds = CALL_SECONDS
    pace = 0.2  # seconds; asking the engine costs a millisecond
    measure_pace = 1.0  # seconds; a crash is seen within seconds, a log line costs little
    lag = 0.0
    counters = COUNTERS

    def __init__(self, plan: Plan, *, home: Path, clock: Clock, start: bool = True) -> None:
        name = plan.endpoint.name
        check_name(name)
        self._start = start
        self._plan = plan
        self._clock = clock
        self._options: Options = read_options(plan.endpoint.options)
        self._folder = Folder(home.resolve() / name)
        self._client = Client(self._folder, clock)
        self._log = Reader(self._folder.access_log)
        self._digests: dict[tuple[object, ...], str] = {}
        self._wished_at = -math.inf
        self._key = key_of(home, name)

    @property
    def key(self) -> str:
        """See ``Endpoint.key``."""
        return self._key

    @property
    def scoring_uri(self) -> str | None:
        """Where clients send their requests; None: the endpoint does not exist."""
        desired = read_json(self._folder.desired)
        return None if desired is None else f"http://127.0.0.1:{desired['port']}/score"

    def key_value(self) -> str:
        """The primary key, for clients: ``Authorization: Bearer <key>``.

        Raises:
            EndpointRefused: the endpoint does not exist.
        """
        keys = read_json(self._folder.keys)
        if keys is None:
            raise self._absent()
        return str(keys["primary"])

    def load(self, rps: float, bodies: Sequence[bytes]) -> OpenLoopLoad:
        """See ``Endpoint.load``."""
        return OpenLoopLoad(lambda: (self._uri(), self.key_value()), rps=rps, bodies=bodies)

    def digest(self, role: str) -> str:
        """See ``Endpoint.digest``; of a deployment without a file, only its name is known."""
        ref = self._plan.deployment(role)
        if ref.file is None:
            return hashlib.sha256(ref.name.encode()).hexdigest()
        return self._digest_of(self._specification(role))

    def observe(self) -> Seen:
        """See ``Endpoint.observe``."""
        if not self._folder.is_used:
            return Seen(exists=False)
        ask = self._client.call if self._start else self._client.call_if_up
        view = ask("GET", "/v1/endpoint")
        if view is None:
            return resting.seen(self._folder)
        if view["error"]:
            raise EndpointAway(
                f"{view['error']}", do=f"Read {self._folder.envoy_log}, then try again."
            )
        deployments = cast("Mapping[str, Json]", view["deployments"])
        return Seen(
            exists=True,
            busy=bool(view["busy"]),
            deployments={name: _seen(one) for name, one in deployments.items()},
            traffic=cast("Mapping[str, int]", view["traffic"]),
            mirror=cast("Mapping[str, int]", view["mirror"]),
            head=str(view["head"]),
        )

    def perform(self, effect: Effect, *, run: str, hold: Hold = unfenced, head: str = "") -> None:
        """See ``Endpoint.perform``; each effect is one call of the engine."""
        hold(CALL_SECONDS)
        match effect:
            case CreateEndpoint():
                self._create(head)
            case PutDeployment(role, name):
                self._put(role, name, run, head)
            case ScaleDeployment(name, instances):
                body: Json = {"instances": instances, "run": run, "head": head}
                self._order("PATCH", f"/v1/deployments/{name}", body)
            case SetSplit(traffic, mirror):
                body = {"traffic": dict(traffic), "mirror": dict(mirror), "head": head}
                self._order("PUT", "/v1/endpoint/split", body)
            case DeleteDeployment(name):
                if self._folder.is_used:
                    self._order("DELETE", f"/v1/deployments/{name}", {"head": head})
            case _:
                assert_never(effect)

    def preflight(self) -> tuple[Finding, ...]:
        """See ``Endpoint.preflight``."""
        return preflight(self._plan, self._options, self._folder, probe=self._probe_baseline)

    def diagnose(self) -> tuple[Sign, ...]:
        """See ``Doctor.diagnose``."""
        return signs(self.preflight())

    def probe(self, body: bytes, *, deployment: str | None, timeout: float) -> Answer:
        """See ``Endpoint.probe``."""
        uri = self._uri()
        headers = {
            "Authorization": f"Bearer {self.key_value()}",
            "Content-Type": "application/json",
        }
        if deployment is not None:
            headers[DEPLOYMENT_HEADER] = deployment
        address = urlsplit(uri)
        connection = http.client.HTTPConnection(address.netloc, timeout=timeout)
        began = self._clock.monotonic()
        try:
            connection.request("POST", address.path, body, headers)
            answer = connection.getresponse()
            content = answer.read(_BODY_BYTES)
            while answer.read(_BODY_BYTES):
                pass
        except (OSError, http.client.HTTPException) as error:
            seconds = self._clock.monotonic() - began
            return Answer(0, seconds, error=f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        seconds = self._clock.monotonic() - began
        return Answer(
            answer.status,
            seconds,
            answer.getheader(DEPLOYMENT_HEADER),
            content,
            content_type=answer.getheader("Content-Type") or "",
        )

    def logs(self, deployment: str, *, tail: int) -> str:
        """See ``Endpoint.logs``; of a deployment that was deleted, what it left.

        Who drives a run gets what was said since the deployment was last created or changed: what
        an earlier run's servers of that name said is none of its business.
        """
        desired = read_json(self._folder.desired)
        if desired is None:
            raise self._absent()
        path = self._folder.log(deployment)
        older = path.with_name(f"{path.name}.1")
        there = sorted(cast("Json", desired["deployments"]))
        if deployment not in there and not path.exists() and not older.exists():
            raise EndpointRefused(
                f"There is no deployment '{deployment}' on '{self._plan.endpoint.name}' "
                f"(there: {', '.join(there) or 'none'}).",
                do=f"Name one: rollout logs NAME {self._file()}",
            )
        most = tail * _LOG_BYTES_A_LINE
        said = [*_lines(older, most), *_lines(path, most)]
        lines = chapters.newest(said) if self._start else said
        return "\n".join(lines[-tail:]) if tail > 0 else ""

    def cursor(self) -> str:
        """See ``Endpoint.cursor``."""
        return str(access_log.now(self._folder.access_log, self._now()))

    def read(
        self, cursor: str, *, mirrored: bool, histogram: bool, answers: bool = False
    ) -> Reading:
        """See ``Endpoint.read``."""
        before = Cursor.parse(cursor)
        if answers:
            self._wish_for_answers()
        moment = max(self._now(), before.until)
        names = (self._plan.baseline.name, self._plan.candidate.name)
        found = self._log.read(
            before,
            arms_of(*names, mirrored=mirrored),
            Asked(histogram=histogram, answers=answers, pairs=answers and mirrored),
            moment=moment,
        )
        interval = Interval(before.until, moment, found.arms)
        lost = "the access log of that time was removed" if found.lost else ""
        return Reading(str(found.cursor), interval, found.said, found.pairs, lost)

    def history(self, *, seconds: float, batch: float) -> tuple[Arm, ...]:
        """See ``Endpoint.history``."""
        return past.batches(
            self._folder.access_log,
            self._plan.baseline.name,
            moment=self._now(),
            seconds=seconds,
            batch=batch,
        )

    def destroy(self) -> None:
        """See ``Endpoint.destroy``."""
        if self._folder.path.exists():
            self._client.stop("down")
            shutil.rmtree(sockets_of(self._folder.path), ignore_errors=True)
            shutil.rmtree(self._folder.path, ignore_errors=True)

    def close(self) -> None:
        """See ``Endpoint.close``."""
        # Every call has a connection of its own, so there is nothing to let go of.

    def _wish_for_answers(self) -> None:
        """See that answers are kept from about now on.

        An engine that is away is none of a reading's business: the next one asks again.
        """
        now = self._clock.monotonic()
        if now - self._wished_at < RENEW_SECONDS or not self._folder.is_used:
            return
        body: Json = {"seconds": LONGEST_SECONDS}
        if self._client.call_if_up("PUT", "/v1/endpoint/capture", body) is not None:
            self._wished_at = now

    def _create(self, head: str) -> None:
        if self._folder.is_used:
            return
        body: Json = {
            "name": self._plan.endpoint.name,
            "port": self._options.port,
            "auth_mode": read_auth_mode(self._plan.endpoint.file),
            "head": head,
        }
        try:
            self._tell("PUT", "/v1/endpoint", body)
        except EndpointRefused:
            with contextlib.suppress(EndpointAway):
                self.destroy()
            raise

    def _put(self, role: str, name: str, run: str, head: str) -> None:
        specification = self._specification(role)
        body: Json = {
            "specification": specification.to_json(),
            "digest": self._digest_of(specification),
            "run": run,
            "head": head,
        }
        self._order("PUT", f"/v1/deployments/{name}", body)

    def _order(self, method: str, path: str, body: Json) -> None:
        if not self._folder.is_used:
            raise self._absent()
        self._tell(method, path, body)

    def _tell(self, method: str, path: str, body: Json) -> None:
        """Give the engine an order; it does not know our plan's file, which its noes may name."""
        try:
            self._client.call(method, path, body)
        except EndpointRefused as error:
            do = error.do.replace(f" {PLAN}", f" {self._file()}")
            raise EndpointRefused(error.what, do=do) from error

    def _specification(self, role: str) -> Specification:
        ref = self._plan.deployment(role)
        if ref.file is None:
            raise EndpointRefused(
                f"The plan has no file for {role} '{ref.name}'.",
                do=f"Add {role}.file, Azure ML's own deployment YAML.",
            )
        return self._options.applied(read_deployment(ref.file, ref.overrides), ref.name)

    def _digest_of(self, specification: Specification) -> str:
        signature = snapshot.signature_of(specification)
        if signature not in self._digests:
            self._digests[signature] = snapshot.digest_of(specification)
        return self._digests[signature]

    def _probe_baseline(self, body: bytes) -> Answer | None:
        """The baseline's answer; None: it does not serve."""
        seen = self.observe()
        baseline = seen.deployments.get(self._plan.baseline.name)
        if baseline is None or not baseline.ready:
            return None
        return self.probe(body, deployment=self._plan.baseline.name, timeout=_PROBE_SECONDS)

    def _now(self) -> float:
        return round(self._clock.now(), 6)  # as a cursor writes it

    def _uri(self) -> str:
        uri = self.scoring_uri
        if uri is None:
            raise self._absent()
        return uri

    def _absent(self) -> EndpointRefused:
        return EndpointRefused(
            f"The local endpoint '{self._plan.endpoint.name}' does not exist.",
            do=f"Create it: rollout apply {self._file()}, or rollout local up {self._file()}",
        )

    def _file(self) -> str:
        return shlex.quote(self._plan.file or PLAN)  # as a command is typed


def _seen(data: Json) -> DeploymentSeen:
    condition = Condition(data["condition"])
    return DeploymentSeen(
        condition=condition,
        instances=cast(int, data["instances"]),
        ready=cast(int, data["ready"]),
        run=str(data["run"]),
        digest=str(data["digest"]),
        error=str(data["error"]),
        removable=condition is Condition.CREATING,
    )


def _lines(path: Path, most: int) -> list[str]:
    return tail(path, most=most).splitlines()
