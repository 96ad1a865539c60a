"""Journals as lines of text, to be moved from one store to another with every byte kept.

A header tells the format and what follows; then each record is a line. Leases stay behind: they are
about processes that look at the old store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rollout.domain.errors import StoreError
from rollout.ports.clock import Clock
from rollout.ports.store import Record, Store
from rollout.runtime.chain import chained, digest_of, start_of
from rollout.runtime.journal import read_entry
from rollout.runtime.lease import Owner, acquire

FORMAT = 1
_KIND = "journal"
_FORGOTTEN = b'{"v":1,"prev":""}'  # in a place whose entry was forgotten before the move

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
    rest = iter(lines)
    told = _header(next(rest, ""))
    found: dict[str, list[Record]] = {name: [] for name in told}
    for number, line in enumerate(rest, start=2):
        try:
            data = json.loads(line)
            record = Record(int(data["seq"]), str(data["run"]), data["body"].encode())
            found[data["stream"]].append(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(f"Line {number} is not a record of a journal: {error!r}.") from error
    for name, records in found.items():
        whole = tuple(chained(records, name))
        if (len(whole), whole and digest_of(whole[-1])) != told[name]:
            raise _broken(f"Entries of {name} are missing in the file.")
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
            finally:
                lease.release()
    return {name: len(records) for name, records in lacking.items()}


def _lacking(store: Store, stream: str, records: Sequence[Record]) -> tuple[Record, ...]:
    """The records that follow what the store has; what both have of the stream must be the same."""
    for each in records:
        read_entry(each)  # of no newer version, and whole
    known = {each.seq: each for each in records}
    begin, end = start_of(records)[0], max(known, default=-1)
    held = store.read(stream)
    both = [each for each in held if begin <= each.seq <= end]
    foreign = [each.seq for each in both if known.get(each.seq) != each]
    if not both and held and held[-1].seq > end:  # what could be compared was forgotten there
        foreign = [held[0].seq]
    if foreign:
        raise StoreError(
            f"This store has another journal of {stream}, different from entry {foreign[0]} on.",
            do="Nothing was written. Import into an empty store: --state URL",
        )
    after = held[-1].seq if held else -1
    return tuple(each for each in records if each.seq > after)


def _add(store: Store, stream: str, records: Sequence[Record], lacking: Sequence[Record]) -> None:
    begin, _ = start_of(records)
    held = store.last(stream)
    for seq in range(held.seq + 1 if held else 0, begin):
        store.append(stream, Record(seq, records[-1].run, _FORGOTTEN))
    for each in lacking:
        store.append(stream, each)
    if begin:
        store.drop(stream, begin)


def _header(line: str) -> dict[str, tuple[int, str]]:
    """How many entries of each stream follow, and the digest of its last."""
    try:
        head: dict[str, Any] = json.loads(line)
        kind, version = head["rollout"], int(head["format"])
        streams = head["streams"]
        if kind != _KIND:
            raise ValueError(f"it says {kind}")
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(f"The file does not begin as an exported journal does: {error!r}.") from error
    if version > FORMAT:
        raise StoreError(
            f"The file was written by a newer rollout (its format is {version}, this one knows up "
            f"to {FORMAT}).",
            do="Upgrade this one: pip install --upgrade rollout. Nothing was written.",
        )
    return {name: (int(each["entries"]), str(each["head"])) for name, each in streams.items()}


def _broken(what: str) -> StoreError:
    return StoreError(what, do="Export it again: rollout state export --out FILE")


def _line(data: Mapping[str, object]) -> str:
    # A build agent takes "##" in what is printed for an order; JSON can spell it otherwise.
    return json.dumps(data, separators=(",", ":")).replace("##", r"#\u0023")
