"""Dirty rates, launch secrets, and files that a client hands to a guest's disks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import ConfigUnsupported, InvalidArg, OperationInvalid, OperationUnsupported
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

SAMPLING, BITMAP, RING = 0, 1, 2
SECONDS = (1, 60)


async def domain_start_dirty_rate_calc(session: Session, dom: Any, seconds: int, flags: int) -> None:
    """Begin to measure how fast the guest writes to its memory; domstats shows the result."""
    check_flags(flags, BITMAP | RING, "qemuDomainStartDirtyRateCalc")
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise ConfigUnsupported(
            f"seconds={seconds} is invalid, please choose value within [{SECONDS[0]}, {SECONDS[1]}]."
        )
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        found.need_active()
        if flags & RING:
            features = found.live.features
            if getattr(features, "kvm_dirty_ring", None) is None:
                raise OperationUnsupported("dirty-ring calculation mode requires dirty-ring feature enabled.")
        values: dict[str, Any] = {"calc-time": seconds}
        if flags == BITMAP and not (await found.monitor().command("query-kvm")).get("enabled"):
            # QEMU 7.2 itself dies of it: only KVM keeps the bitmap that it asks for.
            raise OperationUnsupported("dirty-bitmap calculation mode requires KVM, and this guest runs without")
        if flags & (BITMAP | RING):
            values["mode"] = "dirty-ring" if flags & RING else "dirty-bitmap"
        await found.monitor().command("calc-dirty-rate", values)


async def domain_get_launch_security_info(session: Session, dom: Any, flags: int) -> list[tuple[str, Any]]:
    """What a guest with encrypted memory measured at its launch; nothing for other guests."""
    from kvasir.rpc.typed import UInt

    check_flags(flags, 4, "qemuDomainGetLaunchSecurityInfo")
    found = guest(session, dom)
    security = found.live.launch_security if found.live is not None else None
    if security is None or security.type != "sev":
        return []
    async with found.jobs.normal(Kind.QUERY):
        measured = await found.monitor().command("query-sev-launch-measure")
        said = await found.monitor().command("query-sev")
    return [
        ("sev-measurement", str(measured["data"])),
        ("sev-api-major", UInt(said["api-major"])),
        ("sev-api-minor", UInt(said["api-minor"])),
        ("sev-build-id", UInt(said["build-id"])),
        ("sev-policy", UInt(said["policy"])),
    ]


async def domain_set_launch_security_state(session: Session, dom: Any, params: Any, flags: int) -> None:
    """Put a secret into a guest with encrypted memory, before it runs."""
    check_flags(flags, 0, "qemuDomainSetLaunchSecurityState")
    found = guest(session, dom)
    domain = found.current
    if domain.launch_security is None or domain.launch_security.type != "sev":
        raise OperationUnsupported("setting a launch secret is only supported in SEV-enabled domains")
    wanted = dict(params)
    if "sev-secret" not in wanted or "sev-secret-header" not in wanted:
        raise InvalidArg("Both secret and the secret header are required")
    values = {"secret": wanted["sev-secret"], "packet-header": wanted["sev-secret-header"]}
    if "sev-secret-set-address" in wanted:
        values["gpa"] = int(wanted["sev-secret-set-address"])
    async with found.jobs.normal(Kind.MODIFY):
        await found.monitor().command("sev-inject-launch-secret", values)


def domain_fd_associate(session: Session, dom: Any, name: str, flags: int) -> None:
    """Keep files of the client for the guest's disks, under a name; they go with the connection."""
    check_flags(flags, 3, "qemuDomainFDAssociate")
    found = guest(session, dom)
    fds = list(session.fds)
    session.fds.clear()
    if not fds:
        raise InvalidArg("at least one file descriptor must be passed")
    kept: dict[tuple[bytes, str], list[int]] = session.driver.__dict__.setdefault("passed_fds", {})
    key = (found.uuid, name)
    for fd in kept.pop(key, []):
        os.close(fd)
    kept[key] = fds

    def gone() -> None:
        if kept.get(key) is fds:
            del kept[key]
            for fd in fds:
                os.close(fd)

    session.client.on_close(gone)


async def domain_migrate_get_compression_cache(session: Session, dom: Any, flags: int) -> int:
    """Bytes of the cache for pages that a migration sends again."""
    check_flags(flags, 0, "qemuDomainMigrateGetCompressionCache")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.QUERY):
        found.need_active()
        return int((await found.monitor().command("query-migrate-parameters")).get("xbzrle-cache-size", 0))


async def domain_migrate_set_compression_cache(session: Session, dom: Any, cacheSize: int, flags: int) -> None:
    """Change that cache's size."""
    check_flags(flags, 0, "qemuDomainMigrateSetCompressionCache")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MIGRATION_OP):
        found.need_active()
        await found.monitor().command("migrate-set-parameters", {"xbzrle-cache-size": cacheSize})


def domain_migrate_start_post_copy(session: Session, dom: Any, flags: int) -> None:
    """Only a migration under way could be switched, and there are none yet."""
    check_flags(flags, 0, "qemuDomainMigrateStartPostCopy")
    found = guest(session, dom)
    found.need_active()
    raise OperationInvalid("post-copy can only be started while outgoing migration is in progress")
