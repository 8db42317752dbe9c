"""Defaults of single devices: what the original fills into an element that an option began."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import osinfo, tree
from .grammar import OptionError

if TYPE_CHECKING:
    from .guest import Guest


WITHOUT_QXL = re.compile(r"(rhel|centos|ol)[45](\.|$)")
"""Their installers have no graphical mode on QXL (guide 3.3.2); the original gives it to them all the same."""


def random_mac() -> str:
    """A MAC address under QEMU's own prefix."""
    return "52:54:00:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))


def _said(node: tree.Node, path: str, value: str | None) -> None:
    """Put a value where nothing stands yet."""
    if value is not None and tree.get(node, path) is None:
        tree.put(node, path, value)


def interface(guest: Guest, node: tree.Node) -> None:
    if node.attrib.pop("_default_source", None):
        _default_source(guest, node)
    _said(node, "@type", "bridge")
    _said(node, "mac/@address", random_mac())
    if node.get("type") == "bridge":
        _said(node, "source/@bridge", host_bridge() if guest.local else None)
    if tree.get(node, "model/@type") is None:
        if guest.drives("virtio-net") or guest.microvm:
            model: str | None = "virtio"
        elif not guest.x86 or not guest.hvm:
            model = None
        else:
            model = "e1000e" if guest.q35 else guest.system.network_model()
        tree.put(node, "model/@type", model)


def _default_source(guest: Guest, node: tree.Node) -> None:
    """``--network default``: the network of that name, else the bridge of the host's own route, else user networking."""
    if guest.session:
        node.set("type", "user")
        return
    names = guest.network_names()
    bridge = host_bridge() if guest.local else None
    if "default" in names or not bridge:
        node.set("type", "network")
        tree.put(node, "source/@network", "default")
    else:
        node.set("type", "bridge")
        tree.put(node, "source/@bridge", bridge)


def host_bridge() -> str | None:
    """The bridge that the host's default route goes through, if it is one."""
    try:
        with open("/proc/net/route", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
    except OSError:
        return None
    for row in rows:
        if len(row) == 11 and int(row[1], 16) == 0:
            return row[0] if os.path.exists(f"/sys/class/net/{row[0]}/bridge") else None
    return None


def graphics(guest: Guest, node: tree.Node) -> None:
    if node.get("type") is None:
        node.set("type", "spice" if "spice" in guest.caps().values("devices/graphics", "type") else "vnc")
    listen = node.find("listen")
    ports = listen is None or listen.get("type") in (None, "address", "network")
    if node.get("type") in ("vnc", "spice") and ports:
        _said(node, "@port", "-1")
    if node.get("type") == "spice":
        if ports:
            _said(node, "@tlsPort", "-1")
            if node.get("port") == "-1" and node.get("tlsPort") == "-1":
                _said(node, "@autoport", "yes")
        if guest.local:
            _said(node, "image/@compression", "off")
        if tree.get(node, "gl/@enable") == "yes":
            _said(node, "gl/@rendernode", guest.render_node())
    if node.get("type") == "sdl":
        _said(node, "@xauth", os.path.expanduser("~/.Xauthority"))
        _said(node, "@display", os.environ.get("DISPLAY"))


def video(guest: Guest, node: tree.Node) -> None:
    if tree.get(node, "model/@type") is None and guest.hvm:
        tree.put(node, "model/@type", _video_model(guest))
    if tree.get(node, "model/@type") == "virtio" and guest.gl:
        tree.put(node, "model/acceleration/@accel3d", "yes")


def _video_model(guest: Guest) -> str:
    if not guest.x86:
        return "vga" if guest.arch.startswith("ppc") else "virtio"
    models = guest.caps().values("devices/video", "modelType")
    spice = any(g.get("type") == "spice" for g in guest.devices("graphics"))
    if spice and guest.gl:
        return "virtio"
    if "virtio" in models and osinfo.has(guest.system, "virtio-gpu"):
        return "virtio"
    if spice and "qxl" in models:
        return "cirrus" if WITHOUT_QXL.match(guest.system.name) and "cirrus" in models else "qxl"
    return "bochs" if guest.uefi and "bochs" in models else "vga"


def input_device(guest: Guest, node: tree.Node) -> None:
    _said(node, "@type", "mouse")
    if node.get("type") != "evdev":
        _said(node, "@bus", "usb" if node.get("type") == "tablet" else "ps2")


def chardev(guest: Guest, node: tree.Node) -> None:
    kind = node.get("type")
    if kind in ("unix", "tcp"):
        _said(node, "source/@mode", "bind")
    if node.tag == "channel":
        _said(node, "target/@type", "virtio")
    if kind in ("spicevmc", "qemu-vdagent"):
        _said(node, "target/@name", "com.redhat.spice.0")


def sound(guest: Guest, node: tree.Node) -> None:
    _said(node, "@model", "ich9" if guest.pcie else "ich6")


def filesystem(guest: Guest, node: tree.Node) -> None:
    _said(node, "@type", "mount")
    if tree.get(node, "driver/@type") != "virtiofs":
        _said(node, "@accessmode", "mapped")
    target = tree.get(node, "target/@dir")
    if target and node.get("type") != "mount" and not os.path.isabs(target):
        raise OptionError(f"Filesystem target '{target}' must be an absolute path")


def vsock(guest: Guest, node: tree.Node) -> None:
    _said(node, "@model", "virtio")
    if tree.get(node, "cid/@auto") is None and tree.get(node, "cid/@address") is None:
        tree.put(node, "cid/@auto", "yes")


def tpm(guest: Guest, node: tree.Node) -> None:
    if tree.get(node, "backend/device/@path"):
        _said(node, "backend/@type", "passthrough")
    _said(node, "backend/@type", "emulator")
    plain = node.get("model") is None and tree.get(node, "backend/@version") is None
    if (
        tree.get(node, "backend/@type") == "emulator"
        and plain
        and "tpm-crb" in guest.caps().values("devices/tpm", "model")
    ):
        node.set("model", "tpm-crb")


def panic(guest: Guest, node: tree.Node) -> None:
    if tree.get(node, "address/@iobase"):
        _said(node, "address/@type", "isa")
    word = {"ppc64": "pseries", "ppc64le": "pseries", "s390x": "s390"}.get(guest.arch)
    _said(node, "@model", word or ("isa" if guest.x86 and guest.hvm else None))


def smartcard(guest: Guest, node: tree.Node) -> None:
    _said(node, "@mode", "passthrough")
    _said(node, "@type", "spicevmc" if node.get("mode") == "passthrough" else "tcp")


def redirdev(guest: Guest, node: tree.Node) -> None:
    _said(node, "@bus", "usb")
    _said(node, "@type", "spicevmc")


def watchdog(guest: Guest, node: tree.Node) -> None:
    _said(node, "@model", "i6300esb")
    _said(node, "@action", "reset")


def virtio(guest: Guest, node: tree.Node) -> None:
    _said(node, "@model", "virtio")


def hostdev(guest: Guest, node: tree.Node) -> None:
    from .hostdev import fill

    name = node.attrib.pop("_name", None)
    if name:
        fill(node, name, guest.connection)
    _said(node, "@managed", "yes")
    _said(node, "@mode", "subsystem")


def seclabel(guest: Guest, node: tree.Node) -> None:
    if node.get("type") is None and node.get("model") is None:
        return
    _said(node, "@type", "dynamic")
    _said(node, "@model", guest.security_model(node.findtext("label") or ""))


DEVICES: dict[str, Callable[[Guest, tree.Node], None]] = {
    "interface": interface, "graphics": graphics, "video": video, "input": input_device, "serial": chardev,
    "parallel": chardev, "channel": chardev, "console": chardev, "sound": sound, "filesystem": filesystem,
    "vsock": vsock, "tpm": tpm, "panic": panic, "smartcard": smartcard, "redirdev": redirdev, "watchdog": watchdog,
    "memballoon": virtio, "rng": virtio, "hostdev": hostdev, "seclabel": seclabel,
}  # fmt: skip


def device(guest: Guest, node: tree.Node) -> None:
    """Fill in what the original would for this element. Raises OptionError."""
    fill = DEVICES.get(node.tag)
    if fill is not None:
        fill(guest, node)
