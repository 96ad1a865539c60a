"""What a plan may say of a local endpoint: its port, its interpreter, its memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rollout.adapters.endpoints.local.specification import Specification
from rollout.domain.errors import EndpointRefused
from rollout.domain.units import parse_size
from rollout.planfile.wording import listed, meant, shown

Finding = tuple[tuple[str | int, ...], str, str]

KNOWN = ("port", "python", "memory")
_STRANGE = f"Remove it, or name the provider that has it; local has {', '.join(KNOWN)}."
_AUTO = "auto"
_PORTS = range(1024, 65536)
_LEAST_MEMORY = 10 * 2**20


class Options(NamedTuple):
    """The options, read.

    Args:
        port: None: the first free one.
        python: Deployment, or "" for all -> interpreter.
        memory: Deployment, or "" for all -> bytes that one scoring server may hold.
    """

    port: int | None = None
    python: Mapping[str, str] = MappingProxyType({})
    memory: Mapping[str, int] = MappingProxyType({})

    def applied(self, specification: Specification, deployment: str) -> Specification:
        """A deployment's specification with what the plan says of it here."""
        return specification._replace(
            python=self.python.get(deployment, self.python.get("")),
            memory=self.memory.get(deployment, self.memory.get("")),
        )


def options_findings(
    options: Mapping[str, object], *, deployments: Collection[str] | None = None
) -> list[Finding]:
    """What is wrong with the options: (path below endpoint, what, do), all at once.

    Args:
        options: As the plan has them.
        deployments: Names that ``python`` and ``memory`` may name; None: any.
    """
    findings = _read(options)[1]
    return findings if deployments is None else [*findings, *_strangers(options, deployments)]


def _strangers(options: Mapping[str, object], known: Collection[str]) -> Iterator[Finding]:
    """Names that are no deployment's: what is said of them would be said of nobody."""
    for option in ("python", "memory"):
        inside = options.get(option)
        for name in map(str, inside) if isinstance(inside, dict) else ():
            if name not in known:
                do = meant(name, known, otherwise=f"Write {listed(known)}.")
                yield (option, name), f"{shown(name)} is no deployment of this plan.", do


def read_options(options: Mapping[str, object]) -> Options:
    """The options of a checked plan.

    Raises:
        EndpointRefused: one of them cannot be.
    """
    found, findings = _read(options)
    if findings:
        path, what, do = findings[0]
        raise EndpointRefused(f"endpoint.{'.'.join(map(str, path))}: {what}", do=do)
    return found


def _read(options: Mapping[str, object]) -> tuple[Options, list[Finding]]:
    findings: list[Finding] = [
        ((name,), f"The provider local has no option {shown(name)}.", _STRANGE)
        for name in options
        if name not in KNOWN
    ]
    port = _port(options.get("port", _AUTO), findings)
    python = {
        name: _python(("python", name), text, findings)
        for name, text in _each(options.get("python")).items()
    }
    memory = {
        name: _memory(("memory", name), size, findings)
        for name, size in _each(options.get("memory")).items()
    }
    return Options(port, python, memory), findings


def _each(value: object) -> dict[str, object]:
    """One value for all deployments, or one a deployment."""
    if value is None:
        return {}
    return (
        {str(name): one for name, one in value.items()} if isinstance(value, dict) else {"": value}
    )


def _port(value: object, findings: list[Finding]) -> int | None:
    if value == _AUTO:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value in _PORTS:
        return value
    do = f"Write auto, or a number from {_PORTS.start} to {_PORTS.stop - 1}."
    findings.append((("port",), f"{shown(value)} cannot be a port.", do))
    return None


def _python(path: tuple[str, str], value: object, findings: list[Finding]) -> str:
    import shutil  # noqa: PLC0415 - for plans that name an interpreter; costs what a check costs

    try:
        found = shutil.which(Path(value).expanduser()) if isinstance(value, str) else None
    except (OSError, ValueError, RuntimeError):  # '~nobody/python', a NUL
        found = None
    if found is None:
        what = f"{shown(value)} is not a program that can be run here."
        findings.append((_place(path), what, "Write the path of a Python interpreter."))
        return ""
    # Not resolved: a virtual environment is found by the path of its link.
    return str(Path(found).absolute())


def _memory(path: tuple[str, str], value: object, findings: list[Finding]) -> int:
    try:
        found = parse_size(str(value))
    except (ValueError, OverflowError) as error:
        findings.append((_place(path), f"{shown(value)}: {error}.", "Write a size like 400MB."))
        return 0
    if found < _LEAST_MEMORY:
        what = f"{shown(value)} is less than any scoring server needs."
        findings.append((_place(path), what, "Write at least 10MB."))
    return found


def _place(path: tuple[str, str]) -> tuple[str | int, ...]:
    return tuple(part for part in path if part)
