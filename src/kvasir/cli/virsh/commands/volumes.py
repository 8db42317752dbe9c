"""Storage volumes: vol-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, print_document
from kvasir.cli.virsh.commands.pools import find_pool, size_text
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import line, read_file, scaled, why_no_size
from kvasir.cli.virsh.shell import DEBUG, Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, NoReturn

    from kvasir.client.others import StoragePool, StorageVol

UNKNOWN = "unknown"
TYPES = ("file", "block", "dir", "network", "netdir", "ploop")
PREALLOC, VALIDATE = 1, 4
ALLOCATE, DELTA, SHRINK = 1, 2, 4
SPARSE = 1
PHYSICAL = 1


def find_volume(shell: Shell, args: Args, by: str = "nkp", pool_option: str = "pool") -> StorageVol:
    """The volume that the options name: by name in its pool, by key, by path."""
    pool: StoragePool | None = None
    if any(option.name == pool_option for option, _ in args.values):
        pool = find_pool(shell, args, pool_option)
        if not pool.isActive():
            raise Fail(f"pool '{args.need(pool_option)}' is not active")
    wanted = shell.wanted(args, "vol", DEBUG)
    problem: Error | None = None
    tries = [("name", pool.storageVolLookupByName)] if pool is not None and "n" in by else []
    tries += [("key", shell.conn.storageVolLookupByKey)] if "k" in by else []
    tries += [("path", shell.conn.storageVolLookupByPath)] if "p" in by else []
    for what, look in tries:
        shell.trying(args, "vol", f"vol {what}")
        try:
            found: StorageVol = look(wanted)
        except Error as caught:
            problem = caught
            continue
        if pool is not None and found.handle.pool != pool.name():
            raise Fail(f"Requested volume '{wanted}' is not in pool '{pool.name()}'")
        return found
    hint = "" if pool is not None or "n" not in by else f", specifying --{pool_option} might help"
    shell.error(f"failed to get vol '{wanted}'{hint}")
    assert problem is not None
    raise problem


def vol_list(shell: Shell, args: Args) -> None:
    pool = find_pool(shell, args)
    found = shell.attempt("Failed to list volumes", pool.listAllVolumes, 0)
    volumes = sorted(found, key=lambda volume: str(volume.name()).lower())
    handles = [(volume.handle,) for volume in volumes]
    paths = shell.conn.link.call_all(programs.REMOTE["storage_vol_get_path"], handles)
    rows = [
        [volume.name(), UNKNOWN if isinstance(path, Error) else path]
        for volume, path in zip(volumes, paths, strict=True)
    ]
    if args.flag("details"):
        infos = shell.conn.link.call_all(programs.REMOTE["storage_vol_get_info"], handles)
        for cells, info in zip(rows, infos, strict=True):
            cells += [UNKNOWN] * 3 if isinstance(info, Error) else [TYPES[info[0]], *map(size_text, info[1:])]
    header = ["Name", "Path", *(["Type", "Capacity", "Allocation"] if args.flag("details") else [])]
    shell.out(table(header, rows, not shell.quiet))


def vol_info(shell: Shell, args: Args) -> None:
    volume = find_volume(shell, args)
    shell.out(line("Name:", volume.name()))
    kind, capacity, allocation = volume.infoFlags(PHYSICAL) if args.flag("physical") else volume.info()
    shell.out(line("Type:", TYPES[kind] if kind < len(TYPES) else "unknown"))
    second = "Physical:" if args.flag("physical") else "Allocation:"
    for label, size in (("Capacity:", capacity), (second, allocation)):
        shell.out(line(label, f"{size} bytes" if args.flag("bytes") else size_text(size)))


def vol_path(shell: Shell, args: Args) -> None:
    shell.out(find_volume(shell, args).path() + "\n")


def vol_key(shell: Shell, args: Args) -> None:
    shell.out(find_volume(shell, args).key() + "\n")


def vol_name(shell: Shell, args: Args) -> None:
    shell.out(find_volume(shell, args, "kp").name() + "\n")


def vol_pool(shell: Shell, args: Args) -> None:
    volume = find_volume(shell, args, "kp")
    pool = shell.attempt("failed to get parent pool", volume.storagePoolLookupByVolume)
    shell.out((pool.UUIDString() if args.flag("uuid") else pool.name()) + "\n")


def vol_dumpxml(shell: Shell, args: Args) -> None:
    found = find_volume(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def vol_delete(shell: Shell, args: Args) -> None:
    volume, name = find_volume(shell, args), args.need("vol")
    flags = 2 if args.flag("delete-snapshots") else 0
    shell.attempt(f"Failed to delete vol {name}", volume.delete, flags)
    shell.extra(f"Vol {name} deleted\n")


def vol_create(shell: Shell, args: Args) -> None:
    pool = find_pool(shell, args)
    path = args.need("file")
    flags = (PREALLOC if args.flag("prealloc-metadata") else 0) | (VALIDATE if args.flag("validate") else 0)
    volume = shell.attempt(f"Failed to create vol from {path}", pool.createXML, read_file(path), flags)
    shell.extra(f"Vol {volume.name()} created from {path}\n")


def malformed(given: str) -> NoReturn:
    """Say that a text is no size, and why."""
    raise Fail(f"Malformed size {given}{why_no_size(given)}")


def size_of(shell: Shell, args: Args, option: str) -> int | None:
    """A size with unit."""
    given = args.text(option)
    if given is None:
        return None
    found = scaled(given, 1)
    if found is None:
        malformed(given)
    return found


def vol_create_as(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.xmltree import escape

    pool = find_pool(shell, args)
    name, _ = args.need("name"), args.need("capacity")
    capacity, allocation = size_of(shell, args, "capacity"), size_of(shell, args, "allocation")
    xml = f"<volume>\n  <name>{escape(name)}</name>\n  <capacity>{capacity}</capacity>\n"
    if allocation is not None:
        xml += f"  <allocation>{allocation}</allocation>\n"
    form = args.wanted("format")
    if form:
        xml += f"  <target>\n    <format type='{escape(form, True)}'/>\n  </target>\n"
    backing, _ = args.wanted("backing-vol"), args.wanted("backing-vol-format")
    if backing:
        xml += backing_xml(shell, pool, backing, args.wanted("backing-vol-format"))
    xml += "</volume>\n"
    if args.flag("print-xml"):
        shell.out(xml)
        return
    flags = PREALLOC if args.flag("prealloc-metadata") else 0
    shell.attempt(f"Failed to create vol {name}", pool.createXML, xml, flags)
    shell.extra(f"Vol {name} created\n")


def backing_xml(shell: Shell, pool: StoragePool, backing: str, form: str | None) -> str:
    """The element of a backing volume, named by name, key or path."""
    from kvasir.cli.virsh.xmltree import escape

    problem: Error | None = None
    for look in (pool.storageVolLookupByName, shell.conn.storageVolLookupByKey, shell.conn.storageVolLookupByPath):
        try:
            path = look(backing).path()
            break
        except Error as caught:
            problem = caught
            continue
    else:
        shell.error(f"failed to get vol '{backing}'")
        assert problem is not None
        raise problem
    inner = f"    <format type='{escape(form, True)}'/>\n" if form else ""
    return f"  <backingStore>\n    <path>{escape(path)}</path>\n{inner}  </backingStore>\n"


def vol_resize(shell: Shell, args: Args) -> None:
    flags = (ALLOCATE if args.flag("allocate") else 0) | (SHRINK if args.flag("shrink") else 0)
    if args.flag("delta"):
        flags |= DELTA
    volume = find_volume(shell, args)
    digits = given = args.need("capacity").lstrip()
    if digits.startswith("-"):
        if not args.flag("shrink"):
            raise Fail("negative size requires --shrink")
        given = digits = digits[1:]
    size = scaled(digits, 1)
    if size is None:
        malformed(given)
    name, by = volume.name(), args.flag("delta")
    failed = f"Failed to change size of volume '{name}' {'by' if by else 'to'} {given}"
    shell.attempt(failed, volume.resize, size, flags)
    shell.extra(f"Size of volume '{name}' successfully changed {'by' if by else 'to'} {given}\n")


def vol_download(shell: Shell, args: Args) -> None:
    offset, length = args.unsigned("offset", 64) or 0, args.unsigned("length", 64) or 0
    volume, name = find_volume(shell, args), args.need("vol")
    path = args.need("file")
    stream = shell.conn.newStream()
    failed = f"cannot download from volume {name}"
    try:
        file = open(path, "wb")  # noqa: SIM115  # closed below
    except OSError:
        raise Fail(f"cannot create {path}") from None
    with file:
        shell.attempt(failed, volume.download, stream, offset, length, SPARSE if args.flag("sparse") else 0)
        if args.flag("sparse"):
            stream.sparseRecvAll(lambda _, chunk, out: out.write(chunk), lambda _, hole, out: out.seek(hole, 1), file)
            file.truncate()
        else:
            stream.recvAll(lambda _, chunk, out: out.write(chunk), file)
        shell.attempt(f"cannot close volume {name}", stream.finish)


def vol_upload(shell: Shell, args: Args) -> None:
    offset, length = args.unsigned("offset", 64) or 0, args.unsigned("length", 64) or 0
    volume, name = find_volume(shell, args), args.need("vol")
    path = args.need("file")
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below
    except IsADirectoryError as problem:
        raise Fail(f"cannot send data to volume {name}\nerror: send handler failed: {problem.strerror}") from None
    except OSError:
        raise Fail(f"cannot read {path}") from None
    stream = shell.conn.newStream()
    with file:
        sparse = args.flag("sparse")
        flags = SPARSE if sparse else 0
        shell.attempt(f"cannot upload to volume {name}", volume.upload, stream, offset, length, flags)
        if sparse:
            shell.attempt(f"cannot send data to volume {name}", stream.sparseSendAll, _read, _hole, _skip, file)
        else:
            shell.attempt(f"cannot send data to volume {name}", stream.sendAll, _read, file)
        shell.attempt(f"cannot close volume {name}", stream.finish)


def _read(_: object, count: int, source: BinaryIO) -> bytes:
    return source.read(count)


def _hole(_: object, source: BinaryIO) -> tuple[bool, int]:
    """Whether data stand at the reading position, and how long that or the hole is."""
    import os

    fd, place = source.fileno(), source.tell()
    end = os.fstat(fd).st_size
    try:
        start = os.lseek(fd, place, os.SEEK_DATA)
    except OSError:
        start = end
    if start > place or place >= end:
        source.seek(place)
        return False, start - place
    stop = os.lseek(fd, place, os.SEEK_HOLE)
    source.seek(place)
    return True, stop - place


def _skip(_: object, length: int, source: BinaryIO) -> None:
    source.seek(length, 1)


def vol_wipe(shell: Shell, args: Args) -> None:
    volume = find_volume(shell, args)
    name = args.wanted("algorithm")
    known = ("zero", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random", "trim")
    if name is not None and name not in known:
        raise Fail(f"Unsupported algorithm '{name}'")
    if name is None:
        shell.attempt(f"Failed to wipe vol {volume.name()}", volume.wipe, 0)
    else:
        shell.attempt(f"Failed to wipe vol {volume.name()}", volume.wipePattern, known.index(name), 0)
    shell.extra(f"Vol {volume.name()} wiped\n")


VOL = data("vol", "name, key or path of the volume")
POOL = text("pool", "name or UUID of its pool")
FROM_POOL = data("pool", "name or UUID of the pool")
TRANSFER = (
    VOL,
    data("file", "the file"),
    POOL,
    number("offset", "where to begin in the volume"),
    number("length", "how much to copy"),
    flag("sparse", "keep holes"),
)
COMMANDS = [
    Command(
        "vol-create",
        "make a volume from an XML file",
        (
            FROM_POOL,
            data("file", "file with the XML"),
            flag("prealloc-metadata", "allocate its metadata now"),
            flag("validate", "check it against the schema"),
        ),
        vol_create,
    ),
    Command(
        "vol-create-as",
        "make a volume from options",
        (
            FROM_POOL,
            data("name", "name of the volume"),
            data("capacity", "its size, with a unit if it is not bytes"),
            text("allocation", "how much of it is allocated now"),
            text("format", "format of the file: raw, qcow2, ..."),
            text("backing-vol", "the volume below it"),
            text("backing-vol-format", "format of that one"),
            flag("prealloc-metadata", "allocate its metadata now"),
            flag("print-xml", "print the XML, do nothing"),
        ),
        vol_create_as,
    ),
    Command("vol-delete", "delete a volume", (VOL, POOL, flag("delete-snapshots", "its snapshots too")), vol_delete),
    Command(
        "vol-download",
        "copy a volume to a file",
        TRANSFER,
        vol_download,
    ),
    Command("vol-dumpxml", "print a volume's XML", (VOL, POOL, XPATH, WRAP), vol_dumpxml),
    Command(
        "vol-info",
        "what a volume is",
        (VOL, POOL, flag("bytes", "sizes in bytes"), flag("physical", "what it takes, not what is allocated")),
        vol_info,
    ),
    Command("vol-key", "print a volume's key", (data("vol", "name or path of the volume"), POOL), vol_key),
    Command("vol-list", "list a pool's volumes", (FROM_POOL, flag("details", "more about each")), vol_list),
    Command("vol-name", "print a volume's name", (data("vol", "key or path of the volume"),), vol_name),
    Command("vol-path", "print a volume's path", (data("vol", "name or key of the volume"), POOL), vol_path),
    Command(
        "vol-pool",
        "print a volume's pool",
        (data("vol", "key or path of the volume"), flag("uuid", "its UUID")),
        vol_pool,
    ),
    Command(
        "vol-resize",
        "change a volume's size",
        (
            VOL,
            data("capacity", "the new size, with a unit if it is not bytes"),
            POOL,
            flag("allocate", "allocate what is new"),
            flag("delta", "the size is added"),
            flag("shrink", "let it become smaller"),
        ),
        vol_resize,
    ),
    Command(
        "vol-upload",
        "copy a file to a volume",
        TRANSFER,
        vol_upload,
    ),
    Command("vol-wipe", "overwrite a volume", (VOL, POOL, text("algorithm", "how: zero, nnsa, dod, ...")), vol_wipe),
]
