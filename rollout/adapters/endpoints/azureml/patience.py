"""Long work beside a lease: uploads take minutes, and a lease lasts seconds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from rollout.ports.endpoint import Hold

T = TypeVar("T")

_BEAT_SECONDS = 2.0


def patiently(work: Callable[[Hold], T], hold: Hold, *, seconds: float) -> T:
    """Do ``work`` in a thread of its own while this one keeps the lease.

    A lease belongs to the thread that drives the run, so the work's own questions are answered
    here. Once this thread has lost the lease, the work gets no permission any more.

    Args:
        work: Given a ``Hold`` that it may ask.
        hold: The caller's.
        seconds: How long the lease shall last from each beat.

    Raises:
        Fenced, EndpointAway: by ``hold``; whatever ``work`` raises, too.
    """
    questions: queue.SimpleQueue[tuple[float, Future[None]] | None] = queue.SimpleQueue()
    lost: list[BaseException] = []
    done: Future[T] = Future()

    def ask(wanted: float) -> None:
        if lost:
            raise lost[0]
        answer: Future[None] = Future()
        questions.put((wanted, answer))
        answer.result()

    def run() -> None:
        try:
            done.set_result(work(ask))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)
        finally:
            questions.put(None)

    threading.Thread(target=run, name="azureml", daemon=True).start()
    while True:
        try:
            asked = questions.get(timeout=_BEAT_SECONDS)
        except queue.Empty:
            asked = (seconds, Future())
        if asked is None:
            return done.result()
        wanted, answer = asked
        try:
            hold(wanted)
        except BaseException as error:
            lost.append(error)
            answer.set_exception(error)
            raise
        answer.set_result(None)
