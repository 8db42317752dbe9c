"""Disks that name a volume of a storage pool: what the volume is, found when the guest starts."""

from __future__ import annotations

import re
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, XmlError
from kvasir.model.domain import Domain

from . import live

ISCSI_PORT = 3260


def resolve(domain: Domain | Any, drivers: dict[str, Any], *, quiet: bool = False) -> None:
    """Give each volume disk the source that its volume is.

    Raises NoPool, NoVolume, ConfigUnsupported (a pool that does not run, a type that QEMU cannot use); ``quiet`` leaves
    such a disk as it is, for a guest that runs already.
    """
    for disk in live.list_of(domain, "disks"):
        if disk.type != "volume" or not disk.source.pool:
            continue
        try:
            disk.source.actual = _source(disk, drivers.get("storage"))
        except Error:
            if not quiet:
                raise


def _source(disk: Any, storage: Any) -> Any:
    said = disk.source
    if storage is None:
        raise ConfigUnsupported(f"disk '{disk.target}' needs a storage driver, which this daemon has not")
    pool = storage.by_name(said.pool)
    if not pool.active:
        raise ConfigUnsupported(
            f"storage pool '{said.pool}' containing volume '{said.volume}' is not active",
            hint=f"virsh pool-start {said.pool}",
        )
    volume = pool.volume(said.volume).document
    kind = pool.document.type
    if said.mode and kind not in ("iscsi", "iscsi-direct") and (said.mode, kind) != ("host", "scsi"):
        raise XmlError("disk source mode is only valid when storage pool is of iscsi type")
    if kind == "iscsi-direct" or (kind == "iscsi" and said.mode == "direct"):
        found = _iscsi(pool, volume)
    elif volume.type == "network" and kind == "gluster":
        found = _gluster(pool, volume)
    elif volume.type in ("file", "block", "dir"):
        found = _local(volume)
    else:
        raise ConfigUnsupported(f"using '{kind}' pools for backing 'volume' disks isn't yet supported")
    if disk.device == "lun" and volume.type == "file":
        raise ConfigUnsupported(f"disk device='lun' is not supported for volume '{said.volume}' of pool '{said.pool}'")
    for name in ("startup_policy", "index", "reservations", "encryption"):
        setattr(found, name, getattr(said, name))
    found.slices, found.seclabels = list(said.slices), list(said.seclabels)
    found.auth = said.auth or found.auth
    return found


def _local(volume: Any) -> Any:
    from kvasir.devices.disk_source import SOURCES

    name = {"file": "file", "block": "dev", "dir": "dir"}[volume.type]
    return SOURCES[volume.type](**{name: volume.path})


def _iscsi(pool: Any, volume: Any) -> Any:
    """QEMU is the initiator: the target of the pool, the unit of the volume's name."""
    from kvasir.devices.disk_parts import Host
    from kvasir.devices.disk_source import SOURCES

    source = pool.document.source
    match = re.fullmatch(r"unit:\d+:\d+:(\d+)", str(volume.name))
    if match is None:
        raise ConfigUnsupported(f"volume '{volume.name}' is no unit of an iSCSI target")
    host = source.hosts[0]
    found = SOURCES["network"](protocol="iscsi", name=f"{source.devices[0].path}/{match[1]}")
    found.hosts = [Host(name=host.name, port=host.port or ISCSI_PORT)]
    found.initiator = source.initiator
    if source.auth is not None:
        found.auth = _auth(source.auth)
    return found


def _auth(said: Any) -> Any:
    from kvasir.devices.disk_parts import Auth

    text = f"<auth username='{_quote(said.username)}'><secret type='iscsi' "
    name = f"uuid='{said.secret_uuid}'" if said.secret_uuid else f"usage='{_quote(said.secret_usage)}'"
    return Auth.from_xml(f"{text}{name}/></auth>")


def _quote(value: str) -> str:
    return value.replace("&", "&amp;").replace("'", "&apos;").replace("<", "&lt;")


def _gluster(pool: Any, volume: Any) -> Any:
    from kvasir.devices.disk_parts import Host
    from kvasir.devices.disk_source import SOURCES

    host = pool.document.source.hosts[0]
    found = SOURCES["network"](protocol="gluster", name=str(volume.path).split("/", 3)[3])
    found.hosts = [Host(name=host.name, port=host.port or 24007)]
    return found
