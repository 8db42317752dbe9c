"""Saving and restoring domains: managedsave*, save*, restore, domjobabort."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, print_document
from kvasir.cli.virsh.grammar import Args, Command, data, flag, text
from kvasir.cli.virsh.progress import attempt
from kvasir.cli.virsh.shared import DOMAIN, read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = {"bypass-cache": 1, "running": 2, "paused": 4, "reset-nvram": 8}
SECURE = 1
POSTCOPY = 1
RUNNING = flag("running", "restoring it shall leave it running")
PAUSED = flag("paused", "restoring it shall leave it paused")
ONE_STATE = (("running", "paused"),)


def flags_of(args: Args) -> int:
    """The flags that were given."""
    return sum(bit for name, bit in FLAGS.items() if args.flag(name))


def managedsave(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name = args.need("domain")
    failure = f"Failed to save domain '{name}' state"
    attempt(shell, args, "Managedsave", failure, domain, "domain_managed_save", [flags_of(args)])
    shell.extra(f"\nDomain '{name}' state saved by libvirt\n")


def managedsave_remove(shell: Shell, args: Args) -> None:
    domain, name = shell.domain(args), args.need("domain")
    there = shell.attempt("Failed to check for domain managed save image", domain.hasManagedSaveImage, 0)
    if not there:
        shell.extra(f"Domain '{name}' has no manage save image; removal skipped")
        return
    shell.attempt(f"Failed to remove managed save image for domain '{name}'", domain.managedSaveRemove, 0)
    shell.extra(f"Removed managedsave image for domain '{name}'")


def managedsave_dumpxml(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    check_xpath(args)
    print_document(shell, args, domain.managedSaveGetXMLDesc(SECURE if args.flag("security-info") else 0))


def managedsave_define(shell: Shell, args: Args) -> None:
    document = read_file(args.need("xml"))
    domain = shell.domain(args)
    shell.attempt(
        f"Failed to update {domain.name()} XML configuration", domain.managedSaveDefineXML, document, flags_of(args)
    )
    shell.extra(f"Managed save state file of domain '{domain.name()}' updated.\n")


def managedsave_edit(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.commands.define import edit_document

    domain = shell.domain(args)
    name, flags = domain.name(), flags_of(args)

    def save(document: str) -> None:
        domain.managedSaveDefineXML(document, flags)

    edit_document(
        shell,
        lambda: str(domain.managedSaveGetXMLDesc(SECURE)),
        save,
        f"Managed save image of domain '{name}' XML configuration not changed.\n",
        f"Managed save image of Domain '{name}' XML configuration edited.\n",
    )


def save(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    path, document = args.need("file"), args.wanted("xml")
    name, flags = args.need("domain"), flags_of(args)
    path = absolute(path)
    failure = f"Failed to save domain '{name}' to {args.need('file')}"
    if document is not None or flags:
        xml = read_file(document) if document is not None else None
        attempt(shell, args, "Save", failure, domain, "domain_save_flags", [path, xml, flags])
    else:
        attempt(shell, args, "Save", failure, domain, "domain_save", [path])
    shell.extra(f"\nDomain '{name}' saved to {args.need('file')}\n")


def absolute(path: str) -> str:
    """A path that the daemon understands."""
    import os

    return os.path.join(os.getcwd(), path)


def restore(shell: Shell, args: Args) -> None:
    path, document = args.need("file"), args.wanted("xml")
    flags = flags_of(args)
    if document is not None or flags:
        xml = read_file(document) if document is not None else None
        call: tuple[Any, ...] = (shell.conn.restoreFlags, absolute(path), xml, flags)
    else:
        call = (shell.conn.restore, absolute(path))
    shell.attempt(f"Failed to restore domain from {path}", *call)
    shell.extra(f"Domain restored from {path}\n")


def save_image_dumpxml(shell: Shell, args: Args) -> None:
    path, flags = args.need("file"), SECURE if args.flag("security-info") else 0
    check_xpath(args)
    print_document(shell, args, shell.conn.saveImageGetXMLDesc(absolute(path), flags))


def save_image_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    document = read_file(args.need("xml"))
    shell.attempt(f"Failed to update {path}", shell.conn.saveImageDefineXML, absolute(path), document, flags_of(args))
    shell.extra(f"State file {path} updated.\n")


def save_image_edit(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.commands.define import edit_document

    path, flags = args.need("file"), flags_of(args)
    where = absolute(path)

    def save_it(document: str) -> None:
        shell.conn.saveImageDefineXML(where, document, flags)

    edit_document(
        shell,
        lambda: str(shell.conn.saveImageGetXMLDesc(where, SECURE)),
        save_it,
        f"Saved image {path} XML configuration not changed.\n",
        f"State file {path} edited.\n",
    )


def domjobabort(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    if args.flag("postcopy"):
        domain.abortJobFlags(POSTCOPY)
    else:
        domain.abortJob()


BYPASS = flag("bypass-cache", "past the file system cache")
FILE = data("file", "the file of the saved state")
VERBOSE = flag("verbose", "show how far it is")
SECURITY = flag("security-info", "with passwords")
COMMANDS = [
    Command(
        "domjobabort",
        "end a domain's job",
        (DOMAIN, flag("postcopy", "end a migration in its post-copy phase")),
        domjobabort,
        description="Aborts what runs in the background: save, dump, migration, ...",
    ),
    Command(
        "managedsave",
        "save a domain so that its next start goes on",
        (DOMAIN, BYPASS, RUNNING, PAUSED, VERBOSE),
        managedsave,
        description="The daemon keeps the image; 'start' uses and removes it.",
    ),
    Command(
        "managedsave-define",
        "change the XML in a managed save image",
        (DOMAIN, data("xml", "file with the domain's XML"), RUNNING, PAUSED),
        managedsave_define,
        exclusive=ONE_STATE,
    ),
    Command(
        "managedsave-dumpxml",
        "print the XML in a managed save image",
        (DOMAIN, SECURITY, XPATH, WRAP),
        managedsave_dumpxml,
    ),
    Command(
        "managedsave-edit",
        "edit the XML in a managed save image",
        (DOMAIN, RUNNING, PAUSED),
        managedsave_edit,
        exclusive=ONE_STATE,
    ),
    Command("managedsave-remove", "remove a managed save image", (DOMAIN,), managedsave_remove),
    Command(
        "restore",
        "restore a domain from a file",
        (
            data("file", "the file of the saved state"),
            BYPASS,
            text("xml", "file with other XML for the domain"),
            flag("running", "leave it running"),
            flag("paused", "leave it paused"),
            flag("reset-nvram", "make its NVRAM anew from the template"),
        ),
        restore,
        description="Goes on where 'save' stopped.",
    ),
    Command(
        "save",
        "save a domain to a file and end it",
        (
            DOMAIN,
            data("file", "where to save"),
            BYPASS,
            text("xml", "file with other XML for the domain"),
            RUNNING,
            PAUSED,
            VERBOSE,
        ),
        save,
        description="The file holds memory and state, not the disks.",
    ),
    Command(
        "save-image-define",
        "change the XML in a file of a saved state",
        (FILE, data("xml", "file with the domain's XML"), RUNNING, PAUSED),
        save_image_define,
    ),
    Command(
        "save-image-dumpxml",
        "print the XML in a file of a saved state",
        (FILE, SECURITY, XPATH, WRAP),
        save_image_dumpxml,
    ),
    Command(
        "save-image-edit",
        "edit the XML in a file of a saved state",
        (FILE, RUNNING, PAUSED),
        save_image_edit,
        exclusive=ONE_STATE,
    ),
]
