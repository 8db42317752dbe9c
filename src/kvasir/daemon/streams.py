"""The daemon's end of a stream. A procedure opens one with ``session.open_stream(pump)``; ``pump(stream)`` runs after the reply:

    async def pump(stream):                   # what the client reads
        async with file: await stream.write(data); await stream.write_hole(4096)
    async def pump(stream):                   # what the client writes
        while (data := await stream.read()) is not None: ...      # bytes, or Hole; None: the client finished

When the pump returns, the end is announced and the client's finish confirmed; an ``Error`` that it raises aborts the stream
and reaches the client. When the client aborts, finishes reading early or goes away, the pump is cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kvasir.errors import Code, Error, Origin
from kvasir.rpc import frames
from kvasir.rpc.errors import encode_error

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.rpc.programs import Procedure

log = logging.getLogger(__name__)

Pump: TypeAlias = "Callable[[Stream], Awaitable[Any]]"


class Hole(NamedTuple):
    """A run of zeroes that is not sent."""

    length: int


class Stream:
    """One open stream of one client."""

    def __init__(self, client: Client, procedure: Procedure, serial: int, pump: Pump) -> None:
        self.client, self.procedure, self.serial = client, procedure, serial
        self._pump = pump
        self._received: deque[bytes | Hole | None] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = self._unwanted = False
        self._finish_asked = False
        self._pump_done = False
        self._end_sent = False
        self.closed = False

    # --- for the pump

    async def read(self) -> bytes | Hole | None:
        """The next data of the client; None when it finished."""
        while not self._received:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        item = self._received[0]
        if item is not None:
            self._received.popleft()
            self.client.released()
        return item

    async def read_all(self) -> list[bytes | Hole]:
        """All data that came by now, at least one piece; nothing when the client finished."""
        first = await self.read()
        if first is None:
            return []
        found = [first]
        while self._received and (item := self._received[0]) is not None:
            self._received.popleft()
            self.client.released()
            found.append(item)
        return found

    async def write(self, data: bytes) -> None:
        """Send data; waits while the client is slow to take it."""
        for at in range(0, len(data), frames.STREAM_CHUNK):
            self._send(frames.STREAM, frames.CONTINUE, data[at : at + frames.STREAM_CHUNK])
            await self.client.drained()

    async def write_hole(self, length: int) -> None:
        """Send a hole of that many bytes (only to a client that asked for sparse data)."""
        self._send(frames.STREAM_HOLE, frames.CONTINUE, frames.HOLE.pack(length, 0))
        await self.client.drained()

    def write_end(self) -> None:
        """Say that no more data comes; the pump may go on reading."""
        if not self._end_sent and not self.closed:
            self._end_sent = True
            self._send(frames.STREAM, frames.CONTINUE, b"")

    # --- for the connection

    def start(self) -> None:
        """Run the pump; called when the reply is on its way."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        self._begun = True
        if self._unwanted and self._task is not None:
            asyncio.get_running_loop().call_soon(self._task.cancel)
        try:
            await self._pump(self)
        except (asyncio.CancelledError, ConnectionResetError):
            pass
        except Exception as problem:
            if not isinstance(problem, Error):
                log.exception("stream of %s failed", self.procedure.name)
            self._fail(problem)
            return
        self._pump_done = True
        self._drop_received()
        if self.closed:
            return
        if self._finish_asked:
            self._confirm()
        elif self.procedure.stream == "R":
            self.write_end()

    def received(self, frame: frames.Frame) -> None:
        """A packet of the client for this stream."""
        if frame.type == frames.STREAM_HOLE:
            if len(frame.payload) != frames.HOLE.size or frames.HOLE.unpack(frame.payload)[0] < 0:
                self._fail(Error("malformed hole packet", code=Code.RPC, origin=Origin.STREAMS))
                return
            self._push(Hole(frames.HOLE.unpack(frame.payload)[0]))
        elif frame.status == frames.CONTINUE:
            if frame.payload:
                self._push(frame.payload)
        elif frame.status == frames.OK:
            self._finish()
        elif frame.status == frames.ERROR:
            self._stop()
            self._confirm()
        else:
            text = f"stream aborted with unexpected status {frame.status}"
            self._fail(Error(text, code=Code.RPC, origin=Origin.STREAMS))

    def _push(self, item: bytes | Hole | None) -> None:
        if self._pump_done or self.closed:
            return
        if item is not None:
            self.client.held()
        self._received.append(item)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _finish(self) -> None:
        self._finish_asked = True
        if self._pump_done:
            self._confirm()
        elif self.procedure.stream == "W":
            self._push(None)
        else:
            self._stop()
            self._confirm()

    def _confirm(self) -> None:
        if not self.closed:
            self._send(frames.STREAM, frames.OK, b"")
            self._close()

    def _fail(self, problem: Exception) -> None:
        if not self.closed:
            self._send(frames.STREAM, frames.ERROR, encode_error(problem))
            self._stop()
            self._close()

    def _stop(self) -> None:
        """Cancel the pump; one that has not begun must begin all the same, for it closes what the call opened for it."""
        if self._task is not None and not self._task.done() and self._task is not asyncio.current_task():
            if self._begun:
                self._task.cancel()
            else:
                self._unwanted = True

    def _close(self) -> None:
        self.closed = True
        self.client.streams.pop(self.serial, None)
        self._drop_received()

    def _drop_received(self) -> None:
        while self._received:
            if self._received.popleft() is not None:
                self.client.released()

    def gone(self) -> None:
        """The client is gone."""
        self._stop()
        self._close()

    def _send(self, kind: int, status: int, payload: bytes) -> None:
        if not self.closed:
            procedure = self.procedure
            self.client.send(frames.pack(procedure.program.id, 1, procedure.number, kind, self.serial, status, payload))
