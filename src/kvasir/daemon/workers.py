"""Who may run now: ordinary workers for every call, a few more for calls of high priority only.

A worker is a slot, not a thread: calls are coroutines. When all ordinary slots hang, calls that never wait for a monitor
still get through (``destroy``, lookups, lists), as in libvirt.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

log = logging.getLogger(__name__)

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Workers:
    """Slots and the queue before them."""

    def __init__(self, max_workers: int, prio_workers: int, min_workers: int = 5) -> None:
        self.max_workers, self.prio_workers, self.min_workers = max_workers, prio_workers, min_workers
        self.busy = 0
        self.busy_prio = 0
        self._normal: deque[Job] = deque()
        self._high: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def depth(self) -> int:
        """Calls that wait for a slot."""
        return len(self._normal) + len(self._high)

    def submit(self, job: Job, high: bool) -> None:
        """Run the job when a slot is free; in order among those of its priority."""
        (self._high if high else self._normal).append(job)
        self.pump()

    def pump(self) -> None:
        """Start what may start (also after the limits were changed)."""
        while self.busy < self.max_workers and (self._high or self._normal):
            self.busy += 1
            self._start((self._high or self._normal).popleft(), False)
        while self.busy_prio < self.prio_workers and self._high:
            self.busy_prio += 1
            self._start(self._high.popleft(), True)

    def _start(self, job: Job, prio: bool) -> None:
        task = asyncio.get_running_loop().create_task(job())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, prio))

    def _done(self, task: asyncio.Task[None], prio: bool) -> None:
        self._tasks.discard(task)
        if prio:
            self.busy_prio -= 1
        else:
            self.busy -= 1
        if not task.cancelled() and task.exception() is not None:
            log.error("a worker failed", exc_info=task.exception())
        self.pump()

    async def stop(self, grace: float) -> None:
        """Wait a moment for the running calls, then cancel them."""
        self._normal.clear()
        self._high.clear()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=grace)
