"""Snapshots: create, create-as, current, delete, dumpxml, edit, info, parent, revert (list is in ``snapshotlist``)."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, print_document
from kvasir.cli.virsh.commands.points import created, delete, document, parent_of, print_parent
from kvasir.cli.virsh.commands.specs import diskspec, memspec
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, rest, text
from kvasir.cli.virsh.shared import DOMAIN, line, read_file
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECURE = 1
CREATE = {
    "redefine": 1, "current": 2, "no-metadata": 4, "halt": 8, "disk-only": 16, "reuse-external": 32, "quiesce": 64,
    "atomic": 128, "live": 256, "validate": 512,
}  # fmt: skip
REDEFINE, CURRENT = 1, 2
FORCE = 4


def find(shell: Shell, args: Args, domain: Any, option: str = "snapshotname", *, exclusive: bool = True) -> Any:
    """The snapshot that an option or --current names."""
    name, current = args.wanted(option), args.flag("current")
    if exclusive and name is not None and current:
        raise Fail(f"--{option} and --current are mutually exclusive")
    if name is not None:
        return domain.snapshotLookupByName(name, 0)
    if current:
        return domain.snapshotCurrent(0)
    raise Fail(f"--{option} or --current is required")


def flags_of(args: Args) -> int:
    return sum(bit for name, bit in CREATE.items() if args.flag(name))


def snapshot_create(shell: Shell, args: Args) -> None:
    domain, path = shell.domain(args), args.wanted("xmlfile")
    text_ = "<domainsnapshot/>" if path is None else read_file(path)
    created(shell, "snapshot", domain.snapshotCreateXML(text_, flags_of(args)).name(), path)


def snapshot_create_as(shell: Shell, args: Args) -> None:
    domain, _, _, memory = shell.domain(args), *(args.wanted(name) for name in ("name", "description", "memspec"))
    text_ = document(args, "domainsnapshot", diskspec, memspec(memory) if memory is not None else "")
    if args.flag("print-xml"):
        shell.out(text_ + "\n")
        return
    created(shell, "snapshot", domain.snapshotCreateXML(text_, flags_of(args)).name(), None)


def snapshot_current(shell: Shell, args: Args) -> None:
    domain, name = shell.domain(args), args.wanted("snapshotname")
    if name is not None:
        domain.snapshotCreateXML(domain.snapshotLookupByName(name, 0).XMLDesc(SECURE), REDEFINE | CURRENT)
        shell.extra(f"Snapshot {name} set as current")
        return
    if not domain.hasCurrentSnapshot(0):
        raise Fail(f"domain '{args.need('domain')}' has no current snapshot")
    found = domain.snapshotCurrent(0)
    shell.out(found.name() if args.flag("name") else found.XMLDesc(SECURE if args.flag("security-info") else 0))


def snapshot_delete(shell: Shell, args: Args) -> None:
    delete(shell, args, "snapshot", find(shell, args, shell.domain(args)))


def snapshot_dumpxml(shell: Shell, args: Args) -> None:
    name, domain = args.need("snapshotname"), shell.domain(args)
    check_xpath(args)
    found = domain.snapshotLookupByName(name, 0)
    print_document(shell, args, found.XMLDesc(SECURE if args.flag("security-info") else 0))


def snapshot_edit(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = REDEFINE
    if args.flag("current") and args.flag("snapshotname"):
        flags |= CURRENT
    found = find(shell, args, domain, exclusive=False)
    name = found.name()
    if found.isCurrent(0):
        flags |= CURRENT
    edited: list[Any] = []

    def save(document: str) -> None:
        edited.append(domain.snapshotCreateXML(document, flags))

    try:
        edit_document(shell, lambda: str(found.XMLDesc(SECURE)), save,
                      f"Snapshot {name} XML configuration not changed.\n", "")  # fmt: skip
        _settle(shell, found, edited, args)
    except (Error, Fail) as problem:
        if isinstance(problem, Error):
            shell.report(problem)
        elif str(problem):
            shell.error(str(problem))
        raise Fail(f"Failed to update {name}") from None


def _settle(shell: Shell, found: Any, edited: list[Any], args: Args) -> None:
    """Say what became of it; another name wants --rename or --clone."""
    if not edited:
        return
    name, rename, clone = found.name(), args.flag("rename"), args.flag("clone")
    new = edited[-1]
    if new.name() == name:
        shell.extra(f"Snapshot {name} edited.\n")
    elif clone:
        shell.extra(f"Snapshot {name} cloned to {new.name()}.\n")
    else:
        gone = found if rename else new
        shell.attempt(f"Failed to clean up {gone.name()}", gone.delete, 2)
        if not rename:
            raise Fail(f"Must use --rename or --clone to change {name} to {new.name()}")


def snapshot_info(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.xmltree import parse

    domain = shell.domain(args)
    found = find(shell, args, domain)
    root = parse(found.XMLDesc(0))
    state = root.get("state")
    external = state == "disk-snapshot" or root.get("memory/@snapshot") == "external"
    external = external or any(disk.get("@snapshot") == "external" for disk in root.all("disks/disk"))
    shell.out(line("Name:", found.name()) + line("Domain:", domain.name()))
    shell.out(line("Current:", "yes" if found.isCurrent(0) else "no") + line("State:", state or ""))
    shell.out(line("Location:", "external" if external else "internal"))
    parent = parent_of(found)
    shell.out(line("Parent:", parent.name() if parent is not None else "-"))
    shell.out(line("Children:", found.numChildren(0)) + line("Descendants:", found.numChildren(1)))
    shell.out(line("Metadata:", "yes" if found.hasMetadata(0) else "no"))


def snapshot_parent(shell: Shell, args: Args) -> None:
    print_parent(shell, "snapshot", find(shell, args, shell.domain(args)))


def snapshot_revert(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    found = find(shell, args, domain)
    flags = sum(bit for name, bit in (("running", 1), ("paused", 2), ("reset-nvram", 8)) if args.flag(name))

    def go() -> None:
        try:
            domain.revertToSnapshot(found, flags)
        except Error as problem:
            if not args.flag("force") or problem.code != Code.SNAPSHOT_REVERT_RISKY:
                raise
            domain.revertToSnapshot(found, flags | FORCE)

    shell.attempt(f"Failed to revert snapshot {found.name()}", go)
    shell.extra(f"Domain snapshot {found.name()} reverted\n")


NAME = text("snapshotname", "the snapshot")
THE_CURRENT = flag("current", "the current snapshot")
WAYS = (
    flag("no-metadata", "the daemon does not remember it"),
    flag("halt", "the domain ends with it"),
    flag("disk-only", "disks without memory"),
    flag("reuse-external", "the new images are there"),
    flag("quiesce", "let the guest's agent flush its file systems"),
    flag("atomic", "all or nothing"),
    flag("live", "the domain runs while its memory is saved"),
    flag("validate", "check the XML by its grammar"),
)
COMMANDS = [
    Command(
        "snapshot-create",
        "make a snapshot from a file",
        (
            DOMAIN,
            text("xmlfile", "file with the snapshot's XML"),
            flag("redefine", "take up the metadata of one that exists"),
            flag("current", "with --redefine: it is the current one"),
            *WAYS,
        ),
        snapshot_create,
        description="Without a file: disks and memory, with a name of its own.",
    ),
    Command(
        "snapshot-create-as",
        "make a snapshot from options",
        (
            DOMAIN,
            text("name", "its name"),
            text("description", "a text"),
            flag("print-xml", "print the XML only"),
            *WAYS,
            text("memspec", "memory: [file=]path[,snapshot=way]", positional=False),
            rest("diskspec", "a disk: name[,snapshot=way][,driver=format][,stype=type][,file=path]"),
        ),
        snapshot_create_as,
    ),
    Command(
        "snapshot-current",
        "print or choose the current snapshot",
        (
            DOMAIN,
            flag("name", "its name only"),
            flag("security-info", "with passwords"),
            text("snapshotname", "make this one current"),
        ),
        snapshot_current,
        exclusive=(("name", "snapshotname"),),
    ),
    Command(
        "snapshot-delete",
        "delete a snapshot",
        (
            DOMAIN, NAME, THE_CURRENT,
            flag("children", "and all below it"),
            flag("children-only", "all below it, not itself"),
            flag("metadata", "only what the daemon knows of it"),
        ),
        snapshot_delete,
    ),
    Command(
        "snapshot-dumpxml",
        "print the XML of a snapshot",
        (DOMAIN, data("snapshotname", "the snapshot"), flag("security-info", "with passwords"), XPATH, WRAP),
        snapshot_dumpxml,
    ),
    Command(
        "snapshot-edit",
        "edit the XML of a snapshot",
        (
            DOMAIN, NAME,
            flag("current", "edit the current one, or make the named one current"),
            flag("rename", "its name may change"),
            flag("clone", "another name makes another snapshot"),
        ),
        snapshot_edit,
        exclusive=(("rename", "clone"),),
    ),
    Command("snapshot-info", "what a snapshot is", (DOMAIN, NAME, THE_CURRENT), snapshot_info),
    Command("snapshot-parent", "print the name of the snapshot above", (DOMAIN, NAME, THE_CURRENT), snapshot_parent),
    Command(
        "snapshot-revert",
        "go back to a snapshot",
        (
            DOMAIN, NAME, THE_CURRENT,
            flag("running", "the domain runs after it"),
            flag("paused", "the domain is paused after it"),
            flag("force", "take a risk"),
            flag("reset-nvram", "make its NVRAM anew from the template"),
        ),
        snapshot_revert,
        description="What was written since is lost.",
        exclusive=(),
    ),
]  # fmt: skip
