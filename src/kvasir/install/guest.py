"""A new guest's document: what the options said, and the defaults that the original adds for the system in it."""

from __future__ import annotations

import sys
import uuid as _uuid
from typing import Any
from xml.etree import ElementTree as ET

from . import defaults, osinfo, places, shapes, tree, upload
from .defaults import random_mac
from .grammar import OptionError
from .host import DomainCaps, GuestKind, choose
from .processors import Processors

__all__ = ["Guest", "random_mac"]


class Guest(Processors):
    """A document in the making. ``domain`` is its root; ``system`` what is known of the operating system in it."""

    def __init__(self, connection: Any, domain: tree.Node | None = None) -> None:
        self.connection = connection
        self.domain = tree.ET.Element("domain") if domain is None else domain
        self.system = osinfo.System()
        self.kind: GuestKind | None = None
        self._caps: DomainCaps | None = None
        self._capabilities = ""
        self.local = not upload.is_remote(connection)

    # --- reading

    def devices(self, tag: str) -> list[tree.Node]:
        return self.domain.findall(f"devices/{tag}")

    @property
    def name(self) -> str:
        return tree.get(self.domain, "name") or ""

    @property
    def machine(self) -> str:
        return tree.get(self.domain, "os/type/@machine") or ""

    @property
    def arch(self) -> str:
        return tree.get(self.domain, "os/type/@arch") or "x86_64"

    @property
    def x86(self) -> bool:
        return self.arch in ("x86_64", "i686", "i386", "i486", "i586")

    @property
    def hvm(self) -> bool:
        """Whether it is known to be fully virtualized (a bare device without a guest is not)."""
        return tree.get(self.domain, "os/type") == "hvm"

    @property
    def machvirt(self) -> bool:
        """A board of the "virt" kind: PCI Express and nothing of a PC."""
        return (self.arch in ("aarch64", "armv7l", "riscv64")) and self.machine.startswith("virt")

    @property
    def pseries(self) -> bool:
        return self.arch in ("ppc64", "ppc64le") and self.machine.startswith("pseries")

    def drives(self, what: str) -> bool:
        """Whether the guest has a virtio device: of boards that have no others always, else if its system knows it."""
        return self.machvirt or self.pseries or self.arch == "s390x" or osinfo.has(self.system, what)

    @property
    def q35(self) -> bool:
        return self.x86 and (self.machine == "q35" or "-q35" in self.machine)

    @property
    def pcie(self) -> bool:
        return self.q35 or self.machvirt

    @property
    def microvm(self) -> bool:
        return self.machine == "microvm"

    @property
    def uefi(self) -> bool:
        loader = tree.get(self.domain, "os/loader/@type") == "pflash"
        return tree.get(self.domain, "os/@firmware") == "efi" or loader

    @property
    def gl(self) -> bool:
        return any(tree.get(g, "gl/@enable") == "yes" for g in self.devices("graphics"))

    @property
    def session(self) -> bool:
        return self.uri_path == "/session"

    @property
    def uri_path(self) -> str:
        return "/" + str(self.connection.getURI()).partition("?")[0].rpartition("/")[2]

    def skips(self, tag: str) -> bool:
        return self.domain.get(f"_no_{tag}") is not None

    def caps(self) -> DomainCaps:
        if self._caps is None:
            if self.kind is None:
                self._kind_of_document()
            assert self.kind is not None
            self._caps = DomainCaps.fetch(self.connection, self.kind, self.machine)
        return self._caps

    def _kind_of_document(self) -> None:
        kind = self.domain.get("type") or ""
        self.kind = choose(self.capabilities(), kind, tree.get(self.domain, "os/type/@arch") or "", "hvm")
        self.kind.emulator = tree.get(self.domain, "devices/emulator") or self.kind.emulator

    def capabilities(self) -> str:
        self._capabilities = self._capabilities or self.connection.getCapabilities()
        return self._capabilities

    def security_model(self, label: str) -> str | None:
        """The model that a label looks like (``a:b:c`` is SELinux's, ``user:group`` DAC's), or the host's first."""
        if label:
            return {1: None, 2: "dac"}.get(len(label.split(":")), "selinux")
        names = [m.text or "" for m in ET.fromstring(self.capabilities()).findall("host/secmodel/model")]
        return next(iter(names), None)

    def network_names(self) -> list[str]:
        from kvasir.errors import Error

        try:
            return [n.name() for n in self.connection.listAllNetworks(0)]
        except Error:
            return []

    def render_node(self) -> str | None:
        """The first DRM render node of the host."""
        from kvasir.errors import Error

        try:
            found = [ET.fromstring(d.XMLDesc(0)) for d in self.connection.listAllDevices(0)]
        except Error:
            return None
        for node in found:
            if node.findtext("capability[@type='drm']/type") == "render":
                return node.findtext("devnode[@type='dev']")
        return None

    def add(self, tag: str, attributes: dict[str, str] | None = None) -> tree.Node:
        devices = tree.find(self.domain, "devices", make=True)
        assert devices is not None
        return tree.ET.SubElement(devices, tag, attributes or {})

    # --- defaults, in the original's order

    def set_host_defaults(self, virt_type: str, arch: str, os_type: str, machine: str) -> None:
        """Fill type, architecture, emulator and machine from the host's capabilities. Raises HostError."""
        machine = machine or tree.get(self.domain, "os/type/@machine") or ""
        virt_type = virt_type or self.domain.get("type") or ""
        arch = arch or tree.get(self.domain, "os/type/@arch") or ""
        os_type = os_type or tree.get(self.domain, "os/type") or ""
        kind = choose(self.capabilities(), virt_type, arch, os_type or "hvm", machine)
        self.kind = kind
        if not virt_type and not os_type and kind.virt_type != "kvm" and kind.arch in ("x86_64", "i686"):
            print(f"WARNING  KVM acceleration not available, using '{kind.virt_type}'", file=sys.stderr)
        self.domain.set("type", kind.virt_type)
        tree.put(self.domain, "os/type", kind.os_type)
        tree.put(self.domain, "os/type/@arch", kind.arch)
        if machine:
            tree.put(self.domain, "os/type/@machine", machine)
        if tree.get(self.domain, "devices/emulator") is None:
            tree.put(self.domain, "devices/emulator", kind.emulator or None)

    def set_defaults(self) -> None:
        """Fill in all that was not said. Raises OptionError."""
        kind = self.kind
        assert kind is not None
        if tree.get(self.domain, "uuid") is None:
            tree.put(self.domain, "uuid", str(_uuid.uuid4()))
        self.set_cpus(1)
        if not self.machine:
            tree.put(self.domain, "os/type/@machine", kind.default_machine(osinfo.has(self.system, "q35")))
        self._uefi()
        self._default_devices()
        self._clock()
        self._cpu()
        self._features()
        self._launch_security()
        for name in ("mem", "disk"):
            if self.x86 and tree.get(self.domain, f"pm/suspend-to-{name}/@enabled") is None:
                tree.put(self.domain, f"pm/suspend-to-{name}/@enabled", "no")
        places.place(self.devices("disk"), self)
        for node in [*self.domain.findall("seclabel"), *self.domain.findall("devices/*")]:
            defaults.device(self, node)
        self._controllers()
        self._spice()

    def set_memory(self) -> None:
        """Memory now and at most follow each other."""
        now = tree.get(self.domain, "currentMemory")
        most = tree.get(self.domain, "memory")
        if now is None and most is None:
            return
        if most is None:
            tree.put(self.domain, "memory", now)

    def set_metadata(self, *, replace: bool = False) -> None:
        """Name the operating system in the document."""
        if self.system.id and (replace or self.domain.find("metadata") is None):
            metadata = tree.find(self.domain, "metadata", make=True)
            assert metadata is not None
            for old in metadata.findall(f"{{{tree.OSINFO}}}libosinfo"):
                tree.remove(metadata, old)
            info = tree.ET.SubElement(metadata, f"{{{tree.OSINFO}}}libosinfo")
            tree.ET.SubElement(info, f"{{{tree.OSINFO}}}os", {"id": self.system.id})

    def _uefi(self) -> None:
        wanted = self.domain.attrib.pop("_uefi", None)
        os_node = self.domain.find("os")
        assert os_node is not None
        said = any(os_node.find(t) is not None for t in ("kernel", "loader", "nvram")) or os_node.get("firmware")
        prefers = self.system.needs_uefi or (self.machvirt and self.arch == "aarch64")
        if wanted or (prefers and not said):
            self.enable_uefi(required=bool(wanted))

    def enable_uefi(self, *, required: bool = True) -> None:
        """Boot by UEFI firmware that the daemon chooses. Raises OptionError when the host has none."""
        if "efi" not in self.caps().firmware():
            if required:
                raise OptionError(f"Did not find any UEFI binary path for arch '{self.arch}'")
            print("WARNING  Couldn't configure UEFI: the host has no firmware for it", file=sys.stderr)
            print("WARNING  Your VM may not boot successfully.", file=sys.stderr)
            return
        tree.put(self.domain, "os/@firmware", "efi")

    def _default_devices(self) -> None:
        pc = self.x86 and not self.microvm
        if not self.devices("graphics") and not self.skips("graphics") and (pc or self.pseries):
            self.add("graphics")
        if self.devices("graphics") and not self.devices("video"):
            self.add("video")
        if self.devices("graphics") and not self.devices("input") and not self.usb_off():
            bus = "virtio" if self.arch == "s390x" else "usb"
            self.add("input", {"type": "tablet", "bus": bus})
            if self.machvirt or self.pseries or self.arch == "s390x":
                self.add("input", {"type": "keyboard", "bus": bus})
        if not self.devices("console") and not self.devices("serial") and not self.skips("console"):
            console = self.add("console", {"type": "pty"})
            if self.arch == "s390x":
                tree.put(console, "target/@type", "sclp")
        self._usb()
        if not self.devices("channel") and not self.skips("channel") and self.drives("virtio-serial"):
            channel = self.add("channel", {"type": "unix"})
            tree.put(channel, "target/@type", "virtio")
            tree.put(channel, "target/@name", "org.qemu.guest_agent.0")
        if not self.devices("rng") and not self.skips("rng") and osinfo.has(self.system, "virtio-rng"):
            rng = self.add("rng")
            tree.put(rng, "backend/@model", "random")
            tree.put(rng, "backend", "/dev/urandom")
        if not self.devices("memballoon") and osinfo.has(self.system, "virtio-balloon"):
            self.add("memballoon")
        free = not self.devices("tpm") and not self.skips("tpm")
        if self.uefi and free and "emulator" in self.caps().values("devices/tpm", "backendModel"):
            self.add("tpm")

    def usb_off(self) -> bool:
        usb = [c for c in self.devices("controller") if c.get("type") == "usb"]
        return self.microvm or (bool(usb) and all(c.get("model") == "none" for c in usb))

    def _usb(self) -> None:
        if self.microvm or any(c.get("type") == "usb" for c in self.devices("controller")):
            return
        devices = tree.find(self.domain, "devices", make=True)
        assert devices is not None
        if (self.x86 and osinfo.has(self.system, "usb3")) or self.machvirt or self.pseries:
            shapes.usb3(devices)
        elif self.x86:
            shapes.usb2(devices)

    @property
    def hyperv(self) -> bool:
        """Whether the guest is a Windows that knows Hyper-V's interfaces."""
        return self.x86 and self.system.windows

    def _clock(self) -> None:
        domain = self.domain
        if tree.get(domain, "clock/@offset") is None:
            tree.put(domain, "clock/@offset", "localtime" if self.system.localtime else "utc")
        if domain.find("clock/timer") is not None or not self.x86:
            return
        rows = [("rtc", "tickpolicy", "catchup"), ("pit", "tickpolicy", "delay"), ("hpet", "present", "no")]
        if self.hyperv:
            rows.append(("hypervclock", "present", "yes"))
        for i, (name, what, word) in enumerate(rows):
            tree.put(domain, f"clock/timer[{i}]/@name", name)
            tree.put(domain, f"clock/timer[{i}]/@{what}", word)

    def _features(self) -> None:
        assert self.kind is not None
        if self.domain.find("features") is None and not {"acpi", "apic", "pae"} & self.kind.features:
            return
        features = tree.find(self.domain, "features", make=True)
        assert features is not None
        for name in ("acpi", "apic", "pae"):
            off = features.get(f"_{name}_off") is not None
            if features.find(name) is None and not off and name in self.kind.features:
                tree.ET.SubElement(features, name)
        if self.hyperv:
            for name in ("relaxed", "vapic", "spinlocks"):
                if tree.get(features, f"hyperv/{name}/@state") is None:
                    tree.put(features, f"hyperv/{name}/@state", "on")
            if tree.get(features, "hyperv/spinlocks/@retries") is None:
                tree.put(features, "hyperv/spinlocks/@retries", "8191")

    def _launch_security(self) -> None:
        node = self.domain.find("launchSecurity")
        if node is None or node.get("type") != "sev":
            return
        if not self.q35 or not self.uefi:
            raise OptionError("SEV launch security requires a Q35 UEFI machine")
        if node.find("policy") is None:
            tree.put(node, "policy", "0x03")

    def _controllers(self) -> None:
        scsi = any(tree.get(d, "target/@bus") == "scsi" for d in self.devices("disk"))
        if scsi and self.default_virtio_scsi():
            self.add("controller", {"type": "scsi", "model": "virtio-scsi"})
        ports = int(self.domain.get("_root_ports") or 14)
        if self.pcie and ports > 0 and not any(c.get("type") == "pci" for c in self.devices("controller")):
            self.add("controller", {"type": "pci", "model": "pcie-root"})
            for _ in range(ports):
                self.add("controller", {"type": "pci", "model": "pcie-root-port"})

    def default_virtio_scsi(self) -> bool:
        has_one = any(c.get("type") == "scsi" for c in self.devices("controller"))
        return not has_one and self.drives("virtio-scsi")

    def _spice(self) -> None:
        if not any(g.get("type") == "spice" for g in self.devices("graphics")):
            return
        if self.domain.find("features/vmport") is None and self.x86:
            tree.put(self.domain, "features/vmport/@state", "off")
        if not self.skips("channel") and not any(c.get("type") == "spicevmc" for c in self.devices("channel")):
            defaults.chardev(self, self.add("channel", {"type": "spicevmc"}))
        if not self.skips("sound") and not self.devices("sound"):
            defaults.sound(self, self.add("sound"))
        if not self.skips("redirdev") and not self.devices("redirdev") and not self.usb_off() and self.x86:
            for _ in range(2):
                self.add("redirdev", {"bus": "usb", "type": "spicevmc"})
