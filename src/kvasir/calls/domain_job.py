"""The long job of a guest: its figures, its end by the user, its speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import guest
from kvasir.errors import Code, Error, OperationInvalid, Origin
from kvasir.qemu import dump, jobstats, migrate_to_file
from kvasir.qemu.backups import run as backups
from kvasir.qemu.jobs import Async, Kind
from kvasir.rpc.typed import Params

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

COMPLETED, KEEP = 1, 2
POSTCOPY = 1
MIB = 1 << 20
MOST = (1 << 63) // MIB - 1


async def _figures(found: Guest) -> jobstats.Figures | None:
    """Of the job that runs, as QEMU has them now."""
    if not found.has_jobs or found.jobs.async_job is Async.NONE:
        return None
    figures = found.jobs.figures
    if found.jobs.async_job is Async.BACKUP and found.run is not None:
        async with found.jobs.normal(Kind.QUERY, nested=True):
            await backups.note_progress(found)
        return figures
    if figures is None or found.run is None or found.run.migration is None:
        return figures
    async with found.jobs.normal(Kind.QUERY, nested=True):
        if found.run is not None and found.run.migration is not None:
            if figures.dump:
                figures.dump = await found.monitor().command("query-dump")
            else:
                figures.migrate = await found.monitor().command("query-migrate")
    return figures


async def domain_get_job_info(session: Session, dom: Any) -> tuple[int, ...]:
    """The job that runs: 0 none, 2 unbounded, with twelve numbers."""
    found = guest(session, dom)
    found.need_active()
    figures = await _figures(found)
    return (0,) * 12 if figures is None else jobstats.info(figures)


async def domain_get_job_stats(session: Session, dom: Any, flags: int) -> tuple[int, Params]:
    """The job that runs, or (flag 1) the last that ended, with its figures; flag 2 keeps those for another call."""
    check_flags(flags, COMPLETED | KEEP, "qemuDomainGetJobStats")
    found = guest(session, dom)
    if flags & COMPLETED:
        done = found.jobs.completed
        if done is None:
            return 0, []
        if not flags & KEEP:
            found.jobs.completed = None
        return done.type, jobstats.params(done)
    found.need_active()
    figures = await _figures(found)
    return (0, []) if figures is None else (figures.type, jobstats.params(figures))


async def domain_abort_job(session: Session, dom: Any) -> None:
    """End the job that runs."""
    await domain_abort_job_flags(session, dom, 0)


async def domain_abort_job_flags(session: Session, dom: Any, flags: int) -> None:
    """End the job that runs; flag 1: a migration in its post-copy phase."""
    check_flags(flags, POSTCOPY, "qemuDomainAbortJobFlags")
    found = guest(session, dom)
    found.need_active()
    job = found.jobs.async_job if found.has_jobs else Async.NONE
    if flags & POSTCOPY and job is not Async.MIGRATION_OUT:
        raise OperationInvalid("current job is not outgoing migration in post-copy mode")
    if job is Async.NONE:
        raise OperationInvalid("no job is active on the domain")
    if job is Async.START:
        raise OperationInvalid("cannot abort VM start; use virDomainDestroy instead")
    if job is Async.MIGRATION_IN:
        raise OperationInvalid("cannot abort incoming migration; use virDomainDestroy instead")
    if job is Async.DUMP and found.jobs.figures is not None and found.jobs.figures.dump:
        raise OperationInvalid("cannot abort memory-only dump")
    async with found.jobs.normal(Kind.ABORT, nested=True):
        await (backups.abort(found) if job is Async.BACKUP else migrate_to_file.cancel(found))


async def domain_core_dump(session: Session, dom: Any, to: str, flags: int) -> None:
    """Write the guest's state or (flag 16) its memory alone into a file."""
    check_flags(flags, 31, "qemuDomainCoreDumpWithFormat")
    await dump.core_dump(guest(session, dom), to, 0, flags)


async def domain_core_dump_with_format(session: Session, dom: Any, to: str, dumpformat: int, flags: int) -> None:
    """As ``domain_core_dump``, in a form of ``dump.FORMATS``."""
    check_flags(flags, 31, "qemuDomainCoreDumpWithFormat")
    await dump.core_dump(guest(session, dom), to, dumpformat, flags)


async def domain_migrate_set_max_speed(session: Session, dom: Any, bandwidth: int, flags: int) -> None:
    """How fast states may leave: MiB a second, from now on."""
    check_flags(flags, 1, "qemuDomainMigrateSetMaxSpeed")
    found = guest(session, dom)
    if bandwidth > MOST:
        text = f"bandwidth must be less than {MOST + 1}"
        raise Error(text, code=Code.OVERFLOW, origin=Origin.QEMU, message=f"numerical overflow: {text}")
    if flags & 1:
        found.need_active()
        async with found.jobs.normal(Kind.MIGRATION_OP):
            await found.monitor().command("migrate-set-parameters", {"max-postcopy-bandwidth": bandwidth * MIB})
        return
    found.jobs.bandwidth = bandwidth * MIB
    if found.active and found.jobs.async_job is not Async.NONE:
        async with found.jobs.normal(Kind.MIGRATION_OP):
            await found.monitor().command("migrate-set-parameters", {"max-bandwidth": bandwidth * MIB})


async def domain_migrate_get_max_speed(session: Session, dom: Any, flags: int) -> int:
    """MiB a second; the most that QEMU takes where none was set."""
    check_flags(flags, 1, "qemuDomainMigrateGetMaxSpeed")
    found = guest(session, dom)
    if flags & 1:
        found.need_active()
        async with found.jobs.normal(Kind.QUERY):
            answer = await found.monitor().command("query-migrate-parameters")
        return int(answer.get("max-postcopy-bandwidth", 0)) // MIB
    return (found.jobs.bandwidth or migrate_to_file.FASTEST) // MIB


async def domain_migrate_set_max_downtime(session: Session, dom: Any, downtime: int, flags: int) -> None:
    """How long a migration may halt the guest (ms)."""
    check_flags(flags, 0, "qemuDomainMigrateSetMaxDowntime")
    found = guest(session, dom)
    found.need_active()
    async with found.jobs.normal(Kind.MIGRATION_OP):
        await found.monitor().command("migrate-set-parameters", {"downtime-limit": downtime})


async def domain_migrate_get_max_downtime(session: Session, dom: Any, flags: int) -> int:
    """How long a migration may halt the guest (ms)."""
    check_flags(flags, 0, "qemuDomainMigrateGetMaxDowntime")
    found = guest(session, dom)
    found.need_active()
    async with found.jobs.normal(Kind.QUERY):
        answer = await found.monitor().command("query-migrate-parameters")
    return int(answer["downtime-limit"])
