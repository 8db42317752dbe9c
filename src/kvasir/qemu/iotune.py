"""Limits of a disk's throughput: as typed parameters, in the document, and in the running QEMU."""

from __future__ import annotations

from typing import Any

from kvasir.devices.disk import Iotune
from kvasir.devices.disk_throttle import throttle
from kvasir.errors import Code, ConfigUnsupported, Error, InvalidArg
from kvasir.events import Tunable
from kvasir.rpc.typed import ULLong

KINDS = ("bytes_sec", "iops_sec")
SIDES = ("total", "read", "write")
NAMES = (
    *(f"{side}_{kind}" for kind in KINDS for side in SIDES), *(f"{side}_{kind}_max" for kind in KINDS for side in SIDES),
    "size_iops_sec", "group_name", *(f"{side}_{kind}_max_length" for kind in KINDS for side in SIDES),
)  # fmt: skip
KNOWN = tuple((name, str if name == "group_name" else ULLong) for name in NAMES)
GROUPS = tuple(
    tuple(f"{side}_{kind}{tail}" for side in SIDES) for kind in KINDS for tail in ("", "_max", "_max_length")
)
"""What is set together: whoever sets one of three sets the others to nothing."""
MOST = 10**15
"""The highest limit, in bytes or operations a second."""
QEMU = {"bytes_sec": "bps", "iops_sec": "iops"}
TAILS = {"total": "", "read": "_rd", "write": "_wr"}


def disk_of(domain: Any, name: str, *, live: bool = True) -> Any:
    """The disk of that target or source. Raises InvalidArg."""
    for disk in domain.disks:
        if name and name in (disk.target, disk.location()):
            return disk
    raise InvalidArg(
        f"disk '{name}' not found in domain" if live else f"disk '{name}' was not found in the domain config"
    )


def rows(tune: Any) -> list[tuple[str, Any]]:
    """All limits as typed parameters."""
    return [
        (name, str(getattr(tune, name, None) or "") if name == "group_name" else ULLong(getattr(tune, name, None) or 0))
        for name in NAMES
    ]


async def from_qemu(guest: Any, disk: Any) -> list[tuple[str, Any]]:
    """The limits that are in force."""
    wanted = (disk.qom, disk.alias, f"/machine/peripheral/{disk.alias}/virtio-backend")
    inserted: dict[str, Any] = {}
    for row in await guest.monitor().command("query-block"):
        if row.get("qdev") in wanted:
            inserted = row.get("inserted") or {}
    if not inserted:
        return rows(disk.iotune)
    tune = Iotune()
    for kind, word in QEMU.items():
        for side, tail in TAILS.items():
            setattr(tune, f"{side}_{kind}", inserted.get(word + tail))
            setattr(tune, f"{side}_{kind}_max", inserted.get(f"{word}{tail}_max"))
            setattr(tune, f"{side}_{kind}_max_length", inserted.get(f"{word}{tail}_max_length"))
    tune.size_iops_sec, tune.group_name = inserted.get("iops_size"), inserted.get("group")
    return rows(tune)


def check_sets(wanted: dict[str, Any]) -> None:
    """Total and its parts exclude each other, and there is a limit of limits. Raises InvalidArg, ArgumentUnsupported."""
    if any(name != "group_name" and int(value) > MOST for name, value in wanted.items()):
        text = f"block I/O throttle limit value must be no more than {MOST}"
        raise Error(text, code=Code.ARGUMENT_UNSUPPORTED, message=f"argument unsupported: {text}")
    for kind in KINDS:
        for tail in ("", "_max"):
            total, *parts = (wanted.get(f"{side}_{kind}{tail}") for side in SIDES)
            if total and any(parts):
                raise InvalidArg(f"total and read/write of {kind}{tail} cannot be set at the same time")


def merged(old: Any, wanted: dict[str, Any]) -> Any:
    """The limits after a change. Raises InvalidArg, ConfigUnsupported."""
    tune = old.copy() if old is not None else Iotune()
    for group in GROUPS:
        if any(name in wanted for name in group):
            for name in group:
                setattr(tune, name, int(wanted.get(name, 0)) or None)
    for name in ("size_iops_sec", "group_name"):
        if name in wanted:
            setattr(tune, name, (str(wanted[name]) if name == "group_name" else int(wanted[name])) or None)
    return tune


def check_peaks(tune: Any) -> None:
    """A running guest's peaks stand above a usual limit. Raises ConfigUnsupported."""
    for kind in KINDS:
        for side in SIDES:
            _peak(tune, f"{side}_{kind}")


def _peak(tune: Any, name: str) -> None:
    usual, peak = getattr(tune, name), getattr(tune, f"{name}_max")
    if not peak:
        return
    if not usual:
        raise ConfigUnsupported(f"cannot reset '{name}' when '{name}_max' is set")
    if peak < usual:
        raise ConfigUnsupported(f"value '{name}_max' cannot be smaller than '{name}'")


def put(domain: Any, disk: Any, tune: Any) -> None:
    """Write the limits into the document; disks of one group have the same."""
    disk.iotune = tune if tune != Iotune() else None
    if tune.group_name:
        for other in domain.disks:
            if other is not disk and other.iotune is not None and other.iotune.group_name == tune.group_name:
                other.iotune = tune.copy()


async def set_live(guest: Any, disk: Any, wanted: dict[str, Any]) -> None:
    """Change the limits of a running guest's disk, and tell."""
    tune = merged(disk.iotune, wanted)
    check_peaks(tune)
    if tune.group_name and not any(value for name, value in rows(tune) if name != "group_name"):
        text = "creating a new group/updating existing with all tune parameters zero is not supported"
        raise ConfigUnsupported(text)
    trial = disk.copy()
    trial.iotune, trial.qom = tune, disk.qom
    found = throttle(trial)
    assert found is not None
    command, values = found
    if not tune.group_name:
        values.pop("group", None)
    for kind, word in QEMU.items():
        for tail in ("_max",):
            for side, mark in TAILS.items():
                values.setdefault(f"{word}{mark}{tail}", getattr(tune, f"{side}_{kind}_max") or 0)
    values.setdefault("iops_size", tune.size_iops_sec or 0)
    if not disk.empty:
        await guest.monitor().command(command, values)
    put(guest.live, disk, tune)
    told: list[tuple[str, Any]] = [("blkdeviotune.disk", str(disk.target))]
    told += [(f"blkdeviotune.{name}", value) for name, value in wanted.items()]
    guest.driver.bus.publish(Tunable(guest, told))
