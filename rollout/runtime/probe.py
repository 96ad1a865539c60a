"""Requests of our own: is the answer what the plan expects?"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rollout.domain.events import RollbackProbed, SmokeTested
from rollout.domain.plan import Expect, Smoke
from rollout.domain.units import spell_duration
from rollout.ports.endpoint import Answer, Beat, Endpoint

TIMEOUT = 10.0  # seconds for one answer where the plan sets no limit
VERIFY = 10  # requests that show a rollback to be real
SHOWN = 200  # characters of a bad answer

_TYPES: dict[str, type | tuple[type, ...]] = {
    "number": (int, float),
    "integer": int,
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")


def smoke(
    endpoint: Endpoint, work: Smoke, name: str, bodies: Sequence[bytes], beat: Beat
) -> SmokeTested:
    """Send ``work.count`` requests to the deployment ``name``; each must be answered as expected."""
    if not bodies:
        return SmokeTested(ok=False, text="the plan has no requests to send")
    slowest = 0.0
    for at in range(work.count):
        beat()
        answer = endpoint.probe(
            bodies[at % len(bodies)], deployment=name, timeout=work.expect.latency_max or TIMEOUT
        )
        wrong = judge_answer(answer, work.expect, {name})
        if wrong:
            return SmokeTested(ok=False, text=f"request {at + 1} of {work.count}: {wrong}")
        slowest = max(slowest, answer.seconds)
    text = f"{work.count} of {work.count}, slowest {spell_duration(slowest)}"
    return SmokeTested(ok=True, text=text)


def verify(
    endpoint: Endpoint, serving: set[str], bodies: Sequence[bytes], beat: Beat
) -> RollbackProbed:
    """Ask the endpoint as a client would: only deployments of the restored split may answer.

    A baseline that fails some requests of its own is no failed rollback; one that fails most is.
    """
    bad: list[str] = []
    for at in range(VERIFY):
        beat()
        answer = endpoint.probe(bodies[at % len(bodies)], deployment=None, timeout=TIMEOUT)
        wrong = judge_answer(answer, Expect(), serving)
        if wrong and answer.deployment not in serving | {None}:
            return RollbackProbed(ok=False, text=wrong)
        if wrong:
            bad.append(wrong)
    text = f"smoke on the endpoint: {VERIFY - len(bad)} of {VERIFY}"
    return RollbackProbed(ok=len(bad) < VERIFY / 2, text=f"{text}; {bad[0]}" if bad else text)


def judge_answer(answer: Answer, expect: Expect, serving: set[str]) -> str:
    """What is wrong with an answer; empty if nothing is."""
    if answer.status == 0:
        return f"no answer: {answer.error}"
    if answer.status != expect.status:
        return f"status {answer.status}, expected {expect.status}: {_shown(answer.body)}"
    if answer.deployment is not None and answer.deployment not in serving:
        return f"answered by {answer.deployment}, not by {' or '.join(sorted(serving))}"
    if expect.latency_max is not None and answer.seconds > expect.latency_max:
        took, limit = spell_duration(answer.seconds), spell_duration(expect.latency_max)
        return f"took {took}, at most {limit} expected"
    return _wrong_json(answer.body, expect) if expect.json_path else ""


def _wrong_json(body: bytes, expect: Expect) -> str:
    try:
        value = find(json.loads(body), expect.json_path or "$")
    except ValueError:
        return f"the answer is not JSON: {_shown(body)}"
    except LookupError:
        return f"the answer has nothing at {expect.json_path}: {_shown(body)}"
    kind = expect.json_type
    fits = kind is None or isinstance(value, _TYPES[kind])
    if kind in ("number", "integer") and isinstance(value, bool):
        fits = False
    return "" if fits else f"{expect.json_path} is no {kind}: {_shown(body)}"


def find(value: object, path: str) -> object:
    """The value at a path such as ``$[0].price``.

    Raises:
        LookupError: there is none.

    >>> find({"a": [1, 2]}, "$.a[1]")
    2
    """
    for name, index in _STEP.findall(path):
        if name:
            if not isinstance(value, dict):
                raise LookupError(path)
            value = value[name]
        else:
            if not isinstance(value, list):
                raise LookupError(path)
            value = value[int(index)]
    return value


def _shown(body: bytes) -> str:
    text = body[: SHOWN + 1].decode("utf-8", "replace")
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")
