"""Storage volumes made from others: vol-clone, vol-create-from."""

from __future__ import annotations

from kvasir.cli.virsh.commands.pools import find_pool
from kvasir.cli.virsh.commands.volumes import FROM_POOL, POOL, PREALLOC, VALIDATE, find_volume
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import Shell

REFLINK = 2


def _flags(args: Args) -> int:
    flags = (PREALLOC if args.flag("prealloc-metadata") else 0) | (REFLINK if args.flag("reflink") else 0)
    return flags | (VALIDATE if args.has("validate") else 0)


def vol_create_from(shell: Shell, args: Args) -> None:
    pool = find_pool(shell, args)
    path = args.need("file")
    source = find_volume(shell, args, pool_option="inputpool")
    xml = read_file(path)
    volume = shell.attempt(f"Failed to create vol from {path}", pool.createXMLFrom, xml, source, _flags(args))
    shell.extra(f"Vol {volume.name()} created from input vol {source.name()}\n")


def vol_clone(shell: Shell, args: Args) -> None:
    source = find_volume(shell, args)
    name = args.need("newname")
    pool = shell.attempt("failed to get parent pool", source.storagePoolLookupByVolume)
    xml = renamed(source.XMLDesc(0), name)
    if args.flag("print-xml"):
        shell.out(xml)
        return
    volume = shell.attempt(f"Failed to clone vol from {source.name()}", pool.createXMLFrom, xml, source, _flags(args))
    shell.extra(f"Vol {volume.name()} cloned from {source.name()}\n")


def renamed(xml: str, name: str) -> str:
    """The document with another name."""
    from kvasir.cli.virsh.xmltree import parse, write

    try:
        root = parse(xml)
    except ValueError:
        raise Fail("failed to parse the volume's XML") from None
    for node in root.elements("name"):
        node.children = [name]
    return write(root)


COMMANDS = [
    Command(
        "vol-clone",
        "copy a volume within its pool",
        (
            data("vol", "name, key or path of the volume"),
            data("newname", "name of the copy"),
            POOL,
            flag("prealloc-metadata", "allocate its metadata now"),
            flag("reflink", "share the blocks until one of both is written"),
            flag("print-xml", "print the XML, do nothing"),
        ),
        vol_clone,
    ),
    Command(
        "vol-create-from",
        "make a volume with the content of another",
        (
            FROM_POOL,
            data("file", "file with the XML"),
            data("vol", "name, key or path of the other volume"),
            text("inputpool", "name or UUID of that volume's pool"),
            flag("prealloc-metadata", "allocate its metadata now"),
            flag("reflink", "share the blocks until one of both is written"),
            flag("validate", "check the XML against the schema"),
        ),
        vol_create_from,
    ),
]
