"""Which device of a guest a document means, by libvirt's rules: each kind is known by other marks."""

from __future__ import annotations

from typing import Any

from kvasir.errors import (
    DeviceMissing,
    Error,
    InvalidArg,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
)

from .fragment import devices_of


def disk(domain: Any, target: str) -> Any:
    """The disk of that target name, or None."""
    return next((d for d in domain.disks if d.target == target), None)


def lease(domain: Any, wanted: Any) -> Any:
    """The lease of that key in that lockspace, or None."""
    return next((one for one in domain.leases if (one.key, one.lockspace) == (wanted.key, wanted.lockspace)), None)


def same_place(one: Any, other: Any) -> bool:
    """Whether the addresses are the same; none is the same as none only."""
    mine, theirs = one.address, other.address
    if mine is None or theirs is None:
        return mine is theirs
    return type(mine) is type(theirs) and all(
        getattr(mine, name) == getattr(theirs, name) for name in mine.FIELDS if name not in ("base", "multifunction")
    )


def place_fits(wanted: Any, other: Any) -> bool:
    """Whether the wanted device says no address, or this one."""
    return wanted.address is None or same_place(wanted, other)


def same_source(one: Any, other: Any) -> bool:
    """Whether two character backends are the same."""
    if one.type != other.type:
        return False
    mine, theirs = one.source, other.source
    for name in getattr(type(mine), "FIELDS", {}):
        if name in ("log", "log_append", "seclabels", "tls", "reconnect", "reconnect_timeout"):
            continue
        if getattr(mine, name, None) != getattr(theirs, name, None):
            return False
    return True


def same_chr(wanted: Any, other: Any) -> bool:
    """Whether two character devices are the same port with the same backend."""
    if not same_source(wanted, other):
        return False
    marks = {
        "serial": ("target_type", "port"), "parallel": ("port",), "console": ("target_type", "port"),
        "channel": ("target_type", "name", "target_address", "target_port"),
    }[wanted.TAG]  # fmt: skip
    return all(getattr(wanted, mark) == getattr(other, mark) for mark in marks)


def interface(domain: Any, wanted: Any) -> Any:
    """The card of that MAC (and address and alias where given). Raises DeviceMissing, OperationFailed."""
    found = [
        net for net in domain.interfaces
        if (wanted.mac is None or net.mac == wanted.mac) and place_fits(wanted, net)
        and (not wanted.alias or wanted.alias == net.alias)
    ]  # fmt: skip
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise OperationFailed(f"multiple devices matching MAC address {wanted.mac} found", origin=20)
    place = _pci_word(wanted.address) if wanted.address is not None else "(<null>)"
    raise DeviceMissing(
        f"no device found at address '{place}' matching MAC address '{wanted.mac}' and alias "
        f"'{wanted.alias or '(<null>)'}'",
        origin=20,
    )


def _pci_word(place: Any) -> str:
    if getattr(place, "type", "") != "pci":
        return "(<null>)"
    return f"{place.domain or 0:04x}:{place.bus or 0:02x}:{place.slot or 0:02x}.{place.function or 0}"


def hostdev(domain: Any, wanted: Any) -> Any:
    """The host device with that source. Raises DeviceMissing."""
    for one in domain.hostdevs:
        if same_hostdev(wanted, one):
            return one
    raise DeviceMissing(_no_hostdev(wanted))


def same_hostdev(wanted: Any, one: Any) -> bool:
    """True where both are the same device of the host."""
    same_kind = one.type == wanted.type and (one.mode or "subsystem") == (wanted.mode or "subsystem")
    return same_kind and _same_hostdev(wanted.source, one.source)


def _same_hostdev(wanted: Any, one: Any) -> bool:
    kind = type(wanted).__name__
    if kind == "UsbSource":
        if wanted.bus and wanted.device and (wanted.bus, wanted.device) == (one.bus, one.device):
            return not wanted.vendor or (wanted.vendor, wanted.product) == (one.vendor, one.product)
        if wanted.bus or wanted.device:
            return False
        return bool((wanted.vendor, wanted.product) == (one.vendor, one.product))
    ignored = ("driver", "teaming", "startup_policy", "missing", "found", "write_filtering", "guest_reset")
    return all(getattr(wanted, n, None) == getattr(one, n, None) for n in type(wanted).FIELDS if n not in ignored)


def _no_hostdev(wanted: Any) -> str:
    source, kind = wanted.source, wanted.type
    if kind == "pci":
        return f"host pci device {source.host} not found"
    if kind == "usb":
        if source.bus and source.device:
            return f"host usb device {source.bus:03d}.{source.device:03d} not found"
        return f"host usb device vendor=0x{source.vendor or 0:04x} product=0x{source.product or 0:04x} not found"
    if kind == "scsi":
        where = getattr(source, "adapter", None)
        if where is not None:
            return f"host scsi device {where}:{source.bus or 0}:{source.target or 0}.{source.unit or 0} not found"
        return f"host scsi iSCSI path {getattr(source, 'name', None)} not found"
    if kind == "mdev":
        return f"mediated device '{source.uuid}' not found"
    if kind == "scsi_host":
        return f"host scsi_host device {source.wwpn} not found"
    return f"unexpected hostdev type {kind}"


def memory(domain: Any, wanted: Any) -> Any:
    """The memory device with these marks (and address where given), or None."""
    marks = ("model", "access", "discard", "uuid", "nodemask", "pagesize", "path", "alignsize", "pmem", "size", "node",
             "label_size", "block", "readonly")  # fmt: skip
    exact = [
        one for one in domain.memories
        if all(getattr(one, mark) == getattr(wanted, mark) for mark in marks) and place_fits(wanted, one)
    ]  # fmt: skip
    return exact[0] if exact else None


def rng(domain: Any, wanted: Any) -> Any:
    """The generator with the same model, backend and limits, or None."""
    for one in domain.rngs:
        fields = [n for n in type(one).FIELDS if n not in ("alias", "address", "boot", "driver", "acpi_index")]
        if all(getattr(one, n) == getattr(wanted, n) for n in fields) and place_fits(wanted, one):
            return one
    return None


def shmem(domain: Any, wanted: Any) -> Any:
    """The shared memory of that name, model and size, or None."""
    marks = ("name", "model", "size", "role", "server", "server_path", "msi", "vectors", "ioeventfd")
    for one in domain.shmems:
        same = all(getattr(one, m) == getattr(wanted, m) for m in marks)
        if same and place_fits(wanted, one):
            return one
    return None


def redirdev(domain: Any, wanted: Any) -> Any:
    """The redirected device with that backend, or None."""
    for one in domain.redirdevs:
        if one.bus == wanted.bus and same_source(wanted, one) and place_fits(wanted, one):
            return one
    return None


def input_device(domain: Any, wanted: Any) -> Any:
    """The input of that type and bus, or None."""
    marks = ("type", "bus", "model", "evdev", "dev")
    for one in domain.inputs:
        if all(getattr(one, mark) == getattr(wanted, mark) for mark in marks) and place_fits(wanted, one):
            return one
    return None


def vsock(domain: Any, wanted: Any) -> Any:
    """The vsock device of that number, or None."""
    for one in domain.vsocks:
        same_cid = wanted.auto == one.auto and (wanted.auto or wanted.cid == one.cid)
        if one.model == wanted.model and same_cid and place_fits(wanted, one):
            return one
    return None


def filesystem(domain: Any, wanted: Any) -> Any:
    """The file system of that target, or None."""
    return next((one for one in domain.filesystems if one.target == wanted.target), None)


def sound(domain: Any, wanted: Any) -> Any:
    """The sound card of that model, or None."""
    return next((one for one in domain.sounds if one.model == wanted.model and place_fits(wanted, one)), None)


def find(domain: Any, wanted: Any, *, live: bool) -> Any:
    """The device that the document means. Raises DeviceMissing and what libvirt raises for its kind."""
    tag = wanted.TAG
    maker = FIND.get(tag)
    if maker is None or (live and tag == "sound"):
        raise OperationUnsupported(f"{'live' if live else 'persistent'} detach of device '{tag}' is not supported")
    found = maker(domain, wanted)
    if found is None:
        raise _missing(domain, wanted, live)
    return found


def _chr(domain: Any, wanted: Any) -> Any:
    return next((one for one in devices_of(domain, wanted.TAG) if same_chr(wanted, one)), None)


def _watchdog(domain: Any, wanted: Any) -> Any:
    for one in domain.watchdogs:
        if (one.model, one.action) == (wanted.model, wanted.action) and same_place(one, wanted):
            return one
    return None


def _controller(domain: Any, wanted: Any) -> Any:
    return next((c for c in domain.controllers if (c.type, c.index) == (wanted.type, wanted.index)), None)


FIND: dict[str, Any] = {
    "disk": lambda domain, wanted: disk(domain, wanted.target), "controller": _controller, "interface": interface,
    "hostdev": hostdev, "serial": _chr, "parallel": _chr, "console": _chr, "channel": _chr, "rng": rng,
    "memory": memory, "shmem": shmem, "redirdev": redirdev, "input": input_device, "vsock": vsock,
    "filesystem": filesystem, "watchdog": _watchdog, "lease": lease, "sound": sound,
}  # fmt: skip


def _missing(domain: Any, wanted: Any, live: bool) -> Error:
    tag = wanted.TAG
    if tag == "redirdev" and live:
        return OperationInvalid("no matching redirdev was not found")
    if tag == "lease":
        return OperationInvalid(f"Lease {wanted.key} in lockspace {wanted.lockspace or '(null)'} does not exist")
    text = LIVE_MISSING if live else CONFIG_MISSING
    if tag == "watchdog" and live:
        if not domain.watchdogs:
            return DeviceMissing("device not present in domain configuration")
        return DeviceMissing(f"model '{domain.watchdogs[0].model}' watchdog device not present in domain configuration")
    if not live and tag in ("serial", "parallel", "console", "channel", "controller"):
        return InvalidArg(CONFIG_MISSING[tag])
    if not live and tag == "vsock":
        return OperationFailed(CONFIG_MISSING[tag])
    values = {
        "tag": tag, "target": getattr(wanted, "target", None), "model": getattr(wanted, "model", None),
        "type": getattr(wanted, "type", None), "index": getattr(wanted, "index", None),
        "backend": getattr(wanted, "backend_model", None) or "random",
    }  # fmt: skip
    return DeviceMissing(text[tag].format(**values))


_CHR = {tag: "chr type '{tag}' device not present in domain configuration" for tag in ("serial", "parallel", "console",
        "channel")}  # fmt: skip
LIVE_MISSING = {
    **_CHR,
    "disk": "disk {target} not found",
    "controller": "controller {type}:{index} not found",
    "rng": "model '{backend}' RNG device not present in domain configuration",
    "memory": "model '{model}' memory device not present in the domain configuration",
    "shmem": "model '{model}' shmem device not present in domain configuration",
    "input": "matching input device not found",
    "vsock": "matching vsock device not found",
    "filesystem": "matching filesystem not found",
}
CONFIG_MISSING = {
    "disk": "no target device {target}",
    "serial": "device not present in domain configuration",
    "parallel": "device not present in domain configuration",
    "console": "device not present in domain configuration",
    "channel": "device not present in domain configuration",
    "controller": "device not present in domain configuration",
    "rng": "no matching RNG device was found",
    "memory": "matching memory device was not found",
    "shmem": "matching shmem device was not found",
    "redirdev": "no matching redirdev was not found",
    "input": "matching input device not found",
    "vsock": "matching vsock device not found",
    "filesystem": "no matching filesystem device was found",
    "watchdog": "domain has no watchdog",
    "sound": "device not present in domain configuration",
}
