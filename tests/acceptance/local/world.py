"""Real endpoints for tests: small models, plans, clients of our own, and waiting with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import yaml

from rollout.adapters.clock import SystemClock
from rollout.adapters.endpoints.local.endpoint import LocalEndpoint, build
from rollout.domain.endpoint import (
    Condition,
    CreateEndpoint,
    Effect,
    PutDeployment,
    Seen,
    SetSplit,
)
from rollout.domain.plan import DeploymentRef, EndpointRef, Plan

RUN = "run-1"
BODY = b'{"data": [1, 2]}'

MODEL = """
    import json, os, time

    def init():
        global who
        with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "who.txt")) as file:
            who = file.read()

    def run(data, request_headers):
        asked = json.loads(data)
        if asked.get("only", who) == who:
            time.sleep(asked.get("sleep", 0))
            if asked.get("raise"):
                raise RuntimeError("the model was told to fail")
            if asked.get("exit"):
                os._exit(1)
            if asked.get("eat"):
                held.append(b"x" * asked["eat"])
        return {"who": who, "pid": os.getpid(), "headers": request_headers, "env": dict(os.environ)}

    held = []
"""


@dataclass
class World:
    """One endpoint on a temporary home, and the files of its deployments."""

    folder: Path
    name: str = "ep"
    options: dict[str, object] = field(default_factory=dict)
    clock: SystemClock = field(default_factory=SystemClock)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def write(
        self, name: str, script: str = MODEL, *, key: str | None = None, **more: object
    ) -> str:
        """A deployment's folder and its YAML; ``key`` names another version of the files."""
        place = self.folder / (key or name)
        (place / "model").mkdir(parents=True, exist_ok=True)
        (place / "code").mkdir(exist_ok=True)
        (place / "model" / "who.txt").write_text(key or name)
        (place / "code" / "score.py").write_text(dedent(script))
        data = {
            "name": name,
            "endpoint_name": self.name,
            "model": {"path": "./model/"},
            "code_configuration": {"code": "./code", "scoring_script": "score.py"},
            "environment": {"image": "ignored", "conda_file": "ignored.yml"},
            "instance_type": "ignored",
            "instance_count": 1,
            # Whether a busy machine is slow is not what is tested.
            "request_settings": {"request_timeout_ms": 30_000},
            **more,
        }
        file = place / "deployment.yml"
        file.write_text(yaml.safe_dump(data))
        self.files[name] = str(file)
        return str(file)

    def plan(self) -> Plan:
        return Plan(
            name="test",
            endpoint=EndpointRef("local", self.name, options=self.options),
            baseline=DeploymentRef("blue", self.files.get("blue")),
            candidate=DeploymentRef("green", self.files.get("green")),
            stages=(),
            requests=(BODY,),
        )

    def endpoint(self) -> LocalEndpoint:
        return build(self.plan(), home=self.home, clock=self.clock)

    def until(self, reached: Callable[[], bool], seconds: float = 180.0) -> float:
        """Wait for a condition: how long it took. Fails after ``seconds``."""
        began = self.clock.monotonic()
        while not reached():
            took = self.clock.monotonic() - began
            assert took < seconds, f"not reached within {seconds} s"
            self.clock.sleep(0.02)
        return self.clock.monotonic() - began

    def until_seen(
        self, endpoint: LocalEndpoint, reached: Callable[[Seen], bool], seconds: float = 180.0
    ) -> Seen:
        last = [endpoint.observe()]

        def look() -> bool:
            last[0] = endpoint.observe()
            return reached(last[0])

        self.until(look, seconds)
        return last[0]

    def until_ready(self, endpoint: LocalEndpoint, *names: str) -> Seen:
        def ready(seen: Seen) -> bool:
            found = [seen.deployments[name] for name in names]
            failed = [one.error for one in found if one.condition is Condition.FAILED]
            assert not failed, failed
            return all(
                one.condition is Condition.READY and one.ready == one.instances for one in found
            )

        return self.until_seen(endpoint, ready)


def perform(endpoint: LocalEndpoint, *effects: Effect, run: str = RUN) -> None:
    for effect in effects:
        endpoint.perform(effect, run=run)


def bring_up(world: World, *, both: bool = True) -> LocalEndpoint:
    """An endpoint with blue at 100 %, and green at 0 %."""
    endpoint = world.endpoint()
    perform(endpoint, CreateEndpoint(), PutDeployment("baseline", "blue"))
    names = ["blue"]
    if both:
        perform(endpoint, PutDeployment("candidate", "green"))
        names.append("green")
    world.until_ready(endpoint, *names)
    perform(endpoint, SetSplit({"blue": 100}))
    return endpoint


@dataclass(frozen=True)
class Got:
    """One answer, or why there was none (status 0)."""

    status: int
    deployment: str = ""
    body: bytes = b""
    error: str = ""

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


async def send(
    port: int,
    key: str | None,
    body: bytes = BODY,
    headers: dict[str, str] | None = None,
    path: str = "/score",
    timeout: float = 60.0,
) -> Got:
    """One request over one connection, written by hand: independent of what is tested."""
    lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}"]
    lines += ["Connection: close", "Content-Type: application/json"]
    lines += [] if key is None else [f"Authorization: Bearer {key}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    try:
        async with asyncio.timeout(timeout), contextlib.AsyncExitStack() as stack:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            first, *rest = head.decode().strip().split("\r\n")
            pairs = dict(line.lower().split(": ", 1) for line in rest)
            content = await reader.readexactly(int(pairs.get("content-length", 0)))
    except (OSError, EOFError) as error:
        return Got(0, error=repr(error))
    return Got(int(first.split()[1]), pairs.get("azureml-model-deployment", ""), content)


def send_many(port: int, key: str, count: int, *, at_once: int = 8, **more: object) -> list[Got]:
    """``count`` requests, some at a time."""

    async def run() -> list[Got]:
        left = itertools.repeat(None, count)
        got: list[Got] = []

        async def worker() -> None:
            for _ in left:
                answer = await send(port, key, **more)  # type: ignore[arg-type]
                got.append(answer)

        await asyncio.gather(*(worker() for _ in range(at_once)))
        return got

    return asyncio.run(run())


class Traffic:
    """Clients that send at a steady rate from a thread, and remember every answer."""

    def __init__(self, port: int, key: str, rps: float = 80.0, body: bytes = BODY) -> None:
        self._port, self._key, self._gap, self._body = port, key, 1 / rps, body
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.got: list[Got] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def failed(self) -> list[Got]:
        return [one for one in self.got if one.status != 200]

    @property
    def by_deployment(self) -> Counter[str]:
        return Counter(one.deployment for one in self.got)

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._stop.is_set():
            due += self._gap
            await asyncio.sleep(max(0.0, due - loop.time()))
            task = loop.create_task(self._one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self) -> None:
        self.got.append(await send(self._port, self._key, self._body))


def port_of(endpoint: LocalEndpoint) -> int:
    uri = endpoint.scoring_uri
    assert uri is not None
    return int(uri.rpartition(":")[2].partition("/")[0])
