"""What a guest's agent would do, played by the test driver."""

from __future__ import annotations

from typing import Any, NamedTuple

from kvasir.calls.flags import check_flags
from kvasir.errors import Code, Error, InvalidArg, OperationInvalid, Origin
from kvasir.qemu.states import State
from kvasir.testdriver.guest import Guest
from kvasir.testdriver.reach import guest

MOUNTS = (("/", "vda1"), ("/boot", "vda2"))


class FileSystem(NamedTuple):
    """A file system as the wire has it."""

    mountpoint: str
    name: str
    fstype: str
    dev_aliases: list[str]


class Address(NamedTuple):
    """An address as the wire has it."""

    type: int
    addr: str
    prefix: int


class Card(NamedTuple):
    """A card as the wire has it."""

    name: str
    hwaddr: str
    addrs: list[Address]


def _running(session: Any, dom: Any) -> Guest:
    found = guest(session, dom)
    found.need_active()
    return found


def domain_get_hostname(session: Any, dom: Any, flags: int) -> str:
    return f"{_running(session, dom).name}host"


def domain_get_time(session: Any, dom: Any, flags: int) -> tuple[int, int]:
    one = guest(session, dom)
    if one.state is not State.RUNNING:
        raise OperationInvalid("domain is not running", origin=Origin.TEST)
    return one.clock


def domain_set_time(session: Any, dom: Any, seconds: int, nseconds: int, flags: int) -> None:
    check_flags(flags, 1, "testDomainSetTime", Origin.TEST)
    one = _running(session, dom)
    one.clock = (seconds, nseconds)


def domain_get_fsinfo(session: Any, dom: Any, flags: int) -> tuple[list[FileSystem], int]:
    """Two on the first disk that is a virtio one."""
    one = _running(session, dom)
    disk = next((disk for disk in one.now.disks if disk.target == "vda"), None)
    found = [FileSystem(mount, name, "ext4", ["vda"]) for mount, name in MOUNTS] if disk is not None else []
    return found, len(found)


def _known(mounts: list[str]) -> None:
    for mount in mounts:
        if mount not in dict(MOUNTS):
            raise OperationInvalid(f"mount point not found: {mount}", origin=Origin.TEST)


def domain_fsfreeze(session: Any, dom: Any, mountpoints: list[str], flags: int) -> int:
    """How many are newly frozen."""
    check_flags(flags, 0, "testDomainFSFreeze", Origin.TEST)
    one = _running(session, dom)
    wanted = set(mountpoints) or {mount for mount, _ in MOUNTS}
    _known(mountpoints)
    fresh = wanted - one.frozen
    one.frozen |= wanted
    return len(fresh)


def domain_fsthaw(session: Any, dom: Any, mountpoints: list[str], flags: int) -> int:
    check_flags(flags, 0, "testDomainFSThaw", Origin.TEST)
    one = _running(session, dom)
    _known(mountpoints)
    wanted = (set(mountpoints) or {mount for mount, _ in MOUNTS}) & one.frozen
    one.frozen -= wanted
    return len(wanted)


def domain_fstrim(session: Any, dom: Any, mountPoint: str | None, minimum: int, flags: int) -> None:
    _running(session, dom)
    _known([] if mountPoint is None else [mountPoint])


def domain_set_user_password(session: Any, dom: Any, user: str | None, password: str | None, flags: int) -> None:
    """Any user's, as libvirt's own test driver has it."""
    check_flags(flags, 1, "testDomainSetUserPassword", Origin.TEST)
    _running(session, dom)


def domain_interface_addresses(session: Any, dom: Any, source: int, flags: int) -> list[Card]:
    """An address for each card: of its network, else of a network of its own."""
    if source > 2:
        text = f"Unknown IP address data source {source}"
        raise Error(text, code=Code.ARGUMENT_UNSUPPORTED, origin=Origin.TEST, message=f"argument unsupported: {text}")
    one = _running(session, dom)
    if not one.now.interfaces:
        raise InvalidArg("no interfaces found for domain", origin=Origin.TEST)
    found = []
    for at, card in enumerate(one.now.interfaces):
        net = session.driver.networks.known.get(getattr(card.source, "network", None) or "")
        if net is not None and net.now.ips and net.now.ips[0].ranges:
            ip = net.now.ips[0]
            head, _, last = ip.ranges[0].start.rpartition(".")
            address = Address(0, f"{head}.{int(last) + 1 + at + 20 * (one.id - 1)}", 24)
        else:
            address = Address(0, f"192.168.0.{1 + at}", 24)
        found.append(Card(str(card.target_dev), str(card.mac), [address]))
    return found


def domain_send_key(session: Any, dom: Any, codeset: int, holdtime: int, keycodes: list[int], flags: int) -> None:
    check_flags(flags, 0, "testDomainSendKey", Origin.TEST)
    _running(session, dom)


def domain_inject_nmi(session: Any, dom: Any, flags: int) -> None:
    _running(session, dom)


def domain_get_launch_security_info(session: Any, dom: Any, flags: int) -> list[Any]:
    check_flags(flags | 4, 0, "testDomainGetLaunchSecurityInfo", Origin.TEST)
    _running(session, dom)
    return []
