"""Programs between QEMU and a file: compressors, and ``dd`` for what goes past the page cache."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import Any

from kvasir.errors import OperationFailed, Origin

DIRECT_IN = ("dd", "bs=1M", "iflag=direct,fullblock", "status=none")
DIRECT_OUT = ("dd", "bs=1M", "iflag=fullblock", "oflag=direct", "status=none")


class Pipe:
    """A row of programs; ``fd`` is the end that is not the file's. Close it with ``finish`` or ``end``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._running: list[tuple[str, asyncio.subprocess.Process]] = []

    async def before(self, *words: str) -> None:
        """Put a program that writes to what ``fd`` was; ``fd`` is then its input."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        await self._run(words, reading, self.fd)
        os.close(reading)
        os.close(self.fd)
        self.fd = writing

    async def behind(self, *words: str) -> None:
        """Put a program that reads what ``fd`` was; ``fd`` is then its output."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        await self._run(words, self.fd, writing)
        os.close(writing)
        os.close(self.fd)
        self.fd = reading

    async def _run(self, words: tuple[str, ...], stdin: int, stdout: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=stdin, stdout=stdout, stderr=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._running.append((words[0], process))

    def take(self) -> int:
        """The descriptor, which the caller now owns."""
        fd, self.fd = self.fd, -1
        return fd

    async def failure(self) -> str:
        """Wait until one of the programs fails, and say how; waits for ever where none does."""
        if self._running:
            done = [asyncio.ensure_future(self._failing(name, process)) for name, process in self._running]
            try:
                for each in asyncio.as_completed(done):
                    if words := await each:
                        return words
            finally:
                for task in done:
                    task.cancel()
        await asyncio.get_running_loop().create_future()
        return ""

    @staticmethod
    async def _failing(name: str, process: asyncio.subprocess.Process) -> str:
        if await process.wait() in (0, -13):
            return ""
        said = await process.stderr.read(500) if process.stderr is not None else b""
        return f"{name} failed: {said.decode(errors='replace').strip() or f'exit code {process.returncode}'}"

    async def finish(self) -> None:
        """Close the end and wait for the programs. Raises OperationFailed with what one said."""
        if self.fd >= 0:
            os.close(self.take())
        problem = ""
        for name, process in reversed(self._running):
            _, said = await process.communicate()
            words = said.decode(errors="replace").strip()[-500:]
            if process.returncode and not (process.returncode == -13 and problem):
                problem = problem or f"{name} failed: {words or f'exit code {process.returncode}'}"
        self._running.clear()
        if problem:
            raise OperationFailed(problem, origin=Origin.QEMU)

    def kill(self) -> None:
        """Stop the programs: whoever writes to them or reads from them is held up no longer."""
        for _, process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def end(self) -> None:
        """Stop at once what still runs; never raises."""
        if self.fd >= 0:
            os.close(self.take())
        self.kill()
        for _, process in self._running:
            await process.wait()
        self._running.clear()


async def pump(guest: Any, pipe: Pipe, work: Callable[[Any, int], Awaitable[None]]) -> None:
    """Let ``work(guest, fd)`` write into the pipe, and wait for its programs; the guest's job can be aborted meanwhile."""
    guest.jobs.abort_hook = pipe.kill
    try:
        await work(guest, pipe.fd)
        await pipe.finish()
    except BaseException:
        await pipe.end()
        raise
    finally:
        guest.jobs.abort_hook = None


async def output(fd: int, compressor: str, direct: bool, head: bytes) -> Pipe:
    """What QEMU is to write to, with the file's ``head`` already on its way. ``fd`` is taken over."""
    pipe = Pipe(fd)
    try:
        if direct:
            await pipe.before(*DIRECT_OUT)
        await asyncio.to_thread(_write_all, pipe.fd, head)
        if compressor != "raw":
            await pipe.before(compressor, "-c")
    except BaseException:
        await pipe.end()
        raise
    return pipe


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
