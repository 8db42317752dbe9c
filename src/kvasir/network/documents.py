"""Reads a network's document with libvirt's errors, checks it against the driver's rules and completes it."""

from __future__ import annotations

from kvasir.errors import Origin, XmlDetail
from kvasir.model import network_check
from kvasir.model.network import Network

from .kinds.hostdev import check_addresses


def parse(xml: str, what: str = "(network_definition)", validate: bool = False) -> Network:
    """The document as the reader gives it. Raises XmlDetail, XmlError, SchemaError."""
    from kvasir.xml.reader import check_root
    from kvasir.xml.reader import read as read_tree
    from kvasir.xml.validate import validate as check_schema

    try:
        root = read_tree(xml, what)
    except XmlDetail as error:
        error.origin = Origin.NETWORK
        raise
    check_root(root, "network")
    if validate:
        check_schema(Network, root)
    return Network.parse(root)


def read(xml: str, validate: bool = False, sys: str = "/sys") -> Network:
    """A document that may be defined: checked, and with the MAC address that its bridge gets."""
    document = parse(xml, validate=validate)
    if document.forward is not None and document.forward.addresses:
        check_addresses(document, sys)
    network_check.validate(document)
    if document.own_bridge and document.mac is None:
        document.mac = network_check.random_mac()
    return document
