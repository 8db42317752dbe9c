"""A new guest's document: what the options said, and the defaults that the original adds for the system in it."""

from __future__ import annotations

import random
import uuid as _uuid
from typing import Any

from . import disks, osinfo, tree
from .host import DomainCaps, GuestKind, choose
from .options import OptionError

GENERIC_RAM_MIB = 1024


class Guest:
    """A document in the making. ``domain`` is its root; ``system`` what is known of the operating system in it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.domain = tree.ET.Element("domain")
        self.system = osinfo.System()
        self.kind: GuestKind | None = None
        self.skip: set[str] = set()  # device tags that "--option none" turned off
        self._caps: DomainCaps | None = None

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
    def q35(self) -> bool:
        return "q35" in self.machine

    @property
    def microvm(self) -> bool:
        return self.machine == "microvm"

    def caps(self) -> DomainCaps:
        if self._caps is None:
            assert self.kind is not None
            self._caps = DomainCaps.fetch(self.connection, self.kind, self.machine)
        return self._caps

    def add(self, tag: str, attributes: dict[str, str] | None = None) -> tree.Node:
        devices = tree.find(self.domain, "devices", make=True)
        assert devices is not None
        return tree.ET.SubElement(devices, tag, attributes or {})

    # --- defaults, in the original's order

    def set_host_defaults(self, virt_type: str, arch: str, os_type: str, machine: str) -> None:
        """Fill type, architecture, emulator and machine from the host's capabilities. Raises HostError."""
        machine = machine or tree.get(self.domain, "os/type/@machine") or ""
        virt_type = virt_type or self.domain.get("type") or ""
        kind = choose(self.connection.getCapabilities(), virt_type, arch, os_type or "hvm", machine)
        self.kind = kind
        self.domain.set("type", kind.virt_type)
        tree.put(self.domain, "os/type", kind.os_type)
        tree.put(self.domain, "os/type/@arch", kind.arch)
        if machine:
            tree.put(self.domain, "os/type/@machine", machine)
        if tree.get(self.domain, "devices/emulator") is None:
            tree.put(self.domain, "devices/emulator", kind.emulator)

    def set_defaults(self) -> None:
        """Everything that makes a document of options a guest. The installer's own parts are already in it."""
        domain, kind = self.domain, self.kind
        assert kind is not None
        if tree.get(domain, "uuid") is None:
            tree.put(domain, "uuid", str(_uuid.uuid4()))
        if not self.machine:
            fits = "q35" in kind.machines and osinfo.has(self.system, "q35")
            tree.put(domain, "os/type/@machine", "q35" if fits else kind.machines[0] if kind.machines else None)
        self._memory_and_cpus()
        self._metadata()
        self._graphics()
        self._inputs_and_console()
        self._usb()
        self._channel_rng_balloon_tpm()
        self._clock_cpu_features_pm()
        for network in self.devices("interface"):
            self._network(network)
        disks.place(self.devices("disk"), self.system, self.machine)
        self._complete_devices()
        self._controllers()
        self._spice()

    def _complete_devices(self) -> None:
        domain = self.domain
        for disk in self.devices("disk"):
            if disk.get("device") == "cdrom" and disk.find("readonly") is None:
                tree.find(disk, "readonly", make=True)
        for name in ("serial", "parallel", "console", "channel"):
            for node in self.devices(name):
                self._chardev(node)
        for sound in self.devices("sound"):
            if sound.get("model") is None:
                sound.set("model", "ich9" if self.q35 else "ich6")
        for filesystem in self.devices("filesystem"):
            filesystem.set("type", filesystem.get("type") or "mount")
            if filesystem.get("accessmode") is None and tree.get(filesystem, "driver/@type") is None:
                filesystem.set("accessmode", "mapped")
        if domain.find("sysinfo") is not None and tree.get(domain, "os/smbios/@mode") is None:
            tree.put(domain, "os/smbios/@mode", "sysinfo")
        for vsock in self.devices("vsock"):
            vsock.set("model", vsock.get("model") or "virtio")
        for tpm in self.devices("tpm"):
            self._tpm(tpm)

    def _memory_and_cpus(self) -> None:
        domain = self.domain
        memory = domain.attrib.pop("_memory", None)
        current = domain.attrib.pop("_currentMemory", None)
        most = domain.attrib.pop("_maxmemory", None)
        if memory is None and current is None and most is None:
            ram = self.system.ram
            memory = str(ram // 1024 if ram else GENERIC_RAM_MIB * 1024)
        total = most or memory or current
        tree.put(domain, "memory", total)
        tree.put(domain, "currentMemory", current or memory or total)
        count = next((domain.attrib.pop(k) for k in ("_vcpu", "_vcpus") if k in domain.attrib), None)
        maximum = domain.attrib.pop("_maxvcpus", None)
        now = domain.attrib.pop("_vcpu_current", None)
        domain.attrib.pop("_check_cpu", None)
        for part in ("sockets", "dies", "cores", "threads"):
            value = domain.attrib.pop(f"_{part}", None)
            if value is not None:
                tree.put(domain, f"cpu/topology/@{part}", value)
        topology = domain.find("cpu/topology")
        if topology is not None:
            self._topology(topology, maximum or count)
            product = 1
            for part in ("sockets", "cores", "threads"):
                product *= int(topology.get(part) or 1)
            count = count or str(product * int(topology.get("dies") or 1))
        tree.put(domain, "vcpu", maximum or count or str(self.system.cpus or 1))
        if maximum and count and maximum != count:
            now = now or count
        if now:
            tree.put(domain, "vcpu/@current", now)

    @staticmethod
    def _topology(topology: tree.Node, count: str | None) -> None:
        total = int(count) if count and count.isdigit() else 1
        known = 1
        for part in ("sockets", "dies", "cores", "threads"):
            known *= int(topology.get(part) or 1)
        if topology.get("dies") is None:
            topology.set("dies", "1")
        for part in ("sockets", "cores", "threads"):
            if topology.get(part) is None:
                topology.set(part, str(max(total // known, 1)))
                known *= max(total // known, 1)

    def _metadata(self) -> None:
        if self.system.id:
            metadata = tree.find(self.domain, "metadata", make=True)
            assert metadata is not None
            info = tree.ET.SubElement(metadata, f"{{{tree.OSINFO}}}libosinfo")
            tree.ET.SubElement(info, f"{{{tree.OSINFO}}}os", {"id": self.system.id})

    def _graphics(self) -> None:
        if not self.devices("graphics") and "graphics" not in self.skip and not self.microvm:
            self.add("graphics")
        for node in self.devices("graphics"):
            if node.get("type") in (None, "default"):
                kinds = self.caps().values("devices/graphics", "type")
                node.set("type", "spice" if "spice" in kinds else "vnc")
            self._graphics_ports(node)
        if self.devices("graphics") and not self.devices("video") and "video" not in self.skip:
            self.add("video")
        for node in self.devices("video"):
            if tree.get(node, "model/@type") in (None, "default"):
                tree.put(node, "model/@type", self._video_model())

    def _graphics_ports(self, node: tree.Node) -> None:
        listen = node.find("listen")
        if listen is not None and listen.get("type") not in ("address", "network"):
            return
        if node.get("type") in ("vnc", "spice") and node.get("port") is None:
            node.set("port", "-1")
        if node.get("type") == "spice":
            if node.get("tlsPort") is None:
                node.set("tlsPort", "-1")
            if node.get("port") == "-1" and node.get("tlsPort") == "-1" and node.get("autoport") is None:
                node.set("autoport", "yes")
            if node.find("image") is None:
                tree.put(node, "image/@compression", "off")

    def _video_model(self) -> str:
        if osinfo.has(self.system, "virtio-gpu"):
            return "virtio"
        if any(g.get("type") == "spice" for g in self.devices("graphics")):
            return "qxl" if "qxl" in self.caps().values("devices/video", "modelType") else "vga"
        return "vga"

    def _inputs_and_console(self) -> None:
        if self.devices("graphics") and not self.devices("input") and "input" not in self.skip and not self._usb_off():
            self.add("input", {"type": "tablet", "bus": "usb"})
        for node in self.devices("input"):
            if node.get("bus") is None:
                node.set("bus", "usb" if node.get("type") in ("tablet",) else "ps2")
        if not self.devices("console") and not self.devices("serial") and "console" not in self.skip:
            self.add("console", {"type": "pty"})

    def _usb_off(self) -> bool:
        usb = [c for c in self.devices("controller") if c.get("type") == "usb"]
        return self.microvm or (bool(usb) and all(c.get("model") == "none" for c in usb))

    def _usb(self) -> None:
        if self.microvm or any(c.get("type") == "usb" for c in self.devices("controller")):
            return
        if osinfo.has(self.system, "usb3"):
            self.add("controller", {"type": "usb", "model": "qemu-xhci", "ports": "15"})
            return
        self.add("controller", {"type": "usb", "model": "ich9-ehci1"})
        for i, port in enumerate((0, 2, 4), 1):
            tree.put(self.add("controller", {"type": "usb", "model": f"ich9-uhci{i}"}), "master/@startport", str(port))

    def _channel_rng_balloon_tpm(self) -> None:
        if not self.devices("channel") and "channel" not in self.skip and osinfo.has(self.system, "virtio-serial"):
            channel = self.add("channel", {"type": "unix"})
            tree.put(channel, "source/@mode", "bind")
            tree.put(channel, "target/@type", "virtio")
            tree.put(channel, "target/@name", "org.qemu.guest_agent.0")
        if not self.devices("rng") and "rng" not in self.skip and osinfo.has(self.system, "virtio-rng"):
            rng = self.add("rng", {"model": "virtio"})
            tree.put(rng, "backend/@model", "random")
            tree.put(rng, "backend", "/dev/urandom")
        for node in self.devices("rng"):
            if node.get("model") is None:
                node.set("model", "virtio")
        if (
            not self.devices("memballoon")
            and "memballoon" not in self.skip
            and osinfo.has(self.system, "virtio-balloon")
        ):
            self.add("memballoon", {"model": "virtio"})
        uefi = tree.get(self.domain, "os/@firmware") == "efi" or tree.get(self.domain, "os/loader/@type") == "pflash"
        wanted = uefi and not self.devices("tpm") and "tpm" not in self.skip
        if wanted and "emulator" in self.caps().values("devices/tpm", "backendModel"):
            self.add("tpm")

    def _tpm(self, node: tree.Node) -> None:
        if tree.get(node, "backend/@type") is None:
            tree.put(node, "backend/@type", "emulator")
        if node.get("model") is None and tree.get(node, "backend/@type") == "emulator":
            models = self.caps().values("devices/tpm", "model")
            node.set("model", "tpm-crb" if "tpm-crb" in models else "tpm-tis")
        if node.get("model") is None:
            node.set("model", "tpm-tis")

    def _clock_cpu_features_pm(self) -> None:
        domain = self.domain
        if tree.get(domain, "clock/@offset") is None:
            tree.put(domain, "clock/@offset", "localtime" if self.system.windows else "utc")
        if domain.find("clock/timer") is None:
            tree.put(domain, "clock/timer[0]/@name", "rtc")
            tree.put(domain, "clock/timer[0]/@tickpolicy", "catchup")
            tree.put(domain, "clock/timer[1]/@name", "pit")
            tree.put(domain, "clock/timer[1]/@tickpolicy", "delay")
            tree.put(domain, "clock/timer[2]/@name", "hpet")
            tree.put(domain, "clock/timer[2]/@present", "no")
            if self.system.windows:
                tree.put(domain, "clock/timer[3]/@name", "hypervclock")
                tree.put(domain, "clock/timer[3]/@present", "yes")
        self._cpu()
        features = tree.find(domain, "features", make=True)
        assert features is not None and self.kind is not None
        for name in ("acpi", "apic"):
            if features.find(name) is None and name in self.kind.features:
                tree.ET.SubElement(features, name)
        if self.system.windows:
            for path, value in (("relaxed", "on"), ("vapic", "on"), ("spinlocks", "on")):
                if tree.get(features, f"hyperv/{path}/@state") is None:
                    tree.put(features, f"hyperv/{path}/@state", value)
            if tree.get(features, "hyperv/spinlocks/@retries") is None:
                tree.put(features, "hyperv/spinlocks/@retries", "8191")
        if tree.get(domain, "pm/suspend-to-mem/@enabled") is None:
            tree.put(domain, "pm/suspend-to-mem/@enabled", "no")
        if tree.get(domain, "pm/suspend-to-disk/@enabled") is None:
            tree.put(domain, "pm/suspend-to-disk/@enabled", "no")

    def _cpu(self) -> None:
        cpu = self.domain.find("cpu")
        special = cpu.attrib.pop("_special", None) if cpu is not None else None
        if cpu is not None:
            cpu.attrib.pop("_secure", None)
            if special in ("none", "hv-default", "clear"):
                self.domain.remove(cpu)
                return
            if cpu.get("mode") is not None or cpu.find("model") is not None:
                return
            if len(cpu) and special is None and cpu.find("topology") is None:
                return
        if self.domain.get("type") != "kvm":
            return
        if self.caps().migratable_passthrough():
            tree.put(self.domain, "cpu/@mode", "host-passthrough")
        elif self.caps().cpu_mode("host-model"):
            tree.put(self.domain, "cpu/@mode", "host-model")

    def _network(self, node: tree.Node) -> None:
        if node.get("type") is None:
            node.set("type", "bridge")
        if tree.get(node, "mac/@address") is None:
            tree.put(node, "mac/@address", random_mac())
        if tree.get(node, "model/@type") is None:
            if osinfo.has(self.system, "virtio-net") or self.microvm:
                model = "virtio"
            else:
                model = "e1000e" if self.q35 else "e1000"
            tree.put(node, "model/@type", model)

    def _chardev(self, node: tree.Node) -> None:
        if node.get("type") is None:
            node.set("type", "pty")
        if node.tag == "channel":
            if node.get("type") == "spicevmc" and tree.get(node, "target/@name") is None:
                tree.put(node, "target/@type", "virtio")
                tree.put(node, "target/@name", "com.redhat.spice.0")
            elif tree.get(node, "target/@name") is not None and tree.get(node, "target/@type") is None:
                tree.put(node, "target/@type", "virtio")

    def _controllers(self) -> None:
        scsi = any(tree.get(d, "target/@bus") == "scsi" for d in self.devices("disk"))
        has_one = any(c.get("type") == "scsi" for c in self.devices("controller"))
        if scsi and not has_one and osinfo.has(self.system, "virtio-scsi"):
            self.add("controller", {"type": "scsi", "model": "virtio-scsi"})
        if self.q35 and not any(c.get("type") == "pci" for c in self.devices("controller")):
            self.add("controller", {"type": "pci", "model": "pcie-root"})
            for _ in range(14):
                self.add("controller", {"type": "pci", "model": "pcie-root-port"})

    def _spice(self) -> None:
        if not any(g.get("type") == "spice" for g in self.devices("graphics")):
            return
        if self.domain.find("features/vmport") is None:
            tree.put(self.domain, "features/vmport/@state", "off")
        if "channel" not in self.skip and not any(c.get("type") == "spicevmc" for c in self.devices("channel")):
            self._chardev(self.add("channel", {"type": "spicevmc"}))
        if "sound" not in self.skip and not self.devices("sound"):
            self.add("sound", {"model": "ich9" if self.q35 else "ich6"})
        if "redirdev" not in self.skip and not self.devices("redirdev") and not self._usb_off():
            for _ in range(2):
                self.add("redirdev", {"bus": "usb", "type": "spicevmc"})

    def text(self) -> str:
        """The document. Raises OptionError when a word of an option was left unused."""
        for node in self.domain.iter():
            stray = [k for k in node.attrib if k.startswith("_")]
            if stray:
                raise OptionError(f"Unknown options: {[k[1:] for k in stray]}")
        return tree.text(self.domain)


def random_mac() -> str:
    """A MAC address under QEMU's own prefix."""
    return "52:54:00:" + ":".join(f"{random.randrange(256):02x}" for _ in range(3))
