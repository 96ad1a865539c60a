"""``state`` and ``force-unlock``: what a store holds, moving it, forgetting, taking a lease away."""

from __future__ import annotations

import json
import tempfile

import pytest

from rollout import api
from rollout.domain import events as e
from rollout.domain.errors import Fenced, NewerJournal
from rollout.ports.store import Record
from rollout.runtime.journal import Journal
from rollout.runtime.lease import Owner, acquire
from rollout.runtime.upcast import VERSION
from rollout.wiring import plugs
from tests.fakes.store import Shelf

STREAM = "fake/churn"
THEM = {"user": "bob", "host": "lab", "pid": 12, "boot": "b"}


@pytest.fixture
def done(scene):
    """A run that has completed."""
    assert scene.call("apply", "plan.yaml", "--auto-approve").code == 0
    return scene


def said(scene, *words):
    told = scene.call(*words, "-o", "json")
    return told.code, json.loads(told.out)


def newer(scene):
    """A newer version wrote the last entry."""
    record = scene.shelf.events[STREAM][-1]
    body = json.dumps({**json.loads(record.body), "v": VERSION + 1})
    scene.shelf.events[STREAM][-1] = Record(record.seq, record.run, body.encode())


def locked(scene, identity=THEM):
    return acquire(scene.store(), STREAM, Owner(identity, lambda _: False), scene.clock, patience=0)


# --- list ---


def test_an_empty_store_says_so(scene):
    told = scene.call("state", "list")

    assert (told.code, told.out) == (0, "")
    assert "rollout apply" in told.err


def test_the_list_tells_each_endpoints_journal(done):
    code, (each,) = said(done, "state", "list")

    assert code == 0
    assert (each["endpoint"], each["runs"], each["outcome"]) == (STREAM, 1, "completed")
    assert each["events"] == len(done.shelf.events[STREAM])
    assert (each["driven_by"], each["readable"]) == (None, True)
    assert STREAM in done.call("state", "list").out


def test_the_list_tells_who_drives(done):
    locked(done)

    assert said(done, "state", "list")[1][0]["driven_by"] == "bob@lab pid 12"


def test_the_list_shows_what_a_newer_version_wrote_as_far_as_it_can(done):
    newer(done)

    told = done.call("state", "list")

    assert told.code == 0
    assert "of a newer rollout" in told.out
    assert "pip install" in told.err


# --- newer versions ---


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "plan.yaml", "--auto-approve"),
        ("abort",),
        ("undo",),
        ("state", "prune", "--older-than", "1s", "--yes"),
        ("force-unlock", "churn", "--yes"),
        ("status",),
        ("history",),
        ("verify",),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_a_newer_version_wrote_is_not_touched(done, words):
    newer(done)
    locked(done)
    before = Shelf({STREAM: list(done.shelf.events[STREAM])}, dict(done.shelf.leases))

    told = done.call(*words)

    assert told.code == 1
    assert "newer rollout" in told.err
    assert "pip install" in told.err
    assert (done.shelf.events, done.shelf.leases) == (before.events, before.leases)


# --- export and import ---


def test_a_journal_moves_to_another_store(done, tmp_path):
    assert done.call("state", "export", "--out", "journal.jsonl").code == 0
    before, done.shelf = done.shelf, Shelf()

    code, told = said(done, "state", "import", "journal.jsonl")

    assert (code, told["outcome"]) == (0, "imported")
    assert told["added"] == {STREAM: len(before.events[STREAM])}
    assert done.shelf.events == before.events
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600
    assert said(done, "verify")[1]["outcome"] == "verified"


def test_an_older_export_of_the_same_journal_adds_nothing(done):
    assert done.call("state", "export", "--out", "journal.jsonl").code == 0
    assert done.call("undo").code == 0
    before = list(done.shelf.events[STREAM])

    told = done.call("state", "import", "journal.jsonl")

    assert told.code == 0
    assert f"{STREAM}: the store has all of it already." in told.err
    assert done.shelf.events[STREAM] == before


def test_one_endpoints_journal_is_exported_by_run_or_name(done):
    every = done.call("state", "export").out

    (run,) = {each.run for each in done.shelf.events[STREAM]}
    for words in ((run,), ("--endpoint", "churn"), ("--endpoint", STREAM)):
        assert done.call("state", "export", *words).out == every
    assert done.call("state", "export", run, "--endpoint", "churn").code == 64
    assert done.call("state", "export", "--endpoint", "iris").code == 64


def test_an_export_says_that_somebody_goes_on_writing(done):
    locked(done)

    assert "bob@lab pid 12 holds the lease of fake/churn;" in done.call("state", "export").err


def test_an_export_overwrites_nothing(done, tmp_path):
    (tmp_path / "there").write_text("mine")

    told = done.call("state", "export", "--out", "there")

    assert told.code == 64
    assert (tmp_path / "there").read_text() == "mine"


def test_a_file_that_is_none_is_refused(scene):
    assert scene.call("state", "import", "nowhere.jsonl").code == 64
    assert scene.call("state", "import", "plan.yaml").code == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\xff",
        b'{"rollout":"journal","format":1,"streams":[1]}\n',
        b'{"rollout":"journal","format":1,"streams":{"fake/churn":{}}}\n',
        b"[" * 100_000,
    ],
    ids=lambda content: content[-12:].decode("latin-1"),
)
def test_what_is_no_export_is_an_error_and_no_fault(scene, monkeypatch, content):
    monkeypatch.setattr(tempfile, "tempdir", str(scene.folder))
    (scene.folder / "journal.jsonl").write_bytes(content)

    told = scene.call("state", "import", "journal.jsonl")

    assert told.code == 1
    assert "rollout state export --state URL --out FILE" in told.err
    assert "itself failed" not in told.err
    assert list(scene.folder.glob("rollout-*.txt")) == []


def test_bytes_that_are_no_text_are_told_with_their_line(done):
    exported = done.call("state", "export").out.encode().splitlines()
    done.shelf = Shelf()
    for number, line in (
        (4, exported[3][:-2] + b'\xff"}'),
        (3, b"\x00\xff\xfe"),
    ):
        broken = [*exported[: number - 1], line, *exported[number:]]
        (done.folder / "journal.jsonl").write_bytes(b"\n".join(broken))

        told = done.call("state", "import", "journal.jsonl")

        assert told.code == 1
        assert f"Error: Line {number} is not a record of a journal: " in told.err
        assert done.shelf.events == {}


# --- prune ---


@pytest.fixture
def old(done):
    """Two runs, both days ago."""
    done.clock.sleep(86400)
    assert done.call("undo").code == 0
    done.clock.sleep(86400)
    return done


def test_a_dry_run_forgets_nothing(old):
    before = list(old.shelf.events[STREAM])

    code, told = said(old, "state", "prune", "--older-than", "1d", "--dry-run")

    assert (code, told["outcome"]) == (0, "dry_run")
    assert told["streams"][0]["runs"] == [before[0].run]
    assert old.shelf.events[STREAM] == before


def test_pruned_runs_are_gone_and_the_rest_is_verified(old):
    code, told = said(old, "state", "prune", "--older-than", "1d", "--yes")

    assert (code, told["outcome"]) == (0, "pruned")
    assert len(said(old, "history")[1]) == 1
    kept = [each for each in old.shelf.events[STREAM] if each is not None]
    assert said(old, "state", "list")[1][0]["events"] == len(kept)
    assert said(old, "verify", "--endpoint")[0] == 0
    assert said(old, "state", "prune", "--older-than", "1d", "--yes")[1]["outcome"] == "nothing"
    assert "was forgotten" in old.call("events").out


def test_nothing_is_forgotten_without_a_yes(old):
    before = list(old.shelf.events[STREAM])

    assert old.call("state", "prune", "--older-than", "1d").code == 64
    assert old.shelf.events[STREAM] == before


# --- verify ---


def test_the_head_is_told_at_the_end_and_by_verify(scene):
    _, told = said(scene, "apply", "plan.yaml", "--auto-approve")

    assert said(scene, "verify")[1]["head"] == told["head"]
    assert len(told["head"]) == 64


def test_the_endpoint_names_an_entry_of_its_journal(done):
    code, told = said(done, "verify", "--endpoint")

    assert code == 0
    record = done.shelf.events[STREAM][told["endpoint"]["seq"]]
    assert json.loads(record.body)["event"]["is"] == "Intended"
    assert "last changed by entry" in done.call("verify", "--endpoint").out


def test_a_journal_that_lacks_its_end_is_found_by_the_endpoint(done):
    while b'"is":"Intended"' not in done.shelf.events[STREAM].pop().body:
        pass

    assert done.call("verify").code == 0
    code, told = said(done, "verify", "--endpoint")
    assert (code, told["outcome"], told["endpoint"]["seq"]) == (1, "mismatch", None)
    assert "end is missing" in done.call("verify", "--endpoint").out


def test_an_endpoint_that_names_nothing_is_not_the_one_that_was_changed(done):
    with done.world.change() as real:
        real.head = ""

    told = done.call("verify", "--endpoint")

    assert told.code == 1
    assert "names no entry" in told.out


def test_an_endpoint_that_is_not_there_proves_nothing(done):
    assert done.call("destroy", "plan.yaml", "--auto-approve").code == 0

    code, told = said(done, "verify", "--endpoint")

    assert (code, told["outcome"], told["endpoint"]["exists"]) == (1, "mismatch", False)
    assert "is not there" in done.call("verify", "--endpoint").out


def test_an_endpoint_that_no_run_changed_need_name_nothing(done):
    del done.shelf.events[STREAM][1:]
    with done.world.change() as real:
        real.head = ""

    told = done.call("verify", "--endpoint")

    assert told.code == 0
    assert "names no entry" in told.out


# --- force-unlock ---


def test_nothing_locked_says_so(done):
    told = done.call("force-unlock", "churn")

    assert told.code == 0
    assert "Nobody holds" in told.err
    assert said(done, "force-unlock", "churn")[1]["outcome"] == "not_locked"


def test_an_unknown_endpoint_is_refused(done):
    assert done.call("force-unlock", "iris").code == 64


def test_who_holds_it_is_told_before_anything_is_asked(done):
    lease = locked(done)
    Journal(done.store(), STREAM, "bob@lab pid 12").order(e.AbortOrdered("eve"))
    before = dict(done.shelf.leases)

    told = done.call("force-unlock", "churn")

    assert told.code == 64
    assert "bob@lab pid 12 holds the lease" in told.out
    assert "cannot be seen from here" in told.out
    assert "may still land" in told.out
    assert done.shelf.leases == before
    lease.renew()


def test_a_lease_taken_away_lets_the_next_one_in_at_once(done):
    lease = locked(done)

    code, told = said(done, "force-unlock", "churn", "--yes")

    assert (code, told["outcome"], told["holder"]) == (0, "unlocked", "bob@lab pid 12")
    assert said(done, "state", "list")[1][0]["driven_by"] is None
    began = done.clock.monotonic()
    heir = locked(done, {**THEM, "user": "eve"})
    assert done.clock.monotonic() == began
    assert heir.before.contested
    with pytest.raises(Fenced, match="lost to eve") as fenced:
        lease.renew()
    assert "silent" not in str(fenced.value)


@pytest.mark.parametrize(
    ("boot", "dead", "life"),
    [
        ("b", False, "lives"),
        ("other", False, "unknown"),
        ("b", True, "dead"),
        ("", False, "unknown"),
    ],
)
def test_what_is_known_of_the_process_is_told(done, monkeypatch, boot, dead, life):
    locked(done, {**THEM, "boot": boot})
    me = Owner({**THEM, "pid": 1}, lambda _: dead)
    monkeypatch.setattr(plugs, "owner", lambda: me)

    told = done.call("force-unlock", "churn")

    assert ("Taken away, it stops" in told.out) is not dead
    assert ("may still land" in told.out) is not dead
    assert said(done, "force-unlock", "churn", "--yes")[1]["life"] == life


def test_an_owner_who_died_before_the_first_entry_is_unlocked_by_key(scene):
    locked(scene)

    assert said(scene, "force-unlock", STREAM, "--yes")[1]["outcome"] == "unlocked"


def test_the_lease_of_what_a_newer_version_wrote_is_not_taken_from_python_either(done):
    newer(done)
    before = dict(done.shelf.leases)

    with pytest.raises(NewerJournal):
        api.apply("plan.yaml", again=True)

    assert done.shelf.leases == before
