"""What only the guest itself knows: asked of its agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import (
    ArgumentUnsupported,
    Code,
    Error,
    InternalError,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    Origin,
)
from kvasir.qemu import agent, agent_info, live, statusdoc
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

LEASE, AGENT, ARP = range(3)
RESET_CLOCK = "rtc-reset-reinjection"
"""QEMU forgets the ticks that it owes the guest, which has the time anyhow."""


async def domain_agent_set_response_timeout(session: Session, dom: Any, timeout: int, flags: int) -> int:
    """How long the agent may take: -2 for ever, -1 the default, else seconds."""
    check_flags(flags, 0, "qemuDomainAgentSetResponseTimeout")
    if timeout < -2:
        raise InvalidArg(f"guest agent timeout '{timeout}' is less than the minimum '-2'")
    found = guest(session, dom)
    if found.run is not None:  # a guest that is off forgets it at once, as in libvirt
        found.run.agent_timeout = timeout
        statusdoc.save(found)
    return 0


async def domain_get_hostname(session: Session, dom: Any, flags: int) -> str:
    """The guest's host name."""
    check_flags(flags, 3, "qemuDomainGetHostname")
    found = guest(session, dom)
    if flags & 1 and flags & 2:
        text = "flags 'VIR_DOMAIN_GET_HOSTNAME_LEASE' and 'VIR_DOMAIN_GET_HOSTNAME_AGENT' are mutually exclusive"
        raise InvalidArg(text)
    if not flags & 1:
        return str((await agent.call(found, "guest-get-host-name")).get("host-name", ""))
    found.need_active()
    name = _leased_name(found)
    if name is None:
        text = f"no hostname found for domain {found.name}"
        raise Error(text, code=Code.NO_HOSTNAME, origin=Origin.QEMU, message=f"no hostname found: {text}")
    return name


def _leased_name(found: Guest) -> str | None:
    """The name under which the guest took a lease in a network of ours, or None."""
    from kvasir.network.leases import leases

    networks = found.driver.drivers.get("network")
    for card in live.list_of(found.live, "interfaces"):
        net = networks.networks.get(card.source.network) if card.type == "network" and networks is not None else None
        if net is None:
            continue
        for lease in leases(networks.files.dnsmasq, net.document, str(card.mac)):
            if lease.get("hostname"):
                return str(lease["hostname"])
    return None


async def domain_get_time(session: Session, dom: Any, flags: int) -> tuple[int, int]:
    """The guest's clock: seconds and nanoseconds."""
    check_flags(flags, 0, "qemuDomainGetTime")
    value = await agent.call(guest(session, dom), "guest-get-time")
    if not isinstance(value, int):
        raise InternalError("malformed return value")
    return divmod(value, 1_000_000_000)


async def domain_set_time(session: Session, dom: Any, seconds: int, nseconds: int, flags: int) -> None:
    """Set the guest's clock; flag 1: from its hardware clock. Of a guest that is off libvirt says what its QEMU lacks."""
    check_flags(flags, 1, "qemuDomainSetTime")
    found = guest(session, dom)
    if found.current.os.arch in ("x86_64", "i686") and (found.run is None or RESET_CLOCK not in found.run.words):
        raise OperationUnsupported(f"cannot set time: qemu doesn't support {RESET_CLOCK} command")
    arguments = {} if flags & 1 else {"time": seconds * 1_000_000_000 + nseconds}
    await agent.call(found, "guest-set-time", arguments)
    if RESET_CLOCK in found.need_active().words:
        async with found.jobs.normal(Kind.MODIFY):
            await found.monitor().command(RESET_CLOCK)


async def domain_get_fsinfo(session: Session, dom: Any, flags: int) -> tuple[list[tuple[Any, ...]], int]:
    """The guest's mounted file systems."""
    check_flags(flags, 0, "qemuDomainGetFSInfo")
    found = guest(session, dom)
    rows = agent_info.filesystems(found, await agent.call(found, "guest-get-fsinfo"))
    return [(row.mountpoint, row.name, row.fstype, row.disks) for row in rows], len(rows)


async def domain_interface_addresses(session: Session, dom: Any, source: int, flags: int) -> list[tuple[Any, ...]]:
    """The addresses of the guest's interfaces: from its agent or the host's ARP table."""
    check_flags(flags, 0, "qemuDomainInterfaceAddresses")
    found = guest(session, dom)
    found.need_active()
    if source == AGENT:
        return agent_info.interfaces(await agent.call(found, "guest-network-get-interfaces"))
    if source == ARP:
        return agent_info.from_arp(found)
    if source == LEASE:
        return agent_info.from_leases(found)
    raise InvalidArg(f"Unknown IP address data source {source}")


async def domain_get_guest_info(session: Session, dom: Any, types: int, flags: int) -> list[tuple[str, Any]]:
    """Users, system, time zone, host name, file systems, disks and interfaces as the agent says."""
    check_flags(flags, 0, "qemuDomainGetGuestInfo")
    return await agent_info.guest_info(guest(session, dom), types)


async def domain_fsfreeze(session: Session, dom: Any, mountpoints: list[str], flags: int) -> int:
    """Freeze file systems; the number of those frozen."""
    check_flags(flags, 0, "qemuDomainFSFreeze")
    found = guest(session, dom)
    if mountpoints:
        return int(await agent.call(found, "guest-fsfreeze-freeze-list", {"mountpoints": list(mountpoints)}))
    return int(await agent.call(found, "guest-fsfreeze-freeze"))


async def domain_fsthaw(session: Session, dom: Any, mountpoints: list[str], flags: int) -> int:
    """Thaw file systems; the number of those thawed."""
    check_flags(flags, 0, "qemuDomainFSThaw")
    if mountpoints:
        raise ArgumentUnsupported("specifying mountpoints is not supported")
    return int(await agent.call(guest(session, dom), "guest-fsfreeze-thaw"))


async def domain_fstrim(session: Session, dom: Any, mountPoint: str | None, minimum: int, flags: int) -> None:
    """Give unused blocks back to the host."""
    check_flags(flags, 0, "qemuDomainFSTrim")
    if mountPoint:
        raise ArgumentUnsupported("Specifying mount point is not supported for now")
    await agent.call(guest(session, dom), "guest-fstrim", {"minimum": minimum})


async def domain_set_user_password(
    session: Session, dom: Any, user: str | None, password: str | None, flags: int
) -> None:
    """Set a user's password in the guest; flag 1: it is encrypted already."""
    import base64

    check_flags(flags, 1, "qemuDomainSetUserPassword")
    arguments = {
        "username": user or "",
        "password": base64.b64encode((password or "").encode()).decode(),
        "crypted": bool(flags & 1),
    }
    await agent.call(guest(session, dom), "guest-set-user-password", arguments)


def _running(found: Guest) -> None:
    if not found.active:
        raise OperationInvalid("domain is not running")


async def domain_authorized_ssh_keys_get(session: Session, dom: Any, user: str, flags: int) -> list[str]:
    """A guest user's authorized SSH keys."""
    check_flags(flags, 0, "qemuDomainAuthorizedSSHKeysGet")
    found = guest(session, dom)
    _running(found)
    answer = await agent.call(found, "guest-ssh-get-authorized-keys", {"username": user})
    return [str(key) for key in answer.get("keys", [])]


async def domain_authorized_ssh_keys_set(session: Session, dom: Any, user: str, keys: list[str], flags: int) -> None:
    """Set (0), add to (1) or take from (2) a guest user's authorized SSH keys."""
    check_flags(flags, 3, "qemuDomainAuthorizedSSHKeysSet")
    found = guest(session, dom)
    _running(found)
    if flags & 2:
        await agent.call(found, "guest-ssh-remove-authorized-keys", {"username": user, "keys": list(keys)})
    else:
        arguments = {"username": user, "keys": list(keys), "reset": not flags & 1}
        await agent.call(found, "guest-ssh-add-authorized-keys", arguments)
