"""What libvirt fills into the root of a document when it is defined (its "post parse")."""

from __future__ import annotations

import re
import uuid as _uuid
from collections.abc import Container
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin, XmlError

from . import sysinfo
from .clock import Clock
from .cpu import Cpu, Sibling
from .os import BootDevice
from .sysinfo import Iothread, Vcpu
from .tune import IothreadSched, NumaMemory, Numatune, VcpuSched

_NUMBER = re.compile(r"\s*[+-]?\d+")
LOADER = ("readonly", "secure", "type", "stateless", "path")


def fill_root(domain: Any, vm: Any) -> None:
    """Fill everything of the root element but devices. ``vm.caps`` resolves machine names and default CPUs."""
    if domain.type not in ("qemu", "kvm"):
        raise ConfigUnsupported(f"Emulator '{domain.emulator}' does not support virt type '{domain.type}'")
    sysinfo.fill(domain)
    domain.uuid = domain.uuid or str(_uuid.uuid4())
    _system(domain, vm)
    _vcpus(domain)
    _cpu(domain, vm)
    _pages(domain)
    _memory(domain)
    _iothreads(domain)
    _numatune(domain)
    _clock(domain)
    if domain.genid_wanted and domain.genid is None:
        domain.genid = str(_uuid.uuid4())
    domain.on_poweroff = domain.on_poweroff or "destroy"
    domain.on_reboot = domain.on_reboot or "restart"
    domain.on_crash = domain.on_crash or "destroy"
    _seclabels(domain)
    _cputune(domain)
    _drop_empty(domain)
    features = domain.features
    if features is not None:
        if features.hyperv is not None:
            features.hyperv.mode = features.hyperv.mode or "custom"
        for name in ("smm", "vmcoreinfo", "hap"):
            if getattr(features, name) and getattr(features, f"{name}_state") is None:
                setattr(features, f"{name}_state", True)


def _system(domain: Any, vm: Any) -> None:
    os = domain.os
    if not os.type and not domain.bootloader:
        raise XmlError("an os <type> must be specified")
    os.type = os.type or "hvm"
    os.features.sort(key=lambda feature: feature.name)
    os.arch = os.arch or "x86_64"
    os.machine = vm.resolve_machine(os.machine)
    devices_order = any(getattr(d, "boot", None) for d in domain.all_devices())
    if not os.boots and not devices_order:
        os.boots = [BootDevice(dev="hd")]
    if os.loader is not None and os.firmware is not None and all(getattr(os.loader, name) is None for name in LOADER):
        os.loader = None
    if os.loader is not None and os.loader.path and os.loader.type is None:
        os.loader.type = "rom"


def _vcpus(domain: Any) -> None:
    if domain.vcpu is None:
        domain.vcpu = 1
    if domain.vcpu == 0:
        raise InternalError("CPU IDs in <numa> exceed the <vcpu> count", origin=Origin.DOMAIN)
    if domain.vcpus:
        _vcpu_states(domain)
    if domain.vcpu_current is not None and domain.vcpu_current > domain.vcpu:
        raise ConfigUnsupported("maximum vCPU count must not be less than current vCPU count", origin=Origin.DOMAIN)
    if domain.vcpu_current == domain.vcpu:
        domain.vcpu_current = None
    if domain.vcpu_placement == "auto":
        domain.vcpu_cpuset = None
    if domain.vcpu_placement is None:
        tuned = domain.numatune.memory if domain.numatune is not None else None
        follows = tuned is not None and tuned.placement == "auto" and domain.vcpu_cpuset is None
        domain.vcpu_placement = "auto" if follows else "static"


def _vcpu_states(domain: Any) -> None:
    """States of vCPUs decide how many run; those that are not said are off."""
    said = {state.id: state for state in domain.vcpus}
    beyond = next((number for number in said if number is not None and number >= domain.vcpu), None)
    if beyond is not None:
        raise XmlError(f"vcpu id '{beyond}' is out of range of maximum vcpu count")
    off = [Vcpu(id=number, enabled=False, hotpluggable=True) for number in range(domain.vcpu)]
    domain.vcpus = [said.get(state.id, state) for state in off]
    for state in domain.vcpus:
        if state.hotpluggable is None:
            state.hotpluggable = not state.enabled
        if not state.enabled and not state.hotpluggable:
            text = f"vcpu '{state.id}' is both offline and not hotpluggable"
            raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    orders = [state.order for state in domain.vcpus if state.enabled]
    if None in orders and any(orders):
        raise ConfigUnsupported("all vcpus must have either set or unset order", origin=Origin.DOMAIN)
    domain.vcpu_current = sum(1 for state in domain.vcpus if state.enabled)


def _cpu(domain: Any, vm: Any) -> None:
    cpu = domain.cpu
    if cpu is None:
        cpu = domain.cpu = Cpu()
    if cpu.features and not cpu.model and cpu.mode in (None, "custom"):
        raise XmlError("Non-empty feature list specified without CPU model", origin=Origin.CPU)
    seen: set[str] = set()
    for feature in cpu.features:
        if feature.name in seen:
            raise XmlError(f"CPU feature '{feature.name}' specified more than once", origin=Origin.CPU)
        seen.add(feature.name)
        feature.policy = feature.policy or "require"
    if cpu.mode in ("host-passthrough", "maximum"):
        cpu.check = cpu.check or "none"
        if cpu.migratable is None and cpu.mode == "host-passthrough":
            cpu.migratable = True if vm.is_x86 or vm.caps.has("cpu.migratable") else None
    elif cpu.mode == "host-model":
        cpu.check = cpu.check or "partial"
        if cpu.model is None:
            cpu.fallback = cpu.vendor_id = None
        else:
            cpu.fallback = cpu.fallback or "allow"
    else:
        _custom_cpu(cpu, domain, vm)
    if cpu.topology is not None and cpu.topology.dies is None:
        cpu.topology.dies = 1
    _cells(domain, cpu)


def _custom_cpu(cpu: Cpu, domain: Any, vm: Any) -> None:
    cpu.mode = "custom"
    given = cpu.model is not None
    if not given:
        cpu.model = vm.default_cpu()
        if cpu.model is None:
            domain.cpu = None if cpu == Cpu(mode="custom") else cpu
            cpu.mode = None
            return
        cpu.fallback = "forbid"
    cpu.match = cpu.match or "exact"
    cpu.fallback = cpu.fallback or "allow"
    if cpu.check is None:
        cpu.check = "partial" if domain.type == "kvm" and given else "none"


def _cells(domain: Any, cpu: Cpu) -> None:
    if not cpu.cells:
        return
    for number, cell in enumerate(cpu.cells):
        if cell.id is None:
            cell.id = number
    cpu.cells.sort(key=lambda c: c.id or 0)
    _check_cells(domain, cpu)
    domain.memory = sum(cell.memory or 0 for cell in cpu.cells)
    if any(cell.distances for cell in cpu.cells):
        _distances(cpu)


def _check_cells(domain: Any, cpu: Cpu) -> None:
    if [cell.id for cell in cpu.cells] != list(range(len(cpu.cells))):
        raise XmlError(
            "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not starting from 0 "
            "are not allowed"
        )
    for number, cell in enumerate(cpu.cells):
        for other in range(number):
            if (cell.cpus or frozenset()) & (cpu.cells[other].cpus or frozenset()):
                text = f"NUMA cells {number} and {other} have overlapping vCPU ids"
                raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    placed = [number for cell in cpu.cells for number in cell.cpus or ()]
    if len(placed) < domain.vcpu:
        elsewhere = {number for cell in cpu.cells[1:] for number in cell.cpus or ()}
        cpu.cells[0].cpus = (cpu.cells[0].cpus or frozenset()) | (frozenset(range(domain.vcpu)) - elsewhere)
    if len(placed) > domain.vcpu:
        raise InternalError("Number of CPUs in <numa> exceeds the <vcpu> count", origin=Origin.DOMAIN)
    if placed and max(placed) >= domain.vcpu:
        raise InternalError("CPU IDs in <numa> exceed the <vcpu> count", origin=Origin.DOMAIN)


def _distances(cpu: Cpu) -> None:
    """Fill the table of distances: 10 to itself, what the other direction says, 20 otherwise."""
    table = {(c.id, s.id): s.value for c in cpu.cells for s in c.distances}
    for cell in cpu.cells:
        wanted = {}
        for other in cpu.cells:
            value = table.get((cell.id, other.id), table.get((other.id, cell.id)))
            if value is not None:
                wanted[other.id] = value
        if wanted and cell.id not in wanted:
            wanted[cell.id] = 10
        cell.distances = [Sibling(id=i, value=v) for i, v in sorted(wanted.items())]


def _pages(domain: Any) -> None:
    """Without guest cells, pages of cell 0 are those of the whole guest."""
    for page in domain.memory_backing.pages if domain.memory_backing is not None else ():
        if page.nodeset == {0} and not domain.cpu_cells():
            page.nodeset = None


def _memory(domain: Any) -> None:
    plugged = sum(m.size or 0 for m in domain.memories)
    cells = domain.cpu is not None and domain.cpu.cells
    if not domain.memory or (domain.memory == plugged and not cells):
        raise XmlError(
            "Memory size must be specified via <memory> or in the <numa> configuration", origin=Origin.DOMAIN
        )
    if domain.cpu is not None and domain.cpu.cells:
        total = sum(cell.memory or 0 for cell in domain.cpu.cells) + plugged
    elif plugged > domain.memory:
        raise XmlError("Total size of memory devices exceeds the total memory size", origin=Origin.DOMAIN)
    else:
        total = domain.memory
    domain.memory = total
    if not domain.current_memory or domain.current_memory > total:
        domain.current_memory = total


def _iothreads(domain: Any) -> None:
    if domain.iothreadids:
        domain.iothreads = max(domain.iothreads or 0, len(domain.iothreadids))
        used = {t.id for t in domain.iothreadids}
        number = 1
        while len(domain.iothreadids) < domain.iothreads:
            while number in used:
                number += 1
            used.add(number)
            domain.iothreadids.append(Iothread(id=number))
    elif domain.iothreads == 0:
        domain.iothreads = None


def _static(domain: Any) -> bool:
    return bool(domain.vcpu_placement == "static")


def _numatune(domain: Any) -> None:
    if domain.vcpu_placement == "auto" and (domain.numatune is None or domain.numatune.memory is None):
        domain.numatune = domain.numatune or Numatune()
        domain.numatune.memory = NumaMemory(mode="strict", placement="auto")
    memory = domain.numatune.memory if domain.numatune is not None else None
    if memory is not None:
        memory.mode = memory.mode or "strict"
        if not memory.nodeset and (memory.placement == "static" or (memory.placement is None and _static(domain))):
            text = "nodeset for NUMA memory tuning must be set if 'placement' is 'static'"
            raise ConfigUnsupported(text, origin=Origin.DOMAIN)
        if memory.placement == "auto":
            memory.nodeset = None
        elif memory.nodeset is not None or memory.placement == "static":
            memory.placement = None
        elif memory.placement is None and domain.vcpu_placement == "auto":
            memory.placement = "auto"
    if domain.numatune is not None:
        if memory is not None and memory.placement == "auto" and domain.numatune.memnodes:
            text = "Per-node binding is not compatible with automatic NUMA placement."
            raise ConfigUnsupported(text, origin=Origin.DOMAIN)
        for node in domain.numatune.memnodes:
            node.mode = node.mode or "strict"
            if memory is not None and memory.mode == "restrictive" and node.mode != "restrictive":
                raise XmlError(
                    "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
                )


def _clock(domain: Any) -> None:
    clock = domain.clock
    if clock is None:
        domain.clock = Clock(offset="utc")
        return
    clock.offset = clock.offset or "utc"
    if clock.offset == "timezone" and not clock.timezone:
        raise InternalError("missing 'timezone' attribute for clock with offset='timezone'", origin=Origin.DOMAIN)
    if clock.offset == "variable":
        clock.adjustment = clock.adjustment or "0"
        clock.basis = clock.basis or "utc"
    elif clock.offset in ("utc", "localtime") and clock.adjustment not in (None, "reset"):
        if not _NUMBER.fullmatch(clock.adjustment):
            raise XmlError(f"unknown clock adjustment '{clock.adjustment}'")
        clock.basis, clock.offset = clock.offset, "variable"


def _cputune(domain: Any) -> None:
    """Schedulers are kept for each vCPU and I/O thread on its own."""
    tune = domain.cputune
    if tune is None:
        return
    for kind in ("", "global_", "emulator_", "iothread_"):
        for name in ("period", "quota"):
            if getattr(tune, f"{kind}{name}") == 0:
                setattr(tune, f"{kind}{name}", None)
    tune.vcpupins = [pin for pin in tune.vcpupins if pin.vcpu < domain.vcpu]
    pinned: set[int] = set()
    for pin in tune.vcpupins:
        if pin.vcpu in pinned:
            raise InternalError(f"duplicate vcpupin for vcpu '{pin.vcpu}'", origin=Origin.DOMAIN)
        pinned.add(pin.vcpu)
    threads = {thread.id for thread in domain.iothreadids} or set(range(1, (domain.iothreads or 0) + 1))
    no_thread = "Cannot find 'iothread' : {}"
    _there([pin.iothread for pin in tune.iothreadpins], threads, no_thread)
    _scheds("vcpusched", "vcpus", tune.vcpuscheds, range(domain.vcpu), "vCPU '{}' is not present in domain definition")
    _scheds("iothreadsched", "iothreads", tune.iothreadscheds, threads, no_thread)
    tune.vcpuscheds = [
        VcpuSched(vcpus=frozenset({n}), scheduler=s.scheduler, priority=s.priority)
        for s in tune.vcpuscheds
        for n in sorted(s.vcpus or ())
    ]
    tune.iothreadscheds = [
        IothreadSched(iothreads=frozenset({n}), scheduler=s.scheduler, priority=s.priority)
        for s in tune.iothreadscheds
        for n in sorted(s.iothreads or ())
    ]


def _there(numbers: list[int], known: Container[int], words: str) -> None:
    absent = next((number for number in numbers if number not in known), None)
    if absent is not None:
        raise ConfigUnsupported(words.format(absent), origin=Origin.DOMAIN)


def _scheds(tag: str, name: str, rows: list[Any], known: Container[int], words: str) -> None:
    """Each thread that is there has one scheduler."""
    seen: set[int] = set()
    for row in rows:
        numbers = getattr(row, name) or frozenset()
        if seen & numbers:
            text = f"'{tag}' attributes '{name}' must not overlap"
            raise Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
        seen |= numbers
        _there(sorted(numbers), known, words)


def _drop_empty(domain: Any) -> None:
    for name in ("blkiotune", "memtune", "cputune", "numatune"):
        value = getattr(domain, name)
        if value is not None and value == type(value)():
            setattr(domain, name, None)
    if domain.os.type == "hvm":
        os = domain.os
        os.init, os.initargs, os.initenvs = None, [], []
        os.initdir = os.inituser = os.initgroup = None


def _seclabels(domain: Any) -> None:
    """A label without a type says nothing: libvirt does not keep it."""
    domain.seclabels = [label for label in domain.seclabels if label.type is not None]
    models = [label.model for label in domain.seclabels if label.model]
    for model in models:
        if models.count(model) > 1:
            text = f"seclabel for model {model} is already provided"
            raise Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
    for label in domain.seclabels:
        if label.type == "dynamic" and label.relabel is False:
            raise ConfigUnsupported("dynamic label type must use resource relabeling", origin=Origin.DOMAIN)
        if label.type == "static" and not label.label:
            raise XmlError("security label is missing")
        if label.type == "none":
            if label.relabel:
                text = "resource relabeling is not compatible with 'none' label type"
                raise ConfigUnsupported(text, origin=Origin.DOMAIN)
            label.relabel = None
            label.model = label.model or "none"
        elif label.relabel is None:
            label.relabel = label.type == "dynamic"
        if label.type == "dynamic" and not label.baselabel:
            label.label = None
        if label.type != "dynamic":
            label.baselabel = None
