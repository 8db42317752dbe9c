"""Threads for what waits: files, the SASL library. One that hangs (NFS, a FIFO, saslauthd) does not keep the daemon from ending."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

PREFIX = "kvasird-"
_pools: list[ThreadPoolExecutor] = []


def pool(size: int, name: str) -> ThreadPoolExecutor:
    """Threads, made as they are needed."""
    made = ThreadPoolExecutor(size, PREFIX + name)
    _pools.append(made)
    return made


async def end(seconds: float) -> bool:
    """End them all; False when one of them hangs longer than that."""
    while _pools:
        _pools.pop().shutdown(wait=False, cancel_futures=True)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while any(thread.name.startswith(PREFIX) for thread in threading.enumerate()):
        if loop.time() > until:
            return False
        await asyncio.sleep(0.01)
    return True
