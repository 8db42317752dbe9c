"""``undefine``: forget a domain, with its saved state, snapshots, NVRAM and storage if asked."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.xmltree import parse
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain
    from kvasir.client.others import StorageVol

FLAGS = {
    "managed-save": 1,
    "snapshots-metadata": 2,
    "nvram": 4,
    "keep-nvram": 8,
    "checkpoints-metadata": 16,
    "tpm": 32,
    "keep-tpm": 64,
}
WITH_SNAPSHOTS = WITH_METADATA = 2


def undefine(shell: Shell, args: Args) -> bool:
    with_storage = args.flag("storage") or args.flag("remove-all-storage")
    if args.flag("wipe-storage") and not with_storage:
        raise Fail("'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'")
    domain, name = shell.domain(args), args.need("domain")
    flags = sum(bit for option, bit in FLAGS.items() if args.flag(option))
    wanted = args.text("storage")
    with_storage = wanted is not None or args.flag("remove-all-storage")
    volumes: list[tuple[str, str, StorageVol]] = []
    if with_storage:
        if domain.isActive():
            raise Fail("Storage volume deletion is supported only on stopped domains")
        if wanted is not None and args.flag("remove-all-storage"):
            raise Fail("Specified both --storage and --remove-all-storage")
        volumes = find_volumes(shell, domain, None if wanted is None else wanted.split(","))
    if not args.flag("managed-save") and domain.hasManagedSaveImage(0) == 1:
        raise Fail("Refusing to undefine while domain managed save image exists")
    shell.attempt(f"Failed to undefine domain '{name}'", forget, domain, flags)
    shell.extra(f"Domain '{name}' has been undefined\n")
    return remove(shell, args, volumes)


def forget(domain: Domain, flags: int) -> None:
    """Undefine it; where the driver does not know the flags, step by step and without them."""
    try:
        domain.undefineFlags(flags)
    except Error as problem:
        if problem.code not in (Code.NO_SUPPORT, Code.INVALID_ARG) or flags & FLAGS["nvram"]:
            raise
    else:
        return
    if domain.hasManagedSaveImage(0):
        domain.managedSaveRemove(0)
    if count := domain.snapshotNum(WITH_METADATA):
        raise Fail(f"Unable to remove metadata of {count} snapshots")
    domain.undefine()


def find_volumes(shell: Shell, domain: Domain, wanted: list[str] | None) -> list[tuple[str, str, StorageVol]]:
    """The volumes of the domain's disks: (target, path, volume)."""
    found: list[tuple[str, str, StorageVol]] = []
    left = list(wanted) if wanted is not None else []
    for disk in parse(domain.XMLDesc(0)).all("devices/disk"):
        target = disk.get("target/@dev") or ""
        source = disk.first("source", ("file", "dev", "dir", "name", "volume")) or ""
        pool = disk.get("source/@pool")
        if wanted is not None:
            match = [word for word in (target, source) if word in left]
            if not match:
                continue
            left.remove(match[0])
        if not source:
            continue
        try:
            if pool:
                volume = shell.conn.storagePoolLookupByName(pool).storageVolLookupByName(source)
            else:
                volume = shell.conn.storageVolLookupByPath(source)
        except Error as problem:
            shell.error(f"Storage volume '{target}'({source}) is not managed by libvirt. Remove it manually.\n")
            shell.debug(1, f"{problem}\n")
            continue
        found.append((target, source, volume))
    if left:
        for word in left:
            shell.error(f"Volume '{word}' was not found in domain's definition.\n")
        raise Fail("")
    return found


def remove(shell: Shell, args: Args, volumes: list[tuple[str, str, StorageVol]]) -> bool:
    """Delete the volumes, wiped first if asked."""
    good = True
    flags = WITH_SNAPSHOTS if args.flag("delete-storage-volume-snapshots") else 0
    for target, path, volume in volumes:
        try:
            if args.flag("wipe-storage"):
                shell.out(f"Wiping volume '{target}'({path}) ... ")
                volume.wipe(0)
                shell.out("Done.\n")
            volume.delete(flags)
            shell.extra(f"Volume '{target}'({path}) removed.\n")
        except Error as problem:
            shell.error(f"Failed to remove storage volume '{target}'({path})")
            shell.report(problem)
            good = False
    return good


COMMANDS = [
    Command(
        "undefine",
        "forget a domain",
        (
            DOMAIN,
            flag("managed-save", "remove its managed save image too"),
            text("storage", "remove the volumes of these disks (targets or paths, with commas)"),
            flag("remove-all-storage", "remove the volumes of all its disks (with care)"),
            flag("delete-storage-volume-snapshots", "remove the snapshots of these volumes too"),
            flag("wipe-storage", "wipe the volumes first"),
            flag("snapshots-metadata", "forget its snapshots too (a domain that does not run)"),
            flag("checkpoints-metadata", "forget its checkpoints too (a domain that does not run)"),
            flag("nvram", "remove its NVRAM file"),
            flag("keep-nvram", "keep its NVRAM file"),
            flag("tpm", "remove the state of its TPM"),
            flag("keep-tpm", "keep the state of its TPM"),
        ),
        undefine,
        description="A running domain becomes transient; one that does not run is gone.",
        exclusive=(
            ("nvram", "keep-nvram"),
            ("tpm", "keep-tpm"),
        ),
        needs=(("delete-storage-volume-snapshots", "remove-all-storage"),),
    )
]
