"""Findings as lines of text, as data, as annotations of a GitHub run, and as SARIF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from urllib.parse import quote

from rollout.domain.diagnostics import Diagnostic
from rollout.planfile.wording import printable

RULE = "plan-invalid"
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = _IN_MESSAGE | {":": "%3A", ",": "%2C"}

Json = dict[str, object]


def as_lines(findings: Iterable[Diagnostic]) -> list[str]:
    """One line each: ``file:line:column: path: what do``, safe to print into a CI log."""
    lines = [printable(str(each)) for each in findings]
    return [f" {line}" if line.startswith("::") else line for line in lines]


def as_data(findings: Iterable[Diagnostic]) -> list[Json]:
    """One mapping each, for ``-o json``; as safe to print as the lines."""
    return [
        {
            "file": each.place.file,
            "line": each.place.line,
            "column": each.place.column,
            "path": printable(each.path),
            "what": printable(each.what),
            "do": printable(each.do),
        }
        for each in findings
    ]


def as_annotations(findings: Iterable[Diagnostic]) -> list[str]:
    """One ``::error`` command each, which GitHub shows beside the line of the file."""
    lines = []
    for each in findings:
        file = _escaped(each.place.file, _IN_PROPERTY)
        where = f"file={file},line={each.place.line},col={each.place.column}"
        lines.append(f"::error {where}::{_escaped(_message(each), _IN_MESSAGE)}")
    return lines


def as_sarif(findings: Iterable[Diagnostic], *, version: str) -> Json:
    """A SARIF 2.1.0 log.

    Args:
        findings: May be empty: then the log says that nothing was found.
        version: Of the program.
    """
    rule = {"id": RULE, "shortDescription": {"text": "The plan cannot be carried out as written."}}
    driver = {"name": "rollout", "version": version, "rules": [rule]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each) for each in findings],
    }
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}


def _result(finding: Diagnostic) -> Json:
    place = finding.place
    physical = {
        "artifactLocation": {"uri": _uri(place.file)},
        "region": {"startLine": place.line, "startColumn": place.column},
    }
    return {
        "ruleId": RULE,
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": physical}],
    }


def _message(finding: Diagnostic) -> str:
    return printable(f"{finding.path}: {finding.what} {finding.do}")


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _escaped(text: str, table: dict[str, str]) -> str:
    """As GitHub's own toolkit escapes the parts of a workflow command."""
    return "".join(table.get(each, each) for each in text)
