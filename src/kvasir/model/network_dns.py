"""What the network's name server answers and where it asks."""

from __future__ import annotations

from kvasir.xml import Element, attr, children, texts
from kvasir.xml.types import YESNO


class Forwarder(Element, tag="forwarder"):
    """A server that is asked, for one domain or for all."""

    domain: str | None = attr("@domain")
    addr: str | None = attr("@addr")


class Txt(Element, tag="txt"):
    """A TXT record."""

    name: str | None = attr("@name")
    value: str | None = attr("@value")


class Srv(Element, tag="srv"):
    """An SRV record."""

    service: str | None = attr("@service")
    protocol: str | None = attr("@protocol")
    domain: str | None = attr("@domain")
    target: str | None = attr("@target")
    port: str | None = attr("@port")
    priority: str | None = attr("@priority")
    weight: str | None = attr("@weight")


class DnsHost(Element, tag="host"):
    """Names of an address."""

    ip: str | None = attr("@ip")
    hostnames: list[str] = texts("hostname")


class Dns(Element, tag="dns"):
    """The name server of the network."""

    enable: bool | None = attr("@enable", YESNO)
    forward_plain: bool | None = attr("@forwardPlainNames", YESNO)
    forwarders: list[Forwarder] = children(Forwarder)
    txts: list[Txt] = children(Txt)
    srvs: list[Srv] = children(Srv)
    hosts: list[DnsHost] = children(DnsHost)
