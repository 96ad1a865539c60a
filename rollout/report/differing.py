"""Differing answers as rows: the most frequent way first, with both answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.domain.run import Run
from rollout.report import words
from rollout.report.rows import Ink, Piece, Row, row

if TYPE_CHECKING:
    from rollout.runtime.differing import Diff, Group

WIDE = 200  # characters of an answer


def diff_rows(run: Run, differed: Diff) -> tuple[Row, ...]:
    """The page.

    Args:
        run: The run.
        differed: How its answers differed.
    """
    if not differed.compared and not differed.groups:
        return (
            row(f"No answers were compared in {run.id}: no gate of {run.plan} has a"),
            row("response_agreement check that saw any. All of it: rollout show"),
        )
    share = differed.differing / differed.compared if differed.compared else 0.0
    head = (
        f"{differed.differing:,} of {words.plural(differed.compared, 'pair')} of answers differ "
        f"({share * 100:.3g} %)"
    )
    rows: list[Row] = [row(Piece(head, Ink.STRONG))]
    for group in differed.groups:
        rows += _group(run, group)
    return tuple(rows)


def _group(run: Run, group: Group) -> list[Row]:
    kind = group.kind.replace("_", " ") or "no example kept"
    count = words.plural(group.pairs, "pair") if group.pairs else "seen"
    where = f", in {', '.join(group.stages)}" if group.stages else ""
    rows = [(), row(Piece(f"{group.path}  {kind}", Ink.WARN), f"  {count}{where}")]
    if group.example is None:
        return rows
    found = group.example.difference
    rows.append(row(f"  {run.baseline}  ", Piece(found.baseline or "nothing", Ink.ACTIVE)))
    rows.append(row(f"  {run.candidate}  ", Piece(found.candidate or "nothing", Ink.BAD)))
    for name, text in (
        (run.baseline, group.example.baseline),
        (run.candidate, group.example.candidate),
    ):
        shown = text if len(text) <= WIDE else f"{text[: WIDE - 3]}..."
        rows.append(row(Piece(f"    {name} answered {shown}", Ink.DIM)))
    return rows
