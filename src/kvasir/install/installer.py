"""The install: what boots first, what the guest's document is while it installs and after, images made and undone."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import osinfo, places, tree
from .disks import DiskMaker
from .grammar import OptionError
from .guest import Guest
from .media import Location, Media, inject
from .upload import SYSTEM_FOLDER, Uploads

if TYPE_CHECKING:
    from .cloudinit import CloudInit
    from .unattended import Answers, Script


@dataclass
class Method:
    """How the system gets into the guest."""

    cdrom: str = ""
    location: Location | None = None
    kernel: str = ""
    initrd: str = ""
    kernel_args: str = ""
    bootdev: str = ""
    no_install: bool = False
    reinstall: bool = False
    extra_args: list[str] = field(default_factory=list)
    initrd_inject: list[str] = field(default_factory=list)
    cloud_init: CloudInit | None = None
    unattended: Answers | None = None

    @property
    def tree(self) -> bool:
        """Whether a kernel is booted for the install."""
        return self.location is not None or bool(self.kernel or self.initrd)

    @property
    def first_device(self) -> str:
        return "cdrom" if self.cdrom else self.bootdev

    @property
    def installs(self) -> bool:
        return not self.no_install and bool(self.cdrom or self.bootdev or self.tree)

    @property
    def given(self) -> bool:
        return self.no_install or self.installs

    @property
    def medium(self) -> str:
        """The image that stands in the guest's CD drive."""
        if self.cdrom:
            return self.cdrom
        return self.location.where if self.location is not None and self.location.is_image else ""


class Installer:
    """Makes one guest by one method."""

    def __init__(self, connection: Any, guest: Guest, method: Method, disks: DiskMaker) -> None:
        self.connection, self.guest, self.method, self.disks = connection, guest, method, disks
        self.files: list[str] = []
        self.finish: Callable[[tree.Node], None] = lambda root: None
        self.before: str | None = None
        self.media = Media(method.location, self.folder) if method.location else None
        self.uploads = Uploads(connection, os.environ.get("KVASIR_REMOTE_BOOT_DIR", SYSTEM_FOLDER))

    @property
    def folder(self) -> str:
        """Where kernels and seeds lie while a guest boots from them."""
        if "KVASIR_BOOT_DIR" in os.environ:
            return os.environ["KVASIR_BOOT_DIR"]
        system = "/var/lib/libvirt/boot"
        if self.guest.session or not os.access(system, os.W_OK):
            return os.path.expanduser("~/.cache/virt-manager/boot")
        return system

    # --- the document

    def prepare_guest(self) -> None:
        """Add the install medium and the boot order that the guest keeps; before the defaults are filled."""
        guest, method = self.guest, self.method
        if method.medium:
            self._cdrom(method.medium)
        if self._may_order() and not guest.domain.findall("os/boot"):
            self._order(guest.domain, self._kept_device())

    def _cdrom(self, path: str) -> tree.Node:
        devices = tree.find(self.guest.domain, "devices", make=True)
        assert devices is not None
        have = next((d for d in self.guest.devices("disk") if d.get("device") == "cdrom"), None)
        if self.method.reinstall and have is not None:
            have.set("_path", path)
            have.set("_installer", "yes")
            have.attrib.pop("type", None)
            self.disks.fill_cdrom(have)
            places.place([have], self.guest)
            return have
        node = tree.ET.Element("disk", {"device": "cdrom", "_path": path, "_installer": "yes"})
        devices.insert(list(devices).index(have) if have is not None else len(devices), node)
        self.disks.fill_cdrom(node)
        if self.method.reinstall:
            places.place([node], self.guest)
        return node

    def _may_order(self) -> bool:
        domain = self.guest.domain
        return domain.find("os/kernel") is None and not any(
            d.find("boot[@order]") is not None for d in domain.findall("devices/*")
        )

    @staticmethod
    def _order(domain: tree.Node, device: str) -> None:
        """Boot from a device, and from the disk after it where there is one."""
        os_node = tree.find(domain, "os", make=True)
        assert os_node is not None
        for boot in os_node.findall("boot"):
            os_node.remove(boot)
        words = [device]
        if any(d.get("device") in (None, "disk") for d in domain.findall("devices/disk")) and "hd" not in words:
            words.append("hd")
        for word in words:
            tree.ET.SubElement(os_node, "boot", {"dev": word})

    def _kept_device(self) -> str:
        kinds = [d.get("device") or "disk" for d in self.guest.devices("disk")]
        if self.method.cdrom and self.method.no_install:
            return "cdrom"
        if self.method.first_device:
            return "hd" if "disk" in kinds else self.method.first_device
        return {"cdrom": "cdrom", "floppy": "fd"}.get(kinds[0] if kinds else "disk", "hd")

    def documents(self, *, fetch: bool) -> tuple[str | None, str]:
        """The document of the first boot (None when there is no install phase) and the one that stays."""
        method = self.method
        seed = self._seed(fetch=fetch)
        base = copy.deepcopy(self.guest.domain)
        if seed is not None:
            self._insert_seed(base, *seed)
        if not (method.installs or method.cloud_init or method.unattended):
            return None, self.before or self._text(base)
        first, final = base, copy.deepcopy(base)
        tree.put(first, "on_reboot", "destroy")
        os_node = tree.find(first, "os", make=True)
        assert os_node is not None
        if method.tree:
            self._boot_kernel(os_node, fetch=fetch)
        if method.first_device and self._may_order() and not method.tree:
            self._order(first, method.first_device)
        else:
            for boot in os_node.findall("boot"):
                os_node.remove(boot)
        self._more_memory(first)
        if method.cloud_init:
            self._smbios(first)
        self._eject(final)
        return self._text(first), self.before or self._text(final)

    def _text(self, domain: tree.Node) -> str:
        self.finish(domain)
        return tree.text(domain)

    def _more_memory(self, first: tree.Node) -> None:
        """Installs over the network may need more memory than the system does."""
        location = self.method.location
        if location is None or location.is_image:
            return
        wanted = self.guest.system.wants("ram", self.guest.arch, "network-install")
        have = tree.get(first, "currentMemory") or tree.get(first, "memory") or "0"
        if wanted and wanted // 1024 > int(have):
            print(
                f"WARNING  Overriding memory to {wanted >> 20} MiB needed for {self.guest.system.name} network install."
            )
            tree.put(first, "currentMemory", str(wanted // 1024))

    def _smbios(self, first: tree.Node) -> None:
        """Tell cloud-init by the serial number that its data are on a local disk."""
        if not (self.guest.x86 or self.guest.machvirt):
            return
        if tree.get(first, "os/smbios/@mode") not in (None, "sysinfo"):
            return
        node = next((s for s in first.findall("sysinfo") if s.get("type") == "smbios"), None)
        if node is None:
            node = tree.ET.SubElement(first, "sysinfo", {"type": "smbios"})
        if any(e.get("name") == "serial" for e in node.findall("system/entry")):
            return
        tree.put(first, "os/smbios/@mode", "sysinfo")
        system = tree.find(node, "system", make=True)
        assert system is not None
        tree.ET.SubElement(system, "entry", {"name": "serial"}).text = "ds=nocloud"

    # --- seeds and answer files

    def _answers(self) -> Script | None:
        if self.method.unattended is None:
            return None
        url = self.method.location.where if self.method.location and self.method.location.is_url else ""
        self.method.unattended.hostname = self.guest.name
        from .unattended import script

        return script(self.guest.system, self.method.unattended, url)

    def _seed(self, *, fetch: bool) -> tuple[str, bool] | None:
        """An image with seed or answers: its path, and whether Windows reads it."""
        answers = self._answers()
        if answers is not None and answers.where == "initrd" and not self.method.tree:
            raise OptionError(
                f"--unattended for {self.guest.system.name} needs --location: its installer reads no answers from a CD"
            )
        files: dict[str, bytes] = {}
        label = "cidata"
        if self.method.cloud_init is not None and not self.method.tree:
            files = {k: v.encode() for k, v in self.method.cloud_init.files(self.guest.name).items()}
        elif answers is not None and answers.where == "cidata":
            files = {answers.name: answers.content.encode(), "meta-data": b""}
        elif answers is not None and answers.where == "cdrom":
            files, label = {answers.name: answers.content.encode()}, "OEMDRV"
        if not files:
            return None
        if not fetch:
            return os.path.join(self.folder, f"virtinst-{label.lower()}.iso"), label != "cidata"
        from .cloudinit import make_image

        path = make_image(self.folder, label, files)
        self.files.append(path)
        return self._there(path), label != "cidata"

    def _insert_seed(self, domain: tree.Node, path: str, windows: bool) -> None:
        devices = domain.find("devices")
        assert devices is not None
        # kernels made for clouds have no drivers for SATA or IDE drives: a disk on virtio is seen by all that know virtio
        disk = not windows and osinfo.has(self.guest.system, "virtio-disk")
        words = {"device": "disk" if disk else "cdrom", "type": "file", "_seed": "yes", "_format": "raw"}
        node = tree.ET.SubElement(devices, "disk", words)
        if disk:
            tree.ET.SubElement(node, "readonly")
        tree.put(node, "source/@file", path)
        guest = Guest(self.connection, domain)
        guest.system = self.guest.system
        places.place([node], guest)

    # --- the installer's kernel

    def _boot_kernel(self, os_node: tree.Node, *, fetch: bool) -> None:
        method = self.method
        kernel, initrd = self._kernel(fetch=fetch)
        for name, value in (("kernel", kernel), ("initrd", initrd)):
            if value:
                tree.put(os_node, name, value)
        words = list(method.extra_args)
        answers = self._answers()
        if answers is not None:
            words.append(answers.cmdline)
        elif method.location is not None and method.location.is_url and self.guest.system.url_argument:
            words.append(f"{self.guest.system.url_argument}={method.location.where}")
        text = method.kernel_args or " ".join(w for w in words if w)
        if text:
            tree.put(os_node, "cmdline", text)

    def _kernel(self, *, fetch: bool) -> tuple[str, str]:
        method = self.method
        if method.location is None:
            return method.kernel, method.initrd
        if not fetch:
            return os.path.join(self.folder, "virtinst-kernel"), os.path.join(self.folder, "virtinst-initrd")
        assert self.media is not None
        kernel, initrd = self.media.fetch()
        self.files += [kernel, initrd]
        injected: list[tuple[str, bytes, int]] = []
        for path in method.initrd_inject:
            try:
                with open(path, "rb") as file:
                    injected.append((os.path.basename(path), file.read(), os.stat(path).st_mode))
            except OSError as error:
                raise OptionError(f"Error: --initrd-inject {path}: {error.strerror}") from None
        answers = self._answers()
        if answers is not None and answers.where == "initrd":
            injected.append((answers.name, answers.content.encode(), 0o100600))
        if injected:
            os.chmod(initrd, 0o600)  # answers hold passwords; the daemon hands it to QEMU's user
            inject(initrd, injected)
        return self._there(kernel), self._there(initrd)

    def _there(self, path: str) -> str:
        """The path as the daemon sees it: another host gets a copy."""
        return path if self.guest.local else self.uploads.put(path)

    def _eject(self, final: tree.Node) -> None:
        devices = final.find("devices")
        for disk in final.findall("devices/disk"):
            if disk.get("_seed") and disk.get("device") == "disk" and devices is not None:
                tree.remove(devices, disk)
            elif disk.get("_seed") or (disk.get("_installer") and not self.guest.system.windows):
                for gone in (disk.find("source"), disk.find("driver")):
                    if gone is not None:
                        disk.remove(gone)

    # --- the work

    def start(self, *, boot: bool, transient: bool, autostart: bool, say: Any = None) -> Any:
        """Create images and guest; what was made before a failure is removed. Returns the domain."""
        try:
            first, final = self.documents(fetch=True)
            if not self.method.reinstall:
                self.disks.create(say)
            domain = self._create(first, final, boot=boot, transient=transient)
        except BaseException:
            self.disks.remove()
            raise
        finally:
            for path in self.files:
                if os.path.exists(path):
                    os.unlink(path)
            self.uploads.remove()
        if autostart:
            domain.setAutostart(1)
        return domain

    def _create(self, first: str | None, final: str, *, boot: bool, transient: bool) -> Any:
        domain = None
        if transient or boot or first is not None:
            domain = self.connection.createXML(first or final, 0)
        if transient:
            return domain
        try:
            return self.connection.defineXML(final)
        except BaseException:
            if domain is not None:
                domain.destroy()
            raise
