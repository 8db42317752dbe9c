"""What one guest does at a time: a normal, an agent and an async slot, with libvirt's waits and words.

PROMISES "Jobs and locking": a job that cannot start within 30 s fails with code 68 and names the holder; while an async
job runs, only the kinds in its mask get in; a query of what is known needs no job at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from enum import Enum, IntFlag
from typing import Any

from kvasir.errors import OperationFailed, OperationTimeout, Origin

from .jobstats import Figures

WAIT = 30.0
"""Seconds that a job waits for its turn."""

CALLER: ContextVar[str] = ContextVar("caller", default="")
"""The procedure that is being served, as ``remoteDispatchDomainSuspend``; for the message of who holds the lock."""


class Kind(IntFlag):
    """Kinds of normal jobs."""

    QUERY = 1
    DESTROY = 2
    SUSPEND = 4
    MODIFY = 8
    ABORT = 16
    MIGRATION_OP = 32
    MODIFY_MIGRATION_SAFE = 64


WORDS = {
    Kind.QUERY: "query",
    Kind.DESTROY: "destroy",
    Kind.SUSPEND: "suspend",
    Kind.MODIFY: "modify",
    Kind.ABORT: "abort",
    Kind.MIGRATION_OP: "migration operation",
    Kind.MODIFY_MIGRATION_SAFE: "modify migration safe",
}


class Async(Enum):
    """Long jobs, by the words of status documents."""

    NONE = "none"
    MIGRATION_OUT = "migration out"
    MIGRATION_IN = "migration in"
    SAVE = "save"
    DUMP = "dump"
    SNAPSHOT = "snapshot"
    START = "start"
    BACKUP = "backup"


DEFAULT_MASK = Kind.QUERY | Kind.DESTROY | Kind.ABORT


class Operation(Enum):
    """What the async job is for (``VIR_DOMAIN_JOB_STATS_OPERATION``)."""

    UNKNOWN = 0
    START = 1
    SAVE = 2
    RESTORE = 3
    MIGRATION_IN = 4
    MIGRATION_OUT = 5
    SNAPSHOT = 6
    SNAPSHOT_REVERT = 7
    DUMP = 8
    BACKUP = 9


class Jobs:
    """The three slots of one guest. Not made before it is needed: 1,000 idle guests cost nothing."""

    __slots__ = (
        "_changed", "abort_hook", "abort_wanted", "agent", "agent_holder", "async_holder", "async_job", "async_since", "bandwidth",
        "completed", "figures", "holder", "job", "mask", "max_queued", "operation", "owner", "queued", "since",
    )  # fmt: skip

    def __init__(self, max_queued: int = 0) -> None:
        self.max_queued = max_queued
        self.job: Kind | None = None
        self.agent: Kind | None = None
        self.async_job = Async.NONE
        self.operation = Operation.UNKNOWN
        self.mask = DEFAULT_MASK
        self.holder = self.agent_holder = self.async_holder = ""
        self.since = self.async_since = 0.0
        self.owner: asyncio.Task[object] | None = None
        self.queued = 0
        self.bandwidth = 0
        """Bytes a second for migrations, 0: the fastest."""
        self.abort_wanted = False
        self.abort_hook: Callable[[], None] | None = None
        """Frees a QEMU that is held up by what it writes to."""
        self.figures: Figures | None = None
        """Of the async job that runs, where it has any."""
        self.completed: Figures | None = None
        """Of the last one that ended well."""
        self._changed: asyncio.Event | None = None

    def _free(self, kind: Kind | None, agent: bool, nested: bool) -> bool:
        if agent:
            return self.agent is None
        if self.job is not None:
            return False
        return nested or self.async_job is Async.NONE or bool(kind is not None and kind & self.mask)

    def _free_async(self) -> bool:
        return self.async_job is Async.NONE and self.job is None

    async def _wait(self, ready: object, wait: float, busy_async: bool) -> None:
        assert callable(ready)
        if ready():
            return
        if wait <= 0:
            raise self._timeout(busy_async)
        if self.max_queued and self.queued >= self.max_queued:
            raise OperationFailed("cannot acquire state change lock due to max_queued limit", origin=Origin.QEMU)
        self.queued += 1
        try:
            async with asyncio.timeout(wait):
                while not ready():
                    if self._changed is None:
                        self._changed = asyncio.Event()
                    await self._changed.wait()
        except TimeoutError:
            raise self._timeout(busy_async) from None
        finally:
            self.queued -= 1

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _timeout(self, busy_async: bool) -> OperationTimeout:
        monitor = (self.holder if self.job is not None else "") or (
            self.async_holder if busy_async and self.async_job is not Async.NONE else ""
        )
        agent = self.agent_holder if self.agent is not None else ""
        held = " ".join(f"{what}={who}" for what, who in (("monitor", monitor), ("agent", agent)) if who)
        text = f"cannot acquire state change lock (held by {held})" if held else "cannot acquire state change lock"
        return OperationTimeout(text, origin=Origin.QEMU, hint="virsh domjobinfo shows what the guest is doing")

    @contextlib.asynccontextmanager
    async def normal(self, kind: Kind, *, wait: float = WAIT, nested: bool = False) -> AsyncIterator[None]:
        """Hold the normal slot. ``nested``: from inside this guest's own async job."""
        await self._wait(lambda: self._free(kind, False, nested), wait, True)
        self.job, self.holder, self.since = kind, CALLER.get() or "kvasird", time.time()
        try:
            yield
        finally:
            self.job, self.holder = None, ""
            self._wake()

    @contextlib.asynccontextmanager
    async def agent_slot(self, kind: Kind = Kind.QUERY, *, wait: float = WAIT) -> AsyncIterator[None]:
        """Hold the agent slot: never together with the normal one."""
        await self._wait(lambda: self._free(kind, True, False), wait, False)
        self.agent, self.agent_holder = kind, CALLER.get() or "kvasird"
        try:
            yield
        finally:
            self.agent, self.agent_holder = None, ""
            self._wake()

    @contextlib.asynccontextmanager
    async def long(
        self, job: Async, operation: Operation, *, mask: Kind = DEFAULT_MASK, wait: float = WAIT
    ) -> AsyncIterator[None]:
        """Hold the async slot; normal jobs outside ``mask`` wait until it ends."""
        await self._wait(self._free_async, wait, True)
        self.async_job, self.operation, self.mask = job, operation, mask
        self.async_holder, self.async_since = CALLER.get() or "kvasird", time.time()
        self.figures, self.abort_wanted = Figures(operation.value), False
        try:
            yield
        finally:
            self.async_job, self.operation, self.mask = Async.NONE, Operation.UNKNOWN, DEFAULT_MASK
            self.figures, self.abort_wanted, self.abort_hook = None, False, None
            self.async_holder = ""
            self._wake()

    def migrated(self, answer: dict[str, Any]) -> None:
        """Note QEMU's figures of a migration for the async job that runs."""
        if self.figures is not None:
            self.figures.migrate = answer

    @property
    def busy(self) -> bool:
        """Whether any job runs."""
        return self.job is not None or self.async_job is not Async.NONE
