"""Faults on request: which calls go wrong, how, and how often."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace

from rollout.domain.errors import UsageError
from rollout.emulator.wire import Asked, Json, Refusal

STATUS, FAIL, STUCK, LOST, STALE, QUOTA, SLOW = (
    "status", "fail", "stuck", "lost", "stale", "quota", "slow",
)  # fmt: skip
KINDS = (STATUS, FAIL, STUCK, LOST, STALE, QUOTA, SLOW)

_STATUSES = range(400, 600)
_CODES = {401: "AuthenticationFailed", 403: "AuthorizationFailed", 404: "NotFound"} | {
    409: "Conflict", 429: "TooManyRequests", 500: "InternalServerError", 503: "ServiceUnavailable",
}  # fmt: skip
_DEFAULT_ON = {STALE: "endpoint.*", QUOTA: "deployment.put", SLOW: "deployment.put"}
_NO_CODE = {FAIL: "InternalServerError"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        kind: ``status``: refused with ``status``; ``fail``: the operation ends as failed; ``stuck``:
            it never ends; ``lost``: carried out, and the connection closed without an answer;
            ``stale``: the split before the present one is read; ``quota``: there is none left;
            ``slow``: the operation takes ``seconds``.
        on: Name of the operation, with ``*`` for any part; empty: every one.
        method: Only calls with this method; empty: any.
        path: Only calls whose path has this regular expression in it.
        times: How many calls more; None: until it is taken away.
        skip: So many calls pass first.
        retry_after: Seconds, as a header; None: no such header.
        seconds: Of ``slow``; of ``stale``: how long after a change.
        alternate: Of ``stale``: every other read instead of a time.
    """

    kind: str
    on: str = ""
    method: str = ""
    path: str = ""
    times: int | None = 1
    skip: int = 0
    status: int = 503
    code: str = ""
    message: str = "Injected by the emulator."
    retry_after: float | None = None
    seconds: float = 0.0
    alternate: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Fault:
        """A fault as an admin call gives it.

        Raises:
            UsageError: it is none.
        """
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(data) - known)
        kind = str(data.get("kind", ""))
        if kind not in KINDS:
            spelled = ", ".join(KINDS[1:])
            raise UsageError(
                f"{kind!r} is no kind of fault.", do=f"Use a status (400 to 599), {spelled}."
            )
        if unknown:
            raise UsageError(
                f"A fault has no {unknown[0]!r}.", do=f"Use {', '.join(sorted(known))}."
            )
        found = cls(**{"on": _DEFAULT_ON.get(kind, ""), **data})  # type: ignore[arg-type]
        try:
            re.compile(found.path)
        except re.error as error:
            raise UsageError(
                f"{found.path!r} is no regular expression: {error}.", do="Correct the fault's path."
            ) from error
        code = found.code or _NO_CODE.get(kind, "") or _CODES.get(found.status, "Injected")
        return replace(found, code=code)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """A fault as an option gives it.

        >>> Fault.parse("429:on=endpoint.put,times=2,retry_after=1").status
        429

        Raises:
            UsageError: it is none.
        """
        kind, _, rest = text.partition(":")
        data: Json = {"kind": kind}
        if kind.isdigit():
            if int(kind) not in _STATUSES:
                raise UsageError(f"{kind} is no status of a fault.", do="Write 400 to 599.")
            data = {"kind": STATUS, "status": int(kind)}
        for pair in rest.split(",") if rest else ():
            name, sign, value = pair.partition("=")
            if not sign:
                raise UsageError(
                    f"{pair!r} in --fault {text} has no value.", do="Write name=value."
                )
            data[name] = _value(name, value)
        return cls.from_json(data)

    def to_json(self) -> Json:
        """The inverse of ``from_json``."""
        return asdict(self)

    def hits(self, asked: Asked) -> bool:
        """Whether it is about this call."""
        if self.times is not None and self.times <= 0:
            return False
        named = not self.on or any(
            fnmatch.fnmatch(asked.operation, one) for one in self.on.split("|")
        )
        by_method = not self.method or asked.method == self.method.upper()
        return named and by_method and re.search(self.path, asked.path) is not None

    def refusal(self) -> Refusal:
        """What a call gets that is refused."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        return Refusal(self.status, self.code, self.message, headers)


class Faults:
    """All faults that are in force."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def add(self, fault: Fault) -> None:
        """One more."""
        self._faults.append(fault)

    def clear(self) -> None:
        """None any more."""
        self._faults.clear()

    def take(self, kind: str, asked: Asked) -> Fault | None:
        """The fault of a kind that hits this call; it is used up by one."""
        for index, fault in enumerate(self._faults):
            if fault.kind != kind or not fault.hits(asked):
                continue
            if fault.skip > 0:
                self._faults[index] = replace(fault, skip=fault.skip - 1)
                continue
            times = None if fault.times is None else fault.times - 1
            self._faults[index] = replace(fault, times=times, skip=1 if fault.alternate else 0)
            return fault
        return None

    def peek(self, kind: str, asked: Asked) -> Fault | None:
        """The fault of a kind that would hit this call."""
        return next((one for one in self._faults if one.kind == kind and one.hits(asked)), None)

    def listing(self) -> list[Json]:
        """All of them with what is left of each."""
        return [each.to_json() for each in self._faults]


def _value(name: str, text: str) -> object:
    try:
        match name:
            case "times":
                return None if text == "always" else int(text)
            case "skip" | "status":
                return int(text)
            case "retry_after" | "seconds":
                return float(text)
            case "alternate":
                return {"true": True, "false": False}[text]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise UsageError(f"{name}={text} in --fault is no value.", do="Write a number.") from error
