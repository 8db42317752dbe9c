"""How many virtual CPUs a guest has: now, at the next start, at most, and as its agent sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.changes import Change
from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest
from kvasir.errors import InvalidArg, OperationInvalid, OperationUnsupported, Origin
from kvasir.qemu import stats, vcpus
from kvasir.xml.types import read_cpuset, write_cpuset

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

MAXIMUM, GUEST, HOTPLUGGABLE = 4, 8, 16
MOST = 4096
"""No guest has more CPUs; bounds what a client's list may name."""


async def domain_set_vcpus(session: Session, dom: Any, nvcpus: int) -> None:
    """Change the running guest's number of CPUs."""
    await domain_set_vcpus_flags(session, dom, nvcpus, LIVE)


async def domain_set_vcpus_flags(session: Session, dom: Any, nvcpus: int, flags: int) -> None:
    """Change the number of CPUs: current or (flag 4) maximal; 8: by the agent, 16: such that can be unplugged."""
    check_flags(flags, LIVE | CONFIG | MAXIMUM | GUEST | HOTPLUGGABLE, "qemuDomainSetVcpusFlags")
    if nvcpus < 1:
        raise InvalidArg("argument out of range: nvcpus must be greater than zero")
    found = guest(session, dom)
    if flags & GUEST:
        _check_guest(found, flags)
        await vcpus.set_guest(found, nvcpus)
        return
    async with Change(found, flags & (LIVE | CONFIG)) as change:
        if flags & MAXIMUM:
            if change.live is not None:
                raise OperationUnsupported("maximum vcpu count of a live domain can't be modified")
            vcpus.set_maximum(change.config, nvcpus)
            return
        for domain, word in ((change.live, "live"), (change.config, "persistent")):
            if domain is not None and nvcpus > stats.max_cpus(domain):
                raise InvalidArg(
                    f"requested vcpus is greater than max allowable vcpus for the {word} domain: {nvcpus} > "
                    f"{stats.max_cpus(domain)}"
                )
        if change.live is not None:
            await vcpus.set_live(found, nvcpus)
        if change.config is not None:
            vcpus.set_config(change.config, nvcpus, bool(flags & HOTPLUGGABLE))


def _check_guest(found: Any, flags: int) -> None:
    if flags & CONFIG or not found.active:
        raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)


def _bitmap(text: str) -> set[int]:
    """``0-3,5`` as a set. Raises InvalidArg."""
    try:
        found = set(read_cpuset(text))
    except ValueError:
        raise InvalidArg(f"Failed to parse bitmap '{text}'", origin=Origin.NONE) from None
    if max(found, default=0) >= MOST:
        raise InvalidArg(f"Failed to parse bitmap '{text}'", origin=Origin.NONE)
    return found


async def domain_set_vcpu(session: Session, dom: Any, cpumap: str, state: int, flags: int) -> None:
    """Plug or unplug these CPUs (of which the guest's machine takes none apart: each is one of its own)."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetVcpu")
    if state not in (0, 1):
        raise InvalidArg("unsupported state value")
    found = guest(session, dom)
    wanted = _bitmap(cpumap)
    if not wanted:
        raise InvalidArg("no vcpus selected for modification")
    async with Change(found, flags) as change:
        for domain, word in ((change.config, "persistent"), (change.live, "live")):
            if domain is not None:
                vcpus.check_there(domain, wanted, word)
        if change.live is not None:
            vcpus.check_live(change.live, wanted, bool(state))
        if change.config is not None:
            vcpus.choose_config(change.config, wanted, bool(state))
        if change.live is not None:
            await vcpus.choose_live(found, wanted, bool(state))


def _ranges(numbers: list[int]) -> str:
    return write_cpuset(frozenset(numbers))


async def domain_get_guest_vcpus(session: Session, dom: Any, flags: int) -> list[tuple[str, Any]]:
    """The CPUs as the agent sees them."""
    check_flags(flags, 0, "qemuDomainGetGuestVcpus")
    rows = await vcpus.guest_cpus(guest(session, dom))
    return [
        ("vcpus", _ranges([row["logical-id"] for row in rows])),
        ("online", _ranges([row["logical-id"] for row in rows if row.get("online")])),
        ("offlinable", _ranges([row["logical-id"] for row in rows if row.get("can-offline")])),
    ]


async def domain_set_guest_vcpus(session: Session, dom: Any, cpumap: str, state: int, flags: int) -> None:
    """Have the agent bring these CPUs on or off."""
    check_flags(flags, 0, "qemuDomainSetGuestVcpus")
    if state not in (0, 1):
        raise InvalidArg("unsupported state value")
    found = guest(session, dom)
    wanted = _bitmap(cpumap)
    rows = await vcpus.guest_cpus(found)
    change = []
    for row in rows:
        number = row["logical-id"]
        if number not in wanted:
            continue
        wanted.discard(number)
        if bool(row.get("online")) == bool(state):
            continue
        if not state and not row.get("can-offline"):
            raise OperationUnsupported(f"vCPU '{number}' is not offlinable")
        change.append({"logical-id": number, "online": bool(state)})
    if wanted:
        raise InvalidArg(f"guest is missing vCPUs '{_ranges(sorted(wanted))}'")
    await vcpus.apply_guest(found, change)
