"""The live definition: the one place where the driver looks into the document's elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kvasir.errors import ConfigUnsupported, OperationUnsupported
from kvasir.events import AgentLifecycle

VERSION = "9.0.0"
"""The libvirt that clients are told they talk to."""

DEFAULT_ACTIONS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
AGENT_NAMES = ("org.qemu.guest_agent.0", "com.redhat.spice.0")


def list_of(domain: Any, name: str) -> list[Any]:
    """A list of devices, empty where the document has none or the kind is not known yet."""
    return list(getattr(domain, name, None) or [])


def devices(domain: Any) -> Iterator[Any]:
    """Every device, in output order."""
    if domain is not None:
        yield from domain.all_devices()


def disks_named(entries: Iterable[Any], domain: Any) -> Iterator[tuple[Any, Any]]:
    """Each entry of a snapshot, checkpoint or backup with the disk that it names, by target or path. Raises ConfigUnsupported."""
    seen = set()
    for entry in entries:
        disk = next((disk for disk in domain.disks if entry.name in (disk.target, disk.location())), None)
        if disk is None:
            raise ConfigUnsupported(f"no disk named '{entry.name}'")
        if disk.target in seen:
            raise ConfigUnsupported(f"disk '{disk.target}' specified twice")
        seen.add(disk.target)
        yield entry, disk


def action(domain: Any, field: str) -> str:
    """What happens at poweroff, reboot or crash."""
    return str(getattr(domain, field, None) or DEFAULT_ACTIONS[field])


async def end_at_reboot(guest: Any) -> None:
    """A guest whose ``on_reboot`` is destroy ends where it reboots itself: QEMU is told to."""
    if action(guest.live, "on_reboot") == "destroy" and "set-action" in guest.run.words:
        await guest.monitor().command("set-action", {"reboot": "shutdown"})


def emulator(domain: Any, driver: Any) -> str:
    """The QEMU binary of a document. Raises OperationUnsupported."""
    if domain.emulator:
        return str(domain.emulator)
    arch = domain.os.arch or "x86_64"
    found = driver.binaries.get(arch)
    if found is None:
        raise OperationUnsupported(f"could not find any emulator for architecture '{arch}'")
    return str(found)


async def prepare(guest: Any, domain: Any, vm: Any) -> None:
    """Aliases, addresses and all else that only a guest about to run has."""
    from . import define

    await define.prepare_live(domain, vm)


def extra_environment(domain: Any, config: Any) -> dict[str, str]:
    """What displays need, and ``<qemu:env>`` of the document."""
    from kvasir.devices.graphics_qemu import sasl_environment

    shown = {key: value for device in list_of(domain, "graphics") for key, value in device.environment().items()}
    return (
        shown
        | sasl_environment(domain, config)
        | {str(env.name): str(env.value or "") for env in list_of(domain, "qemu_env") if env.name}
    )


# -- labels


@dataclass(slots=True)
class DacLabel:
    """What the document says of ownership."""

    relabel: bool
    text: str | None
    static: bool = False


def dac_label(domain: Any) -> DacLabel | None:
    """The ``<seclabel model='dac'>`` (or the one without a model), or None."""
    for label in list_of(domain, "seclabels"):
        if label.model in (None, "dac"):
            if label.type == "none":
                return DacLabel(False, None)
            static = label.type == "static"
            return DacLabel(label.relabel is not False, label.label if static else label.baselabel, static)
    return None


def show_label(domain: Any, label: str) -> None:
    """Write the label that the guest runs under into its live document."""
    from kvasir.model.sysinfo import Seclabel

    found = next((one for one in domain.seclabels if one.model in (None, "dac")), None)
    if found is None:
        found = Seclabel(type="dynamic", model="dac", relabel=True)
        found.implicit = True
        domain.seclabels.append(found)
    if found.type == "none":
        return
    found.label = found.label or label
    if found.relabel is not False:
        found.imagelabel = found.label


def recall_labels(domain: Any) -> None:
    """The status document does not say which labels the daemon made itself: those that look like it."""
    for label in domain.seclabels:
        label.implicit = (
            (label.type, label.model) == ("dynamic", "dac") and label.relabel is True and not label.baselabel
        )


def _relabel(source: Any) -> bool:
    """Whether a source's own seclabel lets its ownership be changed."""
    for label in list_of(source, "seclabels"):
        if getattr(label, "model", None) in (None, "dac") and getattr(label, "relabel", None) is False:
            return False
    return True


def source_path(device: Any) -> str | None:
    """The host path of a disk (file or block device), or None."""
    for name in ("source_path", "path"):
        value = getattr(device, name, None)
        if callable(value):
            value = value()
        if value:
            return str(value)
    source = getattr(device, "source", None)
    for name in ("file", "dev", "path", "dir"):
        value = getattr(source, name, None)
        if value:
            return str(value)
    return None


def mirrors(domain: Any) -> Iterator[str]:
    """The host paths that copies of disks were being written to."""
    for disk in list_of(domain, "disks"):
        if path := source_path(disk.mirror):
            yield path


def disk_chain(disk: Any) -> Iterator[str]:
    """The paths of a disk's backing files, nearest first."""
    layer = getattr(disk, "backing", None) or getattr(disk, "backing_store", None)
    while layer is not None:
        path = source_path(layer)
        if path:
            yield path
        layer = getattr(layer, "backing", None) or getattr(layer, "backing_store", None)


def labelled_paths(domain: Any) -> Iterator[tuple[str, bool]]:
    """(path, whether its owner is restored) of every host file that QEMU opens for the guest.

    Read-only and shared disks keep the new owner at the end, as others may use them (libvirt's rule).
    """
    seen: set[str] = set()
    for disk in list_of(domain, "disks"):
        path = source_path(disk)
        if path and path.startswith("/") and path not in seen and _relabel(getattr(disk, "source", None)):
            seen.add(path)
            yield path, not (getattr(disk, "readonly", False) or getattr(disk, "shareable", False))
        for layer in disk_chain(disk):
            if layer.startswith("/") and layer not in seen:
                seen.add(layer)
                yield layer, False
    boot = domain.os
    for path in (boot.kernel, boot.initrd, boot.dtb, *(table.path for table in boot.acpi_tables)):
        if path and path not in seen:
            seen.add(path)
            yield path, True
    nvram = boot.nvram or boot.nvram_file
    if nvram and nvram not in seen:
        yield nvram, True


def sends_raw_scsi(domain: Any) -> bool:
    """Whether the guest sends a unit of the host SCSI commands beyond reading and writing."""
    units = [getattr(device, "source", None) for device in list_of(domain, "hostdevs")]
    disks = list_of(domain, "disks")
    return any(getattr(unit, "rawio", None) or getattr(unit, "sgio", None) == "unfiltered" for unit in units) or any(
        disk.rawio or (disk.sgio == "unfiltered" and disk.type != "network") for disk in disks
    )


# -- look-ups by alias, target and path


def chardevs(domain: Any) -> Iterator[Any]:
    """Every character device of the document, in libvirt's order."""
    for name in ("serials", "parallels", "channels", "consoles"):
        yield from list_of(domain, name)


def disk_target(disk: Any) -> str:
    """The name by which a disk is called (``vda``)."""
    return str(getattr(disk, "target", None) or getattr(disk, "target_dev", None) or "")


def find_disk(domain: Any, word: str) -> Any:
    """The disk with that target or source path, or None."""
    for disk in list_of(domain, "disks"):
        if word and word in (disk_target(disk), source_path(disk)):
            return disk
    return None


def disk_of(guest: Any, device: str, node: str) -> tuple[str, str]:
    """(alias, source path) of the disk that an event of QEMU means by device id, QOM path or node name."""
    known = device.rsplit("/", 2)
    for disk in list_of(guest.live, "disks"):
        names = {disk.alias, f"drive-{disk.alias}", getattr(disk, "node_name", None)}
        if (device and (device in names or names & set(known))) or (node and node in names):
            return str(disk.alias), source_path(disk) or ""
    from .blocks import graph

    if node and (found := graph.disk_of_node(guest.live, node)) is not None:
        return str(found[0].alias), source_path(found[0]) or ""
    for disk in list_of(guest.live, "disks"):
        info = guest.run.disks.get(disk.alias) if guest.run is not None else None
        if info and node and info.get("node") == node:
            return str(disk.alias), source_path(disk) or ""
    return "", ""


def target_of(guest: Any, alias: str) -> str:
    """The target (``vda``) of a disk by its alias."""
    for disk in list_of(guest.live, "disks"):
        if disk.alias == alias:
            return disk_target(disk)
    return ""


def tray_moved(guest: Any, alias: str, is_open: bool) -> None:
    """Note where a tray is; a medium that left is no longer in the live document."""
    for disk in list_of(guest.live, "disks"):
        if disk.alias == alias:
            if hasattr(disk, "tray"):
                disk.tray = "open" if is_open else None
            guest.run.disks.setdefault(alias, {})["tray-open"] = is_open


# -- memory and clock


def balloon_changed(guest: Any, actual: int) -> None:
    """The guest has that much memory now (KiB)."""
    guest.live.current_memory = actual


def has_balloon(domain: Any) -> bool:
    """Whether QEMU has a balloon device."""
    return any(getattr(balloon, "model", None) != "none" for balloon in list_of(domain, "memballoons"))


def rtc_changed(guest: Any, offset: int) -> int:
    """The guest set its clock: keep the offset in the live document, and give it."""
    clock = guest.live.clock
    if clock is not None and clock.offset == "variable":
        base = guest.run.rtc_offset
        if base is None:
            try:
                base = guest.run.rtc_offset = int(clock.adjustment or 0)
            except ValueError:
                base = guest.run.rtc_offset = 0
        offset += base
        clock.adjustment = str(offset)
    return offset


# -- channels and the agent


def channel_name(channel: Any) -> str:
    """The name by which the guest sees a channel."""
    return str(getattr(channel, "target_name", None) or getattr(channel, "name", None) or "")


def agent_channel(domain: Any) -> Any:
    """The channel of the QEMU guest agent, or None."""
    for channel in list_of(domain, "channels"):
        if channel_name(channel) == AGENT_NAMES[0]:
            return channel
    return None


def agent_path(domain: Any) -> str:
    """The socket of the agent's channel, or ''."""
    channel = agent_channel(domain)
    if channel is None or getattr(channel, "type", None) != "unix":
        return ""
    return source_path(channel) or source_path(getattr(channel, "source", None)) or ""


def has_agent(domain: Any) -> bool:
    return agent_channel(domain) is not None


def is_agent(guest: Any, alias: str) -> bool:
    """Whether the channel of that alias is the agent's."""
    channel = agent_channel(guest.live)
    return channel is not None and channel.alias == alias


def channel_state(guest: Any, alias: str, connected: bool) -> bool:
    """Note that the guest opened or closed a channel; False where there is none of that alias."""
    word = "connected" if connected else "disconnected"
    for channel in list_of(guest.live, "channels"):
        if channel.alias == alias:
            for name in ("target_state", "state"):
                if hasattr(channel, name):
                    setattr(channel, name, word)
                    break
            return True
    return False


def announce_agent(guest: Any, *, connected: bool, by_channel: bool = False) -> None:
    """Tell that the agent came or went, because the guest started (1) or by its channel (2)."""
    guest.driver.bus.publish(AgentLifecycle(guest, 1 if connected else 2, 2 if by_channel else 1))


# -- after the start


async def learn(guest: Any) -> None:
    """Ask a started QEMU for what the live document shows: threads, terminals, balloon."""
    from . import learn as asking

    await asking.everything(guest)
