"""What somebody changed by hand, as the lines of a diff: ``-`` as a run left it, ``+`` as it is."""

from __future__ import annotations

from rollout.domain.run import Drift, Phase, Run, Split, Why
from rollout.report.rows import Ink, Piece, Row, row


def drift_of(run: Run) -> Drift | None:
    """The difference that holds the run; None: another reason holds it, or none does."""
    cause = run.cause
    held = run.phase is Phase.HELD and cause is not None and cause.why is Why.DRIFT
    return cause.drift if held and cause is not None else None


def drift_rows(drift: Drift | None, indent: str = "    ") -> tuple[Row, ...]:
    """The difference; nothing where there is none."""
    if drift is None:
        return ()
    lines: list[tuple[str, Ink]] = []
    if drift.expected is not None:
        lines.append((f"- {drift.expected}", Ink.BAD))
    if drift.found is not None:
        lines.append((f"+ {drift.found}", Ink.GOOD))
    lines += [(f"- {name} (deployment)", Ink.BAD) for name in drift.missing]
    lines += [(f"~ {name} (another specification)", Ink.WARN) for name in drift.changed]
    return tuple(row(indent, Piece(text, ink)) for text, ink in lines)


def drift_data(drift: Drift | None) -> dict[str, object] | None:
    """The difference as plain data."""
    if drift is None:
        return None
    return {
        "expected": _sides(drift.expected),
        "found": _sides(drift.found),
        "missing": list(drift.missing),
        "changed": list(drift.changed),
    }


def _sides(split: Split | None) -> dict[str, object] | None:
    if split is None:
        return None
    return {"traffic": dict(split.traffic), "mirror": dict(split.mirror)}
