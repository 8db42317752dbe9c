"""Where a host is on one of its networks: the address at which a guest's display listens."""

from __future__ import annotations

from kvasir.errors import InternalError
from kvasir.host import netlink
from kvasir.model.network import Network


def host_address(net: Network) -> str:
    """The first IPv4 address of the network; of its bridge; of the first card of a direct network. Raises InternalError."""
    if net.own_bridge:
        for ip in net.ips:
            if ip.address and not ip.six:
                return ip.address
        raise InternalError(f"network '{net.name}' doesn't have an IPv4 address")
    cards = net.forward.interfaces if net.forward is not None else []
    card = net.bridge if net.mode == "bridge" and net.bridge else cards[0].dev if cards else None
    if not card:
        raise InternalError(f"network '{net.name}' has no associated interface or bridge")
    for address in netlink.addresses():
        if address.link == card and ":" not in address.address:
            return address.address
    raise InternalError(f"no IPv4 address of interface '{card}' of network '{net.name}'")
