"""The root element: a guest's whole document, in the order that libvirt writes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from operator import attrgetter
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin, XmlError
from kvasir.xml import Element, Form, attr, child, children, flag, raw, scaled, text
from kvasir.xml.fields import NAMESPACES
from kvasir.xml.types import ENUM, INT, NATURAL, UINT, UUID, YESNO, lenient

from . import forms
from .clock import Clock
from .cpu import Cpu
from .features import Features
from .os import Os
from .sysinfo import (
    IdMapEntry,
    Iothread,
    KeywrapCipher,
    LaunchSecurity,
    PerfEvent,
    QemuArg,
    QemuCapability,
    QemuDevice,
    QemuEnv,
    Seclabel,
    Sysinfo,
    Vcpu,
)  # fmt: skip
from .tune import CPUS, Blkiotune, Cputune, MemoryBacking, Memtune, Numatune, bad_cpus
from .words import internal, no_size

# field name, class: one line for each device kind, in output order
DEVICES = (
    ("disks", "kvasir.devices.disk:Disk"),
    ("controllers", "kvasir.devices.controller:Controller"),
    ("leases", "kvasir.devices.lease:Lease"),
    ("filesystems", "kvasir.devices.filesystem:Filesystem"),
    ("interfaces", "kvasir.devices.interface:Interface"),
    ("smartcards", "kvasir.devices.smartcard:Smartcard"),
    ("serials", "kvasir.devices.chardev:Serial"),
    ("parallels", "kvasir.devices.chardev:Parallel"),
    ("consoles", "kvasir.devices.chardev:Console"),
    ("channels", "kvasir.devices.chardev:Channel"),
    ("inputs", "kvasir.devices.input:Input"),
    ("tpms", "kvasir.devices.tpm:Tpm"),
    ("graphics", "kvasir.devices.graphics:Graphics"),
    ("sounds", "kvasir.devices.sound:Sound"),
    ("audios", "kvasir.devices.audio:Audio"),
    ("videos", "kvasir.devices.video:Video"),
    ("hostdevs", "kvasir.devices.hostdev:Hostdev"),
    ("redirdevs", "kvasir.devices.redirdev:Redirdev"),
    ("redirfilters", "kvasir.devices.redirdev:Redirfilter"),
    ("hubs", "kvasir.devices.hub:Hub"),
    ("watchdogs", "kvasir.devices.watchdog:Watchdog"),
    ("memballoons", "kvasir.devices.memballoon:Memballoon"),
    ("rngs", "kvasir.devices.rng:Rng"),
    ("nvrams", "kvasir.devices.nvram:Nvram"),
    ("panics", "kvasir.devices.panic:Panic"),
    ("shmems", "kvasir.devices.shmem:Shmem"),
    ("memories", "kvasir.devices.memory:Memory"),
    ("iommus", "kvasir.devices.iommu:Iommu"),
    ("vsocks", "kvasir.devices.vsock:Vsock"),
    ("cryptos", "kvasir.devices.crypto:Crypto"),
)


def _load(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def _device_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, where in DEVICES:
        try:
            model = _load(where)
        except ImportError:  # a device file that has not landed yet
            continue
        fields[name] = children(model, f"devices/{model.TAG}")
    return fields


class NoName(Error):
    """missing name information"""

    code, prefix = Code.NO_NAME, "missing name information"

    def __init__(self) -> None:
        super().__init__(origin=Origin.DOMAIN)


ACTIONS = ("destroy", "restart", "rename-restart", "preserve")
CRASH_ACTIONS = (*ACTIONS, "coredump-destroy", "coredump-restart")
VIRT_TYPES = (
    "none", "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "parallels",
    "bhyve", "vz", "hvf",
)  # fmt: skip


def _qemu_namespace(domain: Any) -> str | None:
    used = domain.qemu_args or domain.qemu_env or domain.qemu_add or domain.qemu_del or domain.qemu_devices
    return NAMESPACES["qemu"] if used or domain.qemu_deprecation else None


def _one_of_each_namespace(metadata: Any) -> None:
    """What has no namespace, or one that stood before, is not kept."""
    seen: set[str] = set()
    for node in list(metadata):
        if not isinstance(node.tag, str):
            continue
        space = node.tag[1:].partition("}")[0] if node.tag.startswith("{") else ""
        if not space or space in seen:
            metadata.remove(node)
        seen.add(space)


class Domain(Element, tag="domain"):
    """A guest. Memory is in KiB."""

    type: str = attr("@type", ENUM(*VIRT_TYPES), required=True, abi=True)
    id: int | None = attr("@id", lenient(INT), only="live")
    namespace: str | None = attr("@xmlns:qemu", value=_qemu_namespace)
    name: str = text("name")
    uuid: str = text("uuid", UUID, error=internal("malformed uuid element"))
    genid: str | None = text("genid", UUID, error=internal("malformed genid element"))
    genid_wanted: bool = flag("genid", when=lambda domain, form: False)
    title: str | None = text("title")
    description: str | None = text("description")
    metadata: Any = raw("metadata")
    max_memory_slots: int | None = attr("maxMemory/@slots", UINT)
    max_memory: int | None = scaled("maxMemory", error=no_size("./maxMemory"))
    dump_core: str | None = attr("memory/@dumpCore", ENUM("on", "off"))
    memory: int | None = scaled("memory", error=no_size("./memory"))
    current_memory: int | None = scaled("currentMemory", error=no_size("./currentMemory"))
    blkiotune: Blkiotune | None = child(Blkiotune)
    memtune: Memtune | None = child(Memtune)
    memory_backing: MemoryBacking | None = child(MemoryBacking)
    vcpu_placement: str | None = attr("vcpu/@placement", ENUM("static", "auto"))
    vcpu_cpuset: frozenset[int] | None = attr("vcpu/@cpuset", CPUS, error=bad_cpus)
    vcpu_current: int | None = attr("vcpu/@current", UINT)
    vcpu: int | None = text("vcpu", UINT, error="maximum vcpus count must be an integer")
    vcpus: list[Vcpu] = children(Vcpu, "vcpus/vcpu")
    iothreads: int | None = text("iothreads", UINT)
    iothreadids: list[Iothread] = children(Iothread, "iothreadids/iothread")
    default_iothread_min: int | None = attr("defaultiothread/@thread_pool_min", NATURAL)
    default_iothread_max: int | None = attr("defaultiothread/@thread_pool_max", NATURAL)
    cputune: Cputune | None = child(Cputune)
    numatune: Numatune | None = child(Numatune)
    partition: str | None = text("resource/partition")
    appid: str | None = attr("resource/fibrechannel/@appid")
    sysinfos: list[Sysinfo] = children(Sysinfo)
    bootloader: str | None = text("bootloader")
    bootloader_args: str | None = text("bootloader_args")
    os: Os = child(Os)
    idmap_uids: list[IdMapEntry] = children(IdMapEntry, "idmap/uid")
    idmap_gids: list[IdMapEntry] = children(IdMapEntry, "idmap/gid")
    features: Features | None = child(Features)
    cpu: Cpu | None = child(Cpu)
    clock: Clock | None = child(Clock)
    on_poweroff: str | None = text("on_poweroff", ENUM(*ACTIONS))
    on_reboot: str | None = text("on_reboot", ENUM(*ACTIONS))
    on_crash: str | None = text("on_crash", ENUM(*CRASH_ACTIONS))
    on_lockfailure: str | None = text(
        "on_lockfailure",
        ENUM("poweroff", "restart", "pause", "ignore"),
        error="unsupported:unknown on_lockfailure action: {value}",
    )
    suspend_to_mem: bool | None = attr("pm/suspend-to-mem/@enabled", YESNO)
    suspend_to_disk: bool | None = attr("pm/suspend-to-disk/@enabled", YESNO)
    perf: list[PerfEvent] = children(PerfEvent, "perf/event")
    emulator: str | None = text("devices/emulator")
    locals().update(_device_fields())
    seclabels: list[Seclabel] = children(Seclabel)
    keywrap: list[KeywrapCipher] = children(KeywrapCipher, "keywrap/cipher")
    launch_security: LaunchSecurity | None = child(LaunchSecurity)
    qemu_args: list[QemuArg] = children(QemuArg, "qemu:commandline/qemu:arg")
    qemu_env: list[QemuEnv] = children(QemuEnv, "qemu:commandline/qemu:env")
    qemu_add: list[QemuCapability] = children(QemuCapability, "qemu:capabilities/qemu:add")
    qemu_del: list[QemuCapability] = children(QemuCapability, "qemu:capabilities/qemu:del")
    qemu_devices: list[QemuDevice] = children(QemuDevice, "qemu:override/qemu:device")
    qemu_deprecation: str | None = attr("qemu:deprecation/@behavior", ENUM("none", "omit", "reject", "crash"))

    def __getattr__(self, name: str) -> Any:
        """A kind of device whose file has not landed has no devices."""
        if name not in self.FIELDS and any(name == known for known, _ in DEVICES):
            return []
        raise AttributeError(name)

    def all_devices(self) -> Iterator[Any]:
        """Every device, in output order."""
        return chain.from_iterable(_lists(self))

    def cpu_cells(self) -> list[Any]:
        """NUMA cells of the guest."""
        return self.cpu.cells if self.cpu is not None else []

    def written(self, form: Form) -> Domain:
        """In the form for migrations, without what an older libvirt adds by itself."""
        return forms.migratable(self) if form.migratable else self

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Domain:
        """Read a guest's document. Raises ConfigUnsupported for a wrong type or action, XmlError for the rest."""
        kind = node.get("type")
        if not node.findtext("name"):
            raise NoName()
        if not kind:
            raise InternalError("missing domain type attribute", origin=Origin.DOMAIN)
        if kind not in VIRT_TYPES:
            raise ConfigUnsupported(f"invalid domain type {kind}", origin=Origin.DOMAIN)
        for name in ("on_poweroff", "on_reboot", "on_crash"):
            word = node.findtext(name)
            if word and word not in CRASH_ACTIONS:
                raise ConfigUnsupported(f"unknown {name} action: {word}", origin=Origin.DOMAIN)
            if word and word not in cls.FIELDS[name].type.words:
                text_ = f"Lifecycle event '{name[3:]}' doesn't support '{word}' action"
                raise ConfigUnsupported(text_, origin=Origin.DOMAIN)
        _input_buses(node)
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        """What libvirt checks while it reads."""
        if not self.name:
            raise NoName()
        if self.os is None:
            self.os = Os()
        if self.metadata is not None:
            _one_of_each_namespace(self.metadata)
        if bool(self.idmap_uids) != bool(self.idmap_gids):
            raise ConfigUnsupported("uid and gid should be mapped both", origin=Origin.DOMAIN)
        events = [event.name for event in self.perf]
        for name in events:
            if events.count(name) > 1:
                raise XmlError(f"perf event '{name}' was already specified")


def _input_buses(node: Any) -> None:
    """Mice and keyboards of other architectures than x86 are on USB unless said otherwise, those of s390 are virtio."""
    os_type = node.find("os/type")
    arch = os_type.get("arch") if os_type is not None else None
    if arch is None or arch in ("x86_64", "i686"):
        return
    for device in node.iterfind("devices/input"):
        if device.get("bus") is None and device.get("type") in ("mouse", "keyboard", "tablet"):
            device.set("bus", "virtio" if arch.startswith("s390") else "usb")


_lists = attrgetter(*(name for name, _ in DEVICES if name in Domain.FIELDS))
