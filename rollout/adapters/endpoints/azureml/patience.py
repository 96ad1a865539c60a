"""Long work beside a lease: uploads take minutes, and a lease lasts seconds."""

from __future__ import annotations

import contextlib
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
    leave = _Leave()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work(leave.ask))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)
        finally:
            leave.questions.put(None)

    threading.Thread(target=run, name="azureml", daemon=True).start()
    try:
        leave.answer_all(hold, seconds)
    except BaseException as error:  # also a Ctrl-C: the work must not go on without us
        leave.lost.append(error)
        raise
    return done.result()


class _Leave:
    """Questions of the work, answered by the thread that has the lease."""

    def __init__(self) -> None:
        self.questions: queue.SimpleQueue[tuple[float, Future[None]] | None] = queue.SimpleQueue()
        self.lost: list[BaseException] = []

    def ask(self, seconds: float) -> None:
        """The work's ``Hold``."""
        if self.lost:
            raise self.lost[0]
        answer: Future[None] = Future()
        self.questions.put((seconds, answer))
        while True:
            with contextlib.suppress(TimeoutError):
                return answer.result(timeout=_BEAT_SECONDS)
            if self.lost:  # nobody is there any more to answer
                raise self.lost[0]

    def answer_all(self, hold: Hold, seconds: float) -> None:
        """Until the work is over; without a question the lease is kept all the same."""
        while True:
            try:
                asked = self.questions.get(timeout=_BEAT_SECONDS)
            except queue.Empty:
                asked = (seconds, Future())
            if asked is None:
                return
            wanted, answer = asked
            hold(wanted)
            answer.set_result(None)
