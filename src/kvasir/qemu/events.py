"""QEMU's events, in order: each changes the guest's state at once, tells the clients, and starts what must follow."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

from kvasir import events as out
from kvasir.errors import Error, OperationFailed

from . import locks, statusdoc
from .guest import Guest
from .jobs import Kind
from .monitor import Json
from .states import Crashed, Detail, Paused, Running, Shutdown, Shutoff, State
from .states import Lifecycle as L

log = logging.getLogger(__name__)

SUSPENDED_BY = {
    Paused.MIGRATION: Detail.SUSPENDED_MIGRATED,
    Paused.FROM_SNAPSHOT: Detail.SUSPENDED_FROM_SNAPSHOT,
    Paused.POSTCOPY: Detail.SUSPENDED_POSTCOPY,
    Paused.POSTCOPY_FAILED: Detail.SUSPENDED_POSTCOPY_FAILED,
    Paused.IOERROR: Detail.SUSPENDED_IOERROR,
    Paused.WATCHDOG: Detail.SUSPENDED_WATCHDOG,
}
RESUMED_BY = {
    Running.MIGRATED: Detail.RESUMED_MIGRATED,
    Running.FROM_SNAPSHOT: Detail.RESUMED_FROM_SNAPSHOT,
    Running.RESTORED: Detail.RESUMED_FROM_SNAPSHOT,
    Running.POSTCOPY: Detail.RESUMED_POSTCOPY,
    Running.POSTCOPY_FAILED: Detail.RESUMED_POSTCOPY_FAILED,
}
WATCHDOG_ACTIONS = {"none": 0, "pause": 1, "reset": 2, "poweroff": 3, "shutdown": 4, "debug": 5, "inject-nmi": 6}
FAMILIES = {"ipv4": 0, "ipv6": 1, "unix": 2, "unknown": 2}


async def run_cpus(guest: Guest, reason: Running) -> None:
    """Let the virtual CPUs run; the state changes when QEMU says that they do. Raises OperationFailed, MonitorError."""
    run = guest.need_active()
    await locks.resume(guest)
    run.running_reason = reason
    try:
        await guest.monitor().command("cont")
    except Error:
        await locks.pause(guest)
        raise
    if guest.run is run and guest.state is not State.RUNNING and guest.active:
        resumed(guest, reason)


async def stop_cpus(guest: Guest, reason: Paused) -> None:
    """Halt the virtual CPUs."""
    run = guest.need_active()
    run.paused_reason = reason
    try:
        await guest.monitor().command("stop")
    finally:
        run.paused_reason = Paused.UNKNOWN
    if guest.run is run and guest.state is State.RUNNING:
        suspended(guest, reason)
    await locks.pause(guest)


def suspended(guest: Guest, reason: Paused) -> None:
    """Note that the CPUs are halted, and tell."""
    guest.set_state(State.PAUSED, reason)
    locks.halted(guest)
    guest.driver.event(guest, L.SUSPENDED, SUSPENDED_BY.get(reason, Detail.SUSPENDED_PAUSED))
    statusdoc.save(guest)


def resumed(guest: Guest, reason: Running) -> None:
    """Note that the CPUs run, and tell."""
    guest.set_state(State.RUNNING, reason)
    guest.driver.event(guest, L.RESUMED, RESUMED_BY.get(reason, Detail.RESUMED_UNPAUSED))
    statusdoc.save(guest)


class EventHandler:
    """The events of one QEMU process."""

    def __init__(self, guest: Guest) -> None:
        self.guest, self.driver, self.run = guest, guest.driver, guest.run

    def qmp(self, event: Json) -> None:
        """Take one event. An event that nobody knows is only passed on to monitor listeners."""
        if self.guest.run is not self.run or self.run is None:
            return
        name, data = str(event.get("event", "")), event.get("data") or {}
        handler = getattr(self, "on_" + name.lower(), None)
        if handler is not None and isinstance(data, dict):
            handler(data)
        stamp = event.get("timestamp") or {}
        self.driver.bus.publish(
            out.MonitorEvent(
                self.guest,
                name,
                int(stamp.get("seconds", 0)),
                int(stamp.get("microseconds", 0)),
                json.dumps(event["data"], separators=(",", ":")) if "data" in event else None,
            )
        )

    def eof(self) -> None:
        """QEMU hung up: if nobody is ending it, it died."""
        run = self.run
        if self.guest.run is not run or run is None or run.being_destroyed or run.stopping or run.starting:
            return
        from . import lifecycle

        self.driver.spawn(lifecycle.died(self.guest, run), f"end of {self.guest.name}")

    def _later(self, work: Any, what: str) -> None:
        self.driver.spawn(work, f"{what} {self.guest.name}")

    def _publish(self, kind: Any, *values: Any) -> None:
        self.driver.bus.publish(kind(self.guest, *values))

    # -- running and not

    def on_shutdown(self, data: Json) -> None:
        from . import lifecycle

        run, guest = self.run, self.guest
        assert run is not None
        if run.got_shutdown:
            return
        run.got_shutdown = True
        if not run.fake_reboot:
            guest.set_state(State.SHUTDOWN, Shutdown.UNKNOWN)
            detail = {True: Detail.SHUTDOWN_GUEST, False: Detail.SHUTDOWN_HOST}.get(
                data.get("guest"),  # type: ignore[arg-type]
                Detail.SHUTDOWN_FINISHED,
            )
            self.driver.event(guest, L.SHUTDOWN, detail)
            statusdoc.save(guest)
        if run.agent is not None:
            run.agent.guest_event("shutdown")
        if not run.being_destroyed:
            lifecycle.shut_or_reboot(guest, run)

    def on_stop(self, data: Json) -> None:
        run, guest = self.run, self.guest
        assert run is not None
        if guest.state is not State.RUNNING or run.got_shutdown:
            return
        reason = run.paused_reason
        if reason is Paused.UNKNOWN and guest.jobs.async_job.value == "migration out":
            reason = Paused.MIGRATION
        suspended(guest, reason)

    def on_resume(self, data: Json) -> None:
        run, guest = self.run, self.guest
        assert run is not None
        if guest.state is State.RUNNING or guest.state is State.PMSUSPENDED:
            return
        reason, run.running_reason = run.running_reason, Running.UNKNOWN
        resumed(guest, reason or Running.UNPAUSED)

    def on_reset(self, data: Json) -> None:
        run = self.run
        assert run is not None
        self._publish(out.Reboot)
        if run.agent is not None:
            run.agent.guest_event("reset")
        run.fake_reboot = False
        statusdoc.save(self.guest)

    def on_suspend(self, data: Json) -> None:
        if self.guest.state is State.RUNNING:
            self.guest.set_state(State.PMSUSPENDED, 0)
            self.driver.event(self.guest, L.PMSUSPENDED, Detail.PMSUSPENDED_MEMORY)
            statusdoc.save(self.guest)
        self._publish(out.PmSuspend)

    def on_suspend_disk(self, data: Json) -> None:
        if self.guest.state is State.RUNNING:
            self.guest.set_state(State.PMSUSPENDED, 0)
            self.driver.event(self.guest, L.PMSUSPENDED, Detail.PMSUSPENDED_DISK)
            statusdoc.save(self.guest)
        self._publish(out.PmSuspendDisk)

    def on_wakeup(self, data: Json) -> None:
        if self.guest.state is State.PMSUSPENDED:
            self.guest.set_state(State.RUNNING, Running.WAKEUP)
            self.driver.event(self.guest, L.STARTED, Detail.STARTED_WAKEUP)
            statusdoc.save(self.guest)
        self._publish(out.PmWakeup)

    def on_watchdog(self, data: Json) -> None:
        action = str(data.get("action"))
        if action == "pause" and self.guest.state is State.RUNNING:
            suspended(self.guest, Paused.WATCHDOG)
        self._publish(out.Watchdog, WATCHDOG_ACTIONS.get(action, 0))
        from . import lifecycle

        if action == "pause" and lifecycle.watchdog_dumps(self.guest):
            self._later(lifecycle.watchdog_dump(self.guest), "watchdog of")

    def on_guest_panicked(self, data: Json) -> None:
        from . import lifecycle

        run, guest = self.run, self.guest
        assert run is not None
        guest.set_state(State.CRASHED, Crashed.PANICKED)
        self._later(lifecycle.panicked(guest, run), "panic of")

    def on_guest_crashloaded(self, data: Json) -> None:
        self.driver.event(self.guest, L.CRASHED, Detail.CRASHED_CRASHLOADED)

    def on_migration(self, data: Json) -> None:
        if self.run is not None and self.run.migration is not None:
            self.run.migration.set(str(data.get("status")))

    def on_migration_pass(self, data: Json) -> None:
        self._publish(out.MigrationIteration, int(data.get("pass", 0)))

    def on_dump_completed(self, data: Json) -> None:
        if self.run is not None and self.run.migration is not None:
            self.run.migration.error = str(data.get("error") or "")
            self.run.migration.set("failed" if data.get("error") else "completed")

    # -- clock, memory, disks

    def on_rtc_change(self, data: Json) -> None:
        offset = int(data.get("offset", 0))
        from . import live

        offset = live.rtc_changed(self.guest, offset)
        statusdoc.save(self.guest)
        self._publish(out.RtcChange, offset)

    def on_balloon_change(self, data: Json) -> None:
        actual = int(data.get("actual", 0)) // 1024
        assert self.run is not None
        self.run.balloon = actual
        from . import live

        live.balloon_changed(self.guest, actual)
        statusdoc.save(self.guest)
        self._publish(out.BalloonChange, actual)

    def on_block_io_error(self, data: Json) -> None:
        from . import live

        node, action = str(data.get("node-name") or ""), str(data.get("action"))
        alias, path = live.disk_of(self.guest, str(data.get("qom-path") or data.get("device") or ""), node)
        reason = "enospc" if data.get("nospace") else ""
        number = {"stop": 1, "report": 2, "ignore": 0}.get(action, 0)
        self._publish(out.IoError, path, alias, number)
        self._publish(out.IoErrorReason, path, alias, number, reason)
        if action == "stop" and self.guest.state is State.RUNNING:
            suspended(self.guest, Paused.IOERROR)

    def on_device_tray_moved(self, data: Json) -> None:
        from . import live

        alias, _ = live.disk_of(self.guest, str(data.get("id") or data.get("device") or ""), "")
        is_open = bool(data.get("tray-open"))
        live.tray_moved(self.guest, alias, is_open)
        self._publish(out.TrayChange, alias, 0 if is_open else 1)
        statusdoc.save(self.guest)

    def on_memory_failure(self, data: Json) -> None:
        recipients, actions = {"hypervisor": 0, "guest": 1}, {"ignore": 0, "inject": 1, "fatal": 2, "reset": 3}
        flags = data.get("flags") or {}
        self._publish(
            out.MemoryFailure,
            recipients.get(str(data.get("recipient")), 0),
            actions.get(str(data.get("action")), 0),
            (1 if flags.get("action-required") else 0) | (2 if flags.get("recursive") else 0),
        )

    def on_memory_device_size_change(self, data: Json) -> None:
        self._publish(out.MemoryDeviceSizeChange, str(data.get("id")), int(data.get("size", 0)) // 1024)

    def on_block_write_threshold(self, data: Json) -> None:
        from .blocks import graph

        found = graph.disk_of_node(self.guest.live, str(data.get("node-name")))
        if found is None:
            return
        disk, image = found
        threshold, excess = int(data.get("write-threshold", 0)), int(data.get("amount-exceeded", 0))
        path = image.path if image.local else None
        if image.index == disk.source.index:
            self._publish(out.BlockThreshold, disk.target, path, threshold, excess)
        self._publish(out.BlockThreshold, f"{disk.target}[{image.index}]", path, threshold, excess)

    def on_job_status_change(self, data: Json) -> None:
        from .blocks import jobs

        jobs.status_changed(self.guest, data)

    # -- devices

    def on_device_deleted(self, data: Json) -> None:
        if data.get("device"):
            from .hotplug import detach

            detach.deleted(self.guest, str(data["device"]))

    def on_device_unplug_guest_error(self, data: Json) -> None:
        if data.get("device"):
            from .hotplug import detach

            detach.refused(self.guest, str(data["device"]))

    def on_vserport_change(self, data: Json) -> None:
        from . import agent, live

        connected = bool(data.get("open"))
        if not live.channel_state(self.guest, str(data.get("id")), connected):
            return
        if live.is_agent(self.guest, str(data.get("id"))):
            agent.channel_changed(self.guest, connected)
            self.guest.driver.spawn(self._announce_agent(connected), f"agent of {self.guest.name}")
        statusdoc.save(self.guest)

    async def _announce_agent(self, connected: bool) -> None:
        """Told when no call changes the guest: after a start that it comes in the middle of, as by libvirt."""
        from . import live

        run = self.guest.run
        with contextlib.suppress(Error):
            async with self.guest.jobs.normal(Kind.MODIFY):
                if run is not None and self.guest.run is run:
                    live.announce_agent(self.guest, connected=connected, by_channel=True)

    def _graphics(self, phase: int, data: Json) -> None:
        def address(part: Json) -> tuple[int, str, str]:
            family = FAMILIES.get(str(part.get("family")), 0)
            return family, str(part.get("host", "")), str(part.get("service") or part.get("port") or "")

        server, client = data.get("server") or {}, data.get("client") or {}
        subject = [
            (word, str(client[key])) for key, word in (("x509_dname", "x509dname"), ("sasl_username", "saslUsername"))
            if client.get(key)
        ]  # fmt: skip
        self._publish(out.Graphics, phase, address(server), address(client), str(server.get("auth", "")), subject)

    def on_vnc_connected(self, data: Json) -> None:
        self._graphics(0, data)

    def on_vnc_initialized(self, data: Json) -> None:
        self._graphics(1, data)

    def on_vnc_disconnected(self, data: Json) -> None:
        self._graphics(2, data)

    def on_spice_connected(self, data: Json) -> None:
        self._graphics(0, data)

    def on_spice_initialized(self, data: Json) -> None:
        self._graphics(1, data)

    def on_spice_disconnected(self, data: Json) -> None:
        self._graphics(2, data)


__all__ = ["Error", "EventHandler", "OperationFailed", "Shutoff", "resumed", "run_cpus", "stop_cpus", "suspended"]
