"""The options of ``virt-install``: which element each fills, and the spellings that are not the XML path.

One entry an option. ``first`` are the sub-options that a word without ``=`` means, in order; ``old`` maps an older
spelling to the path; ``special`` are sub-options with a behaviour of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import handlers as do
from . import tree
from .handlers import Handler


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
    none: bool = True  # "--option none" means: no such device
    prefix: str = ""  # the sub-options live below this path of the model
    strip: str = ""  # and this much of the path is the tag itself


_CHAR_OLD = {"path": "source.path", "host": "source.host", "mode": "source.mode", "protocol": "protocol.type",
             "bind_host": "source.host", "bind_port": "source.service", "name": "target.name",
             "target_type": "target.type", "address.type": "target.address", "log.file": "log.file"}  # fmt: skip


def _char(tag: str) -> Option:
    return Option(
        tag,
        f"kvasir.devices.chardev:{tag.capitalize()}",
        ("type", "source.path"),
        _CHAR_OLD,
        {"host": do.char_host},
        device=True,
    )


BOOT_DEVICES = ("hd", "cdrom", "network", "fd")

OPTIONS: dict[str, Option] = {
    "disk": Option(
        "disk", "kvasir.devices.disk:Disk", ("path",), {
            "format": "driver.type", "cache": "driver.cache", "io": "driver.io", "discard": "driver.discard",
            "detect_zeroes": "driver.detect_zeroes", "error_policy": "driver.error_policy", "driver_name": "driver.name",
            "driver_type": "driver.type", "bus": "target.bus", "target": "target.dev", "removable": "target.removable",
            "boot_order": "boot.order", "snapshot_policy": "snapshot", "startup_policy": "source.startupPolicy",
            "logical_block_size": "blockio.logical_block_size", "physical_block_size": "blockio.physical_block_size",
            "read_bytes_sec": "iotune.read_bytes_sec", "write_bytes_sec": "iotune.write_bytes_sec",
            "total_bytes_sec": "iotune.total_bytes_sec", "read_iops_sec": "iotune.read_iops_sec",
            "write_iops_sec": "iotune.write_iops_sec", "total_iops_sec": "iotune.total_iops_sec",
        },
        {k: do.note for k in ("path", "size", "sparse", "pool", "vol", "backing_store", "backing_format", "perms", "clearxml",
                           "readonly", "shareable", "source.file", "source.dev", "source.dir", "source.pool", "source.volume")},
        device=True,
    ),
    "network": Option(
        "interface", "kvasir.devices.interface:Interface", ("type",), {
            "model": "model.type", "mtu": "mtu.size", "link_state": "link.state", "target": "target.dev",
            "portgroup": "source.portgroup", "source_mode": "source.mode", "source_type": "source.type",
            "source_path": "source.path", "boot_order": "boot.order", "filterref": "filterref.filter",
            "rom_file": "rom.file", "rom_bar": "rom.bar", "driver_name": "driver.name", "driver_queues": "driver.queues",
            "virtualport_type": "virtualport.type",
            "virtualport_managerid": "virtualport.parameters.managerid",
            "virtualport_typeid": "virtualport.parameters.typeid",
            "virtualport_typeidversion": "virtualport.parameters.typeidversion",
            "virtualport_instanceid": "virtualport.parameters.instanceid",
            "virtualport_profileid": "virtualport.parameters.profileid",
            "virtualport_interfaceid": "virtualport.parameters.interfaceid",
        },
        {"type": do.network_type, "network": do.network_source("network", "network"),
         "bridge": do.network_source("bridge", "bridge"), "source": do.network_plain_source, "mac": do.mac, "mac.address": do.mac},
        device=True,
    ),
    "graphics": Option(
        "graphics", "kvasir.devices.graphics:Graphics", ("type",), {
            "tlsport": "tlsPort", "password": "passwd", "passwordvalidto": "passwdValidTo",
            "image_compression": "image.compression", "streaming_mode": "streaming.mode",
            "clipboard_copypaste": "clipboard.copypaste", "mouse_mode": "mouse.mode",
            "filetransfer_enable": "filetransfer.enable", "zlib_compression": "zlib.compression", "gl": "gl.enable",
            "rendernode": "gl.rendernode",
        },
        {"listen": do.listen, "keymap": lambda n, k, v, d: None if v in ("local", "none") else n.set("keymap", v or "")},
        device=True,
    ),
    "controller": Option(
        "controller", "kvasir.devices.controller:Controller", ("type",), {"master": "master.startport"},
        {"type": do.controller_type}, device=True,
    ),
    "input": Option("input", "kvasir.devices.input:Input", ("type",), device=True),
    "serial": _char("serial"),
    "parallel": _char("parallel"),
    "channel": _char("channel"),
    "console": _char("console"),
    "video": Option(
        "video", "kvasir.devices.video:Video", ("model.type",), {
            "model": "model.type", "vgamem": "model.vgamem", "ram": "model.ram", "vram": "model.vram",
            "heads": "model.heads", "accel3d": "model.acceleration.accel3d",
        }, device=True,
    ),
    "sound": Option(
        "sound", "kvasir.devices.sound:Sound", ("model",), {},
        {"model": lambda n, k, v, d: None if v == "default" else n.set("model", v or "")}, device=True,
    ),
    "audio": Option("audio", "kvasir.devices.audio:Audio", device=True),
    "watchdog": Option("watchdog", "kvasir.devices.watchdog:Watchdog", ("model",), device=True),
    "memballoon": Option("memballoon", "kvasir.devices.memballoon:Memballoon", ("model",), device=True),
    "rng": Option(
        "rng", "kvasir.devices.rng:Rng", ("backend.model",), {"rate_bytes": "rate.bytes", "rate_period": "rate.period"},
        {"backend.model": do.rng_model, "type": do.rng_model, "device": do.put("backend")}, device=True,
    ),
    "tpm": Option(
        "tpm", "kvasir.devices.tpm:Tpm", ("type",), {"path": "backend.device.path", "version": "backend.version"},
        {"type": do.tpm_type}, device=True,
    ),
    "panic": Option("panic", "kvasir.devices.panic:Panic", ("model",), {"iobase": "address.iobase"}, device=True),
    "vsock": Option(
        "vsock", "kvasir.devices.vsock:Vsock", ("model",), {"auto_cid": "cid.auto", "cid": "cid.address"}, device=True,
    ),
    "iommu": Option("iommu", "kvasir.devices.iommu:Iommu", ("model",), device=True),
    "shmem": Option("shmem", "kvasir.devices.shmem:Shmem", ("name",), {"role": "role"}, device=True),
    "smartcard": Option("smartcard", "kvasir.devices.smartcard:Smartcard", ("mode",), device=True),
    "redirdev": Option(
        "redirdev", "kvasir.devices.redirdev:Redirdev", ("bus",), {}, {"server": do.char_host}, device=True,
    ),
    "memdev": Option("memory", "kvasir.devices.memory:Memory", ("model",), {"access": "access"}, device=True),
    "filesystem": Option(
        "filesystem", "kvasir.devices.filesystem:Filesystem", ("source", "target"),
        {"mode": "accessmode", "target": "target.dir"}, {"source": do.filesystem_source}, device=True,
    ),
    "hostdev": Option(
        "hostdev", "kvasir.devices.hostdev:Hostdev", ("name",), {"rom_bar": "rom.bar", "driver_name": "driver.name"},
        {"name": do.hostdev}, device=True,
    ),
    "memory": Option(
        "", "kvasir.model.domain:Domain", ("memory",), {},
        {k: do.sizes for k in ("memory", "currentMemory", "maxmemory", "hotplugmemorymax", "maxMemory")}
        | {"hotplugmemoryslots": do.slots, "maxMemory.slots": do.slots},
    ),
    "vcpus": Option(
        "", "kvasir.model.domain:Domain", ("vcpu",), {"placement": "vcpu.placement", "cpuset": "vcpu.cpuset"},
        {k: do.note for k in ("vcpu", "vcpus", "maxvcpus", "vcpu.current", "sockets", "dies", "cores", "threads", "check_cpu")},
    ),
    "cpu": Option(
        "cpu", "kvasir.model.domain:Domain", ("model",),
        {"sockets": "topology.sockets", "cores": "topology.cores", "threads": "topology.threads", "dies": "topology.dies",
         "vendor": "vendor"},
        {"model": do.cpu_model, "secure": do.note, **dict.fromkeys(("force", "require", "optional", "disable", "forbid"), do.cpu_policy)},
        patterns=((r"[+-].", do.feature_prefix),), prefix="cpu.", strip="cpu/",
    ),
    "metadata": Option(
        "", "kvasir.model.domain:Domain", (), {},
        {k: do.put(k) for k in ("name", "title", "uuid", "description", "genid")} | {"os_name": do.note, "os_full_id": do.note},
    ),
    "boot": Option(
        "os", "kvasir.model.domain:Domain", (), {
            "menu": "bootmenu.enable", "useserial": "bios.useserial", "rebootTimeout": "bios.rebootTimeout",
            "kernel_args": "cmdline", "extra_args": "cmdline", "loader_ro": "loader.readonly", "loader_type": "loader.type",
            "loader_secure": "loader.secure", "nvram_template": "nvram.template", "smbios_mode": "smbios.mode",
            "machine": "type.machine", "arch": "type.arch", "os_type": "type", "bootmenu.timeout": "bootmenu.timeout",
        },
        {**dict.fromkeys(BOOT_DEVICES, do.boot_device), "uefi": do.boot_uefi, "emulator": lambda n, k, v, d: tree.put(d, "devices/emulator", v),
         "domain_type": lambda n, k, v, d: d.set("type", v or "")},
        patterns=((r"boot\d*\.dev", lambda n, k, v, d: do.boot_device(n, k, v, d)),), prefix="os.", strip="os/",
    ),
    "features": Option(
        "features", "kvasir.model.domain:Domain", (), {
            "eoi": "apic.eoi", "pmu": "pmu.state", "vmport": "vmport.state", "kvm_hidden": "kvm.hidden.state",
            "gic_version": "gic.version", "smm": "smm.state", "vmcoreinfo": "vmcoreinfo.state",
            "hyperv_reset": "hyperv.reset.state", "hyperv_vapic": "hyperv.vapic.state",
            "hyperv_relaxed": "hyperv.relaxed.state", "hyperv_spinlocks": "hyperv.spinlocks.state",
            "hyperv_spinlocks_retries": "hyperv.spinlocks.retries", "hyperv_synic": "hyperv.synic.state",
        }, prefix="features.", strip="features/",
    ),
    "clock": Option(
        "clock", "kvasir.model.domain:Domain", (), {}, {},
        patterns=((r"[a-z]+_(present|tickpolicy)$", do.timer),), prefix="clock.", strip="clock/",
    ),
    "pm": Option(
        "pm", "kvasir.model.domain:Domain", (),
        {"suspend_to_mem": "suspend-to-mem.enabled", "suspend_to_disk": "suspend-to-disk.enabled"}, prefix="pm.", strip="pm/",
    ),
    "events": Option("", "kvasir.model.domain:Domain", (), {k: k for k in ("on_poweroff", "on_reboot", "on_crash", "on_lockfailure")}),
    "resource": Option("resource", "kvasir.model.domain:Domain", ("partition",), prefix="resource.", strip="resource/"),
    "numatune": Option(
        "numatune", "kvasir.model.domain:Domain", ("memory.nodeset",), {"nodeset": "memory.nodeset", "mode": "memory.mode"},
        prefix="numatune.", strip="numatune/",
    ),
    "memtune": Option("memtune", "kvasir.model.domain:Domain", ("soft_limit",), prefix="memtune.", strip="memtune/"),
    "blkiotune": Option("blkiotune", "kvasir.model.domain:Domain", ("weight",), prefix="blkiotune.", strip="blkiotune/"),
    "memorybacking": Option(
        "memoryBacking", "kvasir.model.domain:Domain", (), {"access_mode": "access.mode", "source_type": "source.type"},
        prefix="memoryBacking.", strip="memoryBacking/",
    ),
    "cputune": Option("cputune", "kvasir.model.domain:Domain", (), prefix="cputune.", strip="cputune/"),
    "iothreads": Option("", "kvasir.model.domain:Domain", ("iothreads",)),
    "sysinfo": Option("sysinfo", "kvasir.model.domain:Domain", ("type",), prefix="sysinfo*.", strip="sysinfo*/",
                      patterns=((r"(bios|system|baseBoard\d*|chassis)[._]\w+$", do.sysinfo),)),
    "seclabel": Option("seclabel", "kvasir.model.domain:Domain", ("type",), prefix="seclabel*.", strip="seclabel*/"),
    "keywrap": Option("keywrap", "kvasir.model.domain:Domain", (), prefix="keywrap.", strip="keywrap/"),
    "launchSecurity": Option(
        "launchSecurity", "kvasir.model.domain:Domain", ("type",), prefix="launchSecurity.", strip="launchSecurity/",
    ),
    "idmap": Option(
        "idmap", "kvasir.model.domain:Domain", (),
        {f"{k}_{w}": f"{k}.{w}" for k in ("uid", "gid") for w in ("start", "target", "count")}, prefix="idmap.", strip="idmap/",
    ),
    "qemu_commandline": Option("do.qemu", patterns=((r".*", do.qemu),)),
}  # fmt: skip
