"""Tuning of processors and host cells: shares and bandwidth, NUMA placement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import STRING_OKAY, Change, controller, privileged
from kvasir.calls.flags import check_flags, check_params
from kvasir.calls.guests import CONFIG, LIVE, guest, one
from kvasir.errors import InvalidArg, OperationInvalid, Origin
from kvasir.events import Tunable
from kvasir.host import cgroup_tune
from kvasir.model.tune import Cputune, NumaMemory, Numatune
from kvasir.qemu import cgroups, machines
from kvasir.rpc.typed import Int, LLong, ULLong
from kvasir.xml.types import CPUSET

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.host.cgroup import Group
    from kvasir.qemu.guest import Guest

KINDS = ("vcpu", "emulator", "global", "iothread")
NAMES: dict[str, type] = {"cpu_shares": ULLong} | {
    f"{kind}_{what}": ULLong if what == "period" else LLong for kind in KINDS for what in ("period", "quota")
}
RANGES = {"period": (1000, 1000000), "quota": (1000, 17592186044415)}
FIELDS = {"cpu_shares": "shares", "vcpu_period": "period", "vcpu_quota": "quota"}
MODES = ("strict", "preferred", "interleave", "restrictive")


def domain_get_scheduler_type(session: Session, dom: Any) -> tuple[str, int]:
    """``posix``, and how many parameters it has."""
    found = guest(session, dom)
    privileged(found, "CPU")
    if found.active:
        controller(found, "cpu", "CPU")
    return "posix", len(NAMES)


def domain_get_scheduler_parameters(session: Session, dom: Any, nparams: int) -> list[tuple[str, Any]]:
    """Shares, periods and quotas of the guest in its present state."""
    return domain_get_scheduler_parameters_flags(session, dom, nparams, 0)


def domain_get_scheduler_parameters_flags(
    session: Session, dom: Any, nparams: int, flags: int
) -> list[tuple[str, Any]]:
    """Shares, periods and quotas (microseconds): of the running guest's groups, or of the definition."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetSchedulerParametersFlags")
    found = guest(session, dom)
    privileged(found, "CPU")
    domain, is_live = one(found, flags & ~STRING_OKAY)
    if is_live:
        values = _of_groups(found, controller(found, "cpu", "CPU"))
    else:
        values = {name: getattr(domain.cputune, FIELDS.get(name, name), None) or 0 for name in NAMES}
    return [(name, kind(values[name])) for name, kind in NAMES.items()][:nparams]


def _of_groups(found: Guest, group: Group) -> dict[str, int]:
    values = dict.fromkeys(NAMES, 0) | {"cpu_shares": cgroup_tune.shares(group)}
    run = found.need_active()
    threads = {
        "vcpu": next((f"vcpu{number}" for number in sorted(run.vcpus)), ""),
        "emulator": "emulator",
        "global": ".",
    }
    numbers = sorted(row.id for row in found.live.iothreadids) or list(range(1, (found.live.iothreads or 0) + 1))
    if numbers:
        threads["iothread"] = f"iothread{numbers[0]}"
    for kind, name in threads.items():
        part = group if name == "." else group.child(name)
        if name and (name == "." or part.exists_for("cpu")):
            values[f"{kind}_period"], values[f"{kind}_quota"] = cgroup_tune.bandwidth(part)
    return values


async def domain_set_scheduler_parameters(session: Session, dom: Any, params: Any) -> None:
    """Change shares, periods and quotas of the guest in its present state."""
    await domain_set_scheduler_parameters_flags(session, dom, params, 0)


async def domain_set_scheduler_parameters_flags(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Change shares, periods and quotas; 0 leaves a running guest's as it is."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetSchedulerParametersFlags")
    check_params(params, NAMES.items())
    wanted = dict(params)
    found = guest(session, dom)
    privileged(found, "CPU")
    told: list[tuple[str, Any]] = []
    async with Change(found, flags) as change:
        group = controller(found, "cpu", "CPU") if change.live is not None else None
        try:
            for name, value in wanted.items():
                _check_range(name, value)
                if group is not None and (value or name == "cpu_shares"):
                    shown = _tell(found, group, name, value)
                    if name == "cpu_shares":
                        await machines.keep(found, group, "cpu", value)
                    _note(change.live, name, shown)
                    told.append((f"cputune.{name}", NAMES[name](shown)))
                if change.config is not None:
                    _note(change.config, name, value)
        finally:
            if told:
                found.driver.bus.publish(Tunable(found, told))


def _check_range(name: str, value: int) -> None:
    if name == "cpu_shares":
        return
    least, most = RANGES[name.rpartition("_")[2]]
    if 0 < value < least or value > most:
        raise InvalidArg(f"value of '{name}' is out of range [{least}, {most}]")


def _note(domain: Any, name: str, value: int) -> None:
    domain.cputune = domain.cputune or Cputune()
    setattr(domain.cputune, FIELDS.get(name, name), int(value) if value or name == "cpu_shares" else None)


def _tell(found: Guest, group: Group, name: str, value: int) -> int:
    """Set it in the guest's groups; the value that the kernel made of it."""
    if name == "cpu_shares":
        cgroup_tune.set_shares(group, value)
        return cgroup_tune.shares(group)
    kind, _, what = name.partition("_")
    period, quota = (value, None) if what == "period" else (None, value)
    if kind == "global":
        cgroup_tune.set_bandwidth(group, period, quota)
        return value
    run = found.need_active()
    if kind == "vcpu":
        names = [f"vcpu{number}" for number in sorted(run.vcpus)]
    elif kind == "iothread":
        names = [f"iothread{row.id}" for row in found.live.iothreadids] or [
            f"iothread{number}" for number in range(1, (found.live.iothreads or 0) + 1)
        ]
    else:
        names = ["emulator"]
    for one_name in names:
        part = cgroups.thread_group(found, one_name)
        if part is not None and part.exists:
            cgroup_tune.set_bandwidth(part, period, quota)
    return value


# -- host cells


def domain_get_numa_parameters(
    session: Session, dom: Any, nparams: int, flags: int
) -> tuple[list[tuple[str, Any]], int]:
    """Mode and host cells of the guest's memory."""
    check_flags(flags, LIVE | CONFIG | STRING_OKAY, "qemuDomainGetNumaParameters")
    found = guest(session, dom)
    privileged(found, "NUMA")
    domain, _ = one(found, flags & ~STRING_OKAY)
    if not nparams:
        return [], 2
    memory = domain.numatune.memory if domain.numatune is not None else None
    mode = MODES.index(memory.mode or "strict") if memory is not None else 0
    nodes = CPUSET.write(memory.nodeset) if memory is not None and memory.nodeset else ""
    rows: list[tuple[str, Any]] = [("numa_mode", Int(mode)), ("numa_nodeset", nodes)]
    return rows[:nparams], min(nparams, 2)


async def domain_set_numa_parameters(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Change mode (not of a running guest) and host cells."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetNumaParameters")
    check_params(params, [("numa_mode", Int), ("numa_nodeset", str)])
    wanted = dict(params)
    found = guest(session, dom)
    privileged(found, "NUMA")
    mode, nodes = wanted.get("numa_mode"), None
    if mode is not None and not 0 <= mode < len(MODES):
        raise InvalidArg(f"unsupported numatune mode: '{mode}'")
    if "numa_nodeset" in wanted:
        nodes = _cells(wanted["numa_nodeset"])
    async with Change(found, flags) as change:
        if change.live is not None:
            group = controller(found, "cpuset")
            _set_cells_live(found, group, change.live, mode, nodes)
        for domain in change.domains:
            domain.numatune = domain.numatune or Numatune()
            memory = domain.numatune.memory = domain.numatune.memory or NumaMemory(mode="strict")
            if mode is not None:
                memory.mode = MODES[mode]
            if nodes is not None:
                memory.nodeset = nodes
                if memory.placement == "auto":
                    memory.placement = None


def _cells(text: str) -> frozenset[int]:
    try:
        found: frozenset[int] = CPUSET.read(text)
    except ValueError:
        raise InvalidArg(f"Failed to parse bitmap '{text}'", origin=Origin.NONE) from None
    if not found:
        raise OperationInvalid(f"Invalid nodeset of 'numatune': {text}")
    return found


def _set_cells_live(found: Guest, group: Group, domain: Any, mode: int | None, nodes: frozenset[int] | None) -> None:
    memory = domain.numatune.memory if domain.numatune is not None else None
    if mode is not None and memory is not None and MODES[mode] != (memory.mode or "strict"):
        raise OperationInvalid("can't change numatune mode for running domain")
    if nodes is None:
        return
    if memory is not None and memory.mode not in (None, "strict", "restrictive"):
        raise OperationInvalid("change of nodeset for running domain requires strict numa mode")
    if memory is not None and memory.mode in (None, "strict") and memory.nodeset and memory.nodeset != nodes:
        raise OperationInvalid("can't change nodeset for strict mode for running domain")
    run = found.need_active()
    names = ["emulator", *(f"vcpu{number}" for number in sorted(run.vcpus))]
    names += [f"iothread{row.id}" for row in domain.iothreadids]
    for name in names:
        part = group.child(name)
        if part.exists_for("cpuset"):
            cgroup_tune.set_nodes(part, nodes)
