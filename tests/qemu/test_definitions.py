"""Definitions on a slow disk: the daemon's other work goes on, and the file ends as the last change says."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time

import pytest

from kvasir.errors import SystemFailure
from kvasir.qemu import autostart, store
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
        driver.undefine(guest)
        while len(synced) < 4:  # both files, both folders
            await asyncio.sleep(0.01)
        assert threading.main_thread() not in synced
        assert not os.path.exists(driver.store.path("a")) and not os.path.lexists(driver.store.link("a"))
        await driver.stop()

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
        with pytest.raises(SystemFailure, match=r"cannot write config file .*/a.xml'.*No space left"):
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
