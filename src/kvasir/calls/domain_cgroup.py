"""Tuning by control groups: memory limits, block I/O, and what the processors spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import STRING_OKAY, Change, controller, privileged
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.calls.limits import DEVICE, device_rows
from kvasir.errors import InvalidArg
from kvasir.host import cgroup_tune
from kvasir.host.cgroup_tune import UNLIMITED
from kvasir.model.tune import BlkioDevice, Blkiotune, Memtune
from kvasir.qemu import machines
from kvasir.rpc.typed import UInt, ULLong

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.host.cgroup import Group

MEMORY = ("hard_limit", "soft_limit", "swap_hard_limit")


# -- memory


def domain_get_memory_parameters(
    session: Session, dom: Any, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Memory limits in KiB: those of the running guest's group, or of the definition."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetMemoryParameters")
    found = guest(session, dom)
    privileged(found, "Memory")
    domain, is_live = one(found, flags & ~STRING_OKAY)
    if not nparams:
        return [], len(MEMORY)
    group = controller(found, "memory") if is_live else None
    rows = [
        (
            name,
            ULLong(cgroup_tune.memory_limit(group, name) if group else _limit(domain.memtune, name)),
        )
        for name in MEMORY
    ]
    return rows[:nparams], min(nparams, len(MEMORY))


async def domain_set_memory_parameters(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Change memory limits (KiB; 9007199254740991 and more: none)."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetMemoryParameters")
    check_params(params, [(name, ULLong) for name in MEMORY])
    wanted = dict(params)
    found = guest(session, dom)
    privileged(found, "Memory")
    async with Change(found, flags) as change:
        group = controller(found, "memory") if change.live is not None else None
        known = found.current.memtune
        limits = {name: wanted.get(name, _limit(known, name)) for name in MEMORY}
        if limits["hard_limit"] > limits["swap_hard_limit"] and wanted.keys() & {"hard_limit", "swap_hard_limit"}:
            raise InvalidArg("memory hard_limit tunable value must be lower than or equal to swap_hard_limit")
        if group is not None:
            for name in _in_order(wanted, _limit(known, "hard_limit")):
                cgroup_tune.set_memory_limit(group, name, wanted[name])
        for domain in change.domains:
            domain.memtune = domain.memtune or Memtune()
            for name, value in wanted.items():
                setattr(domain.memtune, name, int(value))


def _limit(tune: Memtune | None, name: str) -> int:
    """A limit of a definition in KiB; UNLIMITED where it says none."""
    value = getattr(tune, name, None)
    return UNLIMITED if value is None else int(value)


def _in_order(wanted: dict[str, Any], hard: int) -> list[str]:
    """So that the hard limit is at no moment above that of memory with swap."""
    order = ["soft_limit", "swap_hard_limit", "hard_limit"]
    if wanted.get("hard_limit", hard) < hard:
        order = ["soft_limit", "hard_limit", "swap_hard_limit"]
    return [name for name in order if name in wanted]


# -- block I/O


def domain_get_blkio_parameters(
    session: Session, dom: Any, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Weight among guests, and weights and limits by device (``/dev/a,1,/dev/b,2``)."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetBlkioParameters")
    found = guest(session, dom)
    privileged(found, "Block I/O")
    count = 1 + len(DEVICE)
    if not nparams:
        one(found, flags & ~STRING_OKAY)
        return [], count
    domain, is_live = one(found, flags & ~STRING_OKAY)
    tune = domain.blkiotune
    if is_live:
        weight = cgroup_tune.io_weight(controller(found, "blkio"))
    else:
        weight = tune.weight or 0 if tune is not None else 0
    rows: list[tuple[str, Any]] = [("weight", UInt(weight))]
    for name in DEVICE:
        devices = tune.devices if tune is not None else []
        text = ",".join(f"{dev.path},{getattr(dev, name)}" for dev in devices if getattr(dev, name))
        rows.append((f"device_{name}", text))
    return rows[:nparams], min(nparams, count)


async def domain_set_blkio_parameters(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Change the weight, and the weights and limits by device; 0 takes a limit away."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetBlkioParameters")
    check_params(params, [("weight", UInt), *((f"device_{name}", str) for name in DEVICE)])
    wanted = dict(params)
    found = guest(session, dom)
    privileged(found, "Block I/O")
    async with Change(found, flags) as change:
        group = controller(found, "blkio") if change.live is not None else None
        for name, value in wanted.items():
            if name == "weight":
                if group is not None:
                    cgroup_tune.set_io_weight(group, value)
                    await machines.keep(found, group, "blkio", value)
                    value = cgroup_tune.io_weight(group)
                for domain in change.domains:
                    domain.blkiotune = domain.blkiotune or Blkiotune()
                    domain.blkiotune.weight = int(value) if domain is change.live else int(wanted["weight"])
            else:
                _set_devices(change, group, name, value)


def _set_devices(change: Change, group: Group | None, parameter: str, text: str) -> None:
    field = parameter.removeprefix("device_")
    rows = device_rows(parameter, field, text)
    if group is not None:
        for path, value in rows:
            if field == "weight":
                cgroup_tune.set_device_weight(group, path, value)
            else:
                cgroup_tune.set_throttle(group, path, field, value)
    for domain in change.domains:
        tune = domain.blkiotune = domain.blkiotune or Blkiotune()
        for path, value in rows:
            device = next((row for row in tune.devices if row.path == path), None)
            if device is None:
                device = BlkioDevice(path=path)
                tune.devices.append(device)
            setattr(device, field, value or None)
        tune.devices = [row for row in tune.devices if any(getattr(row, name) for name in DEVICE)]
        if not tune.devices and not tune.weight:
            domain.blkiotune = None


# -- processor time


def domain_get_cpu_stats(
    session: Session, dom: Any, nparams: int, start_cpu: int, ncpus: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Processor time: of all host CPUs together (``start_cpu`` -1), or of each."""
    check_flags(flags, STRING_OKAY, "qemuDomainGetCPUStats")
    found = guest(session, dom)
    found.need_active()
    group = controller(found, "cpuacct", "CPUACCT")
    if start_cpu == -1:
        if not nparams:
            return [], 3
        names = ("cpu_time", "user_time", "system_time")
        rows = [(name, ULLong(value)) for name, value in zip(names, cgroup_tune.cpu_times(group), strict=True)]
        return rows[:nparams], min(nparams, 3)
    spent = cgroup_tune.per_cpu(group)
    if not nparams:
        return [], 2 if ncpus else len(spent)
    if start_cpu >= len(spent):
        raise InvalidArg(f"start_cpu {start_cpu} larger than maximum of {len(spent) - 1}")
    by_guest = [0] * len(spent)
    for number in found.need_active().vcpus:
        for cpu, value in enumerate(cgroup_tune.per_cpu(group.child(f"vcpu{number}"))):
            by_guest[cpu] += value
    rows = []
    for cpu in range(start_cpu, min(start_cpu + ncpus, len(spent))):
        rows += [("cpu_time", ULLong(spent[cpu])), ("vcpu_time", ULLong(by_guest[cpu]))][:nparams]
    return rows, min(nparams, 2)
