"""Answers of deployments as values: what was said, and where two answers to one request differ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """One deployment's answer to one request.

    Args:
        status: HTTP status; 0: there was no answer.
        body: Its first bytes.
        content_type: As the answer's header has it, in lower case; empty: none.
        whole: Whether ``body`` is all of it.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a candidate's answer differs from the baseline's.

    Args:
        path: Where: ``$[*].score`` (positions of a list as ``[*]``), ``$``, or ``status``.
        kind: ``value``, ``type``, ``missing``, ``added``, ``length``, ``not_finite``, ``status``,
            ``content_type`` or ``body``.
        baseline, candidate: What stands there, shortened; empty: nothing.
    """

    path: str
    kind: str
    baseline: str = ""
    candidate: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """Two answers to one request that differ, kept to be looked at.

    Args:
        difference: Where and how.
        baseline, candidate: Both answers as text, shortened.
    """

    difference: Difference
    baseline: str
    candidate: str


@dataclass(frozen=True, slots=True)
class CompareRule:
    """How the values at one path of an answer are compared.

    Args:
        path: Such as ``$.scores[*]``; a rule speaks for everything below its path, the most
            specific one counts.
        rel_tolerance, abs_tolerance: Numbers agree within either: of the larger one, or absolute.
        ignore: Nothing at this path is looked at.
        unordered: A list is compared as a multiset: its order means nothing.
    """

    path: str
    rel_tolerance: float = 0.0
    abs_tolerance: float = 0.0
    ignore: bool = False
    unordered: bool = False
