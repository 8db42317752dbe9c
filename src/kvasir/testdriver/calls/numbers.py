"""Figures of the test driver's guests; most grow with the clock."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from kvasir.calls.flags import check_flags
from kvasir.errors import InvalidArg, OperationInvalid, Origin
from kvasir.qemu.states import State
from kvasir.rpc.typed import Int, UInt, ULLong
from kvasir.testdriver.guest import Guest

AFFECT_LIVE = 1

HOST_CPUS = 8
PERF = (
    *("cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses", "branch_instructions"),
    *(
        "branch_misses",
        "bus_cycles",
        "stalled_cycles_frontend",
        "stalled_cycles_backend",
        "ref_cpu_cycles",
        "cpu_clock",
    ),
    *("task_clock", "page_faults", "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj"),
    *("alignment_faults", "emulation_faults"),
)
TOTALS = (("cpu_time", 48772617035), ("user_time", 5540000000), ("system_time", 6460000000))
EACH = (("cpu_time", 48772617035), ("vcpu_time", 46303481255))
TERABYTE = 1099511627776


class Vcpu(NamedTuple):
    """A processor as the wire has it."""

    number: int
    state: int
    cpu_time: int
    cpu: int


class DiskError(NamedTuple):
    """A disk's error as the wire has it."""

    disk: str
    error: int


class Record(NamedTuple):
    """Statistics of one guest as the wire has them."""

    dom: Any
    params: list[Any]


def _guest(session: Any, dom: Any) -> Guest:
    found: Guest = session.driver.lookup_uuid(dom.uuid, dom.name)
    return found


def domain_get_os_type(session: Any, dom: Any) -> str:
    return "linux"


def domain_get_info(session: Any, dom: Any) -> tuple[int, int, int, int, int]:
    domain = (one := _guest(session, dom)).now
    cpus = domain.vcpu_current or domain.vcpu or 1
    return int(one.state), domain.memory or 0, domain.current_memory or 0, cpus, time.time_ns() // 1000 * 1000


def domain_get_control_info(session: Any, dom: Any, flags: int) -> tuple[int, int, int]:
    _guest(session, dom).need_active()
    return 0, 0, 0


def domain_get_security_label(session: Any, dom: Any) -> tuple[str, int]:
    return ("libvirt-test\0", 1) if _guest(session, dom).active else ("\0", 0)


def domain_get_vcpus(session: Any, dom: Any, maxinfo: int, maplen: int) -> tuple[list[Vcpu], bytes]:
    """Each processor, and where it may run."""
    one = _guest(session, dom)
    if not one.active:
        raise OperationInvalid("cannot list vcpus for an inactive domain", origin=Origin.TEST)
    count = min(one.now.vcpu_current or one.now.vcpu or 1, maxinfo)
    used = time.time_ns() // 10000
    cards = [Vcpu(number, 1, used, 15) for number in range(count)]
    return cards, b"".join(_map(one.now, number, maplen) for number in range(count))


def _map(domain: Any, number: int, maplen: int) -> bytes:
    pins = {pin.vcpu: pin.cpuset for pin in domain.cputune.vcpupins} if domain.cputune is not None else {}
    cpus = pins.get(number, domain.vcpu_cpuset) or range(HOST_CPUS)
    value = sum(1 << cpu for cpu in cpus if cpu < HOST_CPUS)
    return value.to_bytes(max(maplen, 1), "little")[:maplen] if maplen else b""


def domain_get_vcpu_pin_info(session: Any, dom: Any, ncpumaps: int, maplen: int, flags: int) -> tuple[bytes, int]:
    one = _guest(session, dom)
    domain = one.now if not flags & 2 else one.config
    count = min(domain.vcpu or 1, ncpumaps)
    return b"".join(_map(domain, number, maplen) for number in range(count)), count


def domain_get_emulator_pin_info(session: Any, dom: Any, maplen: int, flags: int) -> tuple[bytes, int]:
    _guest(session, dom)
    return ((1 << HOST_CPUS) - 1).to_bytes(maplen, "little"), 1


def domain_block_stats(session: Any, dom: Any, path: str) -> tuple[int, ...]:
    """Grows with the clock."""
    one = _guest(session, dom)
    if not path:
        raise InvalidArg("summary statistics are not supported yet", origin=Origin.TEST)
    one.need_active()
    _disk(one, path)
    now = time.time_ns() // 1000
    return now // 10, now // 20, now // 30, now // 40, now // 1000000 // 2


def _disk(one: Guest, path: str, why: str = "invalid path: {}") -> Any:
    for disk in one.now.disks:
        if disk.target == path or (path and disk.location() == path):
            return disk
    raise InvalidArg(why.format(path), origin=Origin.TEST)


def domain_interface_stats(session: Any, dom: Any, device: str) -> tuple[int, ...]:
    one = _guest(session, dom)
    one.need_active()
    _card(one, device)
    now = time.time_ns() // 1000
    seconds = now // 1000000
    return now // 10, now // 100, seconds, seconds // 2, now // 20, now // 110, seconds // 3, seconds // 4


def _card(one: Guest, device: str) -> Any:
    for card in one.now.interfaces:
        if device in (card.target_dev, card.mac):
            return card
    raise InvalidArg(f"'{device}' is not a known interface", origin=Origin.DOMAIN)


def domain_get_interface_parameters(
    session: Any, dom: Any, device: str, nparams: int, flags: int
) -> tuple[list[Any], int]:
    one = _guest(session, dom)
    names = [f"{way}.{what}" for way in ("inbound", "outbound") for what in ("average", "peak", "burst")]
    names.insert(3, "inbound.floor")
    if nparams == 0:
        return [], len(names)
    if flags & AFFECT_LIVE:
        one.need_active()
    _card(one, device)
    return [(name, UInt(0)) for name in names][:nparams], 0


def domain_get_block_info(session: Any, dom: Any, path: str, flags: int) -> tuple[int, int, int]:
    """(allocation, capacity, physical) in bytes."""
    one = _guest(session, dom)
    disk = _disk(one, path, "invalid path {} not assigned to domain")
    if disk.location() is None:
        raise InvalidArg(f"disk '{path}' does not currently have a source assigned", origin=Origin.TEST)
    return TERABYTE, TERABYTE - 5177344, TERABYTE


def domain_get_disk_errors(session: Any, dom: Any, maxerrors: int, flags: int) -> tuple[list[DiskError], int]:
    """A different error for each disk in turn."""
    one = _guest(session, dom)
    one.need_active()
    if not maxerrors:
        return [], len(one.now.disks)
    found = [DiskError(str(disk.target), at % 2 + 1) for at, disk in enumerate(one.now.disks)][:maxerrors]
    return found, len(found)


def domain_memory_stats(session: Any, dom: Any, maxStats: int, flags: int) -> list[Any]:
    _guest(session, dom).need_active()
    return []


def domain_get_iothread_info(session: Any, dom: Any, flags: int) -> tuple[list[Any], int]:
    _guest(session, dom)
    return [], 0


def domain_get_perf_events(session: Any, dom: Any, flags: int) -> list[Any]:
    _guest(session, dom)
    return [(name, False) for name in PERF]


def domain_get_cpu_stats(
    session: Any, dom: Any, nparams: int, start_cpu: int, ncpus: int, flags: int
) -> tuple[list[Any], int]:
    """Of two processors."""
    _guest(session, dom).need_active()
    if start_cpu == -1:
        found: list[Any] = [(name, ULLong(value)) for name, value in TOTALS]
        return ([], len(found)) if nparams == 0 else (found[:nparams], min(nparams, len(found)))
    if nparams == 0:
        return [], 2 if ncpus == 0 else len(EACH)
    found = []
    for cpu in range(start_cpu, min(start_cpu + ncpus, 2)):
        found += [(name, ULLong(value // 2 + (cpu % 2 and value % 2))) for name, value in EACH][:nparams]
    return found, min(nparams, len(EACH))


def connect_get_all_domain_stats(session: Any, doms: list[Any], stats: int, flags: int) -> list[Record]:
    """The state alone."""
    guests = [_guest(session, dom) for dom in doms] if doms else list(session.driver.guests.by_uuid.values())
    return [Record(one, [("state.state", Int(one.state)), ("state.reason", Int(one.reason))]) for one in guests]


def domain_screenshot(session: Any, dom: Any, screen: int, flags: int) -> str:
    """A small picture."""
    check_flags(flags, 0, "testDomainScreenshot", Origin.TEST)
    if screen:
        raise InvalidArg("currently is supported only taking screenshots of screen ID 0", origin=Origin.TEST)
    if _guest(session, dom).state is State.SHUTOFF:
        raise OperationInvalid("domain is not running", origin=Origin.TEST)

    async def pump(stream: Any) -> None:
        await stream.write(_picture())

    session.open_stream(pump)
    return "image/png"


def _picture() -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * 4, y * 4, 128) * 1) * 64 for y in range(48) for x in (y,))
    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
