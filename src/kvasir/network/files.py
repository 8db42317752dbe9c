"""The driver's files: documents of networks, their autostart links, status documents and ports."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from typing import Any

from kvasir.errors import Error, XmlError
from kvasir.host.files import banner, discard, make_link, remove, remove_linked, write_file
from kvasir.model.network import Network
from kvasir.model.network_port import Port
from kvasir.xml.form import INACTIVE, STORED
from kvasir.xml.types import read_cpuset

from .network import NetworkPort, VirtualNetwork

log = logging.getLogger(__name__)


class Files:
    """Where the networks of one daemon are kept."""

    def __init__(self, paths: Any) -> None:
        self.etc = f"{paths.qemu.etc}/networks"
        self.sys = f"{paths.root}/sys" if paths.root and os.path.isdir(f"{paths.root}/sys") else "/sys"
        """The host's sysfs, or a tree like it below the root (for tests)."""
        self.run = f"{paths.run}/network" + ("/lib" if paths.is_session else "")
        self.dnsmasq = f"{paths.run}/network/dnsmasq" if paths.is_session else f"{paths.lib}/dnsmasq"

    def config(self, name: str) -> str:
        return f"{self.etc}/{name}.xml"

    def link(self, name: str) -> str:
        return f"{self.etc}/autostart/{name}.xml"

    def state(self, name: str) -> str:
        return f"{self.run}/{name}.xml"

    def pid(self, name: str) -> str:
        return f"{self.run}/{name}.pid"

    def port(self, name: str, uuid: str) -> str:
        return f"{self.run}/{name}/ports/{uuid}.xml"

    def save(self, document: Network) -> None:
        """Keep the document of the next start."""
        name = str(document.name)
        write_file(self.config(name), banner(f"virsh net-edit {name}") + document.xml(INACTIVE))

    def delete(self, name: str) -> None:
        """Remove the document and its link, or neither."""
        remove_linked(self.config(name), self.link(name))

    def save_status(self, net: VirtualNetwork) -> None:
        """Keep what is needed to take the running network up again."""
        text = banner(f"virsh net-edit {net.name}") + net.status(INACTIVE)
        write_file(self.state(net.name), text, durable=False)

    def save_port(self, port: NetworkPort) -> None:
        write_file(self.port(port.net.name, str(port.document.uuid)), port.document.xml(STORED), durable=False)

    def set_link(self, name: str, on: bool) -> None:
        """The link that marks a network for autostart."""
        if on:
            make_link(self.config(name), self.link(name))
        else:
            remove(self.link(name))

    def forget_status(self, net: VirtualNetwork) -> None:
        discard(self.state(net.name))
        shutil.rmtree(f"{self.run}/{net.name}", ignore_errors=True)

    @staticmethod
    def _documents(folder: str) -> Iterator[tuple[str, str, str]]:
        """(path, name, text) of the documents in a folder."""
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return
        for name in names:
            path = f"{folder}/{name}"
            if name.endswith(".xml") and os.path.isfile(path):
                try:
                    with open(path, "rb") as stream:
                        yield path, name.removesuffix(".xml"), stream.read(1 << 24).decode("utf-8", "surrogateescape")
                except OSError as error:
                    log.error("cannot read %s: %s", path, error)

    def stored(self) -> Iterator[VirtualNetwork]:
        """The networks that are defined. A broken file is reported and left as it is."""
        for path, name, text in self._documents(self.etc):
            try:
                net = VirtualNetwork(Network.from_xml(text, "(network_definition)"))
                if net.name != name:
                    raise XmlError(f"Network config filename '{path}' does not match network name '{net.name}'")
            except (Error, ValueError) as error:
                log.error("cannot load network %s: %s", path, error)
                continue
            net.persistent, net.autostart = True, os.path.islink(self.link(name))
            yield net

    def running(self) -> Iterator[VirtualNetwork]:
        """The networks that ran when the daemon ended, with their ports."""
        from kvasir.xml.reader import read

        for path, name, text in self._documents(self.run):
            try:
                root = read(text, "(network status)")
                node = root.find("network")
                if root.tag != "networkstatus" or node is None:
                    raise XmlError(f"unexpected root element <{root.tag}> in {path}")
                net = VirtualNetwork(Network.parse(node))
                bits, floor = root.find("class_id"), root.find("floor")
                if bits is not None:
                    net.classes = {bit for bit in read_cpuset(bits.get("bitmap", "0")) if bit > 2}
                net.floor = int(floor.get("sum", "0")) if floor is not None else 0
                if net.name != name:
                    raise XmlError(f"{path} is of network '{net.name}'")
            except (Error, ValueError) as error:
                log.error("cannot load network status %s: %s", path, error)
                continue
            net.active = True
            self._ports(net)
            yield net

    def _ports(self, net: VirtualNetwork) -> None:
        for path, _, text in self._documents(f"{self.run}/{net.name}/ports"):
            try:
                port = NetworkPort(net, Port.from_xml(text, "(networkport)"))
            except (Error, ValueError) as error:
                log.error("cannot load network port %s: %s", path, error)
                continue
            net.ports[port.uuid] = port
