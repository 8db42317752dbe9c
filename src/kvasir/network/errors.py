"""libvirt's words for what is not there or not so."""

from __future__ import annotations

from kvasir.errors import Code, Error, OperationInvalid, Origin


class NoNetwork(Error):
    """Network not found"""

    code, prefix = Code.NO_NETWORK, "Network not found"


class NoPort(Error):
    """network port not found"""

    code, prefix = Code.NO_NETWORK_PORT, "network port not found"


class PortExists(Error):
    """network port exists already"""

    code = Code.NETWORK_PORT_EXIST


def no_network(what: str) -> NoNetwork:
    return NoNetwork(f"no network with matching {what}", origin=Origin.NETWORK)


def invalid(text: str) -> OperationInvalid:
    """Error 55 of the network driver."""
    return OperationInvalid(text, origin=Origin.NETWORK)


def port_exists(uuid: str) -> PortExists:
    words = f"network port Network port with UUID {uuid} already exists exists already"
    return PortExists(words, origin=Origin.NETWORK, message=words)
