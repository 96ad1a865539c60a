"""Several processes in one: one goes on at a time, in virtual time, and a lot says which.

A task is a thread that has the baton or waits for it, so that a seed leads to the same story each
time. It may be killed while it waits: from then on nothing that it calls reaches anything.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from random import Random

from tests.fakes.clock import EPOCH

STACK = 512 * 1024  # bytes; thousands of short threads


class Killed(BaseException):
    """The process is gone. No ``except Exception`` of the product may hear of it."""


class Task:
    """A process: asleep until ``wake``, or it wants to go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wake = 0.0
        self.killed = False
        self.ended = False
        self._baton = threading.Semaphore(0)

    def hand_over(self) -> None:
        self._baton.release()

    def wait_for_baton(self) -> None:
        self._baton.acquire()


class Scheduler:
    """Whoever makes it is its first task.

    Args:
        chance: Says who goes on.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._start = EPOCH
        self._now = EPOCH
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self.current = Task("director")
        self._tasks = [self.current]

    def now(self) -> float:
        """The true time, Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._now - self._start

    def after(self, seconds: float, deed: Callable[[], object]) -> None:
        """Do ``deed`` once so many seconds from now, between two steps of the tasks."""
        heapq.heappush(self._due, (self._now + seconds, next(self._order), deed))

    def spawn(self, name: str, deed: Callable[[], None]) -> Task:
        """Begin a task; it has its first turn when the lot says so."""
        task = Task(name)
        task.wake = self._now
        threading.stack_size(STACK)
        threading.Thread(target=self._lived, args=(task, deed), name=name, daemon=True).start()
        self._tasks.append(task)
        return task

    def _lived(self, task: Task, deed: Callable[[], None]) -> None:
        task.wait_for_baton()
        try:
            if not task.killed:
                deed()
        except Killed:
            pass
        finally:
            task.ended = True
            self._tasks.remove(task)
            self.current = self._next()
            self.current.hand_over()

    def kill(self, task: Task) -> None:
        """Let a task die where it stands; the present one at its next call."""
        task.killed = True
        task.wake = self._now

    def end(self) -> None:
        """Let every other task die; none is left when this returns."""
        for each in self._tasks:
            each.killed = each is not self.current
        while len(self._tasks) > 1:
            for each in self._tasks:
                each.wake = self._now
            self.switch()

    def switch(self) -> None:
        """Perhaps let another one go on first.

        Raises:
            Killed: the present task does not live any more.
        """
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        """Let the others go on for so long, or longer.

        Raises:
            Killed: the present task does not live any more.
        """
        me = self.current
        if me.killed:
            raise Killed
        me.wake = self._now + max(seconds, 0.0)
        chosen = self._next()
        if chosen is not me:
            self.current = chosen
            chosen.hand_over()
            me.wait_for_baton()
            if me.killed:
                raise Killed

    def _next(self) -> Task:
        """Whoever goes on now; the time passes until somebody wants to."""
        while not (ready := [each for each in self._tasks if each.wake <= self._now]):
            wake = min(each.wake for each in self._tasks)
            if not self._due or self._due[0][0] > wake:
                self._now = wake
                continue
            at, _, deed = heapq.heappop(self._due)
            self._now = max(self._now, at)
            deed()
        return ready[0] if len(ready) == 1 else self._chance.choice(ready)


class LocalClock:
    """A ``Clock`` as one machine has it: its calendar may be wrong, its waits are right."""

    def __init__(self, scheduler: Scheduler, ahead: float = 0.0) -> None:
        self._scheduler = scheduler
        self._ahead = ahead

    def now(self) -> float:
        return self._scheduler.now() + self._ahead

    def monotonic(self) -> float:
        return self._scheduler.monotonic()

    def sleep(self, seconds: float) -> None:
        self._scheduler.sleep(seconds)
