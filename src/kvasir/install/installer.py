"""The install: what boots first, what the guest's document is while it installs and after, images made and undone."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field
from typing import Any

from . import tree
from .disks import DiskMaker
from .guest import Guest
from .media import Location, Media, inject


@dataclass
class Method:
    """How the system gets into the guest."""

    cdrom: str = ""
    location: Location | None = None
    pxe: bool = False
    no_install: bool = False
    extra_args: list[str] = field(default_factory=list)
    initrd_inject: list[str] = field(default_factory=list)

    @property
    def installs(self) -> bool:
        return not self.no_install and bool(self.cdrom or self.location or self.pxe)

    @property
    def given(self) -> bool:
        return self.no_install or self.installs


class Installer:
    """Makes one guest by one method."""

    def __init__(self, connection: Any, guest: Guest, method: Method, disks: DiskMaker) -> None:
        self.connection, self.guest, self.method, self.disks = connection, guest, method, disks
        self.files: list[str] = []

    # --- the document

    def prepare_guest(self) -> None:
        """Add install media and the boot device that the guest keeps; before the defaults are filled."""
        guest, method = self.guest, self.method
        if method.cdrom:
            node = guest.add("disk", {"device": "cdrom"})
            node.set("_path", method.cdrom)
            node.set("_installer", "yes")
            self.disks.fill_cdrom(node)
        elif method.location is not None and os.path.isfile(method.location.where):
            node = guest.add("disk", {"device": "cdrom"})
            node.set("_path", method.location.where)
            node.set("_installer", "yes")
            self.disks.fill_cdrom(node)
        os_node = guest.domain.find("os")
        if os_node is not None and (os_node.find("boot") is not None or os_node.find("kernel") is not None):
            return
        if any(d.find("boot") is not None for tag in ("disk", "interface", "hostdev") for d in guest.devices(tag)):
            return
        for device in self._kept_boot_order():
            tree.ET.SubElement(tree.find(guest.domain, "os", make=True) or guest.domain, "boot", {"dev": device})

    def _kept_boot_order(self) -> list[str]:
        kinds = [d.get("device") or "disk" for d in self.guest.devices("disk")]
        if self.method.cdrom and self.method.no_install:
            return ["cdrom"]
        if self.method.pxe:
            return ["hd"] if "disk" in kinds else ["network"]
        first = {"disk": "hd", "cdrom": "cdrom", "floppy": "fd"}.get(kinds[0] if kinds else "disk", "hd")
        return ["hd"] if self.method.cdrom and "disk" in kinds else [first]

    def documents(self, *, fetch: bool) -> tuple[str | None, str]:
        """The document of the first boot (None when there is no install phase) and the one that stays."""
        final = copy.deepcopy(self.guest.domain)
        if not self.method.installs:
            self._strip(final)
            return None, tree.text(final)
        first = copy.deepcopy(self.guest.domain)
        os_node = first.find("os")
        assert os_node is not None
        tree.put(first, "on_reboot", "destroy")
        if self.method.location is not None:
            self._boot_kernel(os_node, fetch=fetch)
        else:
            self._boot_first(os_node, "cdrom" if self.method.cdrom else "network")
        self._eject(final)
        self._strip(first)
        self._strip(final)
        return tree.text(first), tree.text(final)

    @staticmethod
    def _strip(domain: tree.Node) -> None:
        for node in domain.iter():
            for key in [k for k in node.attrib if k.startswith("_")]:
                del node.attrib[key]

    def _boot_kernel(self, os_node: tree.Node, *, fetch: bool) -> None:
        location = self.method.location
        assert location is not None
        for boot in os_node.findall("boot"):
            os_node.remove(boot)
        kernel, initrd = self._kernel(location) if fetch else (f"{location.where}/kernel", f"{location.where}/initrd")
        tree.put(os_node, "kernel", kernel)
        tree.put(os_node, "initrd", initrd)
        words = list(self.method.extra_args)
        if words:
            tree.put(os_node, "cmdline", " ".join(words))

    def _kernel(self, location: Location) -> tuple[str, str]:
        session = self.connection.getURI().endswith("/session")
        folder = (
            os.path.expanduser("~/.cache/virt-manager/boot") if session or os.geteuid() else "/var/lib/libvirt/boot"
        )
        folder = os.environ.get("KVASIR_BOOT_DIR", folder)
        kernel, initrd = Media(location, folder).fetch()
        self.files += [kernel, initrd]
        if self.method.initrd_inject:
            inject(initrd, self.method.initrd_inject)
        return kernel, initrd

    @staticmethod
    def _boot_first(os_node: tree.Node, device: str) -> None:
        kept = [b for b in os_node.findall("boot") if b.get("dev") != device]
        for boot in os_node.findall("boot"):
            os_node.remove(boot)
        os_node.append(tree.ET.Element("boot", {"dev": device}))
        os_node.extend(kept)

    @staticmethod
    def _eject(final: tree.Node) -> None:
        for disk in final.findall("devices/disk"):
            if disk.get("_installer"):
                for gone in (disk.find("source"), disk.find("driver")):
                    if gone is not None:
                        disk.remove(gone)

    # --- the work

    def start(self, *, boot: bool, transient: bool, autostart: bool) -> Any:
        """Create images and guest; what was made before a failure is removed. Returns the domain."""
        try:
            first, final = self.documents(fetch=True)
            self.disks.create()
            connection = self.connection
            domain = None
            if transient or boot or first is not None:
                domain = connection.createXML(first or final, 0)
            if not transient:
                domain = connection.defineXML(final)
            assert domain is not None
        except BaseException:
            self.disks.remove()
            raise
        finally:
            for path in self.files:
                if os.path.exists(path):
                    os.unlink(path)
        if autostart:
            domain.setAutostart(1)
        return domain
