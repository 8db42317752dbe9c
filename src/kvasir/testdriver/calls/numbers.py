"""Figures of the test driver's guests; most grow with the clock."""

from __future__ import annotations

import contextlib
import time
from typing import Any, NamedTuple

from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, InvalidArg, NoDomain, OperationInvalid, OperationUnsupported, Origin
from kvasir.rpc.typed import Int, ULLong
from kvasir.testdriver.guest import Guest
from kvasir.testdriver.reach import guest, one_definition, selected

HOST_CPUS = 16
TOTALS = (("cpu_time", 48772617035), ("user_time", 5540000000), ("system_time", 6460000000))
EACH = (("cpu_time", 48772617035), ("vcpu_time", 46303481255))
SIGNALS = 65
STATS_FILTERS = 0xFF
HARMLESS, ENFORCE = 0xF << 28, 1 << 31
"""Flags of the call itself; the last wants an error for what is not counted."""
TERABYTE = 1099511627776


class Vcpu(NamedTuple):
    """A processor as the wire has it."""

    number: int
    state: int
    cpu_time: int
    cpu: int


class MemoryStat(NamedTuple):
    """A figure of the balloon as the wire has it."""

    tag: int
    val: int


class DiskError(NamedTuple):
    """A disk's error as the wire has it."""

    disk: str
    error: int


class Record(NamedTuple):
    """Statistics of one guest as the wire has them."""

    dom: Any
    params: list[Any]


def domain_get_os_type(session: Any, dom: Any) -> str:
    return "linux"


def domain_get_info(session: Any, dom: Any) -> tuple[int, int, int, int, int]:
    domain = (one := guest(session, dom)).now
    cpus = domain.vcpu_current or domain.vcpu or 1
    return int(one.state), domain.memory or 0, domain.current_memory or 0, cpus, time.time_ns() // 1000 * 1000


def domain_get_control_info(session: Any, dom: Any, flags: int) -> tuple[int, int, int]:
    guest(session, dom).need_active()
    return 0, 0, 0


def domain_get_security_label(session: Any, dom: Any) -> tuple[str, int]:
    return ("libvirt-test\0", 1) if guest(session, dom).active else ("\0", 0)


def domain_get_vcpus(session: Any, dom: Any, maxinfo: int, maplen: int) -> tuple[list[Vcpu], bytes]:
    """Each processor, and where it may run."""
    one = guest(session, dom)
    if not one.active:
        raise OperationInvalid("cannot list vcpus for an inactive domain", origin=Origin.TEST)
    count = min(one.now.vcpu_current or one.now.vcpu or 1, maxinfo)
    used = time.time_ns() // 10000
    cards = [Vcpu(number, 1, used, max(_cpus(one.now, number), default=-1)) for number in range(count)]
    maps = b"".join(_map(one.now, number, maplen) for number in range(count))
    return cards, maps.ljust(maxinfo * maplen, b"\0")


def _cpus(domain: Any, number: int) -> Any:
    pins = {pin.vcpu: pin.cpuset for pin in domain.cputune.vcpupins} if domain.cputune is not None else {}
    return pins.get(number, domain.vcpu_cpuset or range(HOST_CPUS))


def _map(domain: Any, number: int, maplen: int) -> bytes:
    return _bits(_cpus(domain, number), maplen)


def _bits(cpus: Any, maplen: int) -> bytes:
    value: int = sum(1 << cpu for cpu in cpus if cpu < maplen * 8)
    return value.to_bytes(maplen, "little")


def domain_get_vcpu_pin_info(session: Any, dom: Any, ncpumaps: int, maplen: int, flags: int) -> tuple[bytes, int]:
    """Where each processor may run."""
    domain = one_definition(guest(session, dom), flags)
    count = min(domain.vcpu or 1, ncpumaps)
    maps = b"".join(_map(domain, number, maplen) for number in range(count))
    return maps.ljust(ncpumaps * maplen, b"\0"), count


def domain_get_emulator_pin_info(session: Any, dom: Any, maplen: int, flags: int) -> tuple[bytes, int]:
    """Where the emulator may run."""
    check_flags(flags, 3, "testDomainGetEmulatorPinInfo", Origin.TEST)
    domain = one_definition(guest(session, dom), flags)
    pin = domain.cputune.emulatorpin if domain.cputune is not None else None
    return _bits(pin or domain.vcpu_cpuset or range(HOST_CPUS), maplen), 1


def domain_memory_stats(session: Any, dom: Any, maxStats: int, flags: int) -> list[Any]:
    """As if half of the memory were in use."""
    if not maxStats:
        return []
    check_flags(flags, 0, "testDomainMemoryStats", Origin.TEST)
    one = guest(session, dom)
    one.need_active()
    if not any(balloon.model == "virtio" for balloon in one.now.memballoons):
        return []
    memory = one.now.current_memory or 0
    known = {
        6: memory,
        0: 0,
        1: 0,
        2: 0,
        3: 0,
        4: memory // 2,
        5: memory,
        8: memory // 2,
        9: 627319920,
        10: memory // 8,
    }
    known |= {11: 0, 12: 0, 7: memory // 2}
    return [MemoryStat(tag, value) for tag, value in known.items()][:maxStats]


def domain_memory_peek(session: Any, dom: Any, offset: int, size: int, flags: int) -> bytes:
    """Each byte is its own address."""
    check_flags(flags, 3, "testDomainMemoryPeek", Origin.TEST)
    if not flags:
        raise InvalidArg("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL", origin=Origin.TEST)
    guest(session, dom).need_active()
    return bytes((offset + at) & 255 for at in range(size))


def domain_send_process_signal(session: Any, dom: Any, pid_value: int, signum: int, flags: int) -> None:
    """To the first process alone, which ignores it."""
    check_flags(flags, 0, "testDomainSendProcessSignal", Origin.TEST)
    if pid_value != 1:
        raise InvalidArg("only sending a signal to pid 1 is supported", origin=Origin.TEST)
    if signum >= SIGNALS:
        raise InvalidArg(f"signum value {signum} is out of range", origin=Origin.TEST)
    guest(session, dom)


def domain_get_security_label_list(session: Any, dom: Any) -> tuple[list[Any], int]:
    """libvirt's own driver has none, and its server says so without an error."""
    return [], -1


def domain_block_stats(session: Any, dom: Any, path: str) -> tuple[int, ...]:
    """Grows with the clock."""
    if not path:
        raise OperationUnsupported("summary statistics are not supported yet", origin=Origin.TEST)
    one = guest(session, dom)
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
    one = guest(session, dom)
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


def domain_get_block_info(session: Any, dom: Any, path: str, flags: int) -> tuple[int, int, int]:
    """(allocation, capacity, physical) in bytes."""
    one = guest(session, dom)
    disk = _disk(one, path, "invalid path {} not assigned to domain")
    if disk.location() is None:
        raise InvalidArg(f"disk '{path}' does not currently have a source assigned", origin=Origin.TEST)
    return TERABYTE, TERABYTE - 5177344, TERABYTE


def domain_get_disk_errors(session: Any, dom: Any, maxerrors: int, flags: int) -> tuple[list[DiskError], int]:
    """A different error for each disk in turn."""
    one = guest(session, dom)
    one.need_active()
    if not maxerrors:
        return [], len(one.now.disks)
    found = [DiskError(str(disk.target), at % 2 + 1) for at, disk in enumerate(one.now.disks)][:maxerrors]
    return found, len(found)


def domain_get_cpu_stats(
    session: Any, dom: Any, nparams: int, start_cpu: int, ncpus: int, flags: int
) -> tuple[list[Any], int]:
    """Of two processors."""
    guest(session, dom).need_active()
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
    """The state alone, of the guests that are there and pass the filters."""
    check_flags(flags & ~HARMLESS, STATS_FILTERS, "testConnectGetAllDomainStats", Origin.TEST)
    if flags & ENFORCE and stats & ~1:
        text = f"Stats types bits 0x{stats & ~1:x} are not supported by this daemon"
        raise Error(text, code=Code.ARGUMENT_UNSUPPORTED, origin=Origin.TEST, message=f"argument unsupported: {text}")
    guests = []
    for dom in doms:
        with contextlib.suppress(NoDomain):
            guests.append(guest(session, dom))
    if not doms:
        guests = list(session.driver.guests.by_uuid.values())
    wanted = not stats or stats & 1
    return [
        Record(one, [("state.state", Int(one.state)), ("state.reason", Int(one.reason))] if wanted else [])
        for one in guests
        if selected(one, flags & STATS_FILTERS)
    ]


def domain_screenshot(session: Any, dom: Any, screen: int, flags: int) -> str:
    """A small picture, of any guest."""
    check_flags(flags, 0, "testDomainScreenshot", Origin.TEST)

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
