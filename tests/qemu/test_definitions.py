"""Definitions on a slow disk: the daemon's other work goes on, and the file ends as the last change says."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time

import pytest

from kvasir.errors import OperationInvalid, SystemFailure
from kvasir.host import beside
from kvasir.qemu import autostart, rename, stats, store
from kvasir.qemu.driver import REMEMBERED
from kvasir.qemu.jobs import Kind

from . import small

pytestmark = pytest.mark.skipif(not small.QEMU, reason="qemu-system-x86_64 is not installed")


def run(work):
    asyncio.run(asyncio.wait_for(work, 60))


def titled(guest, title: str):
    domain = guest.config.copy()
    domain.title = title
    return domain


def on_disk(guest) -> str:
    return store.read_text(guest.driver.store.path(guest.name))


def test_nothing_waits_for_the_disk_on_the_loop(tmp_path, monkeypatch):
    synced = []

    def fsync(fd: int) -> None:
        synced.append(threading.current_thread())
        time.sleep(0.05)

    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        monkeypatch.setattr(os, "fsync", fsync)
        guest = await driver.define(small.xml("a"))
        async with guest.jobs.normal(Kind.MODIFY):
            await driver.rewrite(guest, titled(guest, "of a slow disk"))
        assert "<title>of a slow disk</title>" in on_disk(guest) and guest.config.title == "of a slow disk"
        autostart.set_autostart(guest, True)
        async with guest.jobs.normal(Kind.MODIFY):
            await rename.rename(guest, "b")
        assert os.readlink(driver.store.link("b")) == driver.store.path("b") and not os.path.exists(
            driver.store.path("a")
        )
        driver.undefine(guest)
        while len(synced) < 5:  # three files, both folders
            await asyncio.sleep(0.01)
        assert threading.main_thread() not in synced
        assert not os.path.exists(driver.store.path("b")) and not os.path.lexists(driver.store.link("b"))
        await driver.stop()

    run(main())


def test_a_name_that_is_taken_while_the_file_is_written_stays_taken(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        guest, written = await driver.define(small.xml("a")), driver.store.save_beside

        async def save(name: str, text: str) -> None:
            await written(name, text)
            driver.guests.by_name[name] = "a transient guest"

        monkeypatch.setattr(driver.store, "save_beside", save)
        with pytest.raises(OperationInvalid, match="domain with name 'b' already exists"):
            await rename.rename(guest, "b")
        assert guest.name == "a" and on_disk(guest) and not os.path.exists(driver.store.path("b"))
        await driver.stop()

    run(main())


def test_a_guest_that_is_off_is_read_once_for_its_sizes_and_not_to_forget_it(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        guests = [await driver.define(small.xml(f"g{number}")) for number in range(REMEMBERED + 4)]
        read, parse = [], driver.parse_stored
        monkeypatch.setattr(driver, "parse_stored", lambda text: read.append(text) or parse(text))
        for _ in range(3):
            assert {stats.summary(guest)[:4] for guest in guests} == {(16384, 16384, 1, 1)}
        assert 4 <= len(read) <= len(guests), "once at most, though the parsed forms of few are kept"
        before = len(read)
        assert not guests[0].says("nvram") and guests[0].says("memory") and len(read) == before
        async with guests[1].jobs.normal(Kind.MODIFY):
            domain = guests[1].config.copy()
            domain.memory = 32768
            await driver.rewrite(guests[1], domain)
        assert stats.summary(guests[1])[1] == 32768
        await driver.stop()

    run(main())


def test_the_thread_for_files_keeps_order_tells_errors_and_goes(monkeypatch):
    monkeypatch.setattr(beside, "IDLE", 0.05)

    async def main():
        work, seen = beside.Beside("files of a test"), []
        await asyncio.gather(*(work.do(seen.append, number) for number in range(50)))
        assert seen == list(range(50))
        with pytest.raises(ZeroDivisionError):
            await work.do(lambda: 1 / 0)
        while any(thread.name == "files of a test" for thread in threading.enumerate()):
            await asyncio.sleep(0.02)
        slow = asyncio.create_task(work.do(lambda: (time.sleep(0.1), seen.append("slow"))))
        await asyncio.sleep(0.02)
        slow.cancel()
        assert await work.do(len, "next") == 4 and seen[-1] == "slow"

    run(main())


def test_a_change_that_cannot_be_written_did_not_happen(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        guest = await driver.define(small.xml("a"))
        before = on_disk(guest)

        def full(fd: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SystemFailure, match=r"cannot write data to file .*/a.xml.new': No space left"):
            await driver.rewrite(guest, titled(guest, "lost"))
        assert guest.config.title is None and "lost" not in guest.text and on_disk(guest) == before
        await driver.stop()

    run(main())


def test_what_a_block_job_writes_meanwhile_stays(tmp_path, monkeypatch):
    held = threading.Event()

    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        guest = await driver.define(small.xml("a"))
        real = os.fsync

        def slow(fd: int) -> None:
            if threading.current_thread() is not threading.main_thread():
                held.wait(30)
            real(fd)

        monkeypatch.setattr(os, "fsync", slow)
        task = asyncio.create_task(driver.rewrite(guest, titled(guest, "first")))
        while guest.config.title != "first":
            await asyncio.sleep(0.01)
        later = titled(guest, "first")
        later.description = "of the block job"
        driver.rewrite_at_once(guest, later)
        held.set()
        await task
        assert "<title>first</title>" in on_disk(guest) and "<description>of the block job</description>" in on_disk(
            guest
        )
        assert guest.config.description == "of the block job"
        await driver.stop()

    run(main())
