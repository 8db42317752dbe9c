"""What only the running QEMU knows and the live document and the statistics show: asked at the start and on adoption."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from . import guestcpu, live
from .monitor import MonitorError

log = logging.getLogger(__name__)


async def everything(guest: Any, *, adopted: bool = False) -> None:
    """Terminals, threads of the CPUs, channels, balloon, trays."""
    await terminals(guest)
    await threads(guest)
    await disks(guest)
    await balloon(guest, adopted)
    if live.list_of(guest.live, "memories"):
        await memory_places(guest)
    await peripherals(guest)
    if not adopted:
        await guestcpu.learn(guest)
    if adopted:
        await state(guest)


async def terminals(guest: Any) -> None:
    """Put the names of pseudo terminals and the states of channels into the live document."""
    first_serial = next(iter(live.list_of(guest.live, "serials")), None)
    consoles = live.list_of(guest.live, "consoles")
    shared = bool(consoles) and _is_serial(consoles[0])
    if first_serial is not None and shared:
        consoles[0].alias = first_serial.alias
    wanted = [
        dev for dev in live.chardevs(guest.live) if _type(dev) == "pty" or dev in live.list_of(guest.live, "channels")
    ]
    if not wanted:
        return
    answer = await guest.monitor().command("query-chardev")
    by_label = {str(row.get("label")): row for row in answer}
    for dev in wanted:
        row = by_label.get(f"char{dev.alias}")
        name = str(row.get("filename", "")) if row else ""
        if name.startswith("pty:"):
            _set_path(dev, name[4:])
        if row is not None and dev in live.list_of(guest.live, "channels"):
            word = "connected" if row.get("frontend-open") else "disconnected"
            for field in ("target_state", "state"):
                if hasattr(dev, field) and getattr(dev, "target_type", "virtio") == "virtio":
                    setattr(dev, field, word)
                    break
    if first_serial is not None and shared:
        copy_source(first_serial, consoles[0])


def _is_serial(console: Any) -> bool:
    return getattr(console, "target_type", None) in (None, "serial")


def copy_source(serial: Any, console: Any) -> None:
    """The first console of type serial is the first serial port under another name."""
    for name in ("source", "alias", "tty"):
        value = getattr(serial, name, None)
        if value is not None and hasattr(console, name):
            setattr(console, name, value.copy() if hasattr(value, "copy") else value)


def _type(device: Any) -> str:
    return str(getattr(device, "type", "") or "")


def _set_path(device: Any, path: str) -> None:
    """Name the pseudo terminal of a device, wherever its class keeps the path."""
    source = getattr(device, "source", None)
    for owner in (device, source):
        for name in ("source_path", "path"):
            if owner is not None and name in getattr(type(owner), "FIELDS", {}):
                setattr(owner, name, path)
                if "tty" in getattr(type(device), "FIELDS", {}):
                    device.tty = path
                return


async def threads(guest: Any) -> None:
    """The threads of the virtual CPUs."""
    answer = await guest.monitor().command("query-cpus-fast")
    guest.run.vcpus = {int(cpu["cpu-index"]): int(cpu["thread-id"]) for cpu in answer if "thread-id" in cpu}


async def peripherals(guest: Any) -> None:
    """The ids of the devices that QEMU has; an adoption sees by them what came and went meanwhile."""
    rows = await guest.monitor().command("qom-list", {"path": "/machine/peripheral"})
    guest.run.aliases = [str(row["name"]) for row in rows if str(row.get("type", "")).startswith("child<")]


async def disks(guest: Any) -> None:
    """Trays and I/O states of the drives that can have them."""
    if not live.list_of(guest.live, "disks"):
        return
    answer = await guest.monitor().command("query-block")
    for row in answer:
        device = str(row.get("qdev") or row.get("device") or "")
        alias, _ = live.disk_of(guest, device, str((row.get("inserted") or {}).get("node-name", "")))
        if alias:
            info = guest.run.disks.setdefault(alias, {})
            info["io-status"] = row.get("io-status")
            info["tray-open"] = bool(row.get("tray_open"))
            info["node"] = (row.get("inserted") or {}).get("node-name")
            for disk in live.list_of(guest.live, "disks"):
                if disk.alias == alias and disk.tray is not None:
                    disk.tray = "open" if info["tray-open"] else None


async def memory_places(guest: Any) -> None:
    """Base addresses of DIMMs and sizes of growing memory, from QEMU."""
    by_id = {str(row["data"].get("id")): row["data"] for row in await guest.monitor().command("query-memory-devices")}
    for memory in guest.live.memories:
        row = by_id.get(memory.alias)
        if row is None:
            continue
        if memory.model in ("dimm", "nvdimm") and memory.address is not None:
            memory.address.slot, memory.address.base = int(row["slot"]), int(row["addr"])
        elif memory.model == "virtio-mem":
            memory.current = int(row["size"]) // 1024


async def balloon(guest: Any, adopted: bool = False) -> None:
    """How much memory the guest has; at the start it is brought to ``currentMemory``."""
    domain, run = guest.live, guest.run
    if not live.has_balloon(domain):
        if domain.memory is not None and not adopted:
            domain.current_memory = domain.memory
        return
    monitor = guest.monitor()
    if not adopted and domain.current_memory and domain.memory and domain.current_memory < domain.memory:
        await monitor.command("balloon", {"value": domain.current_memory * 1024})
    try:
        answer = await monitor.command("query-balloon")
    except MonitorError as error:
        log.debug("guest %s: no balloon: %s", guest.name, error)
        return
    run.balloon = domain.current_memory = int(answer["actual"]) // 1024
    period = next((getattr(b, "period", None) for b in live.list_of(domain, "memballoons")), None)
    if period:
        await stats_period(guest, int(period))


async def balloon_path(guest: Any) -> str | None:
    """The QOM path of the balloon."""
    for device in live.list_of(guest.live, "memballoons"):
        if device.alias and getattr(device, "model", None) != "none":
            return f"/machine/peripheral/{device.alias}"
    return None


async def stats_period(guest: Any, seconds: int) -> None:
    """How often the guest reports its memory."""
    path = await balloon_path(guest)
    if path is not None:
        await guest.monitor().command(
            "qom-set", {"path": path, "property": "guest-stats-polling-interval", "value": seconds}
        )
        guest.run.stats_period = seconds


async def state(guest: Any) -> None:
    """After an adoption: whether the CPUs run."""
    from .states import Crashed, Paused, Running, Shutdown, State

    answer = await guest.monitor().command("query-status")
    status = str(answer.get("status"))
    if status in ("running", "finish-migrate", "debug") or answer.get("running"):
        if guest.state is not State.RUNNING:
            guest.set_state(State.RUNNING, Running.UNPAUSED if guest.state is State.PAUSED else Running.BOOTED)
    elif status == "shutdown":
        if guest.state is not State.SHUTDOWN:
            guest.set_state(State.SHUTDOWN, Shutdown.UNKNOWN)
    elif status == "guest-panicked":
        guest.set_state(State.CRASHED, Crashed.PANICKED)
    elif status == "suspended":
        guest.set_state(State.PMSUSPENDED, 0)
    elif guest.state is State.RUNNING or (guest.state is State.PAUSED and guest.reason == Paused.STARTING_UP):
        reason = {"io-error": Paused.IOERROR, "watchdog": Paused.WATCHDOG}.get(status, Paused.UNKNOWN)
        guest.set_state(State.PAUSED, reason)


async def settle() -> None:
    """Let events that are on their way arrive."""
    await asyncio.sleep(0)
