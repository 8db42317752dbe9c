"""``resize``: more memory, CPUs, disk; now where the guest takes it while it runs, else at its next start."""

from __future__ import annotations

from kvasir.errors import Error

from .base import INACTIVE, connect, count, disks, fail, find, gibibytes, guest_option, mebibytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

LIVE, CONFIG, MAXIMUM = 1, 2, 4
BYTES = 1
GIB = 1 << 30


def resize_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument("--memory", type=mebibytes, metavar="MIB", help="also as 2G")
    parser.add_argument("--cpus", type=count, metavar="NUMBER")
    parser.add_argument("--disk", type=gibibytes, metavar="GIB", help="new size of its first disk; disks only grow")
    parser.set_defaults(run=resize)


def resize(options: argparse.Namespace) -> int:
    """Change what was named. Everything is kept in the guest's document; the words say what waits for the next start."""
    connection = connect(options)
    domain = find(connection, options.name)
    if options.memory is None and options.cpus is None and options.disk is None:
        fail("nothing to change", f"kvasir resize {options.name} --memory 2048 --cpus 2 --disk 20")
    later = []
    if options.disk is not None:
        grow(connection, domain, int(options.disk * GIB))
    if options.memory is not None and not memory(domain, options.memory * 1024):
        later.append(f"{options.memory} MiB of memory")
    if options.cpus is not None and 0 < (most := most_cpus(connection, domain.XMLDesc(0))) < options.cpus:
        fail(f"{options.name} can have {most} CPUs at most", f"kvasir resize {options.name} --cpus {most}")
    if options.cpus is not None and not cpus(domain, options.cpus):
        later.append(f"{options.cpus} CPUs")
    if later:
        print(
            f"At its next start {options.name} has {' and '.join(later)}: kvasir stop {options.name}; kvasir start {options.name}"
        )
    return 0


def grow(connection: Any, domain: Any, size: int) -> None:
    """Let the first disk grow to so many bytes."""
    paths = disks(domain.XMLDesc(0))
    if not paths:
        fail(f"{domain.name()} has no disk")
    if domain.isActive():
        have = int(domain.blockInfo(paths[0])[0])
    else:
        volume = volume_of(connection, paths[0])
        have = int(volume.info()[1])
    if size < have:
        fail(
            f"{paths[0]} has {have / GIB:g} GiB: a disk that becomes smaller loses data",
            f"kvasir resize {domain.name()} --disk {have / GIB:g}",
        )
    if size == have:
        return
    try:
        if domain.isActive():
            domain.blockResize(paths[0], size, BYTES)
        else:
            volume.resize(size, 0)
    except Error as error:
        if "has snapshots" not in error.message:
            raise
        name = domain.name()
        fail(
            f"{paths[0]} has snapshots inside, and its format cannot grow with them",
            f"kvasir snapshot {name} --list, then --delete those that may go",
        )


def most_cpus(connection: Any, text: str) -> int:
    """How many CPUs a guest of that document can have at most, 0 where the daemon does not tell."""
    import xml.etree.ElementTree as ET

    root = ET.fromstring(text)
    kind = root.find("os/type")
    assert kind is not None
    emulator = root.findtext("devices/emulator")
    try:
        found = connection.getDomainCapabilities(emulator, kind.get("arch"), kind.get("machine"), root.get("type"), 0)
    except Error:
        return 0
    vcpu = ET.fromstring(found).find("vcpu")
    return int(vcpu.get("max") or 0) if vcpu is not None else 0


def volume_at(connection: Any, path: str) -> Any:
    """The volume at a path, in a pool that may have to look again; None where no pool holds it."""
    try:
        return connection.storageVolLookupByPath(path)
    except Error:
        for pool in connection.listAllStoragePools(2):
            pool.refresh(0)
    try:
        return connection.storageVolLookupByPath(path)
    except Error:
        return None


def volume_of(connection: Any, path: str) -> Any:
    """The volume at a path. Ends with what can be done when no pool holds it."""
    import os

    found = volume_at(connection, path)
    if found is None:
        fail(f"{path} is in no storage pool", f"virsh pool-create-as images dir --target {os.path.dirname(path)}")
    return found


def memory(domain: Any, kibibytes: int) -> bool:
    """Whether the guest has it now."""
    _, most, have, _, _ = domain.info()
    running = bool(domain.isActive())
    if domain.isPersistent():
        domain.setMemoryFlags(kibibytes, CONFIG | MAXIMUM)
        domain.setMemoryFlags(kibibytes, CONFIG)
    if not running or kibibytes == have:
        return True
    if kibibytes > most:
        return False
    domain.setMemoryFlags(kibibytes, LIVE)
    return True


def cpus(domain: Any, count: int) -> bool:
    """Whether the guest has them now."""
    import xml.etree.ElementTree as ET

    running = bool(domain.isActive())
    have = int(domain.info()[3])
    if domain.isPersistent():
        topology = ET.fromstring(domain.XMLDesc(INACTIVE)).find("cpu/topology")
        if topology is not None:
            fail(
                f"{domain.name()} has a CPU topology of its own", f"virt-xml {domain.name()} --edit --vcpus {count},..."
            )
        domain.setVcpusFlags(count, CONFIG | MAXIMUM)
        domain.setVcpusFlags(count, CONFIG)
    if not running or count == have:
        return True
    try:
        domain.setVcpusFlags(count, LIVE)
    except Error:
        return False
    return True
