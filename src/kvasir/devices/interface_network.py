"""The port of a virtual network behind an interface: taken, shown in the live document, given back."""

from __future__ import annotations

import logging
from typing import Any

from kvasir.errors import Code, Error, Origin

from .interface_source import ActualBridge, ActualDirect, ActualHostdev, ActualSource

log = logging.getLogger(__name__)


def _networks(host: Any) -> Any:
    found = host.driver.drivers.get("network")
    if found is None:
        raise Error("the daemon has no network driver", code=Code.NO_SUPPORT, origin=Origin.NONE)
    return found


async def allocate(net: Any, host: Any) -> None:
    """Take a port; what it is stands in ``net.actual``. Raises kvasir errors (no such network, not active, pool used up)."""
    networks = _networks(host)
    port = await networks.ports.allocate(net.source.network, net, host.guest)
    host.stack.push_async_callback(networks.ports.release, net.source.network, port.document.uuid)
    show(net, port.document)


async def give_back(net: Any, host: Any) -> None:
    """Give the port back."""
    if net.source.portid:
        await _networks(host).ports.release(net.source.network, net.source.portid)
    net.source.portid = net.source.bridge = net.source.mac_table = net.actual = None


async def reclaim(net: Any, networks: Any, owner: Any) -> bool:
    """Take the port up again, or another when the network was restarted. False where the network does not run."""
    port = await networks.ports.reclaim(net.source.network, net, owner)
    if port is None:
        log.warning("interface %s of guest %s: network %s does not run", net.mac, owner.name, net.source.network)
        return False
    show(net, port.document)
    return True


def show(net: Any, port: Any) -> None:
    """Let the interface say what the port is."""
    plug, source = port.plug, net.source
    source.portid = port.uuid
    source.bridge = source.mac_table = None
    given: Any
    if plug.type in ("network", "bridge"):
        given = ActualBridge(bridge=plug.to.bridge, mac_table=plug.to.mac_table)
        if plug.type == "network":
            source.bridge, source.mac_table = plug.to.bridge, plug.to.mac_table
    elif plug.type == "direct":
        given = ActualDirect(dev=plug.to.dev, mode=plug.to.mode)
    else:
        given = ActualHostdev(driver=plug.to.driver, address=plug.to.address)
    net.actual = ActualSource(
        type="hostdev" if plug.type == "hostdev-pci" else plug.type, source=given, virtualport=port.virtualport, vlan=port.vlan,
        bandwidth=port.bandwidth, isolated=port.isolated, trust_guest_rx_filters=port.trust,
        managed=plug.to.managed if plug.type == "hostdev-pci" else None,
    )  # fmt: skip
