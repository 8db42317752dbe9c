"""The ``domcapabilities`` document: what a guest of one emulator, architecture, machine type and accelerator may have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache

from kvasir.cpu import x86, x86_tables
from kvasir.host import kvm

from . import firmware
from .capabilities import Accel, Capabilities, Machine
from .capabilities_xml import has_iommu

POWER = ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10")
COMPARED = ("aarch64", "armv7l", "armv6l", "ppc64", "ppc64le", "s390x")
"""Architectures beside x86 whose CPU models libvirt knows how to compare."""
VIRTIO = ("virtio", "virtio-transitional", "virtio-non-transitional")


def _enum(name: str, values: Iterable[str]) -> list[str]:
    found = list(values)
    if not found:
        return [f"<enum name='{name}'/>"]
    return [f"<enum name='{name}'>", *(f"  <value>{value}</value>" for value in found), "</enum>"]


def _block(tag: str, supported: bool, *enums: Sequence[str]) -> list[str]:
    if not supported:
        return [f"<{tag} supported='no'/>"]
    body = [f"  {line}" for enum in enums for line in enum]
    if not body:
        return [f"<{tag} supported='yes'/>"]
    return [f"<{tag} supported='yes'>", *body, f"</{tag}>"]


def _indent(lines: Iterable[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def render(caps: Capabilities, arch: str, machine: Machine, virt_type: str) -> str:
    """The whole document."""
    most = machine.max_cpus
    if virt_type == "kvm":
        most = min(most, kvm.max_cpus() or most)
    lines = ["<domainCapabilities>"]
    head = (("path", caps.binary), ("domain", virt_type), ("machine", machine.name), ("arch", arch))
    lines += [f"  <{tag}>{value}</{tag}>" for tag, value in head]
    lines.append(f"  <vcpu max='{most}'/>")
    lines += _indent(_block("iothreads", caps.has("iothread")))
    lines += _indent(_os(caps, arch, machine))
    lines += _indent(_cpu(caps, arch, virt_type))
    sources = ["file", "anonymous", *(["memfd"] if caps.has("memory-backend-memfd") else [])]
    lines += _indent(_block("memoryBacking", True, _enum("sourceType", sources)))
    lines += ["  <devices>", *_indent(_devices(caps, machine, virt_type), 4), "  </devices>"]
    lines += _indent(_features(caps, arch, machine))
    lines += ["</domainCapabilities>", ""]
    return "\n".join(lines)


def _os(caps: Capabilities, arch: str, machine: Machine) -> list[str]:
    found = firmware.supported(arch, machine.name, firmware.descriptors())
    loader = [f"<value>{image}</value>" for image in found.images]
    secure = ["yes", "no"] if found.secure else ["no"]
    body = [
        *_enum("firmware", [word for word in ("bios", "efi") if word in found.interfaces]),
        *_block(
            "loader",
            True,
            loader,
            _enum("type", ["rom", "pflash"]),
            _enum("readonly", ["yes", "no"]),
            _enum("secure", secure),
        ),
    ]
    return ["<os supported='yes'>", *_indent(body), "</os>"]


def host_model(caps: Capabilities, virt_type: str) -> x86.Decoded | None:
    """What ``<cpu mode='host-model'>`` means with this emulator on this host."""
    accel = caps.accel(virt_type)
    if not accel.host:
        return None
    return x86.decode(x86.from_qemu(accel.host), {cpu.name: cpu.blockers for cpu in accel.cpus})


def _cpu(caps: Capabilities, arch: str, virt_type: str) -> list[str]:
    accel = caps.accel(virt_type)
    native = virt_type == "kvm"
    switch = ["on", "off"] if caps.has("cpu.migratable") else ["off"]
    lines = _mode("host-passthrough", native, _enum("hostPassthroughMigratable", switch))
    lines += _mode("maximum", caps.has("cpu-max"), _enum("maximumMigratable", ["on", "off"]))
    best = host_model(caps, virt_type)
    if best:
        body = [f"<model fallback='forbid'>{best.model}</model>"]
        if best.vendor:
            body.append(f"<vendor>{best.vendor}</vendor>")
        body += [f"<feature policy='require' name='{name}'/>" for name in best.require]
        body += [f"<feature policy='disable' name='{name}'/>" for name in best.disable]
        lines += _mode("host-model", True, body)
    else:
        lines += _mode("host-model", False, [])
    models = list(_models(accel)) if arch in ("x86_64", "i686") else list(_other_models(accel, arch))
    lines += _mode("custom", bool(models), models)
    return ["<cpu>", *_indent(lines), "</cpu>"]


def _mode(name: str, supported: bool, body: Sequence[str]) -> list[str]:
    if not supported or not body:
        return [f"<mode name='{name}' supported='{'yes' if supported else 'no'}'/>"]
    return [f"<mode name='{name}' supported='yes'>", *_indent(body), "</mode>"]


def _models(accel: Accel) -> Iterable[str]:
    known = x86_tables.models()
    for cpu in accel.cpus:
        model = known.get(cpu.name)
        if model is None:
            continue
        usable = {None: "unknown", True: "yes", False: "no"}[cpu.usable]
        old = " deprecated='yes'" if cpu.deprecated else ""
        yield f"<model usable='{usable}'{old} vendor='{model.vendor or 'unknown'}'>{cpu.name}</model>"


def _other_models(accel: Accel, arch: str) -> Iterable[str]:
    """Models of other architectures: those that QEMU names, on POWER those that libvirt knows."""
    if arch not in COMPARED:
        return
    power = arch in ("ppc64", "ppc64le")
    for cpu in accel.cpus:
        name = cpu.name.upper() if power else cpu.name
        if power and name not in POWER:
            continue
        usable = {None: "unknown", True: "yes", False: "no"}[cpu.usable]
        old = " deprecated='yes'" if cpu.deprecated else ""
        yield f"<model usable='{usable}'{old} vendor='{'IBM' if power else 'unknown'}'>{name}</model>"


def _devices(caps: Capabilities, machine: Machine, virt_type: str) -> list[str]:
    has = caps.has
    i440fx = machine.name.startswith(("pc-i440fx", "pc-0.", "pc-1.", "rhel"))
    floppy = not machine.name.startswith("pseries")
    usb = has("usb-storage")
    virtio = VIRTIO if has("virtio-pci-non-transitional") else VIRTIO[:1]
    devices = ["disk", "cdrom", *(["floppy"] if floppy else []), "lun"]
    buses = [*(["ide"] if i440fx else []), *(["fdc"] if floppy else []), "scsi", "virtio", *(["usb"] if usb else [])]
    buses += ["sata"] if has("ich9-ahci") else []
    screens = [("sdl", "sdl"), ("vnc", "vnc"), ("spice", "spice"), ("egl-headless", "egl-headless")]
    screens += [("dbus", "display-dbus")]
    cards = [
        ("vga", "VGA"),
        ("cirrus", "cirrus-vga"),
        ("vmvga", "vmware-svga"),
        ("qxl", "qxl"),
        ("virtio", "virtio-gpu"),
    ]
    video = [name for name, word in cards if has(word)] + ["none"]
    video += [name for name, word in (("bochs", "bochs-display"), ("ramfb", "ramfb")) if has(word)]
    backends = [("random", "rng-random"), ("egd", "rng-egd"), ("builtin", "rng-builtin")]
    vfio = os.path.exists("/dev/vfio/vfio") and has_iommu() and has("vfio-pci")
    lines = _block("disk", True, _enum("diskDevice", devices), _enum("bus", buses), _enum("model", virtio))
    lines += _block("graphics", True, _enum("type", [name for name, word in screens if has(word)]))
    lines += _block("video", True, _enum("modelType", video))
    lines += _block(
        "hostdev",
        True,
        _enum("mode", ["subsystem"]),
        _enum("startupPolicy", ["default", "mandatory", "requisite", "optional"]),
        _enum("subsysType", [*(["usb"] if usb else []), "pci", "scsi"]),
        _enum("capsType", []),
        _enum("pciBackend", ["default", "vfio"] if vfio else []),
    )
    lines += _block(
        "rng",
        has("virtio-rng"),
        _enum("model", virtio),
        _enum("backendModel", [name for name, word in backends if has(word)]),
    )
    drivers = ["path", "handle", *(["virtiofs"] if has("vhost-user-fs") else [])]
    lines += _block("filesystem", True, _enum("driverType", drivers))
    lines += _tpm(caps)
    lines += _block("redirdev", has("usb-redir"), _enum("bus", ["usb"]))
    lines += _block("channel", True, _enum("type", ["pty", "unix", *(["spicevmc"] if has("spice") else [])]))
    return lines


@lru_cache(maxsize=4)
def _swtpm(path: str, changed: float) -> tuple[str, ...]:
    """The versions of TPM that the emulator offers."""
    try:
        done = subprocess.run([path, "socket", "--print-capabilities"], capture_output=True, timeout=5, check=False)
        words = json.loads(done.stdout)["features"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return ()
    return tuple(word for word in ("1.2", "2.0") if f"tpm-{word}" in words)


def _tpm(caps: Capabilities) -> list[str]:
    models = [word for word in ("tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy") if caps.has(word)]
    backends = ["passthrough"] if caps.has("tpm-passthrough") else []
    versions: tuple[str, ...] = ()
    path = shutil.which("swtpm")
    if caps.has("tpm-emulator"):
        if path:
            versions = _swtpm(path, os.stat(path).st_mtime)
            backends.append("emulator")
        backends.append("external")
    enums = (_enum("model", models), _enum("backendModel", backends), _enum("backendVersion", versions))
    return _block("tpm", bool(models and backends), *enums)


HYPERV = {
    "relaxed": "hv-relaxed",
    "vapic": "hv-vapic",
    "spinlocks": "",
    "vpindex": "hv-vpindex",
    "runtime": "hv-runtime",
    "synic": "hv-synic",
    "stimer": "hv-stimer",
    "reset": "hv-reset",
    "vendor_id": "",
    "frequencies": "hv-frequencies",
    "reenlightenment": "hv-reenlightenment",
    "tlbflush": "hv-tlbflush",
    "ipi": "hv-ipi",
    "evmcs": "hv-evmcs",
    "avic": "hv-avic",
}


def _gic(caps: Capabilities, machine: Machine) -> list[str]:
    """The interrupt controllers that QEMU emulates on the ARM board for guests."""
    virt = caps.arch in ("aarch64", "armv7l") and machine.name.startswith("virt-")
    return _block("gic", virt and "query-gic-capabilities" in caps.commands, _enum("version", ["2", "3"]))


def _features(caps: Capabilities, arch: str, machine: Machine) -> list[str]:
    offered = caps.accels["kvm"].hyperv if "kvm" in caps.accels else None
    lines = ["<features>", *_indent(_gic(caps, machine))]
    answers = (
        ("vmcoreinfo", caps.has("vmcoreinfo")),
        ("genid", caps.has("vmgenid")),
        ("backingStoreInput", True),
        ("backup", caps.has("incremental-backup")),
        *([("s390-pv", False)] if arch == "s390x" else []),
        ("sev", False),
        ("sgx", False),
    )
    lines += [f"  <{tag} supported='{'yes' if answer else 'no'}'/>" for tag, answer in answers]
    if offered is not None:
        words = [name for name, prop in HYPERV.items() if not prop or prop in offered]
        lines += _indent(_block("hyperv", True, _enum("features", words)))
    elif caps.arch in ("x86_64", "i686"):
        lines.append("  <hyperv supported='no'/>")
    return [*lines, "</features>"]
