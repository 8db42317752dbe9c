"""``change-media``: another medium in a CD or floppy drive, or none. ``update-memory-device``: memory that grows."""

from __future__ import annotations

from kvasir.cli.virsh.commands.plugging import PRINT, find_disk, trimmed
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import CONFIG, CURRENT, DOMAIN, LIVE, NOT_WITH_CURRENT, scaled
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.xmltree import Node, parse, write

FORCE, INACTIVE = 4, 2
DONE = {"eject": "Successfully ejected media.", "insert": "Successfully inserted media.",
        "update": "Successfully updated media."}  # fmt: skip
NAMES = ("file", "dev", "dir", "name")


def change_media(shell: Shell, args: Args) -> None:
    source = args.wanted("source")
    action = next((name for name in ("eject", "insert", "update") if args.flag(name)), "")
    domain, path = shell.domain(args), args.need("path")
    flags = shell.affect(args) | (FORCE if args.flag("force") else 0)
    form = INACTIVE if flags & 2 else 0
    disk = find_disk(parse(domain.XMLDesc(form)), path, ("cdrom", "floppy"))
    document = write(with_medium(disk, path, source, action, block=args.flag("block")))
    if args.flag("print-xml"):
        shell.out(document)
        return
    shell.attempt(f"Failed to complete action {action or 'update'} on media", domain.updateDeviceFlags, document, flags)
    shell.extra(DONE[action or "update"])


def with_medium(disk: Node, path: str, source: str | None, action: str, *, block: bool) -> Node:
    """The drive with another medium."""
    trimmed(disk)
    there = list(disk.elements("source"))
    full = any(name in there[0].attributes for name in NAMES) if there else False
    if source is None and action != "eject" and (there or action != "update"):
        raise Fail("New disk media source was not specified")
    if action == "insert" and full:
        raise Fail(f"The disk device '{path}' already has media")
    if not there and (action == "eject" or source is None):
        raise Fail(f"The disk device '{path}' doesn't have media")
    kind = "block" if block else "file"
    new: Node | None = None
    if action != "eject":
        new = Node("source", {"dev" if block else "file": source or ""})
        policy = there[0].attributes.get("startupPolicy") if there else None
        if policy is not None:
            new.attributes["startupPolicy"] = policy
        disk.attributes["type"] = kind
    place(disk, there[0] if there else None, new)
    return disk


def place(disk: Node, old: Node | None, new: Node | None) -> None:
    """Put the new source before the target, where libvirt's tool puts it."""
    children = [child for child in disk.children if child is not old]
    if new is not None:
        at = next(i for i, child in enumerate(children) if isinstance(child, Node) and child.tag == "target")
        children[at:at] = [new, "\n      "]
    disk.children = children


# -- memory


def update_memory_device(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = shell.affect(args)
    alias, node = args.wanted("alias"), args.unsigned("node")
    root = parse(domain.XMLDesc(INACTIVE if flags & 2 else 0))
    memory = find_memory(root, alias, node)
    wanted = args.wanted("requested-size")
    if wanted is not None:
        set_requested(memory, wanted)
    document = write(memory)
    if args.flag("print-xml"):
        shell.out(document)
        return
    domain.updateDeviceFlags(document, flags)


def find_memory(root: Node, alias: str | None, node: int | None) -> Node:
    found = [
        memory for memory in root.all("devices/memory")
        if (alias is None or memory.get("alias/@name") == alias)
        and (node is None or (memory.get("target/node") or "").strip() == str(node))
    ]  # fmt: skip
    if not found:
        raise Fail("no memory device found")
    if len(found) > 1:
        raise Fail("multiple memory devices found, use --alias or --node to select one")
    return found[0]


def set_requested(memory: Node, wanted: str) -> None:
    size = scaled(wanted, 1024)
    if size is None:
        raise Fail(f"Scaled numeric value '{wanted}' for <requested-size> option is malformed or out of range")
    for requested in memory.all("target/requested"):
        requested.attributes["unit"] = "KiB"
        requested.children = [str(-(-size // 1024))]
        return
    raise Fail("memory device is missing <requested/>")


COMMANDS = [
    Command(
        "change-media",
        "change the medium of a CD or floppy drive",
        (
            DOMAIN,
            data("path", "the drive, by target or source"),
            text("source", "the new medium"),
            flag("eject", "take the medium out"),
            flag("insert", "put a medium into the empty drive"),
            flag("update", "put another medium in"),
            CURRENT,
            LIVE,
            CONFIG,
            flag("force", "even where the guest holds the tray"),
            PRINT,
            flag("block", "the source is a device of this host"),
        ),
        change_media,
        exclusive=(
            ("eject", "insert"),
            ("eject", "update"),
            ("insert", "update"),
            *NOT_WITH_CURRENT,
            ("eject", "block"),
        ),
    ),
    Command(
        "update-memory-device",
        "change a memory device of a domain",
        (
            DOMAIN,
            CONFIG,
            LIVE,
            CURRENT,
            PRINT,
            text("alias", "the device, by its alias"),
            number("node", "the device, by the guest's NUMA node"),
            number("requested-size", "how much of it the guest is to use, in KiB if no unit is given"),
        ),
        update_memory_device,
        exclusive=(*NOT_WITH_CURRENT, ("node", "alias")),
    ),
]
