"""Long operations: they end by the clock and by what really serves, whether anybody asks or not."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from rollout.emulator.faults import FAIL, SLOW, STUCK, Faults
from rollout.emulator.records import FAILED, RUNNING, SUCCEEDED, Operation, Records
from rollout.emulator.wire import Asked
from rollout.emulator.works import Failure, Works
from rollout.ports.clock import Clock

_STUCK_PAUSE_SECONDS = 0.1


class Operations:
    """Begins operations, and takes up those that a kill of the emulator left.

    Args:
        records: Where they are remembered.
        works: What they do.
        clock: Time.
        workspace_guid: A part of their names.
    """

    def __init__(self, records: Records, works: Works, clock: Clock, workspace_guid: str) -> None:
        self._records = records
        self._works = works
        self._clock = clock
        self._guid = workspace_guid
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(
        self,
        asked: Asked,
        faults: Faults,
        *,
        endpoint: str,
        deployment: str = "",
        takes: float,
    ) -> Operation:
        """A new operation; it is carried out once its endpoint or deployment is remembered with it.

        Args:
            asked: The call that began it.
            faults: What shall go wrong with it.
            endpoint: Whose it is.
            deployment: Empty: it is about the endpoint itself.
            takes: Seconds, at least.
        """
        slow = faults.take(SLOW, asked)
        failing = faults.take(FAIL, asked)
        now = self._clock.now()
        prefix = "od" if deployment else "oe"
        return Operation(
            id=f"{prefix}:{self._guid}:{uuid.uuid4()}",
            kind=asked.operation,
            endpoint=endpoint,
            deployment=deployment,
            begun_at=now,
            due_at=now + (slow.seconds if slow is not None else takes),
            code=failing.code if failing is not None else "",
            message=failing.message if failing is not None else "",
            stuck=faults.take(STUCK, asked) is not None,
        )

    def start(self, operation: Operation) -> None:
        """Remember it and carry it out."""
        self._records.keep_operation(operation)
        self._spawn(operation)

    def take_up(self) -> None:
        """Go on with what was running when the emulator ended."""
        for each in list(self._records.operations.values()):
            if each.status == RUNNING:
                self._spawn(each)

    def free(self) -> None:
        """Let stuck operations go on."""
        for each in list(self._records.operations.values()):
            if each.stuck:
                self._records.keep_operation(replace(each, stuck=False))

    async def close(self) -> None:
        """Leave them; the next start takes them up."""
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, operation: Operation) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(operation))
        self._tasks.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, operation: Operation) -> None:
        await asyncio.sleep(max(0.0, operation.due_at - self._clock.now()))
        while self._records.operations[operation.id].stuck:
            await asyncio.sleep(_STUCK_PAUSE_SECONDS)
        try:
            if operation.code:
                raise Failure(operation.code, operation.message)
            await self._works.do(operation)
        except Failure as failure:
            self._end(operation, FAILED, failure.code, failure.message)
            self._works.failed(operation)
        else:
            self._end(operation, SUCCEEDED)
            self._works.succeeded(operation)

    def _end(self, operation: Operation, status: str, code: str = "", message: str = "") -> None:
        self._records.keep_operation(
            replace(
                operation,
                status=status,
                ended_at=self._clock.now(),
                code=code,
                message=message,
                stuck=False,
            )
        )
