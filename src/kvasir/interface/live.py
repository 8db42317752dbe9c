"""What is there now, as documents: the form of libvirt's udev back end."""

from __future__ import annotations

import socket

from kvasir.host import links, netlink
from kvasir.host.links import Link
from kvasir.model.interface import (
    BOND_MODES,
    STATES,
    VALIDATES,
    Arpmon,
    Bond,
    BondPort,
    Bridge,
    BridgePort,
    Interface,
    Miimon,
    Vlan,
)

UP = 6
Links = dict[str, Link]


def is_active(link: Link | None) -> bool:
    """Up and with a carrier: what libvirt calls active."""
    return link is not None and link.state == UP


def is_tap(link: Link) -> bool:
    return link.kind == "tun"


def listed(found: Links) -> list[Link]:
    """Those that libvirt lists: without ports of bridges and guests' taps."""
    bridges = {link.number for link in found.values() if link.kind == "bridge"}
    return [link for link in found.values() if link.master not in bridges and not is_tap(link)]


def ports(found: Links, master: Link) -> list[Link]:
    """The links that are plugged into another."""
    return sorted((link for link in found.values() if link.master == master.number), key=lambda link: link.name)


def lower_name(found: Links, link: Link) -> str:
    """The link below a VLAN."""
    return next((one.name for one in found.values() if one.number == link.lower), "")


def word(link: Link) -> str:
    """The kind of document."""
    return link.kind if link.kind in ("bridge", "bond", "vlan") else "ethernet"


def _speed(link: Link) -> int | None:
    return (links.speed(link.name) or None) if link.state == UP else None


def _state(link: Link) -> str:
    return STATES[link.state] if link.state < len(STATES) else "unknown"


def _bond(found: Links, link: Link) -> Bond:
    bond = Bond(mode=BOND_MODES[min(link.numbers("mode"), len(BOND_MODES) - 1)])
    if link.numbers("arp_interval"):
        raw = netlink.attributes(link.data.get(links.ARP_TARGETS, b""))
        targets = ",".join(socket.inet_ntoa(one) for one in raw.values() if len(one) == 4)
        bond.arpmon = Arpmon(
            interval=link.numbers("arp_interval"),
            target=targets,
            validate=VALIDATES[min(link.numbers("arp_validate"), 3)],
        )
    elif link.numbers("miimon"):
        bond.miimon = Miimon(freq=link.numbers("miimon"), downdelay=link.numbers("downdelay"),
                             updelay=link.numbers("updelay"),
                             carrier="netif" if link.numbers("use_carrier") else "ioctl")  # fmt: skip
    bond.interfaces = [
        BondPort(type="ethernet", name=one.name, link_speed=_speed(one), link_state=_state(one), mac=one.mac)
        for one in ports(found, link)
    ]
    return bond


def _vlan(found: Links, link: Link) -> Vlan:
    return Vlan(tag=str(link.numbers("vlan_id")), interface=lower_name(found, link))


def _port(found: Links, link: Link) -> BridgePort:
    kind = word(link)
    port = BridgePort(type=kind, name=link.name, link_speed=_speed(link), link_state=_state(link))
    if kind == "ethernet":
        port.mac = link.mac
    elif kind == "bond":
        port.bond = _bond(found, link)
    elif kind == "vlan":
        port.vlan = _vlan(found, link)
    return port


def document(found: Links, link: Link) -> Interface:
    """The document of a live link. A bridge's delay is the kernel's, in hundredths of a second, as libvirt writes it."""
    kind = word(link)
    this = Interface(type=kind, name=link.name, mtu=link.mtu)
    if kind == "bridge":
        this.bridge = Bridge(stp=bool(link.numbers("stp")), delay=str(link.numbers("forward_delay")),
                             interfaces=[_port(found, one) for one in ports(found, link)])  # fmt: skip
        return this
    this.link_speed, this.link_state = _speed(link), _state(link)
    if kind == "ethernet":
        this.mac = link.mac
    elif kind == "bond":
        this.bond = _bond(found, link)
    else:
        this.vlan = _vlan(found, link)
    return this
