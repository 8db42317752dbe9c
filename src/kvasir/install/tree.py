"""A document under construction: values put and read by path, printed with two-space indents.

Standard library only. A path is ``devices/disk[1]/source/@file``: steps are elements (``[n]`` counts from 0), a last
step ``@name`` is an attribute, none means the element's text.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

ET = ElementTree

Node = ElementTree.Element
_STEP = re.compile(r"([^\[\]]+?)(?:\[(\d+)\])?\Z")
OSINFO = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
ET.register_namespace("libosinfo", OSINFO)
ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")

DOMAIN_ORDER = (
    "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory", "memoryBacking",
    "vcpu", "vcpus", "iothreads", "iothreadids", "blkiotune", "memtune", "cputune", "numatune", "resource", "sysinfo",
    "bootloader", "os", "idmap", "features", "cpu", "clock", "on_poweroff", "on_reboot", "on_crash", "on_lockfailure",
    "pm", "perf", "devices", "seclabel", "keywrap", "launchSecurity",
)  # fmt: skip
DEVICE_ORDER = (
    "emulator", "disk", "controller", "filesystem", "interface", "smartcard", "serial", "parallel", "console", "channel",
    "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev", "watchdog", "memballoon", "rng", "panic",
    "shmem", "memory", "iommu", "vsock",
)  # fmt: skip


def _split(path: str) -> list[tuple[str, int]]:
    steps = []
    for step in path.split("/"):
        match = _STEP.match(step)
        if match is None:
            raise ValueError(f"bad path {path!r}")
        steps.append((match[1], int(match[2] or 0)))
    return steps


def find(node: Node, path: str, *, make: bool = False) -> Node | None:
    """The element at a path of element steps; made with those before it when ``make``."""
    for tag, index in _split(path):
        found = node.findall(tag)
        while len(found) <= index:
            if not make:
                return None
            found.append(ET.SubElement(node, tag))
        node = found[index]
    return node


def put(node: Node, path: str, value: str | None) -> None:
    """Set an attribute or text; None takes it away."""
    steps, _, name = path.rpartition("@")
    place = find(node, steps.rstrip("/"), make=value is not None) if steps.rstrip("/") else node
    if place is None:
        return
    if not name or "@" not in path:
        _put_text(node, path, value)
    elif value is None:
        place.attrib.pop(name, None)
    else:
        place.set(name, value)


def _put_text(node: Node, path: str, value: str | None) -> None:
    if value is not None:
        place = find(node, path, make=True)
        assert place is not None
        place.text = value
        return
    head = path.rpartition("/")[0]
    parent = find(node, head) if head else node
    gone = find(node, path)
    if parent is not None and gone is not None:
        parent.remove(gone)


def get(node: Node, path: str) -> str | None:
    """An attribute or text, or None."""
    steps, at, name = path.rpartition("@")
    if not at:
        place = find(node, path)
        return None if place is None else (place.text or "")
    place = find(node, steps.rstrip("/")) if steps.rstrip("/") else node
    return None if place is None else place.get(name)


def _sort(node: Node, order: tuple[str, ...]) -> None:
    rank = {tag: i for i, tag in enumerate(order)}
    node[:] = sorted(node, key=lambda kid: rank.get(kid.tag, len(rank)))


def text(domain: Node) -> str:
    """The document as text, elements in libvirt's order."""
    _sort(domain, DOMAIN_ORDER)
    devices = domain.find("devices")
    if devices is not None:
        _sort(devices, DEVICE_ORDER)
    ET.indent(domain, "  ")
    out = ET.tostring(domain, encoding="unicode", short_empty_elements=True).replace(" />", "/>") + "\n"
    declared = f' xmlns:libosinfo="{OSINFO}"'
    if declared in out:  # declared where it is used, as the original does
        out = out.replace(declared, "", 1).replace("<libosinfo:libosinfo", f"<libosinfo:libosinfo{declared}", 1)
    return out
