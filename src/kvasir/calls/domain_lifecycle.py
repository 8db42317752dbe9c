"""Starting, stopping and pausing guests; defining and undefining them; autostart."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, dispatcher, exclusive, guest, impact
from kvasir.errors import InvalidArg, OperationInvalid, XmlError
from kvasir.host.files import remove
from kvasir.qemu import autostart, lifecycle, rename, save, startup, tpm_host
from kvasir.qemu.checkpoints.tree import CheckpointTree
from kvasir.qemu.jobs import CALLER, Kind
from kvasir.qemu.snapshots.tree import Tree

if TYPE_CHECKING:
    from kvasir.daemon.session import Session
    from kvasir.qemu.guest import Guest

PAUSED, AUTODESTROY, BYPASS_CACHE, FORCE_BOOT, VALIDATE, RESET_NVRAM = (1 << bit for bit in range(6))
MANAGED_SAVE, SNAPSHOTS, NVRAM, KEEP_NVRAM, CHECKPOINTS, TPM, KEEP_TPM = (1 << bit for bit in range(7))


def _options(session: Session, flags: int) -> dict[str, Any]:
    return {
        "paused": bool(flags & PAUSED),
        "owner": session if flags & AUTODESTROY else None,
        "bypass_cache": bool(flags & BYPASS_CACHE),
        "force_boot": bool(flags & FORCE_BOOT),
        "reset_nvram": bool(flags & RESET_NVRAM),
    }


async def domain_create(session: Session, dom: Any) -> None:
    """Start a defined guest."""
    await startup.start(guest(session, dom))


async def domain_create_with_flags(session: Session, dom: Any, flags: int) -> Guest:
    """Start a defined guest: paused, ended with the connection, past a saved state ..."""
    known = PAUSED | AUTODESTROY | BYPASS_CACHE | FORCE_BOOT | RESET_NVRAM
    check_flags(flags, known, "qemuDomainCreateWithFlags")
    found = guest(session, dom)
    await startup.start(found, **_options(session, flags))
    return found


async def domain_create_with_files(session: Session, dom: Any, flags: int) -> Guest:
    """Start a guest with descriptors for its init: containers only."""
    found = guest(session, dom)
    await startup.start(found, fds=list(session.fds), **_options(session, flags))
    return found


async def domain_create_xml(session: Session, xml_desc: str, flags: int) -> Guest:
    """Start a guest from a document; it is gone when it ends."""
    known = PAUSED | AUTODESTROY | VALIDATE | RESET_NVRAM
    check_flags(flags, known, "qemuDomainCreateXML")
    CALLER.set(dispatcher(session.procedure.name))
    options = _options(session, flags)
    created: Guest = await session.driver.create(xml_desc, validate=bool(flags & VALIDATE), **options)
    return created


async def domain_create_xml_with_files(session: Session, xml_desc: str, flags: int) -> Guest:
    """As ``domain_create_xml`` with descriptors for an init: containers only."""
    created: Guest = await session.driver.create(xml_desc, fds=list(session.fds), **_options(session, flags))
    return created


async def domain_define_xml(session: Session, xml: str) -> Guest:
    """Define a guest."""
    return await domain_define_xml_flags(session, xml, 0)


async def domain_define_xml_flags(session: Session, xml: str, flags: int) -> Guest:
    """Define a guest; flag 1: only when the document follows the schema."""
    check_flags(flags, 1, "qemuDomainDefineXMLFlags")
    CALLER.set(dispatcher(session.procedure.name))
    defined: Guest = await session.driver.define(xml, validate=bool(flags & 1))
    return defined


async def domain_undefine(session: Session, dom: Any) -> None:
    """Forget the definition."""
    await domain_undefine_flags(session, dom, 0)


async def domain_undefine_flags(session: Session, dom: Any, flags: int) -> None:
    """Forget the definition, with what belongs to it as the flags say."""
    check_flags(flags, (1 << 7) - 1, "qemuDomainUndefineFlags")
    for first, second, names in ((NVRAM, KEEP_NVRAM, "NVRAM"), (TPM, KEEP_TPM, "TPM")):
        a, b = f"VIR_DOMAIN_UNDEFINE_{names}", f"VIR_DOMAIN_UNDEFINE_KEEP_{names}"
        exclusive(flags, first, second, a, b, "qemuDomainUndefineFlags")
    found = guest(session, dom)
    async with found.jobs.normal(Kind.MODIFY):
        if not found.persistent:
            raise OperationInvalid("cannot undefine transient domain")
        _undefine_files(found, flags)
        session.driver.undefine(found)


def _nvram(found: Guest) -> str | None:
    """The file of UEFI's variables; where the firmware is chosen at each start it has no place in the definition."""
    boot = found.config.os
    chosen = f"{found.driver.paths.qemu.nvram}/{found.name}_VARS.fd" if boot.firmware == "efi" else None
    return boot.nvram or boot.nvram_file or chosen


def _undefine_files(found: Guest, flags: int) -> None:
    paths = found.driver.paths.qemu
    if not found.active:
        tree = Tree.of(found)
        if tree.known and not flags & SNAPSHOTS:
            raise OperationInvalid(f"cannot delete inactive domain with {len(tree.known)} snapshots")
        points = CheckpointTree.of(found)
        if points.known and not flags & CHECKPOINTS:
            raise OperationInvalid(f"cannot delete inactive domain with {len(points.known)} checkpoints")
        found.driver.store.check_removable(found.name)
        tree.drop_all(quiet=False)
        points.drop_all(quiet=False)
    saved = f"{paths.save}/{found.name}.save"
    if os.path.exists(saved):
        if not flags & MANAGED_SAVE:
            raise OperationInvalid("Refusing to undefine while domain managed save image exists")
        remove(saved)
    if not any(found.says(word) for word in ("nvram", "tpm", "os firmware=")):
        return
    nvram = _nvram(found)
    if nvram and os.path.exists(nvram):
        if flags & NVRAM:
            remove(nvram)
        elif not flags & KEEP_NVRAM:
            raise OperationInvalid("cannot undefine domain with nvram")
    for tpm in found.config.tpms:
        stays = flags & KEEP_TPM or (getattr(tpm.backend.source, "persistent_state", None) and not flags & TPM)
        if not found.active and not stays:
            tpm_host.forget(found.driver, found.uuid_text)


async def domain_shutdown(session: Session, dom: Any) -> None:
    """Ask the guest to shut down."""
    await lifecycle.shutdown(guest(session, dom), 0)


async def domain_shutdown_flags(session: Session, dom: Any, flags: int) -> None:
    """Ask the guest to shut down, in the ways that the flags name."""
    await lifecycle.shutdown(guest(session, dom), flags)


async def domain_reboot(session: Session, dom: Any, flags: int) -> None:
    """Ask the guest to reboot."""
    await lifecycle.reboot(guest(session, dom), flags)


async def domain_reset(session: Session, dom: Any, flags: int) -> None:
    """Press the reset button."""
    check_flags(flags, 0, "qemuDomainReset")
    await lifecycle.reset(guest(session, dom))


async def domain_suspend(session: Session, dom: Any) -> None:
    """Halt the guest's CPUs."""
    await lifecycle.suspend(guest(session, dom))


async def domain_resume(session: Session, dom: Any) -> None:
    """Let the guest run on."""
    await lifecycle.resume(guest(session, dom))


async def domain_pm_suspend_for_duration(session: Session, dom: Any, target: int, duration: int, flags: int) -> None:
    """Let the guest suspend itself."""
    check_flags(flags, 0, "qemuDomainPMSuspendForDuration")
    await lifecycle.pm_suspend(guest(session, dom), target, duration)


async def domain_pm_wakeup(session: Session, dom: Any, flags: int) -> None:
    """Wake a guest that suspended itself."""
    check_flags(flags, 0, "qemuDomainPMWakeup")
    await lifecycle.pm_wakeup(guest(session, dom))


async def domain_destroy(session: Session, dom: Any) -> None:
    """End the guest now."""
    await lifecycle.destroy(guest(session, dom))


async def domain_destroy_flags(session: Session, dom: Any, flags: int) -> None:
    """End the guest now; flag 1: never by SIGKILL."""
    check_flags(flags, 3, "qemuDomainDestroyFlags")
    await lifecycle.destroy(guest(session, dom), graceful=bool(flags & 1))


def domain_get_autostart(session: Session, dom: Any) -> int:
    """Whether the guest starts with the host."""
    return int(guest(session, dom).autostart)


def domain_set_autostart(session: Session, dom: Any, autostart: int) -> None:
    """Let the guest start with the host, or not."""
    _set_autostart(guest(session, dom), bool(autostart))


_set_autostart = autostart.set_autostart


async def domain_rename(session: Session, dom: Any, new_name: str | None, flags: int) -> int:
    """Give the guest another name."""
    check_flags(flags, 0, "qemuDomainRename")
    found = guest(session, dom)
    if not new_name:
        raise InvalidArg("new name must not be empty")
    async with found.jobs.normal(Kind.MODIFY):
        if found.active:
            raise OperationInvalid("cannot rename active domain")
        if not found.persistent:
            raise OperationInvalid("cannot rename a transient domain")
        if os.path.exists(save.managed_path(found)):
            raise OperationInvalid("domain with a managed saved state can't be renamed")
        if "/" in new_name:
            raise XmlError(f"name {new_name} cannot contain '/'")
        await rename.rename(found, new_name)
    return 0


async def domain_set_lifecycle_action(session: Session, dom: Any, type: int, action: int, flags: int) -> None:
    """Change what happens at poweroff, reboot or crash."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetLifecycleAction")
    found = guest(session, dom)
    await lifecycle.set_action(found, type, action, *impact(found, flags))
