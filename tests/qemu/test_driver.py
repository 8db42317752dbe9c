"""The driver with real QEMU processes: define, start, events, end, adoption."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import weakref

import pytest

from kvasir.errors import Error, NoDomain, OperationFailed, OperationInvalid
from kvasir.qemu import lifecycle, process, rename, startup
from kvasir.qemu.checkpoints.tree import CheckpointTree
from kvasir.qemu.events import EventHandler
from kvasir.qemu.snapshots.tree import Tree as SnapshotTree
from kvasir.qemu.states import Detail, Paused, Running, Shutoff, State
from kvasir.qemu.states import Lifecycle as L

from . import small


def read(path: str) -> str:
    with open(path) as stream:
        return stream.read()


def write(path: str, text: str) -> None:
    with open(path, "w") as stream:
        stream.write(text)


pytestmark = pytest.mark.skipif(not small.QEMU, reason="qemu-system-x86_64 is not installed")


def run(work):
    asyncio.run(asyncio.wait_for(work, 60))


def leftovers(root: str) -> list[str]:
    """What a guest that does not run must not leave: status, pid file, folders, sockets."""
    found = []
    for top in ("run/libvirt/qemu", "var/lib/libvirt/qemu"):
        for folder, _, files in os.walk(f"{root}/{top}"):
            found += [f"{folder}/{name}" for name in files if name != "autostarted"]
            if "/domain-" in folder:
                found.append(folder)
    return found


def test_a_life(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        root = str(tmp_path)
        driver, seen = await small.make(root)
        guest = await driver.define(small.xml("a"))
        assert guest.persistent and not guest.active and guest.state is State.SHUTOFF
        text = read(f"{root}/etc/libvirt/qemu/a.xml")
        assert text.startswith("<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.") and "virsh edit a\n" in text
        await startup.start(guest)
        assert (guest.id, guest.state, guest.reason) == (1, State.RUNNING, Running.BOOTED)
        with pytest.raises(OperationInvalid, match="domain is already running"):
            await startup.start(guest)
        status = read(f"{root}/run/libvirt/qemu/a.xml")
        assert "<domstatus state='running' reason='booted' pid='" in status
        log = read(f"{root}/var/log/libvirt/qemu/a.log")
        assert "starting up libvirt version: 9.0.0" in log and "-name guest=a,debug-threads=on \\\n" in log
        await lifecycle.suspend(guest)
        assert (guest.state, guest.reason) == (State.PAUSED, Paused.USER)
        await lifecycle.resume(guest)
        with pytest.raises(OperationInvalid, match="domain is already running"):
            await lifecycle.resume(guest)
        await lifecycle.destroy(guest)
        assert (guest.id, guest.state, guest.reason) == (-1, State.SHUTOFF, Shutoff.DESTROYED)
        assert "shutting down, reason=destroyed" in read(f"{root}/var/log/libvirt/qemu/a.log")
        assert leftovers(root) == []
        driver.undefine(guest)
        with pytest.raises(NoDomain):
            driver.lookup_name("a")
        assert os.listdir(f"{root}/etc/libvirt/qemu") == ["autostart"]
        assert [e[1:] for e in small.lifecycle(seen)] == [
            (L.DEFINED, Detail.DEFINED_ADDED), (L.RESUMED, Detail.RESUMED_UNPAUSED), (L.STARTED, Detail.STARTED_BOOTED),
            (L.SUSPENDED, Detail.SUSPENDED_PAUSED), (L.RESUMED, Detail.RESUMED_UNPAUSED),
            (L.SHUTDOWN, Detail.SHUTDOWN_HOST), (L.STOPPED, Detail.STOPPED_DESTROYED),
            (L.UNDEFINED, Detail.UNDEFINED_REMOVED),
        ]  # fmt: skip
        await driver.stop()

    run(main())


def test_start_paused_and_killed_from_outside(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, seen = await small.make(str(tmp_path))
        guest = await driver.create(small.xml("t"), paused=True)
        assert not guest.persistent and (guest.state, guest.reason) == (State.PAUSED, Paused.USER)
        runtime = guest.run
        os.kill(runtime.pid, signal.SIGKILL)
        await asyncio.wait_for(runtime.ended.wait(), 10)
        await asyncio.sleep(0.05)
        assert "t" not in driver.guests.by_name, "a transient guest is gone with its process"
        assert [e[1:] for e in small.lifecycle(seen)] == [
            (L.STARTED, Detail.STARTED_BOOTED), (L.SUSPENDED, Detail.SUSPENDED_PAUSED),
            (L.STOPPED, Detail.STOPPED_FAILED),
        ]  # fmt: skip
        assert leftovers(str(tmp_path)) == []
        await driver.stop()

    run(main())


def test_failed_start_leaves_nothing_and_says_why(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch, "-device", "no-such-thing")
        driver, _seen = await small.make(str(tmp_path))
        guest = await driver.define(small.xml("f"))
        with pytest.raises(Error) as caught:
            await startup.start(guest)
        assert caught.value.message.startswith("internal error: process exited while connecting to monitor: ")
        assert "no-such-thing" in caught.value.message
        assert leftovers(str(tmp_path)) == [] and guest.state is State.SHUTOFF and guest.reason == Shutoff.FAILED
        assert "shutting down, reason=failed" in read(f"{tmp_path}/var/log/libvirt/qemu/f.log")
        with pytest.raises(Error):
            await driver.create(small.xml("g"))
        assert "g" not in driver.guests.by_name
        await driver.stop()

    run(main())


def test_conflicts(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
        await driver.define(small.xml("a", one))
        with pytest.raises(OperationFailed, match=f"domain 'a' already exists with uuid {one}"):
            await driver.define(small.xml("a", two))
        with pytest.raises(OperationFailed, match=f"domain 'a' is already defined with uuid {one}"):
            await driver.define(small.xml("b", one))
        guest = await driver.create(small.xml("a", one))
        assert guest.persistent and guest.active
        with pytest.raises(OperationInvalid, match="domain 'a' is already active") as caught:
            await driver.create(small.xml("a", one))
        assert caught.value.code == 55
        driver.undefine(guest)
        assert guest.active and not guest.persistent
        with pytest.raises(OperationInvalid, match="cannot undefine transient domain"):
            driver.undefine(guest)
        await lifecycle.destroy(guest)
        assert not driver.guests.by_uuid
        await driver.stop()

    run(main())


def test_adoption(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        root = str(tmp_path)
        driver, _ = await small.make(root)
        ids = {}
        for name in ("run", "paused", "dead", "transient"):
            guest = await (driver.create(small.xml(name)) if name == "transient" else driver.define(small.xml(name)))
            if name != "transient":
                await startup.start(guest, paused=name == "paused")
            ids[name] = (guest.id, guest.run.pid, guest.uuid)
        await driver.stop()
        os.kill(ids["dead"][1], signal.SIGKILL)
        again, _seen = await small.make(root)
        for name in ("run", "paused", "transient"):
            guest = again.lookup_name(name)
            assert (guest.id, guest.run.pid, guest.uuid) == ids[name]
            assert guest.persistent == (name != "transient")
        assert again.lookup_name("paused").state is State.PAUSED
        assert again.lookup_name("run").state is State.RUNNING
        dead = again.lookup_name("dead")
        assert (dead.id, dead.state, dead.reason) == (-1, State.SHUTOFF, Shutoff.CRASHED)
        assert (await again.create(small.xml("next"))).id == 5
        await lifecycle.suspend(again.lookup_name("run"))
        for guest in list(again.guests.by_id.values()):
            await lifecycle.destroy(guest)
        assert all(not process.alive(pid) for _, pid, _ in ids.values())
        assert leftovers(root) == []
        await again.stop()

    run(main())


def test_broken_files_are_reported_and_left(tmp_path, monkeypatch, caplog):
    async def main():
        small.patch(monkeypatch)
        root = str(tmp_path)
        driver, _ = await small.make(root)
        await driver.define(small.xml("good"))
        await driver.stop()
        etc = f"{root}/etc/libvirt/qemu"
        half = read(f"{etc}/good.xml")[:200]
        write(f"{etc}/half.xml", half)
        write(f"{etc}/good.xml.new", half)
        again, _ = await small.make(root)
        assert list(again.guests.by_name) == ["good"] and "half.xml is no whole guest definition" in caplog.text
        assert read(f"{etc}/half.xml") == half and not os.path.exists(f"{etc}/good.xml.new")
        await again.stop()

    run(main())


def test_autostart_once_for_each_boot(tmp_path, monkeypatch):
    from kvasir.qemu.autostart import set_autostart

    async def main():
        small.patch(monkeypatch)
        root = str(tmp_path)
        driver, _ = await small.make(root)
        set_autostart(await driver.define(small.xml("a")), True)
        assert os.readlink(f"{root}/etc/libvirt/qemu/autostart/a.xml") == f"{root}/etc/libvirt/qemu/a.xml"
        await driver.stop()
        second, _ = await small.make(root)
        await asyncio.sleep(0.3)
        assert not second.lookup_name("a").active, "same boot: autostart is over"
        await second.stop()
        os.unlink(f"{root}/run/libvirt/qemu/autostarted")
        third, _ = await small.make(root)
        for _ in range(100):
            if third.lookup_name("a").active:
                break
            await asyncio.sleep(0.05)
        assert third.lookup_name("a").autostart
        while third.lookup_name("a").jobs.busy:
            await asyncio.sleep(0.02)
        await lifecycle.destroy(third.lookup_name("a"))
        await third.stop()

    run(main())


def test_destroy_while_the_monitor_hangs(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, _ = await small.make(str(tmp_path))
        guest = await driver.create(small.xml("h"))
        os.kill(guest.run.pid, signal.SIGSTOP)
        hanging = asyncio.create_task(lifecycle.suspend(guest))
        await asyncio.sleep(0.1)
        assert not hanging.done() and guest.jobs.job is not None
        watch = guest.run.watch
        monkeypatch.setattr(process, "end", lambda w, graceful=False, force=True: _kill_now(w))
        await lifecycle.destroy(guest)
        assert watch.gone
        with pytest.raises(Error):
            await hanging
        await driver.stop()

    async def _kill_now(watch):
        watch.signal(signal.SIGKILL)
        return await watch.wait(10)

    run(main())


def after(guest):
    """Wait until the guest is off."""

    async def wait():
        for _ in range(400):
            if not guest.active:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{guest} still runs")

    return wait()


def test_what_a_panic_does(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, seen = await small.make(str(tmp_path))
        for action in ("destroy", "restart", "preserve", "coredump-destroy"):
            seen.clear()
            guest = await driver.define(
                small.xml("p", "33333333-3333-4333-8333-333333333333", f"<on_crash>{action}</on_crash>")
            )
            await startup.start(guest)
            EventHandler(guest).qmp({"event": "GUEST_PANICKED", "data": {"action": "pause"}})
            assert (guest.state, guest.reason) == (State.CRASHED, 1)
            if "destroy" in action:
                await after(guest)
                assert guest.reason == Shutoff.CRASHED
                assert (L.STOPPED, Detail.STOPPED_CRASHED) in [e[1:] for e in small.lifecycle(seen)]
            else:
                await asyncio.sleep(0.5)
                wanted = (State.RUNNING, Running.CRASHED) if action == "restart" else (State.CRASHED, 1)
                assert (guest.state, guest.reason) == wanted
                await lifecycle.destroy(guest)
            assert (L.CRASHED, Detail.CRASHED_PANICKED) in [e[1:] for e in small.lifecycle(seen)]
            cores = os.listdir(f"{tmp_path}/var/lib/libvirt/qemu/dump")
            assert bool(cores) == (action == "coredump-destroy")
        await driver.stop()

    run(main())


def test_io_errors_and_watchdogs_pause(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, seen = await small.make(str(tmp_path))
        guest = await driver.create(small.xml("w"))
        handler = EventHandler(guest)
        handler.qmp({"event": "WATCHDOG", "data": {"action": "pause"}})
        assert (guest.state, guest.reason) == (State.PAUSED, Paused.WATCHDOG)
        await lifecycle.resume(guest)
        handler.qmp(
            {"event": "BLOCK_IO_ERROR", "data": {"device": "", "node-name": "x", "action": "stop", "nospace": True}}
        )
        assert (guest.state, guest.reason) == (State.PAUSED, Paused.IOERROR)
        kinds = [type(e).__name__ for e in seen]
        assert kinds.index("IoError") < kinds.index("IoErrorReason")
        assert (L.SUSPENDED, Detail.SUSPENDED_IOERROR) in [e[1:] for e in small.lifecycle(seen)]
        for garbage in (
            {"event": "X"},
            {"event": "WATCHDOG", "data": []},
            {"event": "VSERPORT_CHANGE", "data": {"id": 7}},
            {},
        ):
            handler.qmp(garbage)
        await lifecycle.destroy(guest)
        await driver.stop()

    run(main())


def test_rename_and_lifecycle_action(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, seen = await small.make(str(tmp_path))
        guest = await driver.define(small.xml("old"))
        await driver.define(small.xml("other"))
        with pytest.raises(OperationInvalid, match="domain with name 'other' already exists"):
            await rename.rename(guest, "other")
        await rename.rename(guest, "new")
        assert driver.lookup_name("new") is guest and sorted(os.listdir(f"{tmp_path}/etc/libvirt/qemu")) == [
            "autostart", "new.xml", "other.xml",
        ]  # fmt: skip
        assert [e[1:] for e in small.lifecycle(seen)[-2:]] == [
            (L.UNDEFINED, Detail.UNDEFINED_RENAMED), (L.DEFINED, Detail.DEFINED_RENAMED),
        ]  # fmt: skip
        await lifecycle.set_action(guest, 2, 4, False, True)
        assert "<on_crash>coredump-destroy</on_crash>" in read(f"{tmp_path}/etc/libvirt/qemu/new.xml")
        await driver.stop()

    run(main())


def test_a_guest_that_is_gone_takes_no_memory(tmp_path, monkeypatch):
    async def main():
        small.patch(monkeypatch)
        driver, seen = await small.make(str(tmp_path))
        guest = await driver.define(small.xml("brief"))
        assert not SnapshotTree.of(guest).known and not CheckpointTree.of(guest).known
        left = weakref.ref(guest)
        driver.undefine(guest)
        del guest
        seen.clear()
        gc.collect()
        assert left() is None
        await driver.stop()

    run(main())
