"""The client's own log, by ``LIBVIRT_DEBUG``, ``LIBVIRT_LOG_FILTERS`` and ``LIBVIRT_LOG_OUTPUTS``: how it connects, every packet.

Lines are libvirt's: ``DATE TIME+0000: PID: level : function:line : message``. Sources for filters: ``client.connect``, ``rpc.client``.
"""

from __future__ import annotations

import os
import sys
import time

from kvasir import __version__, logspec
from kvasir.client.link import HEADER, OK, REPLY, REPLY_WITH_FDS, STREAM, STREAM_HOLE, Link
from kvasir.errors import Code, Error, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.rpc import programs

PACKETS = "rpc.client"


class Log:
    """Where lines go and which of them."""

    def __init__(self, level: int, filters: list[tuple[str, int]], outputs: list[tuple[int, str, str]]) -> None:
        self.level, self.filters = level, filters
        self.outputs = [(wanted, self._open(kind, data)) for wanted, kind, data in outputs or [(1, "stderr", "")]]
        self.first = True

    @staticmethod
    def _open(kind: str, data: str) -> Any:
        if kind == "stderr":
            return lambda line, _: (sys.stderr.write(line), sys.stderr.flush())
        if kind == "file":
            try:
                stream = open(data, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115  # as long as we are
            except OSError as problem:
                text = f"failed to open {data}: {problem.strerror}"
                raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.NONE, int1=problem.errno or 0) from None
            return lambda line, _: stream.write(line)
        import syslog

        syslog.openlog(data or "libvirt", syslog.LOG_PID)
        levels = (0, syslog.LOG_DEBUG, syslog.LOG_INFO, syslog.LOG_WARNING, syslog.LOG_ERR)
        return lambda line, level: syslog.syslog(levels[level], line.rstrip("\n"))

    def wants(self, source: str, level: int) -> bool:
        """Whether a line of that source and level goes anywhere."""
        limit = self.level
        for word, wanted in self.filters:
            if word in source:
                limit = wanted
        return level >= limit

    def say(self, source: str, level: int, text: str, depth: int = 1) -> None:
        """One line."""
        if not self.wants(source, level):
            return
        frame = sys._getframe(depth).f_code
        now = time.time()
        start = (
            f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03d}+0000: {os.getpid()}: "
        )
        line = f"{start}{logspec.NAMES[level]} : {frame.co_name}:{frame.co_firstlineno} : {text}\n"
        if self.first:
            self.first = False
            about = f"{start}info : libvirt version: 9.0.0, package: kvasir {__version__}\n"
            line = f"{about}{start}info : hostname: {os.uname().nodename}\n{line}"
        for wanted, write in self.outputs:
            if level >= wanted:
                write(line, level)

    def link(self, channel: Any, uri: str) -> Link:
        """The link for a channel that was just opened."""
        way = " ".join(getattr(channel, "words", ())) or type(channel).__name__
        self.say("client.connect", 2, f"{uri} over {way}, descriptor {channel.fileno()}", 2)
        return LoggedLink(channel, self)


def from_environment() -> Log | None:
    """The log that the variables ask for; None without them. What is wrong in them raises INVALID_ARG."""
    found = logspec.environment()
    if found is None:
        return None
    level, filters, outputs = found
    parsed = [logspec.output(one) for one in outputs.split()]
    return Log(level or logspec.DEFAULT, logspec.filters(filters), parsed)


class LoggedLink(Link):
    """A connection that writes down its packets."""

    def __init__(self, channel: Any, log: Log) -> None:
        super().__init__(channel)
        self.log = log

    def _queue(self, procedure: programs.Procedure, kind: int, serial: int, status: int, payload: bytes) -> None:
        what = "stream" if kind in (STREAM, STREAM_HOLE) else "call"
        head = f"{what} {serial} of {procedure.program.name}: {procedure.name} ({procedure.number})"
        self.log.say(PACKETS, 1, f"{head}, type={kind} status={status} len={HEADER.size + len(payload)}", 2)
        super()._queue(procedure, kind, serial, status, payload)

    def _sort(self, program: int, number: int, kind: int, serial: int, status: int, payload: bytes) -> None:
        known = self.pending.get(serial) if kind in (REPLY, REPLY_WITH_FDS) else None
        what = f"answer {serial}" if kind in (REPLY, REPLY_WITH_FDS) else "packet"
        name = f": {known.name}" if known else ""
        text = f"{what} of program {program:#x}{name} ({number}), type={kind} status={status} len={HEADER.size + len(payload)}"
        self.log.say(PACKETS, 1 if status == OK else 2, text, 2)
        super()._sort(program, number, kind, serial, status, payload)

    def _break(self, text: str, reason: int = 0) -> None:
        self.log.say(PACKETS, 3, f"connection lost: {text}", 2)
        super()._break(text, reason)
