"""The host's side of displays: where they listen, free ports, sockets of their own."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from kvasir.devices.graphics import Graphics
from kvasir.devices.graphics_qemu import needed, socket_path
from kvasir.errors import ConfigUnsupported, InternalError, OperationUnsupported


async def prepare(display: Graphics, host: Any) -> None:
    """Fill in addresses, ports and socket paths. Raises InternalError when no port is free."""
    if display.type in ("vnc", "spice"):
        display.default_password = getattr(host.config, f"{display.type}_password", None)
    if display.type == "dbus" and not display.p2p and not display.address_:
        raise OperationUnsupported(
            "a D-Bus display with a bus of its own is not built yet", hint="give its address='...', or p2p='yes'"
        )
    for listen in display.listens:
        _listen(display, listen, host)
    first = display.listens[0] if display.listens else None
    if first is not None and first.type in ("address", "network"):
        _ports(display, host)


def _listen(display: Graphics, listen: Any, host: Any) -> None:
    config = host.config
    if listen.type == "address" and not listen.address:
        if getattr(config, f"{display.type}_auto_unix_socket", False):
            listen.type, listen.from_config, listen.socket = "socket", 1, None
        else:
            listen.address, listen.from_config = getattr(config, f"{display.type}_listen", None) or "127.0.0.1", 1
    elif listen.type == "network":
        listen.address = network_address(host, listen.network)
    if listen.type == "socket" and not listen.socket:
        listen.socket, listen.auto_generated = socket_path(host.vm, display.type), True


def places(domain: Any, host: Any) -> None:
    """What qemu.conf says of places that the document leaves open, where no guest is to run."""
    for display in domain.graphics:
        for listen in display.listens:
            if display.type in ("vnc", "spice") and listen.type == "address":
                _listen(display, listen, host)


def network_address(host: Any, network: str) -> str:
    """The host's address in a virtual network. Raises InternalError, NoNetwork."""
    from kvasir.network.place import host_address

    networks = host.driver.drivers.get("network")
    if networks is None:
        raise InternalError("network-based listen isn't possible, network driver isn't present")
    return host_address(networks.by_name(network).document)


def taken(host: Any, *, others: bool = False) -> set[int]:
    """Ports that the displays of this daemon's guests have, also of those just starting; ``others`` leaves this guest's out."""
    found: set[int] = set()
    for guest in list(host.driver.guests.by_id.values()):
        if others and guest.live is host.vm.domain:
            continue
        for display in getattr(guest.live, "graphics", None) or ():
            found |= set(_ports_of(display))
    return found


def _ports_of(display: Any) -> list[int]:
    return [port for port in (display.port, display.tls_port, display.websocket) if port and port > 0]


def _free(low: int, high: int, used: set[int], what: str) -> int:
    for port in range(low, high + 1):
        if port not in used and _bindable(port):
            used.add(port)
            return port
    raise InternalError(f"Unable to find an unused port in range '{what}' ({low}-{high})")


def _bindable(port: int) -> bool:
    """Whether nobody on the host listens on the port, by either protocol."""
    for family, place in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            probe = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue
        with contextlib.closing(probe):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((place, port))
            except OSError as error:
                if error.errno in (98, 13):
                    return False
    return True


def _ports(display: Graphics, host: Any) -> None:
    for port in _ports_of(display):
        if port in taken(host, others=True):
            raise InternalError(f"Failed to reserve port {port}")
    config, used = host.config, taken(host)
    low = getattr(config, "remote_display_port_min", None) or 5900
    high = getattr(config, "remote_display_port_max", None) or 65535
    if display.type == "vnc":
        if display.autoport or not display.port or display.port < 0:
            display.port = _free(low, high, used, "display")
        if display.websocket == -1:
            first = getattr(config, "remote_websocket_port_min", None) or 5700
            last = getattr(config, "remote_websocket_port_max", None) or 65535
            display.websocket, display.auto_ws = _free(first, last, used, "webSocket"), True
    elif display.type == "spice":
        plain, secure = needed(display, config)
        if plain:
            display.port = _free(low, high, used, "display")
        if secure and not getattr(config, "spice_tls", False):
            text = "Auto allocation of spice TLS port requested but spice TLS is disabled in qemu.conf"
            raise ConfigUnsupported(text, hint="spice_tls = 1 in qemu.conf")
        if secure:
            display.tls_port = _free(low, high, used, "display")
