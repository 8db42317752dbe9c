"""A command line of QEMU as a guest's document (``domxml-from-native qemu-argv``), for guests that were started by hand.

libvirt dropped this; its older releases, and the guide, have it. What a line says that no document can is refused by name.
"""

from __future__ import annotations

import re
import shlex
from typing import Any
from xml.sax.saxutils import quoteattr

from kvasir.errors import ConfigUnsupported, InvalidArg, Origin

FLAGS = ("-S", "-usb", "-nodefaults", "-no-user-config", "-enable-kvm", "-no-acpi", "-nographic", "-no-reboot", "-no-shutdown",
         "-daemonize", "-no-hpet", "-snapshot")  # fmt: skip
IGNORED = ("-monitor", "-pidfile", "-D", "-d", "-qmp", "-mon", "-chardev", "-msg", "-sandbox", "-rtc", "-global", "-k")
BOOT = {"a": "fd", "c": "hd", "d": "cdrom", "n": "network"}
SIZES = {"": 1024, "M": 1024, "G": 1024 * 1024, "K": 1}
DRIVES = {"-hda": ("hda", "disk"), "-hdb": ("hdb", "disk"), "-hdc": ("hdc", "disk"), "-hdd": ("hdd", "disk"),
          "-cdrom": ("hdc", "cdrom"), "-fda": ("fda", "floppy"), "-fdb": ("fdb", "floppy")}  # fmt: skip


def document(text: str) -> str:
    """The document of a command line, environment words before the program. Raises InvalidArg, ConfigUnsupported."""
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError as error:
        raise InvalidArg(f"cannot read the command line: {error}", origin=Origin.QEMU) from None
    while words and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*=.*", words[0], re.S):
        words.pop(0)
    if not words:
        raise InvalidArg("the command line names no program", origin=Origin.QEMU)
    reader = Reader(words[0])
    reader.read(words[1:])
    return reader.xml()


def pairs(word: str, first: str = "") -> dict[str, str]:
    """``a=b,c=d`` as a mapping; a first word without a key stands under ``first``. Doubled commas are commas."""
    found: dict[str, str] = {}
    for number, part in enumerate(re.split(r"(?<!,),(?!,)", word)):
        key, mark, value = part.replace(",,", ",").partition("=")
        if mark:
            found[key] = value
        elif number == 0 and first:
            found[first] = key
        else:
            found[key] = "on"
    return found


class Reader:
    """Collects what the options say."""

    def __init__(self, emulator: str) -> None:
        self.emulator = emulator
        self.name = self.uuid = self.cpu = ""
        self.memory, self.vcpus = 128 * 1024, 1
        self.machine, self.kvm, self.acpi = "pc", False, True
        self.boots: list[str] = []
        self.kernel: dict[str, str] = {}
        self.devices: list[str] = []
        self.cards = 0

    def read(self, words: list[str]) -> None:
        """Take the options one after the other."""
        rest = list(words)
        while rest:
            option = rest.pop(0)
            option = option[1:] if option.startswith("--") else option
            if option in FLAGS:
                self.flag(option)
                continue
            if not option.startswith("-"):
                self.drive("-hda", option)
                continue
            if not rest:
                raise InvalidArg(f"missing value for {option} argument", origin=Origin.QEMU)
            self.option(option, rest.pop(0))

    def flag(self, option: str) -> None:
        self.kvm = self.kvm or option == "-enable-kvm"
        self.acpi = self.acpi and option != "-no-acpi"

    def option(self, option: str, value: str) -> None:
        if option in IGNORED:
            return
        if option in DRIVES:
            self.drive(option, value)
            return
        taker = TAKERS.get(option)
        if taker is None:
            raise ConfigUnsupported(f"unknown argument '{option}'", hint="write the document by hand: virsh define")
        taker(self, value)

    # -- options

    def take_machine(self, value: str) -> None:
        said = pairs(value, "type")
        self.machine = said.get("type", self.machine)
        self.kvm = self.kvm or said.get("accel", "").startswith("kvm")

    def take_memory(self, value: str) -> None:
        size = pairs(value, "size").get("size", "")
        match = re.fullmatch(r"(\d+)([MGK]?)", size, re.I)
        if not match:
            raise InvalidArg(f"cannot parse memory level '{value}'", origin=Origin.QEMU)
        self.memory = int(match[1]) * SIZES[match[2].upper()]

    def take_smp(self, value: str) -> None:
        said = pairs(value, "cpus")
        if not said.get("cpus", "1").isdigit():
            raise InvalidArg(f"cannot parse CPU topology '{value}'", origin=Origin.QEMU)
        self.vcpus = int(said.get("cpus", "1"))

    def take_name(self, value: str) -> None:
        self.name = pairs(value, "guest")["guest"]

    def take_uuid(self, value: str) -> None:
        self.uuid = value

    def take_accel(self, value: str) -> None:
        self.kvm = self.kvm or value.startswith("kvm")

    def take_cpu(self, value: str) -> None:
        self.cpu = value.split(",")[0]

    def take_boot(self, value: str) -> None:
        order = pairs(value, "order").get("order", "")
        self.boots = [BOOT[letter] for letter in order if letter in BOOT]

    def take_drive(self, value: str) -> None:
        said = pairs(value)
        bus = said.get("if", "ide")
        place = int(said.get("index", sum("<disk" in device for device in self.devices)) or 0)
        prefix = {"virtio": "vd", "scsi": "sd", "floppy": "fd"}.get(bus, "hd")
        kind = {"cdrom": "cdrom"}.get(said.get("media", ""), "floppy" if bus == "floppy" else "disk")
        self.disk(said.get("file", ""), prefix + chr(ord("a") + place), "fdc" if bus == "floppy" else bus, kind,
                  said.get("format"), said.get("cache"))  # fmt: skip

    def drive(self, option: str, path: str) -> None:
        target, kind = DRIVES[option]
        self.disk(path, target, "fdc" if target.startswith("fd") else "ide", kind)

    def disk(
        self, path: str, target: str, bus: str, kind: str, format: str | None = None, cache: str | None = None
    ) -> None:
        block = path.startswith("/dev/")
        source = f"<source {'dev' if block else 'file'}={quoteattr(path)}/>" if path else ""
        more = "".join(f" {key}={quoteattr(value)}" for key, value in (("type", format), ("cache", cache)) if value)
        driver = f"<driver name='qemu'{more}/>" if more else ""
        self.devices.append(
            f"<disk type='{'block' if block else 'file'}' device='{kind}'>{driver}{source}"
            f"<target dev={quoteattr(target)} bus={quoteattr(bus)}/>{'<readonly/>' if kind == 'cdrom' else ''}</disk>"
        )

    def take_net(self, value: str) -> None:
        said = pairs(value, "kind")
        if said["kind"] == "nic":
            self.cards += 1
            mac = f"<mac address={quoteattr(said['macaddr'])}/>" if "macaddr" in said else ""
            model = f"<model type={quoteattr(said['model'])}/>" if "model" in said else ""
            self.devices.append(f"<interface type='user'>{mac}{model}</interface>")
        elif said["kind"] not in ("none", "user"):
            raise ConfigUnsupported(f"cannot parse network '{value}'")

    def port(self, kind: str, value: str) -> None:
        if value == "none":
            return
        if value in ("pty", "stdio", "null"):
            self.devices.append(f"<{kind} type='{value if value != 'stdio' else 'pty'}'/>")
        elif value.startswith("file:"):
            self.devices.append(f"<{kind} type='file'><source path={quoteattr(value[5:])}/></{kind}>")
        elif not value.startswith(("mon:", "chardev:")):
            raise ConfigUnsupported(f"unknown {kind} device '{value}'")

    def take_serial(self, value: str) -> None:
        self.port("serial", value)

    def take_parallel(self, value: str) -> None:
        self.port("parallel", value)

    def take_vnc(self, value: str) -> None:
        host, _, display = value.split(",")[0].rpartition(":")
        if not display.isdigit():
            raise InvalidArg(f"cannot parse VNC display '{value}'", origin=Origin.QEMU)
        listen = f" listen={quoteattr(host)}" if host else ""
        self.devices.append(f"<graphics type='vnc' port='{5900 + int(display)}' autoport='no'{listen}/>")

    def take_vga(self, value: str) -> None:
        kinds = {"std": "vga", "cirrus": "cirrus", "vmware": "vmvga", "qxl": "qxl", "virtio": "virtio", "none": "none"}
        if value not in kinds:
            raise ConfigUnsupported(f"unknown video adapter type '{value}'")
        self.devices.append(f"<video><model type='{kinds[value]}'/></video>")

    # -- the whole

    def arch(self) -> str:
        """By the program's name, as QEMU's own are called."""
        found = re.search(r"qemu-system-(\w+)$", self.emulator)
        return {"i386": "i686"}.get(found[1], found[1]) if found else "x86_64" if self.kvm else "i686"

    def xml(self) -> str:
        """The document, as far as the line says it."""
        lines = [f"<domain type='{'kvm' if self.kvm else 'qemu'}'>", f"  <name>{_text(self.name or 'unnamed')}</name>"]
        if self.uuid:
            lines.append(f"  <uuid>{_text(self.uuid)}</uuid>")
        lines += [f"  <memory unit='KiB'>{self.memory}</memory>", f"  <currentMemory unit='KiB'>{self.memory}</currentMemory>",
                  f"  <vcpu>{self.vcpus}</vcpu>", "  <os>",
                  f"    <type arch='{self.arch()}' machine={quoteattr(self.machine)}>hvm</type>"]  # fmt: skip
        lines += [f"    <{key}>{_text(value)}</{key}>" for key, value in self.kernel.items()]
        lines += [f"    <boot dev='{word}'/>" for word in self.boots or ["hd"]]
        lines.append("  </os>")
        if self.acpi:
            lines.append("  <features><acpi/></features>")
        if self.cpu:
            lines.append(f"  <cpu mode='custom' match='exact'><model>{_text(self.cpu)}</model></cpu>")
        lines += ["  <clock offset='utc'/>", "  <on_poweroff>destroy</on_poweroff>", "  <on_reboot>restart</on_reboot>",
                  "  <on_crash>destroy</on_crash>", "  <devices>", f"    <emulator>{_text(self.emulator)}</emulator>"]  # fmt: skip
        lines += [f"    {device}" for device in self.devices]
        return "\n".join([*lines, "  </devices>", "</domain>", ""])


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _kernel(key: str) -> Any:
    def take(reader: Reader, value: str) -> None:
        reader.kernel[key] = value

    return take


TAKERS: dict[str, Any] = {
    "-M": Reader.take_machine, "-machine": Reader.take_machine, "-m": Reader.take_memory, "-smp": Reader.take_smp,
    "-name": Reader.take_name, "-uuid": Reader.take_uuid, "-accel": Reader.take_accel, "-cpu": Reader.take_cpu,
    "-boot": Reader.take_boot, "-drive": Reader.take_drive, "-net": Reader.take_net, "-nic": Reader.take_net,
    "-serial": Reader.take_serial, "-parallel": Reader.take_parallel, "-vnc": Reader.take_vnc, "-vga": Reader.take_vga,
    "-kernel": _kernel("kernel"), "-initrd": _kernel("initrd"), "-append": _kernel("cmdline"),
}  # fmt: skip
