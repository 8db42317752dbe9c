"""Checkpoints and backups: checkpoint-*, backup-begin, backup-dumpxml."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, print_document
from kvasir.cli.virsh.commands.points import (
    Row,
    created,
    delete,
    document,
    parent_of,
    print_parent,
    show,
    stamp,
)
from kvasir.cli.virsh.commands.specs import pairs, quoted
from kvasir.cli.virsh.grammar import Args, Command, Fail, flag, rest, text
from kvasir.cli.virsh.shared import DOMAIN, line, read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECURE, NO_DOMAIN, SIZE = 1, 2, 4
REDEFINE = 1


def find(shell: Shell, args: Args, domain: Any, option: str = "checkpointname") -> Any:
    """The checkpoint that an option names."""
    name = args.wanted(option)
    if name is None:
        raise Fail(f"--{option} is required")
    return domain.checkpointLookupByName(name, 0)


def checkpoint_create(shell: Shell, args: Args) -> None:
    domain, path = shell.domain(args), args.wanted("xmlfile")
    flags = sum(bit for name, bit in (("redefine", 1), ("quiesce", 2), ("redefine-validate", 4)) if args.flag(name))
    text_ = "<domaincheckpoint/>" if path is None else read_file(path)
    created(shell, "checkpoint", domain.checkpointCreateXML(text_, flags).name(), path)


def checkpoint_create_as(shell: Shell, args: Args) -> None:
    domain, text_ = shell.domain(args), document(args, "domaincheckpoint", diskspec)
    if args.flag("print-xml"):
        shell.out(text_ + "\n")
        return
    made = domain.checkpointCreateXML(text_, 2 if args.flag("quiesce") else 0)
    created(shell, "checkpoint", made.name(), None)


def diskspec(spec: str) -> str:
    """``name[,checkpoint=way][,bitmap=name]`` as ``<disk/>``."""
    name, found = pairs(spec, ("checkpoint", "bitmap"))
    attributes = "".join(f" {key}='{quoted(found[key])}'" for key in ("checkpoint", "bitmap") if key in found)
    return f"    <disk name='{quoted(name)}'{attributes}/>\n"


def checkpoint_delete(shell: Shell, args: Args) -> None:
    found = find(shell, args, shell.domain(args))
    if args.flag("children") and args.flag("children-only"):
        raise Fail("Options --children and --children-only are mutually exclusive")
    delete(shell, args, "checkpoint", found)


def checkpoint_dumpxml(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    check_xpath(args)
    flags = (
        (SECURE if args.flag("security-info") else 0)
        | (NO_DOMAIN if args.flag("no-domain") else 0)
        | (SIZE if args.flag("size") else 0)
    )
    print_document(shell, args, find(shell, args, domain).XMLDesc(flags))


def checkpoint_edit(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    found = find(shell, args, domain)
    name = found.name()

    def save(document: str) -> None:
        domain.checkpointCreateXML(document, REDEFINE)

    edit_document(shell, lambda: str(found.XMLDesc(SECURE)), save,
                  f"Checkpoint {name} XML configuration not changed.\n", f"Checkpoint {name} edited.\n")  # fmt: skip


def checkpoint_info(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    found = find(shell, args, domain)
    parent = parent_of(found)
    shell.out(line("Name:", found.name()) + line("Domain:", domain.name()))
    shell.out(line("Parent:", parent.name() if parent is not None else "-"))
    below = [len(found.listAllChildren(flags)) for flags in (0, 1)]
    shell.out(line("Children:", below[0]) + line("Descendants:", below[1]))


def checkpoint_parent(shell: Shell, args: Args) -> None:
    print_parent(shell, "checkpoint", find(shell, args, shell.domain(args)))


def checkpoint_list(shell: Shell, args: Args) -> None:
    tree = args.flag("tree")
    flags = 1 if args.flag("roots") else 0
    for name, bit in (("leaves", 4), ("no-leaves", 8)):
        if args.flag(name):
            if tree:
                raise Fail(f"--{name} and --tree are mutually exclusive")
            flags |= bit
    flags |= 2 if args.flag("topological") else 0
    if args.flag("descendants"):
        if not args.flag("from"):
            raise Fail("--descendants requires --from")
        flags |= 1
    domain = shell.domain(args)
    start = find(shell, args, domain, "from") if args.flag("from") else None
    handles = domain.listAllCheckpoints(flags) if start is None else start.listAllChildren(flags | (1 if tree else 0))
    show(shell, args, handles, start, ["Creation Time"], _cells)


def _cells(row: Row) -> list[str]:
    """The time."""
    from kvasir.cli.virsh.xmltree import parse

    return [stamp(parse(row.handle.XMLDesc(NO_DOMAIN)).get("creationTime"))]


def backup_begin(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    path, checkpoint = args.wanted("backupxml"), args.wanted("checkpointxml")
    document = "<domainbackup/>" if path is None else read_file(path)
    point = read_file(checkpoint) if checkpoint is not None else None
    domain.backupBegin(document, point, 1 if args.flag("reuse-external") else 0)
    shell.out("Backup started\n")


def backup_dumpxml(shell: Shell, args: Args) -> None:
    found = shell.domain(args)
    check_xpath(args)
    print_document(shell, args, found.backupGetXMLDesc(0))


NAME = text("checkpointname", "the checkpoint")
COMMANDS = [
    Command(
        "backup-begin",
        "begin a backup of a running domain",
        (
            DOMAIN,
            text("backupxml", "file with the backup's XML; none: all disks, pushed"),
            text("checkpointxml", "file with a checkpoint's XML, of the same moment"),
            flag("reuse-external", "the images that are written are there"),
        ),
        backup_begin,
        description="Whole or of the changes since a checkpoint.",
    ),
    Command("backup-dumpxml", "print the XML of the backup that runs", (DOMAIN, XPATH, WRAP), backup_dumpxml),
    Command(
        "checkpoint-create",
        "make a checkpoint from a file",
        (
            DOMAIN,
            text("xmlfile", "file with the checkpoint's XML"),
            flag("redefine", "take up the metadata of one that exists"),
            flag("redefine-validate", "and look whether its bitmaps are there"),
            flag("quiesce", "let the guest's agent flush its file systems"),
        ),
        checkpoint_create,
        description="From it on, the changes of the disks are known.",
        needs=(("redefine-validate", "redefine"),),
    ),
    Command(
        "checkpoint-create-as",
        "make a checkpoint from options",
        (
            DOMAIN,
            text("name", "its name"),
            text("description", "a text"),
            flag("print-xml", "print the XML only"),
            flag("quiesce", "let the guest's agent flush its file systems"),
            rest("diskspec", "a disk: name[,checkpoint=way][,bitmap=name]"),
        ),
        checkpoint_create_as,
    ),
    Command(
        "checkpoint-delete",
        "delete a checkpoint",
        (
            DOMAIN, NAME,
            flag("children", "and all below it"),
            flag("children-only", "all below it, not itself"),
            flag("metadata", "only what the daemon knows of it"),
        ),
        checkpoint_delete,
    ),
    Command(
        "checkpoint-dumpxml",
        "print the XML of a checkpoint",
        (
            DOMAIN, NAME,
            flag("security-info", "with passwords"),
            flag("no-domain", "without the domain"),
            flag("size", "with what a backup of the changes would take"),
            XPATH, WRAP,
        ),
        checkpoint_dumpxml,
    ),
    Command("checkpoint-edit", "edit the XML of a checkpoint", (DOMAIN, NAME), checkpoint_edit),
    Command("checkpoint-info", "what a checkpoint is", (DOMAIN, NAME), checkpoint_info),
    Command(
        "checkpoint-list",
        "list the checkpoints of a domain",
        (
            DOMAIN,
            flag("parent", "with the name of the one above"),
            flag("roots", "those without one above"),
            flag("leaves", "those without any below"),
            flag("no-leaves", "those with some below"),
            flag("tree", "as a tree"),
            text("from", "those below this one"),
            flag("descendants", "with --from: all below, not only the next"),
            flag("name", "names only"),
            flag("topological", "those above first"),
        ),
        checkpoint_list,
        exclusive=(("tree", "name"), ("parent", "roots"), ("parent", "tree"), ("roots", "tree"), ("roots", "from")),
    ),
    Command("checkpoint-parent", "print the name of the checkpoint above", (DOMAIN, NAME), checkpoint_parent),
]  # fmt: skip
