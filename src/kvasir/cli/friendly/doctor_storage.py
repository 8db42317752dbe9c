"""What the doctor looks at for storage: loop devices, the default pool, virtual adapters that several guests use."""

from __future__ import annotations

import os
import re

from kvasir.cli import hostcheck
from kvasir.errors import Error

from .doctor import PASS, WARN, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
    from xml.etree.ElementTree import Element

IMAGES = "/var/lib/libvirt/images"
LOOP = "echo 'options loop max_loop=64' > /etc/modprobe.d/loop.conf, and boot again (loop.max_loop=64 where loop is no module)"


def loop_devices(root: str) -> Iterator[Finding]:
    """Whether one is free. Disks that are files need none; pools and tools on images do."""
    folder = f"{root}/sys/block"
    names = [name for name in _names(folder) if re.fullmatch(r"loop\d+", name)]
    used = [name for name in names if os.path.exists(f"{folder}/{name}/loop/backing_file")]
    most = hostcheck.read(f"{root}/sys/module/loop/parameters/max_loop").strip()
    limit = int(most) if most.isdigit() else 0
    if limit and len(used) >= limit:
        yield Finding("loop devices", WARN, f"all {limit} are in use", LOOP)
    elif names or most:
        yield Finding("loop devices", PASS, f"{len(used)} in use" + (f" of {limit}" if limit else ""))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def findings(connection: Any, guests: list[tuple[Any, Element]], system: bool) -> Iterator[Finding]:
    """What the daemon knows of storage."""
    if system:
        yield from default_pool(connection)
    yield from shared_adapters(connection, guests)


def default_pool(connection: Any) -> Iterator[Finding]:
    """The pool over /var/lib/libvirt/images, where tools put disks unless told otherwise."""
    uri = str(connection.getURI())
    virsh = f"virsh -c {uri}"
    try:
        pool = connection.storagePoolLookupByName("default")
    except Error:
        steps = f"pool-define-as default dir --target {IMAGES}; pool-build default; pool-autostart default; pool-start default"
        yield Finding("pool default", WARN, "there is none", f"{virsh} '{steps}'", safe="socket=" not in uri)
        return
    if not pool.isActive():
        yield Finding("pool default", WARN, "it is not active", f"{virsh} pool-start default", safe=True)
    elif not pool.autostart():
        yield Finding("pool default", WARN, "it does not start by itself", f"{virsh} pool-autostart default", safe=True)
    else:
        yield Finding("pool default", PASS)


def shared_adapters(connection: Any, guests: list[tuple[Any, Element]]) -> Iterator[Finding]:
    """A virtual fibre channel adapter is for one guest: zoning at the array cannot tell two apart behind it."""
    users: dict[str, set[str]] = {}
    for domain, document in guests:
        for source in document.findall("devices/disk[@type='volume']/source"):
            port = _port(connection, source.get("pool") or "")
            if port:
                users.setdefault(port, set()).add(domain.name())
    for port, names in sorted(users.items()):
        if len(names) > 1:
            words = "give each guest a pool with a wwpn of its own, and zone it at the storage array"
            who = ", ".join(sorted(names))
            yield Finding(
                "virtual adapters", WARN, f"the one with wwpn {port} is used by more than one guest: {who}", words
            )
        else:
            yield Finding("virtual adapters", PASS, f"wwpn {port}: {min(names)}")


def _port(connection: Any, pool: str) -> str:
    """The world wide port name of a pool's virtual adapter, '' for other pools."""
    import xml.etree.ElementTree as ET

    try:
        document = ET.fromstring(connection.storagePoolLookupByName(pool).XMLDesc(0))
    except Error:
        return ""
    adapter = document.find("source/adapter[@type='fc_host']")
    return (adapter.get("wwpn") or "") if adapter is not None else ""
