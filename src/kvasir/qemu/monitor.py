"""QMP to one QEMU: commands strictly one after the other, events in order, and a clear word when QEMU hangs up.

No time limit on commands, as libvirt: a QEMU that hangs keeps its job until it answers or is killed. Only the greeting
has one, and the caller watches the process meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from kvasir.errors import Error, InternalError, OperationFailed

log = logging.getLogger(__name__)
logging.getLogger("qemu").setLevel(logging.CRITICAL)

Json = dict[str, Any]


class MonitorError(InternalError):
    """QEMU refused a command; ``kind`` is QMP's error class."""

    def __init__(self, command: str, kind: str, reason: str) -> None:
        super().__init__(f"unable to execute QEMU command '{command}': {reason}")
        self.command, self.kind, self.reason = command, kind, reason


class MonitorGone(OperationFailed):
    """QEMU went away while, or before, the command ran."""

    def __init__(self) -> None:
        super().__init__("domain is no longer running")


def _worth_a_line(record: logging.LogRecord) -> bool:
    """The library takes a QEMU that dies before its first word for a mistake of its own; whoever started it has the error."""
    return not record.getMessage().startswith("Unexpected bottom half exception")


class Monitor:
    """The control connection to one QEMU.

    ``on_event`` is called for each event, in order, before any later answer is given; ``on_eof`` once, after the last
    event, when the connection ends for whatever reason but ``close``.
    """

    def __init__(self, name: str, on_event: Callable[[Json], None], on_eof: Callable[[], None]) -> None:
        from qemu import qmp  # when the first guest runs: the daemon is ready the sooner without it

        self.name = name
        self._on_event, self._on_eof = on_event, on_eof
        self._running = qmp.Runstate.RUNNING
        self._failures = (qmp.QMPError, ConnectionError, EOFError)
        self._client = qmp.QMPClient()  # with a name it would make a logger for each guest that ever ran
        self._client.logger.addFilter(_worth_a_line)
        self._lock = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._closing = False
        self.greeting: Json = {}
        self._client.register_listener(qmp.EventListener(event_filter=self._event))

    def _event(self, event: Any) -> bool:
        try:
            self._on_event(dict(event))
        except Exception:
            log.exception("guest %s: event %s was not handled", self.name, event.get("event"))
        return False

    async def connect(self, path: str, wait: float | None = 60.0) -> None:
        """Connect to the socket at ``path`` and negotiate. Raises InternalError."""
        try:
            async with asyncio.timeout(wait):
                with short_path(path) as near:
                    await self._client.connect(near)
        except TimeoutError:
            raise InternalError(f"monitor of {self.name} did not greet within {wait:.0f} seconds") from None
        except (*self._failures, OSError) as error:
            raise InternalError(f"failed to connect to monitor socket: {_cause(error)}") from error
        greeting = self._client.greeting
        self.greeting = dict(greeting._raw) if greeting is not None else {}
        self._watch = asyncio.create_task(self._watching(), name=f"monitor {self.name}")

    async def _watching(self) -> None:
        while self._client.runstate is self._running:
            await self._client.runstate_changed()
        try:
            await self._client.disconnect()
        except Exception as error:
            log.debug("guest %s: monitor ended: %s", self.name, _cause(error))
        if not self._closing:
            self._closing = True
            self._on_eof()

    @property
    def alive(self) -> bool:
        return self._client.runstate is self._running and not self._closing

    async def command(self, name: str, arguments: Json | None = None, *, fd: int | None = None) -> Any:
        """Run one command and give its return value. Raises MonitorError, MonitorGone.

        ``fd`` travels with it (``getfd``, ``add-fd``).
        """
        return (await self.raw({"execute": name, **({"arguments": arguments} if arguments else {})}, fd=fd))["return"]

    async def raw(self, message: Json, *, fd: int | None = None, refuse: bool = True) -> Json:
        """Send a whole message and give the whole answer; with ``refuse`` an error answer becomes MonitorError.

        A caller that is cancelled does not disturb the conversation: the answer is awaited all the same.
        """
        running = asyncio.ensure_future(self._raw(message, fd, refuse))
        running.add_done_callback(_seen)
        return await asyncio.shield(running)

    async def _raw(self, message: Json, fd: int | None, refuse: bool) -> Json:
        async with self._lock:
            if not self.alive:
                raise MonitorGone
            try:
                if fd is not None:
                    self._client.send_fd_scm(fd)
                answer = await self._client._execute(self._message(message), assign_id=True)
            except self._failures as error:
                log.debug("guest %s: %s: %s", self.name, message.get("execute"), _cause(error))
                raise MonitorGone from error
        reply: Json = dict(answer)
        if "error" in reply and refuse:
            said = reply["error"]
            raise MonitorError(str(message.get("execute")), str(said.get("class")), str(said.get("desc")))
        return reply

    @staticmethod
    def _message(message: Json) -> Any:
        from qemu.qmp.message import Message

        return Message(message)

    async def hmp(self, line: str, *, fd: int | None = None) -> str:
        """Run a command of the human monitor and give what it prints."""
        return str(await self.command("human-monitor-command", {"command-line": line}, fd=fd))

    async def close(self) -> None:
        """Hang up; ``on_eof`` is not called."""
        self._closing = True
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await asyncio.wait_for(self._client.disconnect(), 5)
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()

    async def add_fd(self, fd: int, fdset: int, opaque: str) -> Json:
        """Pass a descriptor into a set."""
        result: Json = await self.command("add-fd", {"fdset-id": fdset, "opaque": opaque}, fd=fd)
        return result

    async def get_fd(self, fd: int, name: str) -> None:
        """Pass a named descriptor."""
        await self.command("getfd", {"fdname": name}, fd=fd)


def _seen(task: asyncio.Future[Json]) -> None:
    """The failure of a command whose caller went away concerns nobody."""
    if not task.cancelled():
        task.exception()


def _cause(error: BaseException) -> str:
    """The last cause in a chain, which says most."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return str(error) or type(error).__name__


@contextlib.contextmanager
def short_path(path: str) -> Iterator[str]:
    """The same socket under a name that fits into an address (108 bytes), however deep its folder lies."""
    if len(path.encode("utf-8", "surrogateescape")) < 108:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


def listen_unix(path: str, backlog: int = 1) -> int:
    """A listening unix socket at ``path`` as a descriptor to be inherited; the daemon can connect before QEMU runs."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as near:
            sock.bind(near)
        os.chmod(path, 0o600)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise Error(f"failed to bind monitor socket {path}: {error.strerror or error}") from error
    return sock.detach()


__all__ = ["Json", "Monitor", "MonitorError", "MonitorGone", "listen_unix", "short_path"]
