"""Taking up the guests that run when the daemon starts: a guest never dies with the daemon, and never runs twice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import Any

from kvasir.errors import Error

from . import cgroups, hooks, learn, lifecycle, live, perfevents, process, statusdoc, volumes
from .backups import run as backups
from .blocks import graph
from .blocks import jobs as block_jobs
from .events import EventHandler
from .guest import Guest, Runtime
from .hostwork import remove_tree
from .monitor import Monitor
from .snapshots import overlays
from .states import Detail, Paused, Shutoff, State

log = logging.getLogger(__name__)

CONNECT = 15.0
"""Seconds that a running QEMU has to greet us again."""


async def adopt_all(driver: Any) -> None:
    """Take up every guest with a status document; end what a cut-off start left behind."""
    found = driver.status.load()
    known: set[str] = set()
    work = []
    for name, text in found:
        known.add(name)
        try:
            status = statusdoc.parse(text)
        except Error as error:
            log.error("status of guest %s cannot be read (%s); ending what its pid file names", name, error.message)
            await _sweep(driver, name, driver.status.pidfile(name))
            driver.status.delete(name)
            continue
        guest = _known(driver, name, status)
        work.append(_adopt(guest, status))
    for name, path in driver.status.orphans(known):
        await _sweep(driver, name, path)
    if work:
        await asyncio.gather(*work)
    _sweep_folders(driver)


def _known(driver: Any, name: str, status: statusdoc.Status) -> Guest:
    from .driver import uuid_bytes

    uuid = uuid_bytes(status.domain)
    guest: Guest | None = driver.guests.by_uuid.get(uuid)
    if guest is None or guest.name != name:
        guest = Guest(driver, name, uuid)
        driver.guests.add(guest)
    return guest


def _runtime(status: statusdoc.Status) -> Runtime:
    run = Runtime()
    run.pid, run.monitor_path, run.lib, run.channel = status.pid, status.monitor_path, status.lib, status.channel
    run.fake_reboot, run.allow_reboot = status.fake_reboot, status.allow_reboot
    run.agent_timeout, run.nodename_index = status.agent_timeout, status.nodename_index
    run.words, run.taints, run.vcpus = status.words, status.taints, status.vcpus
    run.blockjobs, run.pending_snapshot, run.backup = status.blockjobs, status.pending_snapshot, status.backup
    run.labels = ["remembered"] if status.remembers else []
    run.was_changing = status.job == "modify"
    run.own_dev = status.own_dev
    run.got_shutdown = status.state is State.SHUTDOWN
    run.first_cpu = status.first_cpu
    live.recall_labels(status.domain)
    run.lock_state, run.locked = status.lock_state, status.state is State.RUNNING
    return run


async def _adopt(guest: Guest, status: statusdoc.Status) -> None:
    driver = guest.driver
    guest.live, guest.run = status.domain, _runtime(status)
    run = guest.run
    number = status.domain.id if status.domain.id is not None and status.domain.id >= 0 else None
    driver.guests.give_id(guest, number)
    guest.live.id = guest.id
    guest.set_state(status.state, status.reason)
    volumes.resolve(guest.live, driver.drivers, quiet=True)
    try:
        pid = run.pid or process.read_pidfile(driver.status.pidfile(guest.name)) or 0
        if not pid:
            raise ProcessLookupError
        run.pid = pid
        run.watch = process.Watch(pid)
        if not process.alive(pid, guest.uuid_text) and not process.alive(pid, f"guest={guest.name}"):
            run.watch.close()
            run.watch = None
            raise ProcessLookupError
    except (ProcessLookupError, OSError):
        await _lost(guest, run, "its process is gone")
        return
    handler = EventHandler(guest)
    run.monitor = Monitor(guest.name, handler.qmp, handler.eof)
    starting = status.state is State.PAUSED and status.reason == Paused.STARTING_UP
    try:
        if starting:
            raise Error("its start was cut off")
        await run.monitor.connect(run.monitor_path, CONNECT)
        run.monitor_since = time.time()
        cgroups.adopt(guest)
        perfevents.resume(run, guest.live)
        await learn.everything(guest, adopted=True)
        await overlays.settle(guest)
        await backups.adopt(guest)
        await block_jobs.adopt(guest)
        if run.nodename_index > graph.highest(guest.live):
            await graph.sweep(guest)
        await _cards(guest)
        await hooks.ask(guest, "reconnect")
    except Error as error:
        await _lost(guest, run, error.message)
        return
    log.info("guest %s runs with pid %d: taken up, %s", guest.name, run.pid, guest.state.name.lower())
    await _devices_of_before(guest, status)
    await _job_of_before(guest, status)
    statusdoc.save(guest)
    from . import agent

    agent.attach(guest)
    if guest.state is State.SHUTDOWN:
        run.got_shutdown = True
        lifecycle.shut_or_reboot(guest, run)


async def _cards(guest: Guest) -> None:
    """Network cards: their ports are known again, their taps on the bridges again."""
    from kvasir.devices.interface_host import attach_again

    for card in live.list_of(guest.live, "interfaces"):
        try:
            await attach_again(card, guest.driver.drivers.get("network"), guest)
        except (Error, OSError) as error:
            log.warning("guest %s: card %s cannot be plugged in again: %s", guest.name, card.mac, error)


async def _devices_of_before(guest: Guest, status: statusdoc.Status) -> None:
    """Devices that came or went while no daemon was here."""
    from .hotplug import orphans

    try:
        await orphans.reconcile(guest, status.devices)
    except Error as error:
        log.warning("guest %s: its devices cannot be compared: %s", guest.name, error.message)


async def _job_of_before(guest: Guest, status: statusdoc.Status) -> None:
    """Finish or undo what the daemon was doing when it died."""
    if status.job == "destroy":
        log.info("guest %s was being destroyed: finishing that", guest.name)
        await lifecycle.stop(guest, Shutoff.DESTROYED, Detail.STOPPED_DESTROYED)
    elif status.async_job in ("dump", "save", "snapshot") and guest.state is State.PAUSED:
        _drop_unfinished(guest)
        if guest.reason in (Paused.SAVE, Paused.DUMP, Paused.SNAPSHOT, Paused.MIGRATION):
            from .events import run_cpus
            from .states import Running

            log.info("guest %s was in a %s job: it runs on", guest.name, status.async_job)
            await guest.monitor().command("migrate_cancel")
            await run_cpus(guest, Running.SAVE_CANCELED)
    elif status.job != "none" or status.async_job != "none":
        log.info("guest %s: the job '%s'/'%s' of before is dropped", guest.name, status.job, status.async_job)


def _drop_unfinished(guest: Guest) -> None:
    """Remove a managed save that the daemon's death cut off. (Of a file of the user's own only the header tells that.)"""
    from . import save, savefile

    path = save.managed_path(guest)
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        if stream.read(len(savefile.PARTIAL)) == savefile.PARTIAL:
            os.unlink(path)


async def _lost(guest: Guest, run: Runtime, why: str) -> None:
    """The guest cannot be taken up: make sure that it is dead, and clean up. It is then off, reason "daemon" or so."""
    log.warning("guest %s cannot be taken up: %s", guest.name, why)
    run.being_destroyed = True
    if run.watch is not None:
        await process.end(run.watch)
    await lifecycle.finish(guest, run, Shutoff.DAEMON if run.watch is not None else Shutoff.CRASHED)
    guest.set_state(State.SHUTOFF, Shutoff.CRASHED if not run.got_shutdown else Shutoff.SHUTDOWN)
    guest.driver.gone(guest)


async def _sweep(driver: Any, name: str, pidfile: str) -> None:
    """End the process of a start that was cut off before its status document, if it is QEMU and that guest's."""
    pid = process.read_pidfile(pidfile)
    if pid and process.alive(pid, f"guest={name}"):
        log.warning("guest %s: ending process %d of a start that was cut off", name, pid)
        with contextlib.suppress(ProcessLookupError):
            watch = process.Watch(pid)
            watch.signal(signal.SIGKILL)
            await watch.wait(10)
            watch.close()
    with contextlib.suppress(OSError):
        os.unlink(pidfile)


def _sweep_folders(driver: Any) -> None:
    """Remove the run-time folders of guests that do not run."""
    used = {path for guest in driver.guests.by_id.values() if guest.run for path in (guest.run.lib, guest.run.channel)}
    for parent in (driver.paths.qemu.lib, driver.paths.qemu.channel):
        with contextlib.suppress(OSError):
            for entry in os.listdir(parent):
                path = f"{parent}/{entry}"
                if entry.startswith("domain-") and path not in used:
                    remove_tree(path)


__all__ = ["adopt_all", "live"]
