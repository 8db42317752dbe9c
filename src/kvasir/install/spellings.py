"""The options of ``virt-install``: which element each fills, and the spellings that are not the XML path.

One entry an option. ``first`` are the sub-options that a word without ``=`` means, in order; ``old`` maps an older
spelling to the path; ``special`` are sub-options with a behaviour of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import tree

Handler = Callable[[tree.Node, str, str | None, tree.Node], None]


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


def _on(value: str | None) -> bool:
    return value is None or value.lower() in ("yes", "on", "true", "1", "y")


def note(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Remember a word for the installer; such attributes are taken off before the document is used."""
    node.set(f"_{key.replace('.', '_')}", value if value is not None else "yes")


def _put(path: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        tree.put(node, path, value)

    return handler


def _feature_prefix(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    sign, name = key[0], key[1:]
    _cpu_feature(node, "force" if sign == "+" else "disable", name)


def _cpu_feature(node: tree.Node, policy: str, name: str) -> None:
    if node.find("model") is not None and node.get("mode") is None:
        node.set("mode", "custom")
    tree.ET.SubElement(node, "feature", {"policy": policy, "name": name})


def _cpu_policy(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    _cpu_feature(node, key, value or "")


def _cpu_model(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("host", "host-passthrough", "host-model", "maximum"):
        node.set("mode", "host-passthrough" if value == "host" else value)
        return
    if value in ("none", "hv-default", "clear", "default"):
        node.set("_special", value)
        return
    node.set("mode", "custom")
    node.set("match", node.get("match") or "exact")
    tree.put(node, "model", value)


def _boot_device(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    os = tree.find(domain, "os", make=True)
    assert os is not None
    for word in (value or key).split(","):
        tree.ET.SubElement(os, "boot", {"dev": word})


def _boot_uefi(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if _on(value):
        node.set("firmware", "efi")


def _network_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "default":
        node.set("type", "network")
        tree.put(node, "source/@network", "default")
    elif value:
        node.set("type", value)


def _network_source(kind: str, attribute: str) -> Handler:
    def handler(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
        node.set("type", kind)
        tree.put(node, f"source/@{attribute}", value)

    return handler


def _network_plain_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name = {"network": "network", "bridge": "bridge", "direct": "dev"}.get(node.get("type") or "", "dev")
    tree.put(node, f"source/@{name}", value)


def _mac(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value and value.upper() != "RANDOM":
        tree.put(node, "mac/@address", value)


def _listen(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("none", "socket"):
        tree.ET.SubElement(node, "listen", {"type": value})
    elif value:
        node.set("listen", {"any": "0.0.0.0", "localhost": "127.0.0.1", "localhostv6": "::1"}.get(value, value))


def _rng_model(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value and value.startswith("/"):
        tree.put(node, "backend/@model", "random")
        tree.put(node, "backend", value)
    else:
        tree.put(node, "backend/@model", value)


def _tpm_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value == "default":
        return
    if value and value.startswith("/"):
        tree.put(node, "backend/@type", "passthrough")
        tree.put(node, "backend/device/@path", value)
    else:
        tree.put(node, "backend/@type", value)


def _hostdev(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    from .hostdev import fill

    fill(node, value or "")


def _controller_type(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    if value in ("usb2", "usb3"):
        node.set("type", "usb")
        node.set("model", {"usb2": "ich9-ehci1", "usb3": "qemu-xhci"}[value])
        if value == "usb2":
            devices = tree.find(domain, "devices")
            assert devices is not None
            for i, port in enumerate((0, 2, 4), 1):
                more = tree.ET.SubElement(devices, "controller", {"type": "usb", "model": f"ich9-uhci{i}"})
                tree.put(more, "master/@startport", str(port))
        else:
            node.set("ports", "15")
    elif value:
        node.set("type", value)


def _sizes(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """Memory in MiB as the option has it, in KiB as the document has it."""
    try:
        kib = str(int(float(value or "") * 1024))
    except ValueError:
        from .options import OptionError

        raise OptionError(f"Error: --memory {key}={value}: {key} must be a number of MiB") from None
    name = {"memory": "_memory", "currentMemory": "_currentMemory", "maxmemory": "_maxmemory"}.get(key)
    if name:
        domain.set(name, kib)
    elif key == "hotplugmemorymax":
        tree.put(domain, "maxMemory", kib)
    else:
        tree.put(domain, "maxMemory/@slots", value)


def _slots(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    tree.put(domain, "maxMemory/@slots", value)


def _timer(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    name, _, what = key.partition("_")
    found = next((t for t in node.findall("timer") if t.get("name") == name), None)
    timer = found if found is not None else tree.ET.SubElement(node, "timer", {"name": name})
    timer.set(what, ("yes" if _on(value) else "no") if what == "present" else value or "")


def _sysinfo(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    """``bios.vendor`` is ``<bios><entry name='vendor'>``; baseBoard may be numbered."""
    group, _, name = key.replace("_", ".", 1).partition(".")
    place = tree.find(node, group.rstrip("0123456789"), make=True)
    assert place is not None
    tree.ET.SubElement(place, "entry", {"name": name}).text = value or ""


def _filesystem_source(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    kind = node.get("type") or "mount"
    tree.put(
        node,
        f"source/@{ {'template': 'name', 'file': 'file', 'block': 'dev', 'ram': 'usage'}.get(kind, 'dir') }",
        value,
    )


def _qemu(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    import shlex

    node.tag = "{http://libvirt.org/schemas/domain/qemu/1.0}commandline"
    for word in shlex.split(key if value is None else f"{key}={value}"):
        tree.ET.SubElement(node, "{http://libvirt.org/schemas/domain/qemu/1.0}arg", {"value": word})


_CHAR_OLD = {"path": "source.path", "host": "source.host", "mode": "source.mode", "protocol": "protocol.type",
             "bind_host": "source.host", "bind_port": "source.service", "name": "target.name",
             "target_type": "target.type", "address.type": "target.address", "log.file": "log.file"}  # fmt: skip


def _char_host(node: tree.Node, key: str, value: str | None, domain: tree.Node) -> None:
    host, _, port = (value or "").rpartition(":") if ":" in (value or "") else (value or "", "", "")
    tree.put(node, "source/@host", host or "0.0.0.0")
    if port:
        tree.put(node, "source/@service", port)
    if node.find("source") is not None and tree.get(node, "source/@mode") is None:
        tree.put(node, "source/@mode", "connect")


def _char(tag: str) -> Option:
    return Option(
        tag,
        f"kvasir.devices.chardev:{tag.capitalize()}",
        ("type", "source.path"),
        _CHAR_OLD,
        {"host": _char_host},
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
        {k: note for k in ("path", "size", "sparse", "pool", "vol", "backing_store", "backing_format", "perms", "clearxml",
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
        {"type": _network_type, "network": _network_source("network", "network"),
         "bridge": _network_source("bridge", "bridge"), "source": _network_plain_source, "mac": _mac, "mac.address": _mac},
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
        {"listen": _listen, "keymap": lambda n, k, v, d: None if v in ("local", "none") else n.set("keymap", v or "")},
        device=True,
    ),
    "controller": Option(
        "controller", "kvasir.devices.controller:Controller", ("type",), {"master": "master.startport"},
        {"type": _controller_type}, device=True,
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
        {"backend.model": _rng_model, "type": _rng_model, "device": _put("backend")}, device=True,
    ),
    "tpm": Option(
        "tpm", "kvasir.devices.tpm:Tpm", ("type",), {"path": "backend.device.path", "version": "backend.version"},
        {"type": _tpm_type}, device=True,
    ),
    "panic": Option("panic", "kvasir.devices.panic:Panic", ("model",), {"iobase": "address.iobase"}, device=True),
    "vsock": Option(
        "vsock", "kvasir.devices.vsock:Vsock", ("model",), {"auto_cid": "cid.auto", "cid": "cid.address"}, device=True,
    ),
    "iommu": Option("iommu", "kvasir.devices.iommu:Iommu", ("model",), device=True),
    "shmem": Option("shmem", "kvasir.devices.shmem:Shmem", ("name",), {"role": "role"}, device=True),
    "smartcard": Option("smartcard", "kvasir.devices.smartcard:Smartcard", ("mode",), device=True),
    "redirdev": Option(
        "redirdev", "kvasir.devices.redirdev:Redirdev", ("bus",), {}, {"server": _char_host}, device=True,
    ),
    "memdev": Option("memory", "kvasir.devices.memory:Memory", ("model",), {"access": "access"}, device=True),
    "filesystem": Option(
        "filesystem", "kvasir.devices.filesystem:Filesystem", ("source", "target"),
        {"mode": "accessmode", "target": "target.dir"}, {"source": _filesystem_source}, device=True,
    ),
    "hostdev": Option(
        "hostdev", "kvasir.devices.hostdev:Hostdev", ("name",), {"rom_bar": "rom.bar", "driver_name": "driver.name"},
        {"name": _hostdev}, device=True,
    ),
    "memory": Option(
        "", "kvasir.model.domain:Domain", ("memory",), {},
        {k: _sizes for k in ("memory", "currentMemory", "maxmemory", "hotplugmemorymax", "maxMemory")}
        | {"hotplugmemoryslots": _slots, "maxMemory.slots": _slots},
    ),
    "vcpus": Option(
        "", "kvasir.model.domain:Domain", ("vcpu",), {"placement": "vcpu.placement", "cpuset": "vcpu.cpuset"},
        {k: note for k in ("vcpu", "vcpus", "maxvcpus", "vcpu.current", "sockets", "dies", "cores", "threads", "check_cpu")},
    ),
    "cpu": Option(
        "cpu", "kvasir.model.domain:Domain", ("model",),
        {"sockets": "topology.sockets", "cores": "topology.cores", "threads": "topology.threads", "dies": "topology.dies",
         "vendor": "vendor"},
        {"model": _cpu_model, "secure": note, **dict.fromkeys(("force", "require", "optional", "disable", "forbid"), _cpu_policy)},
        patterns=((r"[+-].", _feature_prefix),), prefix="cpu.", strip="cpu/",
    ),
    "metadata": Option(
        "", "kvasir.model.domain:Domain", (), {},
        {k: _put(k) for k in ("name", "title", "uuid", "description", "genid")} | {"os_name": note, "os_full_id": note},
    ),
    "boot": Option(
        "os", "kvasir.model.domain:Domain", (), {
            "menu": "bootmenu.enable", "useserial": "bios.useserial", "rebootTimeout": "bios.rebootTimeout",
            "kernel_args": "cmdline", "extra_args": "cmdline", "loader_ro": "loader.readonly", "loader_type": "loader.type",
            "loader_secure": "loader.secure", "nvram_template": "nvram.template", "smbios_mode": "smbios.mode",
            "machine": "type.machine", "arch": "type.arch", "os_type": "type", "bootmenu.timeout": "bootmenu.timeout",
        },
        {**dict.fromkeys(BOOT_DEVICES, _boot_device), "uefi": _boot_uefi, "emulator": lambda n, k, v, d: tree.put(d, "devices/emulator", v),
         "domain_type": lambda n, k, v, d: d.set("type", v or "")},
        patterns=((r"boot\d*\.dev", lambda n, k, v, d: _boot_device(n, k, v, d)),), prefix="os.", strip="os/",
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
        patterns=((r"[a-z]+_(present|tickpolicy)$", _timer),), prefix="clock.", strip="clock/",
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
                      patterns=((r"(bios|system|baseBoard\d*|chassis)[._]\w+$", _sysinfo),)),
    "seclabel": Option("seclabel", "kvasir.model.domain:Domain", ("type",), prefix="seclabel*.", strip="seclabel*/"),
    "keywrap": Option("keywrap", "kvasir.model.domain:Domain", (), prefix="keywrap.", strip="keywrap/"),
    "launchSecurity": Option(
        "launchSecurity", "kvasir.model.domain:Domain", ("type",), prefix="launchSecurity.", strip="launchSecurity/",
    ),
    "idmap": Option(
        "idmap", "kvasir.model.domain:Domain", (),
        {f"{k}_{w}": f"{k}.{w}" for k in ("uid", "gid") for w in ("start", "target", "count")}, prefix="idmap.", strip="idmap/",
    ),
    "qemu_commandline": Option("_qemu", patterns=((r".*", _qemu),)),
}  # fmt: skip
