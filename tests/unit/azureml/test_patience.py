"""Long work beside a lease."""

from __future__ import annotations

import threading

import pytest

from rollout.adapters.endpoints.azureml import patience
from rollout.adapters.endpoints.azureml.patience import patiently
from rollout.domain.errors import Fenced


def lost(_: float) -> None:
    raise Fenced("taken over", do="look")


def test_work_is_done_and_its_questions_are_answered_by_the_thread_that_has_the_lease():
    asked: list[tuple[float, int]] = []

    found = patiently(
        lambda ask: (ask(7.0), "done")[1],
        lambda seconds: asked.append((seconds, threading.get_ident())),
        seconds=1.0,
    )

    assert found == "done"
    assert asked == [(7.0, threading.get_ident())]


def test_the_lease_is_kept_while_the_work_goes_on(monkeypatch):
    monkeypatch.setattr(patience, "_BEAT_SECONDS", 0.01)
    beats: list[float] = []
    enough = threading.Event()

    def beat(seconds: float) -> None:
        beats.append(seconds)
        if len(beats) >= 3:
            enough.set()

    patiently(lambda _: enough.wait(10), beat, seconds=5.0)

    assert set(beats) == {5.0}


def test_work_that_fails_fails_here():
    def fails(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        patiently(fails, lambda _: None, seconds=1.0)


def test_work_whose_lease_is_lost_may_send_nothing_any_more(monkeypatch):
    monkeypatch.setattr(patience, "_BEAT_SECONDS", 0.01)
    over, tried = threading.Event(), threading.Event()
    sent: list[str] = []

    def work(ask) -> None:
        over.wait(10)
        try:
            ask(1.0)
            sent.append("sent")
        finally:
            tried.set()

    with pytest.raises(Fenced):
        patiently(work, lost, seconds=1.0)
    over.set()

    assert tried.wait(10)
    assert sent == []


def test_a_question_that_is_answered_with_no_ends_the_work():
    with pytest.raises(Fenced):
        patiently(lambda ask: ask(1.0), lost, seconds=1.0)
