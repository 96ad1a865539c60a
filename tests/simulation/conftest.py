"""What holds in every simulation: the journal goes on with what a reader of its bytes would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rollout.runtime.journal import Journal, read_entry

if TYPE_CHECKING:
    from rollout.domain.events import Event
    from rollout.domain.run import Run
    from rollout.ports.store import Record, Store


class Kept:
    """A journal's store that keeps the record that was appended last: no call is added to the story."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.record: Record | None = None

    def append(self, stream: str, record: Record) -> None:
        self._store.append(stream, record)
        self.record = record

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.fixture(autouse=True)
def remembered_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Journal._append

    def compared(journal: Journal, event: Event, epoch: int) -> Run:
        store = journal._store
        kept = Kept(store)
        journal._store = kept  # type: ignore[assignment]
        try:
            state = append(journal, event, epoch)
        finally:
            journal._store = store
        assert kept.record is not None
        found = read_entry(kept.record)
        assert found == journal.last
        assert repr(found) == repr(journal.last)  # an int where a float belongs, a list for a tuple
        return state

    monkeypatch.setattr(Journal, "_append", compared)
