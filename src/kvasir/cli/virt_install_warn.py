"""What virt-install warns of before it makes a guest: memory, processors, networks, and images that QEMU's user cannot come to."""

from __future__ import annotations

import argparse
import os
import stat
import struct
from typing import Any
from xml.etree import ElementTree as ET

from kvasir.install import tree
from kvasir.install.guest import Guest
from kvasir.install.installer import Method

from .virt_common import warn

RED_HAT = ("rhel", "centos", "almalinux", "rocky", "ol", "fedora")
LEAST, EACH = 512, 1024  # MiB of a guest, and of each of its processors
ACL_USER, ACL_OWNERS, ACL_GROUP, ACL_MASK, SEARCH = 2, 4, 8, 16, 1
ACL_ENTRY = struct.Struct("<HHI")


def warnings(options: argparse.Namespace, guest: Guest, method: Method) -> None:
    """All of them."""
    _closed_folders(guest)
    _no_network(guest, method)
    if options.pxe and not any(_pxe(guest, node) for node in guest.devices("interface")):
        warn("The guest's network configuration may not support PXE")
    if guest.system.generic:
        warn(
            f"Using --osinfo {guest.system.name}, VM performance may suffer. "
            "Specify an accurate OS for optimal results."
        )
    memory = tree.get(guest.domain, "currentMemory")
    if not memory or not memory.isdigit():
        return
    _room(guest, int(memory) * 1024)
    _red_hat(guest, int(memory) // 1024)
    least = guest.system.wants("ram", guest.arch, "minimum") or 0
    have = int(memory)
    if least and least // 1024 > have:
        warn(
            f"Requested memory {have // 1024} MiB is less than the recommended {least >> 20} MiB for OS {guest.system.name}"
        )
    elif not least and have // 1024 < 17:
        warn(f"Requested memory {have // 1024} MiB is abnormally low. Were you trying to specify GiB?")


def _room(guest: Guest, memory: int) -> None:
    """Warn where this guest and those that run want more than this host has."""
    from kvasir.install import sizing

    if not guest.local:
        return
    vcpus = tree.get(guest.domain, "vcpu") or "1"
    running = [d.info() for d in guest.connection.listAllDomains(1)]
    host = sizing.Host.here()
    count = int(vcpus) if vcpus.isdigit() else 1
    said = sizing.advice(host, memory + sum(row[2] * 1024 for row in running), count + sum(row[3] for row in running))
    for text in [sizing.guest_vcpus(host, count), *said]:
        if text:
            warn(text)


def _pxe(guest: Guest, node: tree.Node) -> bool:
    """Whether the interface's network may boot guests: one of the host's own without DHCP, or with a boot file."""
    from kvasir.errors import Error

    if node.get("type") == "user":
        return False
    if node.get("type") != "network":
        return True
    try:
        found = guest.connection.networkLookupByName(tree.get(node, "source/@network") or "")
        root = ET.fromstring(found.XMLDesc(0))
    except (Error, AttributeError):
        return True
    if root.find("forward") is not None and root.findall("forward")[0].get("mode") not in (
        None,
        "nat",
        "route",
        "open",
    ):
        return True
    return root.find("ip/dhcp/bootp") is not None or root.find("ip/dhcp") is None


def _red_hat(guest: Guest, mebibytes: int) -> None:
    """What the guide says of the memory of Red Hat's systems and their kin."""
    if guest.system.distro not in RED_HAT:
        return
    vcpus = tree.get(guest.domain, "vcpu") or "1"
    count = int(vcpus) if vcpus.isdigit() else 1
    if mebibytes < LEAST:
        warn(
            f"{mebibytes} MiB of memory are less than the {LEAST} MiB that are supported; {EACH * count} MiB are recommended for {count} CPUs"
        )


def _no_network(guest: Guest, method: Method) -> None:
    """An installer that is to fetch its system, in a guest that has no way to."""
    if method.location is not None and method.location.is_url and not guest.devices("interface"):
        warn(f"The guest has no network interface: its installer cannot fetch the system from {method.location.where}")


def _closed_folders(guest: Guest) -> None:
    """Folders above images through which the user of the system's QEMU may not pass, with the command that lets it."""
    if not guest.local or guest.session:
        return
    uid = _qemu_uid(guest.connection)
    if not uid:
        return
    for disk in guest.devices("disk"):
        source = disk.find("source")
        path = (source.get("file") or source.get("dev") or source.get("dir") or "") if source is not None else ""
        folders = [f for f in _above(path) if not searchable(f, uid)] if path.startswith("/") else []
        if folders:
            user = _name_of(uid)
            warn(
                f"{path} may not be accessible by the hypervisor. You will need to grant the '{user}' user search permissions "
                f"for the following directories: {folders}\n"
                f"         hint: setfacl -m u:{user}:x {' '.join(folders)}, or put it into /var/lib/libvirt/images"
            )


def _qemu_uid(connection: Any) -> int:
    """Whom QEMU runs as, as the daemon's capabilities say; 0 where it is root or nobody says."""
    for model in ET.fromstring(connection.getCapabilities()).findall("host/secmodel"):
        if model.findtext("model") == "dac":
            for label in model.findall("baselabel"):
                word = (label.text or "").split(":")[0].lstrip("+")
                if label.get("type") in ("qemu", "kvm") and word.isdigit():
                    return int(word)
    return 0


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _above(path: str) -> list[str]:
    """The folders above a path, the topmost first."""
    found = []
    folder = os.path.dirname(os.path.abspath(path))
    while folder != "/":
        found.append(folder)
        folder = os.path.dirname(folder)
    return found[::-1]


def searchable(folder: str, uid: int) -> bool:
    """Whether a user may pass through a folder, by its mode and its access list. One that is not there yet bars nobody."""
    try:
        about = os.stat(folder)
    except OSError:
        return True
    if about.st_uid == uid:
        return bool(about.st_mode & stat.S_IXUSR)
    try:
        entries = list(ACL_ENTRY.iter_unpack(os.getxattr(folder, "system.posix_acl_access")[4:]))
    except OSError:
        entries = []
    mask = next((bits for tag, bits, _ in entries if tag == ACL_MASK), 7)
    for tag, bits, who in entries:
        if tag == ACL_USER and who == uid:
            return bool(bits & mask & SEARCH)
    groups = _groups(uid)
    mine = [bits for tag, bits, who in entries if tag == ACL_GROUP and who in groups]
    if about.st_gid in groups:
        mine.append(next((bits for tag, bits, _ in entries if tag == ACL_OWNERS), about.st_mode >> 3))
    if mine:
        return any(bits & mask & SEARCH for bits in mine)
    return bool(about.st_mode & stat.S_IXOTH)


def _groups(uid: int) -> set[int]:
    import pwd

    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return set()
    return set(os.getgrouplist(user.pw_name, user.pw_gid))
