"""A person's orders reach a busy runner from a process that shares nothing with it but the store."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rollout.domain import events as e
from rollout.domain.run import Cause, Phase, Split, Step, Why
from rollout.runtime import orders
from rollout.runtime.begin import kept
from rollout.runtime.journal import Journal, entries
from rollout.wiring import plugs
from tests.contracts.test_stores import fresh
from tests.servers import postgres_database
from tests.unit.runtime.values import PLAN, at, run

BLUE = Split({"blue": 100})
CASES = {
    "approve": (Phase.RUNNING, None, Phase.RUNNING),
    "reject": (Phase.RUNNING, e.Rejected("kim"), Phase.ROLLING_BACK),
    "pause": (Phase.RUNNING, e.PauseOrdered("kim"), Phase.PAUSED),
    "resume": (Phase.PAUSED, e.ResumeOrdered("kim", reads=True), Phase.RUNNING),
    "adopt": (Phase.HELD, e.ResumeOrdered("kim", adopt=True, reads=True), Phase.RUNNING),
    "retry": (Phase.HELD, e.RetryOrdered("kim", reads=True), Phase.RUNNING),
    "abort": (Phase.RUNNING, e.AbortOrdered("kim"), Phase.ROLLING_BACK),
    "keep": (Phase.RUNNING, e.AbortOrdered("kim", keep_traffic=True), Phase.ABORTED),
    "supersede": (Phase.RUNNING, e.Superseded("kim", "other"), Phase.ABORTED),
}


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def postgres_url(postgres):
    with postgres_database(postgres) as url:
        yield url


@pytest.fixture
def blobs_url(blobs, monkeypatch):
    return fresh(blobs, monkeypatch)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "blobs"])
def test_every_order_reaches_a_busy_runner_from_another_process(kind, request):
    url = request.getfixturevalue(f"{kind}_url")
    store = plugs.store(url)
    for name, (phase, _, _) in CASES.items():
        begun(store, name, phase)
    streams = [f"fake/{name}" for name in CASES]
    words = [sys.executable, "-m", "tests.contracts.busy_runner", url, *streams]
    runner = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert runner.stdout.readline() == "ready\n"

        after = {name: ordered(store, name, order) for name, (_, order, _) in CASES.items()}
    finally:
        runner.communicate("", timeout=30)

    assert runner.returncode == 0
    assert {name: each.phase for name, each in after.items()} == {
        name: phase for name, (_, _, phase) in CASES.items()
    }
    for name in CASES:
        told = [each for each in entries(store, f"fake/{name}") if each.by in ("kim", "eve")]
        assert len(told) == 1
        assert (told[0].epoch, isinstance(told[0].event, e.Order)) == (2, True)
    assert [each.by for each in after["approve"].approvals] == ["eve"]
    store.close()


def begun(store, name, phase):
    made = run(
        id=f"r-{name}",
        identity=name,
        at=at("approve"),
        step=Step.OBSERVING,
        captured=BLUE,
        expected=BLUE,
        phase=phase,
        cause=Cause(Why.DRIFT, "") if phase is Phase.HELD else None,
    )
    journal = Journal(store, f"fake/{name}", "ada")
    journal.start(made, kept(PLAN), "")


def ordered(store, name, order):
    found = orders.find_run(store, f"r-{name}")
    if order is None:
        return orders.approve(store, found, "eve", "")
    return orders.give(store, found, order, "kim")
