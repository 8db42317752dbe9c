"""The host's side of a character device: one class for each ``type=``, shared by serial ports, channels and others."""

from __future__ import annotations

from typing import Any, ClassVar

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, ONOFF, UINT, YESNO

from .disk_parts import SourceSeclabel

TYPES = (
    "null", "vc", "pty", "dev", "file", "pipe", "stdio", "udp", "tcp", "unix", "spicevmc", "spiceport", "nmdm",
    "qemu-vdagent", "dbus",
)  # fmt: skip


def _reconnect(source: Any) -> None:
    if source.reconnect and source.reconnect_timeout is None:
        raise XmlError("Missing required attribute 'timeout' in element 'reconnect'", origin=Origin.XML)


class Backend(Element):
    """What backends of all types share: the log."""

    ENDS: ClassVar[int] = 1

    log: str | None = attr("log/@file", last=True, label=True)
    log_append: bool | None = attr("log/@append", ONOFF, last=True, when=lambda backend, form: backend.log is not None)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read a backend, which has one source (UDP two). Raises XmlError."""
        counts = {"source": "one" if cls.ENDS == 1 else "two", "log": "one", "protocol": "one"}
        for name, word in counts.items():
            if len(node.findall(name)) > (cls.ENDS if name == "source" else 1):
                noun = "element is" if word == "one" else "elements are"
                raise XmlError(f"only {word} {name} {noun} allowed for character device")
        return super().parse(node, keep)


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
    seclabels: list[SourceSeclabel] = children(SourceSeclabel, "source/seclabel")
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)

    def parsed(self, node: Any) -> None:
        if self.path is None:
            self.mode = None
        elif self.mode is None:
            self.mode = "connect"
        _reconnect(self)


class Tcp(Backend):
    """A TCP socket, served (bind) or used (connect)."""

    mode: str | None = attr("source/@mode", ENUM("connect", "bind"))
    host: str | None = attr("source/@host")
    service: str | None = attr("source/@service")
    tls: bool | None = attr("source/@tls", YESNO)
    reconnect: bool | None = attr("source/reconnect/@enabled", YESNO)
    reconnect_timeout: int | None = attr("source/reconnect/@timeout", UINT)
    protocol: str | None = attr("protocol/@type", ENUM("raw", "telnet", "telnets", "tls"),
                                error="unsupported:Unknown protocol '{value}'")  # fmt: skip

    def parsed(self, node: Any) -> None:
        if self.mode is None:
            self.mode = "connect"
        if self.protocol is None:
            self.protocol = "raw"
        _reconnect(self)


class UdpEnd(Element, tag="source"):
    """One end of a UDP backend."""

    mode: str | None = attr("@mode", ENUM("connect", "bind"))
    host: str | None = attr("@host")
    service: str | None = attr("@service")


class Udp(Backend):
    """UDP packets to a peer, and from it."""

    ENDS = 2

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


def internal(what: str) -> InternalError:
    """libvirt's error for a backend that lacks an attribute."""
    return InternalError(f"Missing source {what} attribute for char device", origin=Origin.DOMAIN)


def check(device: Any, source: Any) -> None:
    """Refuse a backend that lacks what its type needs, in libvirt's words."""
    kind = device.type
    if kind in ("file", "dev", "pipe") and source.path is None:
        raise internal("path")
    if kind == "unix" and source.path is None and device.TAG != "channel":
        raise internal("path")
    if kind == "nmdm" and bool(source.master) != bool(source.slave):
        raise InternalError("Should define both master and slave path attributes for nmdm device", origin=Origin.DOMAIN)
    if kind == "tcp":
        if source.host is None:
            raise internal("host")
        if source.service is None:
            raise internal("service")
    if kind == "udp":
        end = source.end("connect")
        if end is None or end.service is None:
            raise internal("service")
    if kind in ("spiceport", "dbus") and not source.channel:
        raise ConfigUnsupported("Missing source channel attribute for char device", origin=Origin.DOMAIN)
    if kind in ("tcp", "unix") and source.reconnect and source.mode == "bind":
        raise InternalError("chardev reconnect is possible only for connect mode", origin=Origin.DOMAIN)


__all__ = ["BACKENDS", "TYPES", "Backend", "check"]
