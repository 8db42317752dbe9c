"""A bridge of the daemon's own, with addresses, name server and rules: what nat, route, open and isolated networks share."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import Any

from kvasir.errors import Code, Error, InternalError, Origin, SystemFailure
from kvasir.host import dnsmasq, firewalld, netlink, sysctl, tc
from kvasir.host.files import discard, write_file
from kvasir.model.network_port import NetworkPlug, Plug
from kvasir.network import conf, firewall
from kvasir.network.leases import helper, write_macs

from .base import Kind

log = logging.getLogger(__name__)


class LinkError(Error):
    """A device of the host could not be made."""

    code = Code.SYSTEM_ERROR


def check_advertised_routes() -> None:
    """A host that forwards IPv6 loses the routes that its kernel made of routers' advertisements, but where accept_ra is 2.

    A link's 0 leaves it to that of all, in libvirt's reading. Raises InternalError for the first link in danger.
    """

    def setting(link: str) -> str | None:
        return sysctl.read(f"net/ipv6/conf/{link}/accept_ra")

    for link in sysctl.advertised_links():
        own = setting(link)
        if (setting("all") if own == "0" else own) == "1":
            raise InternalError(
                f"Check the host setup: interface {link} has kernel autoconfigured IPv6 routes and enabling forwarding  without "
                "accept_ra set to 2 will cause the kernel to flush them, breaking networking.", origin=Origin.NONE,
                hint=f"sysctl -w net.ipv6.conf.{link}.accept_ra=2")  # fmt: skip


class Virtual(Kind):
    """A virtual network in the narrow sense."""

    FORWARDS = True

    def check(self) -> None:
        """Refuse addresses that the host has already, and reverse zones that cannot be."""
        taken = [route for family in (socket.AF_INET, socket.AF_INET6) for route in netlink.routes(family)]
        for ip in self.document.ips:
            if ip.length < 0:
                raise InternalError(f"bridge '{self.document.bridge}' has an invalid netmask or IP address",
                                    origin=Origin.NETWORK)  # fmt: skip
            for route in taken:
                if route.network == ip.net and route.link != self.document.bridge:
                    raise InternalError(
                        f"Network is already in use by interface {route.link}", origin=Origin.NETWORK,
                        hint=f"choose another network with virsh net-edit {self.net.name}, or take it off {route.link}")  # fmt: skip

    def start(self, undo: contextlib.ExitStack) -> None:
        self.check()
        self._bridge(undo)
        self._addresses()
        self._forwarding()
        undo.callback(firewall.remove, self.document)
        self._rules()
        self._up()
        self._routes()
        self._dnsmasq(undo)
        self._bandwidth()

    def _bridge(self, undo: contextlib.ExitStack) -> None:
        doc = self.document
        name = str(doc.bridge)
        try:
            netlink.create_bridge(name, doc.mac, stp=doc.stp != "off", delay=int(doc.delay or 0))
        except OSError as error:
            words = f"error creating bridge interface {name}: {os.strerror(error.errno or 0)}"
            raise LinkError(words, origin=Origin.NONE, message=words,
                            hint=f"another program has a device {name}: choose another bridge name") from None  # fmt: skip
        undo.callback(netlink.delete, name)
        if doc.mtu and int(doc.mtu):
            netlink.change(name, mtu=int(doc.mtu))
        if doc.mac_table == "libvirt":
            try:
                netlink.set_bridge(name, vlan_filtering=True)
            except OSError:
                wrong = OSError(22, os.strerror(22))
                raise SystemFailure(
                    f"Unable to set bridge {name} vlan_filtering via ioctl", wrong, origin=Origin.NONE
                ) from None
        six = any(ip.six for ip in doc.ips)
        sysctl.write(f"net/ipv6/conf/{name}/disable_ipv6", "0" if six else "1")
        sysctl.write(f"net/ipv6/conf/{name}/accept_ra", "0")
        sysctl.write(f"net/ipv6/conf/{name}/autoconf", "0")

    def _addresses(self) -> None:
        for ip in self.document.ips:
            try:
                netlink.add_address(str(self.document.bridge), str(ip.address), ip.length)
            except OSError as error:
                raise SystemFailure(f"Failed to add IP address {ip.address}/{ip.length} to {self.document.bridge}", error,
                                    origin=Origin.NONE) from None  # fmt: skip

    def _rules(self) -> None:
        """The bridge's zone where firewalld runs, and our own rules; a network that leaves the firewall alone has neither."""
        doc = self.document
        if doc.mode != "open":
            firewalld.set_zone(str(doc.bridge), doc.zone, self.net.name, routed=doc.mode == "route")
        firewall.install(doc)

    def _up(self) -> None:
        netlink.change(str(self.document.bridge), up=True)

    def _forwarding(self) -> None:
        """libvirt turns forwarding on for every network that is not isolated."""
        if not self.FORWARDS:
            return
        if any(not ip.six for ip in self.document.ips):
            sysctl.write("net/ipv4/ip_forward", "1")
        if any(ip.six for ip in self.document.ips):
            check_advertised_routes()
            sysctl.write("net/ipv6/conf/all/forwarding", "1")

    def _routes(self) -> None:
        for route in self.document.routes:
            try:
                netlink.add_route(f"{route.address}/{route.length}", str(route.gateway), str(self.document.bridge),
                                  route.metric or 1)  # fmt: skip
            except OSError as error:
                raise SystemFailure(f"Failed to add route {route.address}/{route.length} to {self.document.bridge}", error,
                                    origin=Origin.NONE) from None  # fmt: skip

    # --- dnsmasq

    def _path(self, kind: str) -> str:
        return f"{self.files.dnsmasq}/{self.net.name}.{kind}"

    def _write_conf(self) -> None:
        """Each start of the network writes them anew: none need outlast the host."""
        doc = self.document
        texts = {
            "conf": conf.configuration(doc, self.files.pid(self.net.name), self.files.dnsmasq),
            "hostsfile": conf.hosts_file(doc),
            "addnhosts": conf.names_file(doc),
        }
        for kind, text in texts.items():
            write_file(self._path(kind), text, 0o644, durable=False)

    def _dnsmasq(self, undo: contextlib.ExitStack) -> None:
        if not conf.wanted(self.document):
            return
        os.makedirs(self.files.run, exist_ok=True)
        undo.callback(self._end_dnsmasq)
        self._write_conf()
        status = f"{self.files.dnsmasq}/{self.document.bridge}.status"
        if not os.path.exists(status):
            write_file(status, "", 0o644, durable=False)
        dnsmasq.start(self._path("conf"), helper(self.files.dnsmasq), str(self.document.bridge))

    def _end_dnsmasq(self) -> None:
        dnsmasq.stop(self.files.pid(self.net.name))

    # --- bandwidth

    def _bandwidth(self) -> None:
        band = self.document.bandwidth
        if band is not None:
            tc.shape(str(self.document.bridge), tc.limits(band, "inbound"), tc.limits(band, "outbound"), tree=True)

    # --- the other moments

    def stop(self) -> None:
        doc = self.document
        self._end_dnsmasq()
        firewall.remove(doc)
        netlink.delete(str(doc.bridge))
        if self.net.ports:
            try:
                write_macs(self.files.dnsmasq, str(doc.bridge), [])
            except Error as error:
                log.error("network %s: %s", self.net.name, error)

    def forget(self) -> None:
        """Leases and dnsmasq's files outlive the running network; they go with its definition."""
        bridge = self.document.bridge
        discard(*(self._path(kind) for kind in ("conf", "hostsfile", "addnhosts")),
               *(f"{self.files.dnsmasq}/{bridge}.{kind}" for kind in ("macs", "status")))  # fmt: skip

    def adopt(self) -> bool:
        return netlink.exists(str(self.document.bridge))

    def refresh(self) -> None:
        self._rules()
        if conf.wanted(self.document) and dnsmasq.pid_of(self.files.pid(self.net.name)) is None:
            with contextlib.ExitStack() as undo:
                self._dnsmasq(undo)
                undo.pop_all()

    def changed(self, section: str, old: Any) -> None:
        """Hosts and names are read anew; all else makes a new dnsmasq with the same leases."""
        if section == "portgroup":
            return
        if section == "interface":
            firewall.remove(old)
            firewall.install(self.document)
            return
        before = conf.configuration(old, self.files.pid(self.net.name), self.files.dnsmasq) if conf.wanted(old) else ""
        if not conf.wanted(self.document):
            self._end_dnsmasq()
            return
        self._write_conf()
        after = conf.configuration(self.document, self.files.pid(self.net.name), self.files.dnsmasq)
        if before == after and dnsmasq.reload(self.files.pid(self.net.name)):
            return
        dnsmasq.stop(self.files.pid(self.net.name))
        with contextlib.ExitStack() as undo:
            self._dnsmasq(undo)
            undo.pop_all()
        if conf.wants_dhcp(old) != conf.wants_dhcp(self.document):
            firewall.remove(old)
            firewall.install(self.document)

    # --- ports

    def plug(self, port: Any) -> Plug:
        doc = self.document
        return Plug(type="network", to=NetworkPlug(bridge=doc.bridge, mac_table=doc.mac_table))

    def plugged(self, port: Any) -> None:
        write_macs(self.files.dnsmasq, str(self.document.bridge), self.net.ports.values())
        band = port.document.bandwidth
        if band is not None and band.inbound_floor:
            self._guarantee(port, band)

    def unplugged(self, port: Any) -> None:
        if port.document.class_id is not None:
            number = port.document.class_id
            tc.forget(str(self.document.bridge), number)
            self.net.classes.discard(number)
            self.net.floor -= port.document.bandwidth.inbound_floor or 0
            self._rest()
        write_macs(self.files.dnsmasq, str(self.document.bridge), self.net.ports.values())

    def _guarantee(self, port: Any, band: Any) -> None:
        own = self.document.bandwidth
        peak = own.inbound_peak or own.inbound_average
        number = self.net.next_class()
        try:
            tc.guarantee(str(self.document.bridge), str(port.document.mac), number, band.inbound_floor, peak)
        except Error:
            self.net.classes.discard(number)
            raise
        port.document.class_id = number
        self.net.floor += band.inbound_floor
        self._rest()

    def _rest(self) -> None:
        own = self.document.bandwidth
        tc.default_rate(str(self.document.bridge), own.inbound_average - self.net.floor,
                        own.inbound_peak or own.inbound_average)  # fmt: skip
