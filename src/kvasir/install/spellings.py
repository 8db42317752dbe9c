"""The options of ``virt-install`` and ``virt-xml``: which element each fills, and the spellings that are not the XML path.

One entry an option. ``first`` are the sub-options that a word without ``=`` means, in order; ``old`` maps an older
spelling to the path; ``special`` are sub-options with a behaviour of their own; ``extra`` are paths that no field table has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import handlers as do
from . import handlers_devices as dev
from . import shapes, tree
from .handlers import Handler

Words = dict[str, str | None]


@dataclass(frozen=True)
class Option:
    """How one option becomes part of the document."""

    tag: str = ""
    model: str = ""
    first: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[str, Handler] = field(default_factory=dict)
    patterns: tuple[tuple[str, Handler], ...] = ()
    device: bool = False
    stub: bool = True  # "--option none" says nothing at all
    prefix: str = ""  # the sub-options live below this path of the model
    strip: str = ""  # and this much of the path is the tag itself
    place: Callable[[tree.Node, Words], tree.Node] | None = None  # where it goes, when that is not said by the tag
    many: Callable[[Any, Words, tree.Node], Any] | None = None  # words that make other elements than one of the tag
    convert: Callable[[Words], Words] | None = None  # short forms to today's words
    whole_string: Callable[[str], Words] | None = None  # a grammar of its own
    numbered: tuple[tuple[str, str], ...] = ()  # older beginnings of numbered words
    extra: Mapping[str, str] = field(default_factory=dict)
    extra_lists: tuple[tuple[str, str], ...] = ()  # pattern with numbers -> path with {0}
    commas: frozenset[str] = frozenset()  # words whose value may hold commas
    default: frozenset[str] = frozenset()  # words for which "default" says nothing
    bare: frozenset[str] = frozenset()  # words that need no value
    early: tuple[str, ...] = ("secure", "type", "mode", "source.type")
    seen: Mapping[str, Callable[[tree.Node], str | None]] = field(default_factory=dict)  # how a selector reads a word
    listed: tuple[str, ...] = ()  # words of handlers by pattern that introspection names
    edit: bool = True  # virt-xml can edit it in a document


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


D = "kvasir.model.domain:Domain"
SECLABEL = (
    (r"source\.seclabel(\d*)\.model", "source/seclabel[{0}]/@model"),
    (r"source\.seclabel(\d*)\.relabel", "source/seclabel[{0}]/@relabel:yes"),
    (r"source\.seclabel(\d*)\.label", "source/seclabel[{0}]/label"),
)
ADDRESS = {f"address.{w}": f"address/@{w}" for w in (
    ["type", "domain", "bus", "slot", "multifunction", "function", "controller", "unit", "port", "target", "reg", "cssid", "ssid", "devno", "iobase", "irq", "base", "uuid", "loadparm"])}  # fmt: skip
ADDRESS |= {
    f"address.{w}": f"address/@{w}:int"
    for w in ["bus", "controller", "domain", "function", "port", "slot", "target", "unit"]
}
COMMON = {**ADDRESS, "alias.name": "alias/@name", "boot.order": "boot/@order", "boot.loadparm": "boot/@loadparm",
          "address.multifunction": "address/@multifunction:on", "address.zpci.uid": "address/zpci/@uid",
          "address.zpci.fid": "address/zpci/@fid",
          **{f"driver.{w}": f"driver/@{w}:on" for w in ("ats", "iommu", "packed", "page_per_vq")}}  # fmt: skip
CHAR = {"protocol.type": "protocol/@type", "log.file": "log/@file", "log.append": "log/@append:on",
        "source.clipboard.copypaste": "source/clipboard/@copypaste:yes", "source.mouse.mode": "source/mouse/@mode",
        "source.channel": "source/@channel", "source.tls": "source/@tls:yes", "source.master": "source/@master",
        "source.slave": "source/@slave", "source.path": "source/@path", "source.service": "source/@service:int",
        "source.mode": "source/@mode", "source.bind_service": "source[@mode=bind]/@service:int",
        "source.connect_service": "source[@mode=connect]/@service:int"}  # fmt: skip
CHAR_SPECIAL: dict[str, Handler] = {
    "source.host": dev.char_host(""), "source.bind_host": dev.char_host("bind"), "source.connect_host": dev.char_host("connect"),
    "source.service": dev.number("source/@service"),
}  # fmt: skip


def _char(tag: str) -> Option:
    return Option(
        tag, "", ("type",),
        {"char_type": "type", "path": "source.path", "mode": "source.mode", "protocol": "protocol.type",
         "target_type": "target.type", "name": "target.name"},
        {**CHAR_SPECIAL, "host": dev.char_old_host, "target.address": dev.char_target, "target_address": dev.char_target,
         "bind_host": dev.char_host("bind")},
        device=True, stub=False, extra_lists=SECLABEL, commas=words("source.seclabel.label"),
        extra={**COMMON, **CHAR, "type": "@type", "target.type": "target/@type", "target.name": "target/@name",
               "target.port": "target/@port:int", "target.state": "target/@state", "target.model.name": "target/model/@name"},
        many=shapes.none(tag) if tag in ("console", "channel") else None, early=("type", "mode", "source.mode", "bind_host", "source.bind_host", "source.bind_service"),
    )  # fmt: skip


def _guest(tag: str, *first: str, **more: Any) -> Option:
    """An option that fills one element below ``<domain>``."""
    return Option(tag, D, first, prefix=f"{tag}.", strip=f"{tag}/", **more)


def _numbers(text: str) -> dict[str, str]:
    return {w: w.replace(".", "/@") for w in text.split()}


VIRTUALPORT = {f"virtualport_{w}": f"virtualport.parameters.{w}"
               for w in ["managerid", "typeid", "typeidversion", "instanceid", "profileid", "interfaceid"]}  # fmt: skip
BOOT_DEVICES = ("hd", "cdrom", "fd", "network")
TIMERS = tuple(f"{t}_present" for t in ["platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock"])
HYPERV = ["reset", "vapic", "relaxed", "spinlocks", "synic"]
SMBIOS = {
    "bios": "vendor version date release", "system": "manufacturer product version serial uuid sku family",
    "baseBoard": "manufacturer product version serial asset location", "chassis": "manufacturer version serial asset sku",
}  # fmt: skip
DISK_NOTES = ("path", "size", "sparse", "pool", "vol", "backing_store", "backing_format", "format", "perms")

DISK = Option(
    "disk", "kvasir.devices.disk:Disk", ("path",), {
        **{w: f"driver.{w}" for w in ("cache", "io", "discard", "detect_zeroes", "error_policy")},
        **{w: f"iotune.{w}" for w in ("read_bytes_sec", "write_bytes_sec", "total_bytes_sec", "read_iops_sec",
                                      "write_iops_sec", "total_iops_sec")},
        **{f"source_{w}": f"source.{w}" for w in ("pool", "volume", "name", "protocol")},
        **{f"source_host_{w}": f"source.host0.{w}" for w in ("name", "port", "socket", "transport")},
        "driver_name": "driver.name", "driver_type": "driver.type", "bus": "target.bus", "target": "target.dev",
        "removable": "target.removable", "rotation_rate": "target.rotation_rate", "boot_order": "boot.order",
        "snapshot_policy": "snapshot", "startup_policy": "source.startupPolicy",
        "logical_block_size": "blockio.logical_block_size", "physical_block_size": "blockio.physical_block_size",
    },
    {k: do.note for k in DISK_NOTES} | {"boot.order": dev.boot_order, "boot_order": dev.boot_order},
    numbered=(("seclabel", "source.seclabel"), ("reservations", "source.reservations")),
    extra={**COMMON, **_numbers("source.file source.dev source.dir source.pool source.volume source.name source.protocol "
                                "source.startupPolicy source.reservations.managed driver.type driver.name driver.cache"),
           "type": "@type", "device": "@device", "source.reservations.managed": "source/reservations/@managed:yes",
           **{f"source.reservations.source.{w}": f"source/reservations/source/@{w}" for w in ("type", "path", "mode")},
           "readonly": "readonly/", "shareable": "shareable/", "transient": "transient/"},
    extra_lists=(*SECLABEL, *((rf"source\.host(\d*)\.{w}", f"source/host[{{0}}]/@{w}")
                              for w in ("name", "port", "socket", "transport"))),
    commas=words("source.seclabel.label seclabel.label"), device=True, stub=False, seen={"path": dev.source_of},
)  # fmt: skip

NETWORK = Option(
    "interface", "kvasir.devices.interface:Interface", ("type",), {
        "model": "model.type", "mac": "mac.address", "link_state": "link.state", "mtu": "mtu.size", "target": "target.dev",
        "portgroup": "source.portgroup", "source_mode": "source.mode", "source_type": "source.type",
        "source_path": "source.path", "boot_order": "boot.order", "filterref": "filterref.filter",
        "rom_file": "rom.file", "rom_bar": "rom.bar", "driver_name": "driver.name", "driver_queues": "driver.queues",
        "virtualport_type": "virtualport.type", **VIRTUALPORT,
    },
    {"type": dev.network_type, "source": dev.network_source, "mac": dev.mac, "mac.address": dev.mac,
     "link_state": dev.link, "rom.bar": dev.on_off("rom/@bar"), "rom_bar": dev.on_off("rom/@bar"), "link.state": dev.link, "boot.order": dev.boot_order, "boot_order": dev.boot_order},
    convert=shapes.network, device=True, stub=False, many=shapes.none("interface"),
    extra={**COMMON, "source.mode": "source/@mode", "source.type": "source/@type", "source.path": "source/@path",
           "source.portgroup": "source/@portgroup", "mac.address": "mac/@address", "model.type": "model/@type",
           "virtualport.type": "virtualport/@type",
           **{v: v.replace("parameters.", "parameters/@").replace(".", "/") for v in VIRTUALPORT.values()}},
    seen={"source": dev.network_source_of}, early=("type", "source"), listed=("network", "bridge"),
)  # fmt: skip

GRAPHICS = Option(
    "graphics", "kvasir.devices.graphics:Graphics", ("type",), {
        "tlsport": "tlsPort", "password": "passwd", "passwordValidTo": "passwdValidTo",
        "image_compression": "image.compression", "streaming_mode": "streaming.mode",
        "clipboard_copypaste": "clipboard.copypaste", "mouse_mode": "mouse.mode",
        "filetransfer_enable": "filetransfer.enable", "zlib_compression": "zlib.compression", "gl": "gl.enable",
        "rendernode": "gl.rendernode",
    },
    {"listen": dev.listen, "keymap": dev.keymap, "type": dev.graphics_type,
     "port": dev.port("port"), "tlsPort": dev.port("tlsPort"), "tlsport": dev.port("tlsPort")},
    numbered=(("listens", "listen"),), device=True, stub=False, many=shapes.none("graphics"),
    extra={**COMMON, **{w: f"@{w}" for w in ("port", "tlsPort", "websocket", "passwd", "passwdValidTo", "connected",
           "defaultMode", "autoport", "socket", "display", "xauth", "fullscreen", "sharePolicy")},
           **_numbers("gl.enable gl.rendernode")},
    extra_lists=tuple((rf"listen(\d*)\.{w}", f"listen[{{0}}]/@{w}") for w in ("type", "address", "network", "socket")),
    listed=("password", "passwordValidTo"), early=("type", "port", "tlsPort", "tlsport", "listen"),
)  # fmt: skip

OPTIONS: dict[str, Option] = {
    "disk": DISK,
    "network": NETWORK,
    "graphics": GRAPHICS,
    "controller": Option(
        "controller", "kvasir.devices.controller:Controller", ("type",),
        {"master": "master.startport", "driver_queues": "driver.queues"}, {"address": dev.pci_address}, device=True,
        many=shapes.controllers, extra=COMMON, listed=("num_pcie_root_ports",), bare=words("num_pcie_root_ports"),
    ),
    "input": Option("input", "kvasir.devices.input:Input", ("type",), device=True, default=words("type bus"), extra=COMMON),
    "serial": _char("serial"),
    "parallel": _char("parallel"),
    "channel": _char("channel"),
    "console": _char("console"),
    "video": Option(
        "video", "kvasir.devices.video:Video", ("model.type",),
        {w: f"model.{w}" for w in ("vgamem", "ram", "vram", "vram64", "heads")}
        | {"model": "model.type", "accel3d": "model.acceleration.accel3d"}, device=True, extra=COMMON,
        default=words("model model.type"), stub=True,
    ),
    "sound": Option("sound", "kvasir.devices.sound:Sound", ("model",), device=True, stub=False, extra=COMMON,
                    default=words("model"), many=shapes.none("sound")),
    "audio": Option("audio", "kvasir.devices.audio:Audio", device=True),
    "watchdog": Option("watchdog", "kvasir.devices.watchdog:Watchdog", ("model",), device=True, extra=COMMON,
                       default=words("model action")),
    "memballoon": Option("memballoon", "kvasir.devices.memballoon:Memballoon", ("model",), device=True, stub=False, extra=COMMON,
                         default=words("model")),
    "rng": Option(
        "rng", "kvasir.devices.rng:Rng", ("backend.model",),
        {"backend_type": "backend.type", "backend_mode": "backend.source.mode", "backend_service": "backend.source.service",
         "backend_connect_service": "backend.source.connect_service", "rate_bytes": "rate.bytes", "rate_period": "rate.period"},
        {"backend": dev.rng_backend, "backend.source.service": dev.number("backend/source/@service"),
         "backend_service": dev.number("backend/source/@service"), "backend.source.host": dev.char_host("", "backend/"),
         "backend_host": dev.char_host("", "backend/"), "backend.source.bind_host": dev.char_host("bind", "backend/"),
         "backend.source.connect_host": dev.char_host("connect", "backend/"),
         "backend_connect_host": dev.char_host("connect", "backend/")},
        convert=shapes.rng, device=True, stub=False, many=shapes.none("rng"), listed=("type", "device"),
        extra={**COMMON, "backend.model": "backend/@model", "backend.type": "backend/@type",
               **{f"backend.{k}": f"backend/{v}" for k, v in CHAR.items()}},
        extra_lists=tuple((f"backend\\.{p}", f"backend/{path}") for p, path in SECLABEL),
    ),
    "tpm": Option(
        "tpm", "kvasir.devices.tpm:Tpm", ("type",), {"path": "backend.device.path", "version": "backend.version", "type": "backend.type"},
        convert=shapes.tpm, device=True, stub=False, many=shapes.none("tpm"),
        extra={**COMMON, "active_pcr_banks.sha1": "backend/active_pcr_banks/sha1/",
               **{f"active_pcr_banks.sha{n}": f"backend/active_pcr_banks/sha{n}/" for n in (1, 256, 384, 512)},
               "backend.device.path": "backend/device/@path", "backend.encryption.secret": "backend/encryption/@secret",
               "backend.type": "backend/@type", "backend.version": "backend/@version",
               "backend.persistent_state": "backend/@persistent_state:yes"},
    ),
    "panic": Option("panic", "kvasir.devices.panic:Panic", ("model",), {"iobase": "address.iobase"}, device=True,
                    convert=shapes.panic, default=words("model"), extra=COMMON),
    "vsock": Option("vsock", "kvasir.devices.vsock:Vsock", ("model",), {"auto_cid": "cid.auto", "cid": "cid.address"},
                    device=True, stub=False, default=words("model"), extra=COMMON),
    "iommu": Option("iommu", "kvasir.devices.iommu:Iommu", ("model",), device=True),
    "shmem": Option("shmem", "kvasir.devices.shmem:Shmem", ("name",), device=True,
                    extra={**COMMON, "size": "size", "size.unit": "size/@unit"}),
    "smartcard": Option(
        "smartcard", "kvasir.devices.smartcard:Smartcard", ("mode",), {}, CHAR_SPECIAL, device=True, default=words("mode type"),
        extra={**COMMON, **CHAR, "mode": "@mode", "type": "@type", "database": "database"},
        extra_lists=(*SECLABEL, (r"certificate(\d*)", "certificate[{0}]")), commas=words("database certificate"),
    ),
    "redirdev": Option(
        "redirdev", "kvasir.devices.redirdev:Redirdev", ("bus",), {"boot_order": "boot.order"}, {**CHAR_SPECIAL, "server": dev.char_host("")}, device=True,
        stub=False, many=shapes.none("redirdev"), default=words("bus type"), extra_lists=SECLABEL,
        extra={**COMMON, **CHAR, "bus": "@bus", "type": "@type"},
    ),
    "memdev": Option(
        "memory", "kvasir.devices.memory:Memory", ("model",),
        {f"target_{w}": f"target.{w}" for w in ("size", "node", "label_size")}
        | {f"source_{w}": f"source.{w}" for w in ("pagesize", "path", "nodemask")},
        {**dict.fromkeys(("target.size", "target_size"), do.mebibytes("target/size")), "source.alignsize": do.mebibytes("source/alignsize"),
         **dict.fromkeys(("target.label_size", "target_label_size"), do.mebibytes("target/label/size"))},
        device=True, commas=words("source.nodemask source_nodemask"),
        extra={**COMMON, "target.block": "target/block", "target.current": "target/current", "target.requested": "target/requested",
               "source.pagesize": "source/pagesize"},
    ),
    "filesystem": Option(
        "filesystem", "kvasir.devices.filesystem:Filesystem", ("source", "target"), {"mode": "accessmode", "target": "target.dir"},
        {"source": dev.filesystem_source}, device=True, seen={"source": dev.source_of},
        extra={**COMMON, "type": "@type", **_numbers("source.file source.dir source.dev source.name source.pool source.volume "
               "source.units source.usage target.dir driver.format driver.name driver.queue driver.type driver.wrpolicy"),
               "source.socket": "source/socket", "space_hard_limit": "space_hard_limit", "space_soft_limit": "space_soft_limit"},
    ),
    "hostdev": Option(
        "hostdev", "kvasir.devices.hostdev:Hostdev", ("name",), {"rom_bar": "rom.bar", "driver_name": "driver.name", "boot_order": "boot.order"},
        {"name": dev.hostdev, "rom.bar": dev.on_off("rom/@bar"), "rom_bar": dev.on_off("rom/@bar")}, device=True, extra={**COMMON, "type": "@type", "driver.name": "driver/@name", "rom.bar": "rom/@bar:on"},
    ),
    "memory": Option(
        "", D, ("memory",), {"hotplugmemoryslots": "maxMemory.slots", "hotplugmemorymax": "maxMemory"},
        {"hugepages": do.hugepages, "maxmemory": do.nothing,
         **{k: do.mebibytes(v) for k, v in (("memory", "memory"), ("currentMemory", "currentMemory"), ("maxMemory", "maxMemory"),
                                            ("hotplugmemorymax", "maxMemory"))}},
        convert=shapes.memory, edit=False, extra={"maxMemory.slots": "maxMemory/@slots"},
    ),
    "vcpus": Option(
        "", D, ("vcpu",), {"placement": "vcpu.placement", **{w: f"cpu.topology.{w}" for w in ("sockets", "dies", "cores", "threads")}},
        {"vcpu": dev.number("vcpu"), "vcpu.current": dev.number("vcpu/@current"), "vcpu.cpuset": do.cpuset, "maxvcpus": do.nothing},
        convert=shapes.vcpus, edit=False, commas=words("cpuset vcpu.cpuset"), listed=("cpuset", "vcpus"), extra={
            "vcpu.placement": "vcpu/@placement", **{f"cpu.topology.{w}": f"cpu/topology/@{w}" for w in ("sockets", "dies", "cores", "threads")}},
        extra_lists=tuple((rf"vcpus\.vcpu(\d*)\.{w}", f"vcpus/vcpu[{{0}}]/@{w}") for w in ("id", "enabled", "hotpluggable", "order")),
    ),
    "cpu": _guest(
        "cpu", "model", old={"cell": "numa.cell"}, numbered=(("cell", "numa.cell"),), stub=False, whole_string=shapes.cpu,
        special={"model": do.cpu_model, "secure": do.note_switch, **dict.fromkeys(("force", "require", "optional", "disable", "forbid"), do.cpu_policy)},
        commas=words("numa.cell.cpus cell.cpus"), bare=words("force require optional disable forbid"),
    ),
    "metadata": Option(
        "", D, (), {}, {k: do.put(k) for k in ("name", "title", "uuid", "description", "genid")}
        | {"os_name": do.system_name, "os_full_id": do.system_name, "genid_enable": do.genid}, edit=False,
        commas=words("name title description"),
    ),
    "boot": _guest(
        "os", whole_string=shapes.boot, old={
            "menu": "bootmenu.enable", "useserial": "bios.useserial", "rebootTimeout": "bios.rebootTimeout",
            "kernel_args": "cmdline", "extra_args": "cmdline", "loader_ro": "loader.readonly", "loader_type": "loader.type",
            "loader_secure": "loader.secure", "nvram_template": "nvram.template", "smbios_mode": "smbios.mode",
            "machine": "type.machine", "arch": "type.arch", "os_type": "type"},
        special={**dict.fromkeys(BOOT_DEVICES, do.nothing), "uefi": do.boot_uefi, "_order": do.boot_order_words,
                 "emulator": do.domain_put("devices/emulator"), "domain_type": do.domain_put("@type"),
                 "bootloader": do.domain_put("bootloader"), "bootloader_args": do.domain_put("bootloader_args"),
                 "initargs": do.initargs, **{k: do.path_put(k) for k in ("kernel", "initrd", "dtb", "nvram")},
                 "acpi.table": do.path_put("acpi/table"), "refresh-machine-type": do.note_refresh},
        bare=frozenset(BOOT_DEVICES) | {"uefi"}, commas=words("cmdline kernel_args extra_args"),
        extra={"nvram": "nvram", "nvram.template": "nvram/@template", "loader": "loader", "dtb": "dtb", "init": "init", "initdir": "initdir",
               "inituser": "inituser", "initgroup": "initgroup", "acpi.table": "acpi/table", "acpi.table.type": "acpi/table/@type",
               "firmware": "@firmware"},
        extra_lists=((r"boot(\d*)\.dev", "boot[{0}]/@dev"), (r"initarg(\d*)", "initarg[{0}]"), (r"initenv(\d*)", "initenv[{0}]"),
                     (r"initenv(\d*)\.name", "initenv[{0}]/@name"), (r"firmware\.feature(\d*)\.enabled", "firmware/feature[{0}]/@enabled"),
                     (r"firmware\.feature(\d*)\.name", "firmware/feature[{0}]/@name")),
    ),
    "features": _guest(
        "features", old={
            "eoi": "apic.eoi", "pmu": "pmu.state", "vmport": "vmport.state", "kvm_hidden": "kvm.hidden.state",
            "gic_version": "gic.version", "smm": "smm.state", "vmcoreinfo": "vmcoreinfo.state",
            "hyperv_spinlocks_retries": "hyperv.spinlocks.retries", **{f"hyperv_{w}": f"hyperv.{w}.state" for w in HYPERV}},
        special={w: do.feature(w) for w in ("acpi", "apic", "pae")}, extra={w: f"{w}/" for w in ("privnet", "hap", "viridian")},
    ),
    "clock": _guest(
        "clock", patterns=((r"[a-z]+_(present|tickpolicy)$", do.timer),), listed=(*TIMERS, "pit_tickpolicy", "rtc_tickpolicy"),
        extra_lists=tuple((rf"timer(\d*)\.catchup\.{w}", f"timer[{{0}}]/catchup/@{w}") for w in ("threshold", "slew", "limit")),
    ),
    "pm": _guest("pm", old={"suspend_to_mem": "suspend-to-mem.enabled", "suspend_to_disk": "suspend-to-disk.enabled",
                            "suspend_to_mem.enabled": "suspend-to-mem.enabled", "suspend_to_disk.enabled": "suspend-to-disk.enabled"}),
    "events": Option("", D, extra={k: k for k in ("on_poweroff", "on_reboot", "on_crash", "on_lockfailure")}, edit=False),
    "resource": _guest("resource", "partition", extra={"fibrechannel.appid": "fibrechannel/@appid"}, commas=words("fibrechannel.appid")),
    "numatune": _guest(
        "numatune", "memory.nodeset", old={"nodeset": "memory.nodeset", "mode": "memory.mode"},
        commas=words("nodeset memory.nodeset memnode.nodeset"), early=(),
        extra_lists=tuple((rf"memnode(\d*)\.{w}", f"memnode[{{0}}]/@{w}") for w in ("cellid", "mode", "nodeset")),
    ),
    "memtune": _guest("memtune", "soft_limit"),
    "blkiotune": _guest(
        "blkiotune", "weight", old={"device_path": "device0.path", "device_weight": "device0.weight", **{
            f"{w}_{u}_sec": f"device0.{w}_{u}_sec" for w in ("read", "write") for u in ("bytes", "iops")}},
    ),
    "memorybacking": _guest(
        "memoryBacking", old={"access_mode": "access.mode", "source_type": "source.type", "size": "hugepages.page0.size",
                              "unit": "hugepages.page0.unit", "nodeset": "hugepages.page0.nodeset"},
        extra={"hugepages": "hugepages/"}, commas=words("nodeset hugepages.page.nodeset"),
        extra_lists=tuple((rf"hugepages\.page(\d*)\.{w}", f"hugepages/page[{{0}}]/@{w}") for w in ("size", "unit", "nodeset")),
    ),
    "cputune": _guest("cputune", "model", stub=False, commas=words(
        "vcpupin.cpuset emulatorpin.cpuset iothreadpin.cpuset vcpusched.vcpus iothreadsched.iothreads cachetune.vcpus "
        "cachetune.monitor.vcpus memorytune.vcpus")),
    "iothreads": Option("", D, ("iothreads",), extra_lists=tuple(
        (rf"iothreadids\.iothread(\d*)\.{w}", f"iothreadids/iothread[{{0}}]/@{w}") for w in ("id", "thread_pool_min", "thread_pool_max")),
        extra={"iothreads": "iothreads", **{f"defaultiothread.{w}": f"defaultiothread/@{w}" for w in ("thread_pool_min", "thread_pool_max")}},
        edit=False),
    "sysinfo": Option(
        "sysinfo", D, ("type",), {f"{g}_{w}": f"{g}.{w}" for g in ("bios", "system", "baseBoard") for w in SMBIOS[g].split()},
        {"type": do.nothing}, ((r"(bios|system|baseBoard|chassis)[._]\w+$", do.sysinfo),), whole_string=shapes.sysinfo,
        place=shapes.sysinfo_place, early=tuple(f"{g}{dot}{w}" for g, names in SMBIOS.items() for w in names.split() for dot in "._"),
        listed=tuple(f"{g}.{w}" for g, names in SMBIOS.items() for w in names.split()),
        extra_lists=((r"oemStrings\.entry(\d*)", "oemStrings/entry[{0}]"), (r"entry(\d*)", "entry[{0}]"),
                     (r"entry(\d*)\.name", "entry[{0}]/@name"), (r"entry(\d*)\.file", "entry[{0}]/@file")),
    ),
    "seclabel": Option("seclabel", D, (), prefix="seclabel*.", strip=r"seclabel\[0\]/", place=shapes.append("seclabel"),
                       commas=words("label baselabel"), extra={w: w for w in ("label", "imagelabel", "baselabel")}),
    "keywrap": _guest("keywrap", extra_lists=tuple((rf"cipher(\d*)\.{w}", f"cipher[{{0}}]/@{w}") for w in ("name", "state"))),
    "launchSecurity": _guest("launchSecurity", "type", extra={
        w: w for w in ("cbitpos", "reducedPhysBits", "policy", "session", "dhCert")} | {"type": "@type", "kernelHashes": "@kernelHashes:yes"}),
    "idmap": _guest("idmap", old={f"{k}_{w}": f"{k}.{w}" for k in ("uid", "gid") for w in ("start", "target", "count")},
                    extra={f"{k}.{w}": f"{k}/@{w}" for k in ("uid", "gid") for w in ("start", "target", "count")}),
    "qemu_commandline": Option("qemu:commandline", special={"args": do.qemu, "env": do.qemu}, whole_string=shapes.qemu,
                               place=shapes.qemu_place),
}  # fmt: skip
