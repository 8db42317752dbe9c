"""QEMU processes: started as nobody's children, watched through pidfds, ended by signals.

A guest's process has its own session and init as parent, so that it outlives the daemon; a pid file names it, its output
goes to the guest's log, and only the descriptors that the command line names are inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import resource
import select
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kvasir.errors import Error, InternalError, SystemFailure
from kvasir.host import private_dev
from kvasir.host.files import failing

log = logging.getLogger(__name__)

PR_CAPBSET_DROP, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAP_AMBIENT = 24, 4, 8, 47
CAP_SYS_RAWIO = 17
"""What SCSI commands beyond reading and writing need."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Launch:
    """How a process is started."""

    argv: Sequence[str]
    env: Mapping[str, str]
    output: int
    """The descriptor that its standard output and error go to."""
    fds: Sequence[int] = ()
    """Descriptors that it inherits, under the same numbers."""
    uid: int | None = None
    gid: int | None = None
    groups: Sequence[int] = ()
    drop_capabilities: bool = False
    keep_capability: int | None = None
    """A capability that the program has whatever its user is."""
    limits: dict[int, tuple[int, int]] = field(default_factory=dict)
    umask: int = 0o077
    directory: str = "/"
    inside: Callable[[], Sequence[int]] | None = None
    """Called in the new process before all else; gives more descriptors that it keeps. RuntimeError ends the start."""
    dev: str | None = None
    """An empty folder where a ``/dev`` of its own is put together; without one it has the host's."""
    dev_optional: bool = True
    """The host's ``/dev`` will do where there can be no other."""
    gate: Callable[[int], Awaitable[None]] | None = None
    """Awaited with the pid before the program runs: cgroup placement, labels. Its failure ends the start."""


def _child(launch: Launch, say: int, hear: int) -> None:
    """In the grandchild: become what QEMU shall be. Only system calls from here on."""
    os.chdir(launch.directory)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(launch.output, 1)
    os.dup2(launch.output, 2)
    more = launch.inside() if launch.inside is not None else ()
    if launch.dev is not None:
        private_dev.enter(launch.dev, optional=launch.dev_optional)
    for number in (0, 1, 2, *launch.fds, *more):
        os.set_inheritable(number, True)
    os.umask(launch.umask)
    _limit(launch.limits)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.write(say, b"P%d\n" % os.getpid())
    if os.read(hear, 1) != b"G":
        os._exit(0)
    if launch.drop_capabilities:
        for number in range(64):
            if number != launch.keep_capability and _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
                break
    if launch.gid is not None:
        os.setgroups(list(launch.groups) or [launch.gid])
        os.setresgid(launch.gid, launch.gid, launch.gid)
    if launch.uid is not None:
        _libc.prctl(PR_SET_KEEPCAPS, launch.keep_capability is not None, 0, 0, 0)
        os.setresuid(launch.uid, launch.uid, launch.uid)
        if launch.keep_capability is not None:
            _keep(launch.keep_capability)
    os.execve(launch.argv[0], list(launch.argv), dict(launch.env))


def _limit(wanted: Mapping[int, tuple[int, int]]) -> None:
    for what, limits in wanted.items():
        try:
            resource.setrlimit(what, limits)
        except ValueError:  # more than this daemon may give; QEMU says it when it needs that much
            if what != resource.RLIMIT_MEMLOCK:
                raise
            os.write(2, b"warning: cannot limit locked memory to %d: Operation not permitted\n" % limits[0])


def _keep(capability: int) -> None:
    """Hold one capability alone, over the exec too."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(*([bit & 0xFFFFFFFF] * 3), *([bit >> 32] * 3))
    if _libc.capset(header, sets) or _libc.prctl(PR_CAP_AMBIENT, 2, capability, 0, 0):
        raise OSError(ctypes.get_errno(), "capset")


def _fork(launch: Launch, say: int, hear: int, not_ours: tuple[int, int]) -> None:
    """Fork twice; the grandchild is init's. Returns in the daemon only."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        for fd in not_ours:  # else the daemon's death would not be seen at the gate
            os.close(fd)
        os.setsid()
        if os.fork():
            os._exit(0)
        _child(launch, say, hear)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(say, b"E%d\n" % (error.errno or 0))
    except RuntimeError as error:
        with contextlib.suppress(OSError):
            os.write(say, b"T%s\n" % str(error).encode(errors="replace").replace(b"\n", b" ")[:2000])
    except BaseException:
        with contextlib.suppress(OSError):
            os.write(say, b"E%d\n" % errno.EINVAL)
    finally:
        os._exit(127)


async def _read_line(fd: int) -> bytes:
    """A line from a pipe without blocking the loop; empty at its end."""
    loop = asyncio.get_running_loop()
    got = b""
    while not got.endswith(b"\n"):
        ready = loop.create_future()
        loop.add_reader(fd, lambda f=ready: f.done() or f.set_result(None))  # type: ignore[misc]
        try:
            await ready
        finally:
            loop.remove_reader(fd)
        piece = os.read(fd, 64)
        if not piece:
            break
        got += piece
    return got


async def start(launch: Launch) -> int:
    """Start the process and give its pid. Raises SystemFailure when the program cannot be run."""
    hear, say = os.pipe2(os.O_CLOEXEC)
    gate_out, gate_in = os.pipe2(os.O_CLOEXEC)
    pid = 0
    try:
        _fork(launch, say, gate_out, (hear, gate_in))
        os.close(say)
        say = -1
        first = await _read_line(hear)
        if not first.startswith(b"P"):
            raise _failure(launch, first)
        pid = int(first[1:])
        if launch.gate is not None:
            await launch.gate(pid)
        os.write(gate_in, b"G")
        last = await _read_line(hear)
        if last:
            raise _failure(launch, last)
        return pid
    except BaseException:
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise
    finally:
        for fd in (hear, say, gate_out, gate_in):
            if fd >= 0:
                os.close(fd)


def _failure(launch: Launch, line: bytes) -> Error:
    if line.startswith(b"T"):
        return InternalError(f"Process exited prior to exec: {line[1:].decode(errors='replace').strip()}")
    number = int(line[1:] or b"0") if line.startswith(b"E") else 0
    if not number:
        return InternalError(f"child process of {launch.argv[0]} ended before it ran")
    return SystemFailure(f"cannot execute binary {launch.argv[0]}", OSError(number, os.strerror(number)))


class Watch:
    """Tells when a process ends, child or not."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when there is no such process."""
        self.pid = pid
        self.fd = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._waiters: list[asyncio.Future[None]] = []
        self.gone = False
        self._loop.add_reader(self.fd, self._ended)

    def _ended(self) -> None:
        self.gone = True
        self._loop.remove_reader(self.fd)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; False when it did not come in time."""
        if self.gone:
            return True
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return False
        return True

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process is gone. Never hits a later process of the same pid."""
        if self.fd < 0 or self.gone:
            return False
        try:
            signal.pidfd_send_signal(self.fd, number)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        """Stop watching."""
        if self.fd >= 0:
            if not self.gone:
                self._loop.remove_reader(self.fd)
            os.close(self.fd)
            self.fd = -1


def alive(pid: int, name: str = "") -> bool:
    """Whether the process runs (and, with ``name``, has that word in its command line)."""
    try:
        fd = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return False
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if poll.poll(0):
            return False
    finally:
        os.close(fd)
    if not name:
        return True
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return name.encode() in stream.read()
    except OSError:
        return False


async def end(watch: Watch, *, graceful: bool = False, force: bool = True) -> bool:
    """End the process: SIGTERM, after 10 s SIGKILL, after 40 s give up (libvirt's times). False when it lives on.

    ``graceful`` never sends SIGKILL and gives up after 15 s.
    """
    if not watch.signal(signal.SIGTERM):
        return True
    if await watch.wait(15 if graceful else 10):
        return True
    if graceful or not force:
        return False
    log.warning("process %d does not heed SIGTERM; sending SIGKILL", watch.pid)
    watch.signal(signal.SIGKILL)
    return await watch.wait(30)


def limits(
    core: str | int | None, max_files: int, max_processes: int, memlock: int | None
) -> dict[int, tuple[int, int]]:
    """Resource limits from the keys of qemu.conf; ``core`` is bytes, ``unlimited`` or None."""
    found: dict[int, tuple[int, int]] = {}
    if core is not None:
        size = resource.RLIM_INFINITY if core == "unlimited" else int(core)
        found[resource.RLIMIT_CORE] = (size, size)
    if max_files:
        found[resource.RLIMIT_NOFILE] = (max_files, max_files)
    if max_processes:
        found[resource.RLIMIT_NPROC] = (max_processes, max_processes)
    if memlock:
        found[resource.RLIMIT_MEMLOCK] = (memlock, memlock)
    return found


def write_pidfile(path: str, pid: int) -> None:
    """Name the process in a file. Raises FileFailure."""
    with failing(f"cannot write pid file '{path}'"):
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"{pid}\n")
        os.chmod(path, 0o644)


def read_pidfile(path: str) -> int | None:
    """The pid in a file, or None."""
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.read(32).strip() or 0) or None
    except (OSError, ValueError):
        return None


def holds(pid: int, capability: int) -> bool:
    """Whether a process may use a capability of the kernel."""
    try:
        with open(f"/proc/{pid}/status") as file:
            words = next((line.split() for line in file if line.startswith("CapEff:")), ["", "0"])
    except OSError:
        return False
    return bool(int(words[1], 16) >> capability & 1)
