"""Network interfaces of the host as documents."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Error, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, flag
from kvasir.xml.types import ENUM, INT, UINT, Type

STATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
"""What a link may be, by the kernel's number."""
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
"""By the kernel's number."""
VALIDATES = ("none", "active", "backup", "all")
STP = Type("onoff", {"on": True, "off": False}.get, lambda value: "on" if value else "off", words=("on", "off"),
           json={"enum": ["on", "off"]})  # fmt: skip
"""Other words are taken for none, as libvirt does."""


def wrong(text: str) -> XmlError:
    """libvirt's error for what an interface's document says."""
    return XmlError(text, origin=Origin.INTERFACE)


def _unknown(words: str) -> Any:
    """The ``error`` column of a field whose word is none of its words."""

    def failure(value: str = "") -> Error:
        return wrong(words.format(value=value))

    return failure


class Open(Element):
    """A part that is written with both tags also when it is empty."""

    def write(self, out: list[str], pad: str, form: Form, tag: str) -> None:
        mark = len(out)
        super().write(out, pad, form, tag)
        if len(out) == mark + 1 and out[mark].endswith("/>\n"):
            out[mark:] = [out[mark][:-3] + ">\n", f"{pad}</{tag}>\n"]


class InterfaceIp(Element, tag="ip"):
    """An address."""

    address: str | None = attr("@address")
    prefix: int | None = attr("@prefix", INT)


class Protocol(Open, tag="protocol"):
    """How the interface gets its addresses."""

    family: str | None = attr("@family", ENUM("ipv4", "ipv6"), error=_unknown("unsupported protocol family '{value}'"),
                              required=True, missing=lambda: wrong("protocol misses the family attribute"))  # fmt: skip
    autoconf: bool = flag("autoconf")
    dhcp: bool = flag("dhcp")
    peerdns: str | None = attr("dhcp/@peerdns", ENUM("yes", "no"))
    ips: list[InterfaceIp] = children(InterfaceIp)
    gateway: str | None = attr("route/@gateway")

    def parsed(self, node: Any) -> None:
        """An address without address is none."""
        self.ips = [ip for ip in self.ips if ip.address is not None]


class Miimon(Element, tag="miimon"):
    """A bond looks for the carriers of its ports."""

    freq: int | None = attr("@freq", INT, error="bond interface miimon freq missing or invalid", required=True)
    downdelay: int | None = attr("@downdelay", INT, error="bond interface miimon downdelay invalid")
    updelay: int | None = attr("@updelay", INT, error="bond interface miimon updelay invalid")
    carrier: str | None = attr(
        "@carrier", ENUM("ioctl", "netif"), error=_unknown("unknown mii bonding carrier {value}")
    )


class Arpmon(Element, tag="arpmon"):
    """A bond looks for the answers of a host."""

    interval: int | None = attr("@interval", INT, error="bond interface arpmon interval missing or invalid",
                                required=True)  # fmt: skip
    target: str | None = attr("@target", required=True, missing=lambda: wrong("bond interface arpmon target missing"))
    validate: str | None = attr("@validate", ENUM(*VALIDATES), error=_unknown("unknown arp bonding validate {value}"))


class BondPort(Open, tag="interface"):
    """A card of a bond."""

    type: str | None = attr("@type", ENUM("ethernet", "bridge", "bond", "vlan"), required=True)
    name: str | None = attr("@name", required=True, missing=lambda: wrong("interface has no name"))
    link_speed: int | None = attr("link/@speed", UINT)
    link_state: str | None = attr("link/@state", ENUM(*STATES))
    mac: str | None = attr("mac/@address")

    def parsed(self, node: Any) -> None:
        """Only cards may be in a bond."""
        if self.type != "ethernet":
            raise wrong(f"interface has unsupported type '{self.type}'")


class Bond(Open, tag="bond"):
    """Interfaces that work as one."""

    mode: str | None = attr("@mode", ENUM(*BOND_MODES), error=_unknown("unknown bonding mode {value}"))
    miimon: Miimon | None = child(Miimon)
    arpmon: Arpmon | None = child(Arpmon)
    interfaces: list[BondPort] = children(BondPort)

    def parsed(self, node: Any) -> None:
        """It looks in one way."""
        if self.miimon is not None:
            self.arpmon = None


class Vlan(Element, tag="vlan"):
    """A VLAN above another interface."""

    tag: str | None = attr("@tag", required=True, missing=lambda: wrong("vlan interface misses the tag attribute"))
    interface: str | None = attr("interface/@name", required=True,
                                 missing=lambda: wrong("vlan interface misses name attribute"))  # fmt: skip


def _needs(this: Any) -> None:
    """A bridge has its element, a bond, a VLAN."""
    for kind in ("bridge", "bond", "vlan"):
        if this.type == kind and getattr(this, kind) is None:
            raise wrong(f"{kind} interface misses the {kind} element")
        if this.type != kind and getattr(this, kind, None) is not None:
            setattr(this, kind, None)
    if this.type != "ethernet":
        this.mac = None


class BridgePort(Open, tag="interface"):
    """What is plugged into a bridge."""

    type: str | None = attr("@type", ENUM("ethernet", "bridge", "bond", "vlan"), required=True)
    name: str | None = attr("@name", required=True, missing=lambda: wrong("interface has no name"))
    link_speed: int | None = attr("link/@speed", UINT)
    link_state: str | None = attr("link/@state", ENUM(*STATES))
    mac: str | None = attr("mac/@address")
    bond: Bond | None = child(Bond)
    vlan: Vlan | None = child(Vlan)

    def parsed(self, node: Any) -> None:
        """No bridge in a bridge."""
        if self.type == "bridge":
            raise wrong(f"interface has unsupported type '{self.type}'")
        _needs(self)


class Bridge(Open, tag="bridge"):
    """A bridge and what is plugged into it."""

    stp: bool | None = attr("@stp", STP)
    delay: str | None = attr("@delay")
    interfaces: list[BridgePort] = children(BridgePort)


class Interface(Open, tag="interface"):
    """An interface of the host."""

    type: str | None = attr("@type", ENUM("ethernet", "bridge", "bond", "vlan"), required=True)
    name: str | None = attr("@name", required=True, missing=lambda: wrong("interface has no name"))
    start: str | None = attr("start/@mode", ENUM("none", "onboot", "hotplug"),
                             error=_unknown("unknown interface startmode {value}"))  # fmt: skip
    mtu: int | None = attr("mtu/@size", UINT)
    protocols: list[Protocol] = children(Protocol)
    link_speed: int | None = attr("link/@speed", UINT)
    link_state: str | None = attr("link/@state", ENUM(*STATES))
    mac: str | None = attr("mac/@address")
    bridge: Bridge | None = child(Bridge)
    bond: Bond | None = child(Bond)
    vlan: Vlan | None = child(Vlan)

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads; what the type has no use for is dropped."""
        _needs(self)
        if self.type == "bridge":
            self.link_speed = self.link_state = None


def read(xml: str, validate: bool = False) -> Interface:
    """A document that a client gave. Raises XmlDetail, XmlError, SchemaError."""
    from kvasir.xml.reader import check_root
    from kvasir.xml.reader import read as read_tree

    root = read_tree(xml, "(interface_definition)")
    check_root(root, "interface")
    if validate:
        from kvasir.xml.validate import validate as check_schema

        check_schema(Interface, root)
    return Interface.parse(root)
