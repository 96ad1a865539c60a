"""Journals as lines of text, to be moved from one store to another with every byte kept.

A header tells the format and what follows; then each record is a line. Leases stay behind: they are
about processes that look at the old store.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rollout.domain.errors import StoreError
from rollout.ports.clock import Clock
from rollout.ports.store import Conflict, Record, Store
from rollout.runtime.chain import chained, digest_of, start_of
from rollout.runtime.journal import read_entry
from rollout.runtime.lease import Owner, acquire

FORMAT = 1
_KIND = "journal"
_FORGOTTEN = b'{"v":1,"prev":""}'  # in a place whose entry was forgotten before the move

MOST = 10**12  # records of a stream; names of objects have no room for more
_WORDS: Mapping[type, str] = {dict: "mapping", int: "whole number", str: "text"}

T = TypeVar("T")
Streams = Mapping[str, tuple[Record, ...]]


def exported(store: Store, streams: Iterable[str]) -> Iterator[str]:
    """The lines that tell all of some streams, without line ends.

    Raises:
        StoreError: an entry was edited, taken out or put in since it was written.
    """
    told, ends = {}, {}
    for name in streams:
        if records := tuple(chained(store.read(name), name)):
            told[name] = {"entries": len(records), "head": digest_of(records[-1])}
            ends[name] = records[-1].seq
    yield _line({"rollout": _KIND, "format": FORMAT, "streams": told})
    for name, end in ends.items():  # read once more: all of a store at once may be too much
        for each in chained(store.read(name), name):
            if each.seq <= end:  # what came since is not in the header
                text = each.body.decode("utf-8")
                yield _line({"stream": name, "seq": each.seq, "run": each.run, "body": text})


def parsed(lines: Iterable[str]) -> Streams:
    """The records in such lines, each stream whole and its hash chain checked.

    Raises:
        StoreError: the lines are not what ``exported`` made, or not all of it.
    """
    rest = _read(lines)
    told = _header(next(rest, ""))
    found: dict[str, list[Record]] = {name: [] for name in told}
    for number, line in enumerate(rest, start=2):
        with _clear(f"Line {number} is not a record of a journal"):
            name, record = _record(_typed(dict, json.loads(line), "the line"))
            if name not in found:
                raise ValueError("line 1 does not tell of its stream")
            found[name].append(record)
    for name, records in found.items():
        with _clear(f"The journal of {name} in the file is not readable"):
            whole = tuple(chained(records, name))
        ending = (len(whole), whole and digest_of(whole[-1]))
        # Nothing that was forgotten is exported, so the chain goes through all of them.
        if len(whole) != len(records) or ending != told[name]:
            raise _broken(f"Entries of {name} are missing in the file, or too many.")
    return {name: tuple(records) for name, records in found.items()}


def absorb(store: Store, streams: Streams, owner: Owner, clock: Clock) -> dict[str, int]:
    """Add to a store what it lacks of some streams; what it has already is left as it is.

    Args:
        store: Where to.
        streams: From ``parsed``.
        owner: Who holds the leases meanwhile.
        clock: For the leases.

    Returns:
        How many entries were added to each stream.

    Raises:
        StoreError: the store has other entries there. Nothing was written.
        NewerJournal: a newer version wrote the file. Nothing was written.
        Locked: somebody drives one of the endpoints. Streams before it were added.
    """
    lacking = {name: _lacking(store, name, records) for name, records in streams.items()}
    for name, records in lacking.items():
        if records or start_of(streams[name])[0]:
            lease = acquire(store, name, owner, clock, patience=0.0)
            try:
                _add(store, name, streams[name], _lacking(store, name, streams[name]))
            except Conflict as error:  # a person's order, for which nobody needs the lease
                raise StoreError(
                    f"Somebody wrote into the journal of {name} meanwhile.",
                    do="Look: rollout state list. Then import the file again.",
                ) from error
            finally:
                lease.release()
    return {name: len(records) for name, records in lacking.items()}


def _lacking(store: Store, stream: str, records: Sequence[Record]) -> tuple[Record, ...]:
    """The records that follow what the store has; what both have of the stream must be the same."""
    for each in records:
        with _clear(f"Entry {each.seq} of {stream} in the file is not readable"):
            if not math.isfinite(at := read_entry(each).at):
                raise ValueError(f"at is no time: {at}")
    known = {each.seq: each for each in records}
    begin, previous = start_of(records)
    end = max(known, default=-1)
    try:
        held = store.read(stream)
    except UnicodeEncodeError as error:  # half a character, as in a folder whose name is no UTF-8
        raise StoreError(
            f"This store cannot keep the name of {stream}.",
            do="Nothing was written. Import into a store of another kind: --state URL",
        ) from error
    both = [each for each in held if begin <= each.seq <= end]
    foreign = [each.seq for each in both if known.get(each.seq) != each]
    do = "Nothing was written. Import into an empty store: --state URL"
    if foreign:
        raise StoreError(
            f"This store has another journal of {stream}, different from entry {foreign[0]} on.",
            do=do,
        )
    if held and not both and not _leads_to(held[-1], begin, previous):
        raise StoreError(
            f"What this store has of {stream} and what the file has are not the same entries, so "
            "they cannot be compared: one may be another journal.",
            do=do,
        )
    after = held[-1].seq if held else -1
    return tuple(each for each in records if each.seq > after)


def _leads_to(last: Record, begin: int, previous: str) -> bool:
    """Whether a store's last record stands right before an import: it is named there, or its own."""
    named = last.seq == begin - 1 and digest_of(last) == previous
    return named or (last.seq < begin and last.body == _FORGOTTEN)


def _add(store: Store, stream: str, records: Sequence[Record], lacking: Sequence[Record]) -> None:
    begin, _ = start_of(records)
    held = store.last(stream)
    for seq in range(held.seq + 1 if held else 0, begin):
        store.append(stream, Record(seq, records[-1].run, _FORGOTTEN))
    for each in lacking:
        store.append(stream, each)
    if begin:
        store.drop(stream, begin)


def _read(lines: Iterable[str]) -> Iterator[str]:
    """The lines; a file is decoded while it is read, so what is no text in it shows only here."""
    number, rest = 0, iter(lines)
    while True:
        try:
            line = next(rest, None)
        except UnicodeDecodeError as error:
            place = f", somewhere behind line {number}" if number else ""
            raise _broken(f"The file is no UTF-8 text{place}.") from error
        except OSError as error:
            raise _broken(f"The file cannot be read: {error.strerror}.") from error
        if line is None:
            return
        number += 1
        yield line


def _header(line: str) -> dict[str, tuple[int, str]]:
    """How many entries of each stream follow, and the digest of its last."""
    with _clear("The file does not begin as an exported journal does"):
        head = _typed(dict, json.loads(line), "the line")
        kind, version = head["rollout"], _typed(int, head["format"], "format")
        if kind != _KIND:
            raise ValueError(f"it says {kind}")
    if version > FORMAT:
        raise StoreError(
            f"The file was written by a newer rollout (its format is {version}, this one knows up "
            f"to {FORMAT}).",
            do="Upgrade this one: pip install --upgrade rollout. Nothing was written.",
        )
    with _clear("Line 1 does not tell what the file holds"):
        streams = _typed(dict, head["streams"], "streams")
        return {name: _ending(each) for name, each in streams.items()}


def _record(data: Mapping[str, object]) -> tuple[str, Record]:
    """A record, and the stream that it is of."""
    seq, run = _typed(int, data["seq"], "seq"), _typed(str, data["run"], "run")
    if seq >= MOST:
        raise ValueError(f"no store has a place {seq}")
    run.encode()  # our own names of runs have no half characters
    body = _typed(str, data["body"], "body").encode()
    return _typed(str, data["stream"], "stream"), Record(seq, run, body)


def _ending(told: object) -> tuple[int, str]:
    held = _typed(dict, told, "a stream")
    return _typed(int, held["entries"], "entries"), _typed(str, held["head"], "head")


def _typed(kind: type[T], value: object, what: str) -> T:
    """The value, if it is of its type; to JSON True is no number."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{what} is no {_WORDS[kind]}")
    return value


@contextmanager
def _clear(what: str) -> Iterator[None]:
    """Whatever goes wrong with what the file says is told with its place."""
    try:
        yield
    except RecursionError as error:
        raise _broken(f"{what}: it is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise _broken(f"{what}: it is no JSON ({error.msg}).") from error
    except KeyError as error:
        raise _broken(f"{what}: it lacks {error}.") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _broken(f"{what}: {error}.") from error


def _broken(what: str) -> StoreError:
    return StoreError(
        what, do="Export it again where it came from: rollout state export --state URL --out FILE"
    )


def _line(data: Mapping[str, object]) -> str:
    # A build agent takes "##" in what is printed for an order; JSON can spell it otherwise.
    return json.dumps(data, separators=(",", ":")).replace("##", r"#\u0023")
