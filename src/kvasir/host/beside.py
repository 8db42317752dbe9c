"""Blocking work that goes one piece after the other, beside the event loop.

A thread of its own costs a third of what the loop's pool costs for each piece: no locks of a future of the pool, no copied
context, and always the same thread. It goes when it has had nothing to do for a while, and keeps no process from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

IDLE = 10.0
"""Seconds without work after which the thread ends."""

T = TypeVar("T")
Job: TypeAlias = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Beside:
    """One thread and what waits for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._runs = False

    async def do(self, function: Callable[..., T], *values: Any) -> T:
        """Call the function there and wait for it; what it raises is raised here. A caller that is cancelled leaves it working."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        with self._lock:
            self._jobs.put((loop, done, function, values))
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        result: T = await done
        return result

    def _work(self) -> None:
        while True:
            try:
                _one(*self._jobs.get(timeout=IDLE))
            except Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._runs = False
                        return


def _one(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], function: Callable[..., Any], values: tuple[Any, ...]
) -> None:
    result, problem = None, None
    try:
        result = function(*values)
    except BaseException as error:
        problem = error
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_tell, done, result, problem)


def _tell(done: asyncio.Future[Any], result: Any, problem: BaseException | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(result)
    else:
        done.set_exception(problem)
