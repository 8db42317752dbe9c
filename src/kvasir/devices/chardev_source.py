"""The host's side of a character device: one class for each ``type=``, shared by serial ports, channels and others."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Origin, XmlError
from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, ONOFF, UINT, YESNO

from .disk_source import SourceSeclabel

TYPES = (
    "null", "vc", "pty", "dev", "file", "pipe", "stdio", "udp", "tcp", "unix", "spicevmc", "spiceport", "nmdm",
    "qemu-vdagent", "dbus",
)  # fmt: skip


def _missing(name: str) -> XmlError:
    return XmlError(f"Missing required attribute '{name}' in element 'source'", origin=Origin.XML)


class Backend(Element):
    """What backends of all types share: the log."""

    log: str | None = attr("log/@file", last=True, label=True)
    log_append: bool | None = attr("log/@append", ONOFF, last=True)


class Plain(Backend):
    """A backend that has no settings (null, vc, stdio)."""


class SpiceVmc(Backend):
    """A channel of the SPICE server."""


class Pty(Backend):
    """A pseudo terminal of the host."""

    path: str | None = attr("source/@path", only="live")
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel", only="live")


class Path(Backend):
    """A device or named pipe of the host."""

    path: str | None = attr("source/@path", label=True)
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel")


class File(Backend):
    """A file that takes the output."""

    path: str | None = attr("source/@path", label=True)
    append: bool | None = attr("source/@append", ONOFF)
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel")


class Unix(Backend):
    """A unix socket, served (bind) or used (connect)."""

    mode: str | None = attr("source/@mode", ENUM("connect", "bind"))
    path: str | None = attr("source/@path", label=True)
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel")

    def parsed(self, node: Any) -> None:
        if self.path is not None and self.mode is None:
            self.mode = "connect"


class Tcp(Backend):
    """A TCP socket, served (bind) or used (connect)."""

    mode: str | None = attr("source/@mode", ENUM("connect", "bind"))
    host: str | None = attr("source/@host")
    service: str | None = attr("source/@service")
    tls: bool | None = attr("source/@tls", YESNO)
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)
    protocol: str | None = attr("protocol/@type", ENUM("raw", "telnet", "telnets", "tls"))

    def parsed(self, node: Any) -> None:
        if self.mode is None:
            self.mode = "connect"
        if self.protocol is None:
            self.protocol = "raw"


class UdpEnd(Element, tag="source"):
    """One end of a UDP backend."""

    mode: str | None = attr("@mode", ENUM("connect", "bind"))
    host: str | None = attr("@host")
    service: str | None = attr("@service")


class Udp(Backend):
    """UDP packets to a peer, and from it."""

    ends: list[UdpEnd] = children(UdpEnd, "source")

    def parsed(self, node: Any) -> None:
        ends: dict[str, UdpEnd] = {}
        for end in self.ends:
            ends[end.mode or "connect"] = end
            end.mode = end.mode or "connect"
        self.ends = [ends[mode] for mode in ("bind", "connect") if mode in ends]

    def end(self, mode: str) -> UdpEnd | None:
        """The end with that mode."""
        return next((end for end in self.ends if end.mode == mode), None)


class Nmdm(Backend):
    """A null modem pair (FreeBSD)."""

    master: str | None = attr("source/@master")
    slave: str | None = attr("source/@slave")


class Channel(Backend):
    """A named channel of the SPICE server or of D-Bus."""

    channel: str | None = attr("source/@channel")


class Vdagent(Backend):
    """QEMU's own clipboard and mouse agent."""

    clipboard: bool | None = attr("source/clipboard/@copypaste", YESNO)
    mouse: str | None = attr("source/mouse/@mode", ENUM("server", "client"))


BACKENDS: dict[str, Any] = {
    "null": Plain, "vc": Plain, "stdio": Plain, "pty": Pty, "dev": Path, "file": File, "pipe": Path, "unix": Unix,
    "tcp": Tcp, "udp": Udp, "spicevmc": SpiceVmc, "spiceport": Channel, "nmdm": Nmdm, "qemu-vdagent": Vdagent,
    "dbus": Channel,
}  # fmt: skip


def check(device: Any, source: Any) -> None:
    """Refuse a backend that lacks what its type needs, in libvirt's words."""
    kind = device.type
    if kind in ("file", "dev", "pipe") and not source.path:
        raise XmlError(f"Missing source path attribute for char device")
    if kind == "nmdm" and not source.master:
        raise XmlError("Missing master path attribute for nmdm device")
    if kind == "nmdm" and not source.slave:
        raise XmlError("Missing slave path attribute for nmdm device")
    if kind == "tcp":
        if not source.host:
            raise XmlError("Missing source host attribute for char device")
        if not source.service:
            raise XmlError("Missing source service attribute for char device")
    if kind == "udp":
        end = source.end("connect")
        if end is None or not end.service:
            raise XmlError("Missing source service attribute for char device")
    if kind == "spiceport":
        if not source.channel:
            raise XmlError("Missing source channel attribute for char device")
    if kind == "dbus" and not source.channel:
        raise XmlError("Missing source channel attribute for char device")


__all__ = ["BACKENDS", "TYPES", "Backend", "check"]
