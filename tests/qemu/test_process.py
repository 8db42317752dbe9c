"""Processes, monitor and jobs against a real QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal

import pytest

from kvasir.errors import OperationTimeout, SystemFailure
from kvasir.qemu import guestlog, process
from kvasir.qemu.jobs import CALLER, Async, Jobs, Kind, Operation
from kvasir.qemu.monitor import Monitor, MonitorError, MonitorGone, listen_unix

QEMU = shutil.which("qemu-system-x86_64") or ""
needs_qemu = pytest.mark.skipif(not QEMU, reason="qemu-system-x86_64 is not installed")


async def launch(tmp_path, *more: str):
    sock = str(tmp_path / "mon")
    fd = listen_unix(sock)
    out = guestlog.GuestLog(str(tmp_path / "g.log"), False)
    argv = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-S", "-M", "none", "-no-shutdown"]
    argv += ["-chardev", f"socket,id=mon,fd={fd},server=on,wait=off", "-mon", "chardev=mon,mode=control", *more]
    out.command(argv, {})
    try:
        pid = await process.start(process.Launch(argv, {"PATH": "/usr/bin"}, out.fd, [fd]))
    finally:
        os.close(fd)
        out.close()
    return sock, pid, out


@needs_qemu
def test_start_speak_and_end(tmp_path):
    async def main():
        sock, pid, _ = await launch(tmp_path)
        watch = process.Watch(pid)
        events, gone = [], asyncio.Event()
        monitor = Monitor("t", events.append, gone.set)
        await monitor.connect(sock)
        assert monitor.greeting["QMP"]["version"]["qemu"]["major"] >= 7
        with open(f"/proc/{pid}/stat") as stream:
            assert stream.read().rsplit(")", 1)[1].split()[1] != str(os.getpid()), "QEMU must be no child of ours"
        answers = await asyncio.gather(*(monitor.command("query-status") for _ in range(20)))
        assert all("status" in answer for answer in answers)
        with pytest.raises(MonitorError) as caught:
            await monitor.command("no-such")
        assert caught.value.kind == "CommandNotFound"
        read, write = os.pipe()
        await monitor.get_fd(read, "x")
        await monitor.command("closefd", {"fdname": "x"})
        os.close(read), os.close(write)
        assert process.alive(pid, "qemu") and not process.alive(pid, "nonsense")
        assert await process.end(watch)
        await asyncio.wait_for(gone.wait(), 5)
        assert [e["event"] for e in events] == ["SHUTDOWN"]
        with pytest.raises(MonitorGone):
            await monitor.command("query-status")
        assert not process.alive(pid)
        watch.close()

    asyncio.run(main())


@needs_qemu
def test_killed_while_a_command_waits(tmp_path):
    async def main():
        sock, pid, _ = await launch(tmp_path)
        watch, gone = process.Watch(pid), asyncio.Event()
        monitor = Monitor("t", lambda e: None, gone.set)
        await monitor.connect(sock)
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(monitor.command("query-status"))
        await asyncio.sleep(0.1)
        assert not waiting.done(), "a hung QEMU makes its command wait"
        watch.signal(signal.SIGKILL)
        with pytest.raises(MonitorGone):
            await waiting
        await asyncio.wait_for(gone.wait(), 5)
        assert await watch.wait(5)
        watch.close()

    asyncio.run(main())


@needs_qemu
def test_last_words_of_a_qemu_that_refuses(tmp_path):
    async def main():
        _, pid, log = await launch(tmp_path, "-device", "no-such-device")
        with contextlib.suppress(ProcessLookupError):
            watch = process.Watch(pid)
            assert await watch.wait(10)
            watch.close()
        assert "no-such-device" in log.words() and "-nodefaults" not in log.words()

    asyncio.run(main())


def test_missing_program(tmp_path):
    async def main():
        out = os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY)
        with pytest.raises(SystemFailure) as caught:
            await process.start(process.Launch(["/nonexistent/qemu"], {}, out))
        os.close(out)
        assert caught.value.int1 == 2 and "No such file" in caught.value.message

    asyncio.run(main())


def test_jobs_wait_and_say_who_holds():
    async def main():
        jobs = Jobs()
        CALLER.set("remoteDispatchDomainSuspend")
        async with jobs.normal(Kind.MODIFY):
            with pytest.raises(OperationTimeout) as caught:
                async with jobs.normal(Kind.QUERY, wait=0.05):
                    pass
            assert caught.value.code == 68
            assert caught.value.message == (
                "Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainSuspend)"
            )
            async with jobs.agent_slot(wait=0.05):
                pass
        order = []

        async def work(n):
            async with jobs.normal(Kind.MODIFY):
                order.append(n)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(n) for n in range(5)))
        assert sorted(order) == list(range(5))
        async with jobs.long(Async.DUMP, Operation.DUMP):
            async with jobs.normal(Kind.QUERY, wait=0.05):
                pass
            with pytest.raises(OperationTimeout):
                async with jobs.normal(Kind.MODIFY, wait=0.05):
                    pass
            async with jobs.normal(Kind.MODIFY, wait=0.05, nested=True):
                pass

    asyncio.run(main())


def test_max_queued_bounds_the_queue():
    async def main():
        jobs = Jobs(max_queued=1)
        async with jobs.normal(Kind.MODIFY):
            first = asyncio.create_task(jobs.normal(Kind.MODIFY, wait=5).__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(Exception, match="max_queued"):
                async with jobs.normal(Kind.MODIFY, wait=5):
                    pass
            first.cancel()

    asyncio.run(main())
