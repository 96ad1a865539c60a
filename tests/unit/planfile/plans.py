"""Small plans for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollout.domain.diagnostics import Diagnostic
from rollout.domain.plan import Plan
from rollout.planfile.load import examine
from rollout.planfile.provider import ProviderCheck

REPOSITORY = Path(__file__).resolve().parents[3]
VALID = REPOSITORY / "tests" / "plans" / "valid"
INVALID = REPOSITORY / "tests" / "plans" / "invalid"

HEAD = """\
apiVersion: rollout/v1
kind: Rollout
name: small
endpoint: {provider: local, name: my-endpoint}
baseline: {deployment: blue}
candidate: {deployment: green}
"""
STAGES = "stages: [{shift: 100%}]\n"
SMALL = HEAD + STAGES


def sample_plans() -> list[Path]:
    """Every valid plan."""
    return sorted([*VALID.glob("[!.]*.yaml"), *VALID.glob("[!.]*.json")])


def look(
    folder: Path,
    text: str | bytes,
    *,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    provider: ProviderCheck | None = None,
    name: str = "plan.yaml",
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """What becomes of ``text`` as a plan file in ``folder``."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return examine(
        file,
        variables=variables or {},
        environment=environment or {},
        providers=None if provider is None else lambda *_: provider,
    )


def plan_of(folder: Path, text: str, **inputs: Mapping[str, str]) -> Plan:
    """The plan that ``text`` is."""
    plan, findings = look(folder, text, **inputs)
    assert plan is not None, [str(each) for each in findings]
    return plan


def told(findings: tuple[Diagnostic, ...]) -> list[str]:
    """The findings as ``line:column path: what do``."""
    return [
        f"{each.place.line}:{each.place.column} {each.path}: {each.what} {each.do}"
        for each in findings
    ]
