"""Whether one definition can take the place of another under a running guest: the machine that it sees must be the same.

For saved files, snapshots and migrations. Names, titles, host paths and back ends may differ; what the guest's hardware is may not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin

Get = Callable[[Any], Any]


def check(source: Any, target: Any) -> None:
    """Raises ConfigUnsupported with the first difference, in libvirt's words."""
    for problem in _differences(source, target):
        raise ConfigUnsupported(problem, origin=Origin.DOMAIN)


ROOT: tuple[tuple[str, Get], ...] = (
    ("Target domain virt type {1} does not match source {0}", lambda d: d.type),
    ("Target domain uuid {1} does not match source {0}", lambda d: d.uuid),
    ("Target domain name '{1}' does not match source '{0}'", lambda d: d.name),
    ("Target domain max memory {1} does not match source {0}", lambda d: d.memory),
    ("Target domain memory slots count '{1}' doesn't match source '{0}'", lambda d: d.max_memory_slots or 0),
    ("Target maximum memory size '{1}' doesn't match source '{0}'", lambda d: d.max_memory or 0),
    ("Target domain vCPU max {1} does not match source {0}", lambda d: d.vcpu),
    ("Target domain vCPU count {1} does not match source {0}", lambda d: d.vcpu_current or d.vcpu),
    ("Target domain iothreads count {1} does not match source {0}", lambda d: d.iothreads or 0),
    ("Target domain OS type {1} does not match source {0}", lambda d: d.os.type),
    ("Target domain architecture {1} does not match source {0}", lambda d: d.os.arch),
    ("Target domain machine type {1} does not match source {0}", lambda d: d.os.machine),
)
FEATURES = ("acpi", "apic", "pae", "hap", "viridian", "privnet", "pvspinlock", "pmu", "vmport", "smm", "vmcoreinfo")
CPU: tuple[tuple[str, Get], ...] = (
    ("Target CPU mode {1} does not match source {0}", lambda c: c.mode or "custom"),
    ("Target CPU model {1} does not match source {0}", lambda c: c.model),
    ("Target CPU vendor {1} does not match source {0}", lambda c: c.vendor),
)

DEVICES: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("disks", "disk", (
        ("device", "Target disk device {1} does not match source {0}"),
        ("bus", "Target disk bus {1} does not match source {0}"),
        ("target", "Target disk {1} does not match source {0}"),
        ("serial", "Target disk serial {1} does not match source {0}"),
        ("wwn", "Target disk wwn '{1}' does not match source '{0}'"),
        ("readonly", "Target disk access mode does not match source"),
    )),
    ("controllers", "controller", (
        ("type", "Target controller type {1} does not match source {0}"),
        ("index", "Target controller index {1} does not match source {0}"),
        ("model", "Target controller model {1} does not match source {0}"),
    )),
    ("filesystems", "filesystem", (("target", "Target filesystem guest target {1} does not match source {0}"),)),
    ("interfaces", "net card", (
        ("mac", "Target network card mac {1} does not match source {0}"),
        ("model", "Target network card model {1} does not match source {0}"),
    )),
    ("inputs", "input device", (
        ("type", "Target input device type {1} does not match source {0}"),
        ("bus", "Target input device bus {1} does not match source {0}"),
    )),
    ("sounds", "sound card", (("model", "Target sound card model {1} does not match source {0}"),)),
    ("videos", "video card", (
        ("type", "Target video card model {1} does not match source {0}"),
        ("vram", "Target video card vram {1} does not match source {0}"),
        ("heads", "Target video card heads {1} does not match source {0}"),
    )),
    ("hostdevs", "host device", (("mode", "Target host device mode {1} does not match source {0}"),)),
    ("smartcards", "smartcard", ()),
    ("parallels", "parallel port", ()),
    ("serials", "serial port", (
        ("target_type", "Target serial type {1} does not match source {0}"),
        ("port", "Target serial port {1} does not match source {0}"),
    )),
    ("channels", "channel", (
        ("target_type", "Target channel type {1} does not match source {0}"),
        ("name", "Target channel name {1} does not match source {0}"),
    )),
    ("consoles", "console", (("target_type", "Target console type {1} does not match source {0}"),)),
    ("watchdogs", "watchdog", (("model", "Target watchdog model {1} does not match source {0}"),)),
    ("memballoons", "memballoon", (("model", "Target balloon model {1} does not match source {0}"),)),
    ("rngs", "RNG device", (("model", "Target RNG model '{1}' does not match source '{0}'"),)),
    ("tpms", "TPM device", (("model", "Target TPM device model doesn't match source"),)),
    ("shmems", "shared memory device", (
        ("name", "Target shared memory name '{1}' does not match source '{0}'"),
        ("size", "Target shared memory size '{1}' does not match source '{0}'"),
    )),
    ("memories", "memory device", (
        ("size", "Target memory device size '{1}' doesn't match source memory device size '{0}'"),
    )),
    ("panics", "panic device", (("model", "Target panic model '{1}' does not match source '{0}'"),)),
    ("vsocks", "vsock device", (("model", "Target domain vsock device model '{1}' does not match source '{0}'"),)),
)  # fmt: skip


def _word(value: Any) -> Any:
    return "(null)" if value is None else value


def _compare(rows: tuple[tuple[str, Get], ...], source: Any, target: Any) -> Iterator[str]:
    for text, get in rows:
        mine, theirs = get(source), get(target)
        if mine != theirs:
            yield text.format(_word(mine), _word(theirs))


def _differences(source: Any, target: Any) -> Iterator[str]:
    yield from _compare(ROOT, source, target)
    yield from _features(source.features, target.features)
    if (source.cpu is None) != (target.cpu is None):
        yield "Target domain CPU does not match source"
    if source.cpu is not None and target.cpu is not None:
        yield from _compare(CPU, source.cpu, target.cpu)
        mine, theirs = ({f.name: f.policy for f in cpu.features} for cpu in (source.cpu, target.cpu))
        if mine != theirs:
            yield f"Target CPU feature count {len(theirs)} does not match source {len(mine)}"
    for name, words, fields in DEVICES:
        yield from _devices(name, words, fields, source, target)


def _features(source: Any, target: Any) -> Iterator[str]:
    def state(features: Any, name: str) -> str:
        value = getattr(features, f"{name}_state", None) if features is not None else None
        if value is None:
            value = bool(getattr(features, name, False)) if features is not None else False
            return "on" if value else "default"
        return "on" if value else "off"

    for name in FEATURES:
        mine, theirs = state(source, name), state(target, name)
        if mine != theirs:
            yield f"State of feature '{name}' differs: source: '{mine}', destination: '{theirs}'"


def _devices(name: str, words: str, fields: tuple[tuple[str, str], ...], source: Any, target: Any) -> Iterator[str]:
    mine, theirs = list(getattr(source, name)), list(getattr(target, name))
    if len(mine) != len(theirs):
        yield f"Target domain {words} count {len(theirs)} does not match source {len(mine)}"
    for one, other in zip(mine, theirs, strict=False):
        rows = tuple((text, lambda device, field=field: getattr(device, field, None)) for field, text in fields)
        yield from _compare(rows, one, other)
        yield from _address(one.address, other.address)


def _address(source: Any, target: Any) -> Iterator[str]:
    mine, theirs = (getattr(address, "type", None) or "none" for address in (source, target))
    if mine != theirs:
        yield f"Target device address type {theirs} does not match source {mine}"
    elif mine == "pci":
        texts = [f"{a.domain or 0:04x}:{a.bus or 0:02x}:{a.slot or 0:02x}.{a.function or 0}" for a in (source, target)]
        if texts[0] != texts[1]:
            yield f"Target device PCI address {texts[1]}does not match source {texts[0]}"
    elif source is not None and source != target:
        yield f"Target device {mine} address does not match source"


__all__ = ["check"]
