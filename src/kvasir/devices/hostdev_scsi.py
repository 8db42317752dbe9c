"""QEMU's form of SCSI units of the host."""

from __future__ import annotations

import os
from typing import Any

from kvasir.errors import InternalError, Origin, SystemFailure

from .hostdev_source import ScsiSource


def blockdev(source: ScsiSource, node: str, readonly: bool) -> tuple[str, dict[str, Any]]:
    """Driver and properties of the block node. Raises SystemFailure for a unit that the host lacks."""
    if source.protocol == "iscsi":
        target, _, lun = (source.name or "").rpartition("/")
        host = source.hosts[0]
        props: dict[str, Any] = {
            "portal": f"{host.name}:{host.port or 0}", "target": target, "lun": int(lun or 0), "transport": "tcp",
            "user": source.user, "initiator-name": source.initiator,
        }  # fmt: skip
        driver = "iscsi"
    else:
        driver, props = "host_device", {"filename": generic_device(source)}
    return driver, {**props, "node-name": node, "read-only": readonly}


def generic_device(source: ScsiSource) -> str:
    """The node of the unit's generic driver."""
    number = (source.adapter or "").removeprefix("scsi_host")
    if not number.isdigit() or number == source.adapter:
        raise InternalError(f"Cannot parse adapter '{source.adapter}'", origin=Origin.NONE)
    folder = f"/sys/bus/scsi/devices/{number}:{source.bus}:{source.target}:{source.unit}/scsi_generic"
    try:
        return f"/dev/{os.listdir(folder)[0]}"
    except OSError as error:
        raise SystemFailure(f"cannot open directory '{folder}'", error) from None


def drive_props(vm: Any, device: Any) -> dict[str, Any]:
    """Where the unit sits in the guest."""
    from kvasir.qemu import buses

    place = device.address
    index, bus, target, unit = place.controller or 0, place.bus or 0, place.target or 0, place.unit or 0
    name = buses.bus_name(vm, "scsi", index)
    if getattr(buses.controller(vm, "scsi", index), "model", None) in ("virtio-scsi", *buses.VIRTIO_SCSI):
        return {"bus": f"{name}.0", "channel": bus, "scsi-id": target, "lun": unit}
    return {"bus": f"{name}.0", "scsi-id": unit}
