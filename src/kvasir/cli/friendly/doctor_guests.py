"""What the doctor asks the daemon: the default network, guests' images, and whether the host is large enough for all guests."""

from __future__ import annotations

import os
import stat

from kvasir.cli import hostcheck
from kvasir.errors import Error

from . import doctor_storage
from .base import session
from .doctor import FAIL, NOTE, PASS, WARN, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
    from xml.etree.ElementTree import Element

USERS = ("libvirt-qemu", "qemu")
GIB = 1 << 30
UNITS = {
    "b": 1,
    "bytes": 1,
    "KB": 1000,
    "k": 1024,
    "KiB": 1024,
    "MB": 10**6,
    "M": 1 << 20,
    "MiB": 1 << 20,
    "GB": 10**9,
    "G": GIB,
    "GiB": GIB,
}


def findings(connection: Any, root: str = "") -> Iterator[Finding]:
    """All that concerns networks and guests."""
    import xml.etree.ElementTree as ET

    if not session(connection):
        yield from default_network(connection, root)
    guests = [(d, ET.fromstring(d.XMLDesc(0))) for d in connection.listAllDomains(0)]
    if not session(connection):
        yield from closed_folders(guests, root)
    yield from missing_images(guests)
    yield from overcommit(guests, root)
    yield from space(guests, root)
    yield from wanted_pages(guests, root)
    yield from mediated(guests)
    yield from doctor_storage.findings(connection, guests, not session(connection))


def default_network(connection: Any, root: str = "") -> Iterator[Finding]:
    """The first thing that new users stumble over."""
    virsh = f"virsh -c {connection.getURI()}"
    try:
        network = connection.networkLookupByName("default")
    except Error:
        yield Finding(
            "network default",
            NOTE,
            "there is none: kvasir launch uses passt",
            f"{virsh} net-define FILE; see man virsh, net-define",
        )
        return
    if not network.isActive() and (taken := addresses_taken(network.XMLDesc(0), root, virsh)):
        yield Finding("network default", FAIL, *taken)
    elif not network.isActive():
        yield Finding("network default", FAIL, "it is not active", f"{virsh} net-start default", safe=True)
    else:
        yield Finding("network default", PASS)
    if not network.autostart():
        yield Finding(
            "network default at boot", WARN, "it does not start by itself", f"{virsh} net-autostart default", safe=True
        )


def addresses_taken(text: str, root: str, virsh: str) -> tuple[str, str] | None:
    """What is wrong and what repairs it, where an interface of the host has the network's addresses already."""
    import xml.etree.ElementTree as ET
    from ipaddress import IPv4Interface, IPv4Network

    document = ET.fromstring(text)
    ip = next((ip for ip in document.findall("ip") if "." in (ip.get("address") or "")), None)
    if ip is None:
        return None
    try:
        ours = IPv4Interface(f"{ip.get('address')}/{ip.get('netmask') or ip.get('prefix')}").network
    except ValueError:
        return None
    routes = {}
    for line in hostcheck.read(f"{root}/proc/net/route").splitlines()[1:]:
        link, where, *_, mask = line.split()[:8]
        numbers = [int.from_bytes(bytes.fromhex(word), "little") for word in (where, mask)]
        if numbers[1]:
            routes[IPv4Network((numbers[0], numbers[1].bit_count()))] = link
    if ours not in routes or ours.prefixlen != 24:
        return None
    head, _, third = str(ours.network_address).rpartition(".")[0].rpartition(".")
    free = next((n for n in range(int(third) + 1, 255) if IPv4Network(f"{head}.{n}.0/24") not in routes), 0)
    edit = f"{virsh} net-dumpxml default | sed 's/{head}.{third}\\./{head}.{free}./g' > default.xml"
    said = f"it is not active, and its addresses ({ours}) are those of {routes[ours]}"
    return said, f"{edit}; {virsh} net-define default.xml; {virsh} net-start default"


def sources(document: Element) -> list[str]:
    """Files of a guest: disks, CDs, kernel, initrd."""
    found = [s.get("file") or "" for s in document.findall("devices/disk/source")]
    found += [document.findtext(f"os/{name}") or "" for name in ("kernel", "initrd")]
    return [path for path in found if path.startswith("/")]


def closed(path: str, root: str = "") -> str:
    """The first folder above a file that others may not pass, '' when the way is free."""
    folder = ""
    for part in os.path.dirname(path).split("/")[1:]:
        folder += f"/{part}"
        try:
            mode = os.stat(root + folder).st_mode
        except OSError:
            return ""
        if not mode & stat.S_IXOTH:
            return folder
    return ""


def closed_folders(guests: list[tuple[Any, Element]], root: str) -> Iterator[Finding]:
    """Images in home folders: the user that QEMU runs as does not come to them."""
    seen = set()
    for domain, document in guests:
        for path in sources(document):
            folder = closed(path, root)
            if folder and folder not in seen:
                seen.add(folder)
                user = qemu_user(root)
                words = f"setfacl -m u:{user}:x {folder}" + (
                    "" if folder == os.path.dirname(path) else " (and what is closed below it)"
                )
                text = f"{path} of {domain.name()}: the user {user}, whom QEMU runs as, may not pass {folder}"
                yield Finding("images in closed folders", FAIL, text, f"{words}, or move it to /var/lib/libvirt/images")
    if not seen:
        yield Finding("images in closed folders", PASS)


def qemu_user(root: str) -> str:
    """Whom the system's guests run as, by the host's list of users."""
    from kvasir.cli import hostcheck

    names = {line.partition(":")[0] for line in hostcheck.read(f"{root}/etc/passwd").splitlines()}
    return next((name for name in USERS if name in names), USERS[0])


def missing_images(guests: list[tuple[Any, Element]]) -> Iterator[Finding]:
    """Guests whose files are gone."""
    for domain, document in guests:
        if domain.isActive():
            continue
        for path in sources(document):
            if os.access(os.path.dirname(path), os.X_OK) and not os.path.exists(path):
                yield Finding(
                    "images that are missing",
                    FAIL,
                    f"{path} of {domain.name()} is not there",
                    f"virsh edit {domain.name()}",
                )


def overcommit(guests: list[tuple[Any, Element]], root: str) -> Iterator[Finding]:
    """Chapter 7: memory, swap, CPUs of the guests that run, and assigned devices, whose guests' memory cannot be swapped."""
    from kvasir.install import sizing

    host = host_of(root)
    running = [(d, x) for d, x in guests if d.isActive()]
    memory = sum(int(d.info()[1]) * 1024 for d, _ in running)
    vcpus = sum(int(d.info()[3]) for d, _ in running)
    found = sizing.advice(host, memory, vcpus)
    for text in found:
        words = (
            "kvasir stop GUEST; kvasir resize GUEST --memory LESS; or more swap"
            if "memory" in text
            else "kvasir resize GUEST --cpus FEWER"
        )
        yield Finding("overcommit", WARN, text, words)
    for domain, _ in guests:
        text = sizing.guest_vcpus(host, int(domain.info()[3]))
        if text:
            yield Finding(
                "overcommit", WARN, f"{domain.name()}: {text}", f"kvasir resize {domain.name()} --cpus {host.cores}"
            )
    assigned = [d.name() for d, x in running if x.find("devices/hostdev") is not None]
    if assigned and memory + sizing.HOST_MEMORY > host.memory:
        text = f"memory is overcommitted, which guests with assigned devices do not bear: {', '.join(assigned)}"
        yield Finding("overcommit", FAIL, text, f"virsh detach-device {assigned[0]} FILE, or kvasir stop GUEST")
    elif not found:
        yield Finding("overcommit", PASS)


def mediated(guests: list[tuple[Any, Element]]) -> Iterator[Finding]:
    """Guide 16.7: a guest may have one mediated device (vGPU)."""
    for domain, document in guests:
        count = len(document.findall("devices/hostdev[@type='mdev']"))
        if count > 1:
            text = f"{domain.name()} has {count} mediated devices (vGPU), of which one is supported for a guest"
            yield Finding("mediated devices", WARN, text, f"virsh detach-device {domain.name()} FILE --config")


def host_of(root: str) -> Any:
    """The host's memory, swap and cores."""
    from kvasir.cli import hostcheck
    from kvasir.install import sizing

    rows = hostcheck.memory(root)
    cores = hostcheck.read(f"{root}/proc/cpuinfo").count("processor\t") or os.cpu_count() or 1
    return sizing.Host(rows.get("MemTotal", 0) << 20, rows.get("SwapTotal", 0) << 20, cores)


def space(guests: list[tuple[Any, Element]], root: str) -> Iterator[Finding]:
    """Formulas 1.1 and 1.2: what images may still grow to, beside what is free where they lie."""
    from kvasir.cli import hostcheck

    growth: dict[int, list[Any]] = {}
    for domain, document in guests:
        for disk in document.findall("devices/disk[@device='disk']"):
            source = disk.find("source")
            path = "" if source is None else source.get("file") or ""
            if not path:
                continue
            try:
                capacity, allocation, _ = domain.blockInfo(path)
                device = os.stat(root + os.path.dirname(path)).st_dev
            except (Error, OSError):
                continue
            driver = disk.find("driver")
            kind = driver.get("type") if driver is not None else "raw"
            most = capacity * (hostcheck.GROWING if kind == "qcow2" else 1)
            row = growth.setdefault(device, [os.path.dirname(path), 0.0])
            row[1] += max(most - allocation, 0)
    good = True
    for folder, grows in growth.values():
        free = hostcheck.free_disk(root + folder)
        if grows / 1e9 > free:
            good = False
            text = f"images in {folder} may grow by {grows / 1e9:.1f} GB, {free:.1f} GB are free"
            yield Finding(
                "space for images",
                WARN,
                text,
                "kvasir trash --empty; kvasir plan --qcow2 GB; or a pool on a larger disk",
            )
    if good:
        yield Finding("space for images", PASS)


def wanted_pages(guests: list[tuple[Any, Element]], root: str) -> Iterator[Finding]:
    """Guests that want huge pages, and those reserved."""
    from kvasir.cli import hostcheck

    rows = {
        line.split(":")[0]: line.split()[1]
        for line in hostcheck.read(f"{root}/proc/meminfo").splitlines()
        if ":" in line
    }
    size, free = int(rows.get("Hugepagesize", 2048)), int(rows.get("HugePages_Free", 0))
    have = int(rows.get("HugePages_Total", 0))
    for domain, document in guests:
        if domain.isActive() or document.find("memoryBacking/hugepages") is None:
            continue
        node = document.find("memory")
        unit = UNITS.get((node.get("unit") if node is not None else None) or "KiB", 1024)
        pages = -(-int(node.text or 0) * unit // (size * 1024)) if node is not None else 0
        if pages > free:
            text = f"{domain.name()} wants {pages} pages of {size} KiB, {free} are free"
            yield Finding("huge pages for guests", WARN, text, f"sysctl vm.nr_hugepages={have + pages - free}")
