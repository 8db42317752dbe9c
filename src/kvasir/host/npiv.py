"""Virtual fibre channel adapters (vHBA, NPIV) below /sys/class/fc_host. Blocks."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from kvasir.errors import InternalError, Origin, SystemFailure, XmlError

FC = "/sys/class/fc_host"
SCSI = "/sys/class/scsi_host"


def read(host: str, name: str) -> str | None:
    """An attribute of a host, without the 0x before names."""
    for base in (FC, SCSI):
        try:
            with open(f"{base}/{host}/{name}", encoding="ascii") as file:
                return file.read().strip().removeprefix("0x")
        except OSError:
            continue
    return None


def hosts() -> list[str]:
    return sorted(os.listdir(FC)) if os.path.isdir(FC) else []


def find(wwnn: str, wwpn: str) -> str | None:
    """The host with these names."""
    for host in hosts():
        if read(host, "node_name") == wwnn.lower() and read(host, "port_name") == wwpn.lower():
            return host
    return None


def by_fabric(fabric: str) -> str | None:
    """A host on that fabric on which virtual ones can be made."""
    for host in hosts():
        if capable(host) and read(host, "fabric_name") == fabric.lower():
            return host
    return None


def capable(host: str) -> bool:
    """Whether virtual adapters can be made on it."""
    return any(os.path.exists(f"{base}/{host}/vport_create") for base in (FC, SCSI))


def with_room() -> str | None:
    """A host that is up and has a free virtual port."""
    for host in hosts():
        if not capable(host) or (read(host, "port_state") or "").lower() != "online":
            continue
        most, used = read(host, "max_npiv_vports"), read(host, "npiv_vports_inuse")
        if most is not None and used is not None and int(most) > int(used):
            return host
    return None


def manage(host: str, wwpn: str, wwnn: str, *, create: bool) -> None:
    """Make or delete a virtual adapter on a host."""
    word = "vport_create" if create else "vport_delete"
    for base in (FC, SCSI):
        path = f"{base}/{host}/{word}"
        if os.path.exists(path):
            break
    else:
        raise InternalError(f"vport operation '{word}' is not supported for {host}", origin=Origin.STORAGE)
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{wwpn}:{wwnn}")
    except OSError as error:
        raise SystemFailure(f"Write of '{wwpn}:{wwnn}' to '{path}' during vport create/delete failed", error) from None


def wait_for(wwnn: str, wwpn: str, seconds: float = 5.0) -> str | None:
    """The host that appears after a creation."""
    end = time.monotonic() + seconds
    while (found := find(wwnn, wwpn)) is None and time.monotonic() < end:
        time.sleep(0.05)
    return found


def check_name(name: str) -> str:
    """Refuse what is no world-wide name."""
    if not re.fullmatch(r"[0-9a-fA-F]{16}", name):
        raise InternalError(f"Malformed wwn: {name}", origin=Origin.NONE)
    return name


def parent_of(adapter: Any) -> str:
    """The host on which a virtual adapter is to be made, as its element names it, or one with room."""
    if adapter.parent:
        from .scsi import host_number

        number = host_number(str(adapter.parent))
        if number is None or f"host{number}" not in hosts():
            raise XmlError(f"parent '{adapter.parent}' specified for vHBA does not exist", origin=Origin.STORAGE)
        return f"host{number}"
    if adapter.parent_wwnn and adapter.parent_wwpn:
        found, what = find(adapter.parent_wwnn, adapter.parent_wwpn), "wwnn/wwpn"
    elif adapter.parent_fabric_wwn:
        found, what = by_fabric(adapter.parent_fabric_wwn), "fabric_wwn"
    else:
        found, what = with_room(), ""
    if found is None and what:
        raise XmlError(f"cannot find parent using provided {what}", origin=Origin.STORAGE)
    if found is None:
        raise XmlError("unable to find a 'vports' capable device on this host", origin=Origin.STORAGE)
    return found
