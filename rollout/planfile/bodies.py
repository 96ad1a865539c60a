"""The request bodies that a plan names: files, lines, folders, or written out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rollout.planfile.draft import Draft
from rollout.planfile.files import Kind, kind_of, missing
from rollout.planfile.wording import printable, shown

MAX_BYTES = 64 * 2**20  # all bodies together; they are kept in memory


class _Refused(Exception):
    """A body cannot be taken."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do


def gather(draft: Draft) -> tuple[bytes, ...]:
    """All bodies in the order of the plan; what cannot be read becomes a finding.

    A file is one body, a ``.jsonl`` one a line, a folder one for each of its visible files by
    name. What is written out in the plan becomes JSON.
    """
    given = draft.at("requests")
    if not isinstance(given, str | list):
        return ()
    items = [given] if isinstance(given, str) else given
    bodies: list[bytes] = []
    size = 0
    for at, item in enumerate(items):
        path = ("requests",) if isinstance(given, str) else ("requests", at)
        try:
            for body in _bodies(draft.folder, item):
                size += len(body)
                if size > MAX_BYTES:
                    raise _Refused("the bodies take more than 64 MiB.", "Name fewer of them.")
                bodies.append(body)
        except _Refused as error:
            draft.wrong(path, error.what, error.do)
    return tuple(bodies)


def _bodies(folder: Path, item: object) -> Iterator[bytes]:
    if isinstance(item, dict | list):
        yield json.dumps(item, ensure_ascii=False).encode()
    elif isinstance(item, str) and item:
        yield from _named(folder, item)


def _named(folder: Path, name: str) -> Iterator[bytes]:
    match kind_of(folder / name):
        case Kind.FILE if name.endswith(".jsonl"):
            yield from _lines(folder / name, name)
        case Kind.FILE:
            yield _whole(folder / name, name)
        case Kind.FOLDER:
            yield from _folder(folder / name, name)
        case Kind.OTHER:
            raise _Refused(f"{shown(name)} is neither a file nor a folder.", "Name a file.")
        case Kind.MISSING:
            raise _Refused(*missing(folder, name))


def _folder(folder: Path, name: str) -> Iterator[bytes]:
    inside = sorted(each.name for each in _listed(folder, name) if not each.name.startswith("."))
    files = [each for each in inside if kind_of(folder / each) is Kind.FILE]
    if not files:
        raise _Refused(f"the folder {shown(name)} holds no file.", "Put a request body into it.")
    for each in files:
        yield from _named(folder, each)


def _listed(folder: Path, name: str) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise _unread(name, error) from error


def _whole(path: Path, name: str) -> bytes:
    body = _content(path, name)
    if not body:
        raise _Refused(f"{shown(name)} is empty.", "Write a request body into it.")
    if name.endswith(".json"):
        _parse(body, name)
    return body


def _lines(path: Path, name: str) -> Iterator[bytes]:
    lines = [each.strip() for each in _content(path, name).split(b"\n")]
    if not any(lines):
        raise _Refused(f"{shown(name)} is empty.", "Write a request body on each line.")
    for number, line in enumerate(lines, start=1):
        if line:
            _parse(line, name, before=number - 1)
            yield line


def _content(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unread(name, error) from error


def _unread(name: str, error: OSError) -> _Refused:
    why = printable(error.strerror or "unknown error")
    return _Refused(f"{shown(name)} cannot be read: {why}.", "Give yourself the right to read it.")


def _parse(body: bytes, name: str, *, before: int = 0) -> None:
    """Refuse what is not JSON; ``before``: lines of the file that stand above."""
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        raise _no_json(f"{shown(name)}, line {before + error.lineno},", error.msg) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of too many digits
        raise _no_json(shown(name), str(error)[:100]) from error


def _no_json(where: str, why: str) -> _Refused:
    do = "Correct it, or end its name in something other than .json and .jsonl."
    return _Refused(f"{where} is not JSON: {printable(why)}.", do)
