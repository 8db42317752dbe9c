"""Limits and shares of the test driver's guests: kept in the documents, and held against nothing."""

from __future__ import annotations

from typing import Any

from kvasir.calls.domain_scheduler import MODES
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.limits import DEVICE, device_rows, limits, limits_merged
from kvasir.calls.limits import NAMES as CARD_NAMES
from kvasir.errors import Code, ConfigUnsupported, Error, InvalidArg, Origin
from kvasir.host.perf import NAMES as EVENTS
from kvasir.qemu import iotune
from kvasir.rpc.typed import Int, UInt, ULLong
from kvasir.testdriver.reach import CONFIG, LIVE, guest, one_definition
from kvasir.xml.types import CPUSET

UNLIMITED = 9007199254740991
MEMORY = ("hard_limit", "soft_limit", "swap_hard_limit")
STRINGS = 4
"""The flag by which a client says that it understands strings among the parameters."""


def _counted(found: list[Any], nparams: int) -> tuple[list[Any], int]:
    return ([], len(found)) if nparams == 0 else (found[:nparams], 0)


def _definition(session: Any, dom: Any, flags: int) -> Any:
    return one_definition(guest(session, dom), flags)


# --- scheduler


def domain_get_scheduler_type(session: Any, dom: Any) -> tuple[str, int]:
    """The same for every guest."""
    return "fair", 1


def domain_get_scheduler_parameters(session: Any, dom: Any, nparams: int) -> list[Any]:
    """The weight, which never changes."""
    guest(session, dom)
    return [("weight", UInt(50))][:nparams]


def domain_get_scheduler_parameters_flags(session: Any, dom: Any, nparams: int, flags: int) -> list[Any]:
    """Never: libvirt's own driver refuses a flag that its server always sets."""
    check_flags(flags | STRINGS, 0, "testDomainGetSchedulerParametersFlags", Origin.TEST)
    return domain_get_scheduler_parameters(session, dom, nparams)


def domain_set_scheduler_parameters(session: Any, dom: Any, params: list[Any]) -> None:
    """Looked at, and forgotten."""
    domain_set_scheduler_parameters_flags(session, dom, params, 0)


def domain_set_scheduler_parameters_flags(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Looked at, and forgotten."""
    check_flags(flags, 0, "testDomainSetSchedulerParametersFlags", Origin.TEST)
    check_params(params, [("weight", UInt)])
    guest(session, dom)


# --- memory


def domain_get_memory_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    """Limits in KiB."""
    if nparams == 0:
        return [], len(MEMORY)
    tune = _definition(session, dom, flags).memtune
    values = [getattr(tune, name, None) if tune is not None else None for name in MEMORY]
    return _counted([(n, ULLong(UNLIMITED if v is None else v)) for n, v in zip(MEMORY, values, strict=True)], nparams)


def domain_set_memory_parameters(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Change the limits; what is as high as can be is none."""
    from kvasir.model.tune import Memtune

    check_flags(flags, LIVE | CONFIG, "testDomainSetMemoryParameters", Origin.TEST)
    check_params(params, [(name, ULLong) for name in MEMORY])
    domain = _definition(session, dom, flags)
    wanted = {str(name): int(value) for name, value in params}

    def limit(name: str) -> int:
        known = getattr(domain.memtune, name, None)
        return wanted.get(name, UNLIMITED if known is None else known)

    if wanted.keys() & {"hard_limit", "swap_hard_limit"} and limit("hard_limit") > limit("swap_hard_limit"):
        text = "memory hard_limit tunable value must be lower than or equal to swap_hard_limit"
        raise InvalidArg(text, origin=Origin.TEST)
    domain.memtune = domain.memtune or Memtune()
    for name, value in wanted.items():
        setattr(domain.memtune, name, value if value < UNLIMITED else None)
    if domain.memtune == Memtune():
        domain.memtune = None


# --- block I/O


def domain_get_blkio_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    """The weight, and weights and limits by device."""
    if nparams == 0:
        return [], 1 + len(DEVICE)
    tune = _definition(session, dom, flags & ~STRINGS).blkiotune
    rows: list[Any] = [("weight", UInt(tune.weight or 0 if tune is not None else 0))]
    devices = tune.devices if tune is not None else []
    for name in DEVICE:
        text = ",".join(f"{one.path},{getattr(one, name)}" for one in devices if getattr(one, name))
        rows.append((f"device_{name}", text))
    return _counted(rows if flags & STRINGS else rows[:1], nparams)


def domain_set_blkio_parameters(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Change them, one after the other; a bad one leaves those before it."""
    from kvasir.model.tune import Blkiotune

    check_flags(flags, LIVE | CONFIG, "testDomainSetBlkioParameters", Origin.TEST)
    check_params(params, [("weight", UInt), *((f"device_{name}", str) for name in DEVICE)])
    domain = _definition(session, dom, flags)
    domain.blkiotune = domain.blkiotune or Blkiotune()
    try:
        for name, value in params:
            if name == "weight":
                domain.blkiotune.weight = int(value) or None
            elif value:
                _devices(domain.blkiotune, name, str(value))
    finally:
        if domain.blkiotune == Blkiotune():
            domain.blkiotune = None


def _devices(tune: Any, parameter: str, text: str) -> None:
    from kvasir.model.tune import BlkioDevice

    field = parameter.removeprefix("device_")
    for path, value in device_rows(parameter, field, text, Origin.DOMAIN):
        device = next((row for row in tune.devices if row.path == path), None)
        if device is None:
            tune.devices.append(device := BlkioDevice(path=path))
        setattr(device, field, value or None)
    tune.devices = [row for row in tune.devices if any(getattr(row, name) for name in DEVICE)]


def domain_get_block_io_tune(
    session: Any, dom: Any, disk: str | None, nparams: int, flags: int
) -> tuple[list[Any], int]:
    """Limits of a disk."""
    if nparams == 0:
        return [], len(iotune.NAMES)
    domain = _definition(session, dom, flags & ~STRINGS)
    found = _disk(domain, disk or "", f"disk '{disk}' was not found in the domain config")
    rows = iotune.rows(found.iotune)
    rows = rows[:nparams]  # a client that knows no strings loses the one among these
    return _counted(rows if flags & STRINGS else [row for row in rows if row[0] != "group_name"], nparams)


def _disk(domain: Any, name: str, problem: str) -> Any:
    for disk in domain.disks:
        if name and name in (disk.target, disk.location()):
            return disk
    raise InvalidArg(problem, origin=Origin.TEST)


def domain_set_block_io_tune(session: Any, dom: Any, disk: str, params: list[Any], flags: int) -> None:
    """Change the limits that are named; a limit may not stand above its peak."""
    from kvasir.devices.disk import Iotune

    check_flags(flags, LIVE | CONFIG, "testDomainSetBlockIoTune", Origin.TEST)
    check_params(params, iotune.KNOWN)
    domain = _definition(session, dom, flags)
    found = _disk(domain, disk, f"missing persistent configuration for disk '{disk}'")
    tune = found.iotune.copy() if found.iotune is not None else Iotune()
    for name, value in params:
        if name != "group_name" and value > iotune.MOST:
            text = f"block I/O throttle limit value must be no more than {iotune.MOST}"
            raise Error(
                text, code=Code.ARGUMENT_UNSUPPORTED, origin=Origin.TEST, message=f"argument unsupported: {text}"
            )
        setattr(tune, name, (str(value) if name == "group_name" else int(value)) or None)
    _agree(tune)
    found.iotune = tune if tune != Iotune() else None


def _agree(tune: Any) -> None:
    for tail in ("", "_max"):
        for kind in iotune.KINDS:
            total, *parts = (getattr(tune, f"{side}_{kind}{tail}") for side in iotune.SIDES)
            if total and any(parts):
                text = f"total and read/write of {kind}{tail} cannot be set at the same time"
                raise InvalidArg(text, origin=Origin.TEST)
    for kind in iotune.KINDS:
        for side in iotune.SIDES:
            name = f"{side}_{kind}"
            if (getattr(tune, name) or 0) > (getattr(tune, f"{name}_max") or 0):
                raise InvalidArg(f"{name} cannot be set higher than {name}_max ", origin=Origin.TEST)


# --- NUMA


def domain_get_numa_parameters(session: Any, dom: Any, nparams: int, flags: int) -> tuple[list[Any], int]:
    """Mode and host cells of the guest's memory."""
    if nparams == 0:
        return [], 2
    domain = _definition(session, dom, flags & ~STRINGS)
    memory = domain.numatune.memory if domain.numatune is not None else None
    mode = MODES.index(memory.mode or "strict") if memory is not None else 0
    rows: list[Any] = [("numa_mode", Int(mode))]
    if flags & STRINGS:
        nodes = CPUSET.write(memory.nodeset) if memory is not None and memory.nodeset else ""
        rows.append(("numa_nodeset", nodes))
    return _counted(rows, nparams)


def domain_set_numa_parameters(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Change them."""
    from kvasir.model.tune import NumaMemory, Numatune

    check_flags(flags, LIVE | CONFIG, "testDomainSetNumaParameters", Origin.TEST)
    check_params(params, [("numa_mode", Int), ("numa_nodeset", str)])
    wanted = dict(params)
    domain = _definition(session, dom, flags)
    mode = wanted.get("numa_mode")
    if mode is not None and not 0 <= mode < len(MODES):
        raise InvalidArg(f"unsupported numatune mode: '{mode}'", origin=Origin.TEST)
    nodes = _cells(str(wanted["numa_nodeset"])) if "numa_nodeset" in wanted else None
    known = domain.numatune.memory if domain.numatune is not None else None
    if nodes is None and (known is None or not known.nodeset):
        text = "nodeset for NUMA memory tuning must be set if 'placement' is 'static'"
        raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    domain.numatune = domain.numatune or Numatune()
    memory = domain.numatune.memory = known or NumaMemory(mode="strict")
    memory.mode = MODES[mode] if mode is not None else memory.mode
    memory.nodeset = nodes if nodes is not None else memory.nodeset


def _cells(text: str) -> frozenset[int]:
    try:
        found: frozenset[int] = CPUSET.read(text)
    except ValueError:
        found = frozenset()
    if not found:
        raise InvalidArg(f"Failed to parse bitmap '{text}'", origin=Origin.NONE)
    return found


# --- cards


def _card(domain: Any, device: str) -> Any:
    for card in domain.interfaces:
        if device in (card.target_dev, card.mac):
            return card
    raise InvalidArg(f"'{device}' is not a known interface", origin=Origin.DOMAIN)


def domain_get_interface_parameters(
    session: Any, dom: Any, device: str, nparams: int, flags: int
) -> tuple[list[Any], int]:
    """Limits of a card."""
    if nparams == 0:
        return [], len(CARD_NAMES)
    domain = _definition(session, dom, flags & ~STRINGS)
    return _counted(limits(_card(domain, device).bandwidth), nparams)


def domain_set_interface_parameters(session: Any, dom: Any, device: str, params: list[Any], flags: int) -> None:
    """Change the limits of a card."""
    check_flags(flags, LIVE | CONFIG, "testDomainSetInterfaceParameters", Origin.TEST)
    check_params(params, [(name, UInt) for name in CARD_NAMES])
    card = _card(_definition(session, dom, flags), device)
    card.bandwidth = limits_merged(card.bandwidth, {str(name): int(value) for name, value in params})


# --- performance events


def domain_get_perf_events(session: Any, dom: Any, flags: int) -> list[Any]:
    """Which events are counted."""
    domain = _definition(session, dom, flags & ~STRINGS)
    on = {event.name for event in domain.perf if event.enabled}
    return [(name, name in on) for name in EVENTS]


def domain_set_perf_events(session: Any, dom: Any, params: list[Any], flags: int) -> None:
    """Count them, or no longer."""
    from kvasir.model.sysinfo import PerfEvent

    check_flags(flags, LIVE | CONFIG, "testDomainSetPerfEvents", Origin.TEST)
    check_params(params, [(name, bool) for name in EVENTS])
    domain = _definition(session, dom, flags)
    rows = {event.name: event for event in domain.perf}
    rows.update({name: PerfEvent(name=name, enabled=on) for name, on in params})
    domain.perf = [rows[name] for name in EVENTS if name in rows]
