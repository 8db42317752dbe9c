"""What people write to a domain: description, title, custom metadata."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, rest, text
from kvasir.cli.virsh.shared import DOMAIN, NOT_WITH_CURRENT
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain

DESCRIPTION, TITLE, ELEMENT = range(3)


def desc(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = shell.affect(args)
    kind = TITLE if args.flag("title") else DESCRIPTION
    word = "title" if args.flag("title") else "description"
    wanted = " ".join(args.rest("new-desc")) if args.has("new-desc") else None
    if not args.flag("edit") and wanted is None:
        found = current(domain, kind, flags)
        shell.out(found or f"No {word} for domain: {domain.name()}")
        return
    if args.flag("edit"):
        before = current(domain, kind, flags)
        wanted = edited(before if wanted is None else wanted, kind)
        if wanted == before:
            shell.extra(f"Domain {word} not changed\n")
            return
    shell.attempt(f"Failed to set new domain {word}", domain.setMetadata, kind, wanted, None, None, flags)
    shell.extra(f"Domain {word} updated successfully")


def current(domain: Domain, kind: int, flags: int) -> str:
    """Description or title, "" when there is none."""
    try:
        return domain.metadata(kind, None, flags)
    except Error as problem:
        if problem.code == Code.NO_DOMAIN_METADATA:
            return ""
        raise


def edited(before: str, kind: int) -> str:
    """A text after the editor; a title is one line."""
    import os
    import tempfile

    from kvasir.cli.virsh.editing import run_editor

    handle, path = tempfile.mkstemp(prefix="virsh")
    try:
        with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(before + "\n")
        run_editor(path)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            after = file.read().rstrip("\n")
    finally:
        os.unlink(path)
    return after


def metadata(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    flags = shell.affect(args)
    uri, key, value = args.need("uri"), args.wanted("key"), args.wanted("set")
    if (value is not None or args.flag("edit")) and key is None:
        raise Fail("namespace key is required when modifying metadata")
    if value is not None or args.flag("remove"):
        domain.setMetadata(ELEMENT, value, key, uri, flags)
        shell.out("Metadata removed\n" if args.flag("remove") else "Metadata modified\n")
    elif args.flag("edit"):
        from kvasir.cli.virsh.editing import edit

        changed = edit(
            shell,
            lambda: current_element(domain, uri, flags),
            lambda after: domain.setMetadata(ELEMENT, after, key, uri, flags) and None,
        )
        shell.out("Metadata modified" if changed else "Metadata not changed")
    else:
        shell.out(domain.metadata(ELEMENT, uri, flags) + "\n")


def current_element(domain: Domain, uri: str, flags: int) -> str:
    """The element, or an empty text."""
    try:
        return domain.metadata(ELEMENT, uri, flags)
    except Error as problem:
        if problem.code == Code.NO_DOMAIN_METADATA:
            return "\n"
        raise


COMMANDS = [
    Command(
        "desc",
        "print or set a domain's description or title",
        (
            DOMAIN,
            flag("live", "that of the running domain"),
            flag("config", "that of the configuration"),
            flag("current", "that of the domain in its present state"),
            flag("title", "the title, not the description"),
            flag("edit", "edit it with $VISUAL or $EDITOR"),
            rest("new-desc", "the new text"),
        ),
        desc,
        description="Without new text the present one is printed.",
        exclusive=NOT_WITH_CURRENT,
    ),
    Command(
        "metadata",
        "print or set a domain's custom metadata",
        (
            DOMAIN,
            data("uri", "URI of the namespace"),
            flag("live", "that of the running domain"),
            flag("config", "that of the configuration"),
            flag("current", "that of the domain in its present state"),
            flag("edit", "edit it with $VISUAL or $EDITOR"),
            text("key", "prefix of the namespace"),
            text("set", "the new element"),
            flag("remove", "remove the element"),
        ),
        metadata,
        description="Without --set, --edit or --remove the element of that namespace is printed.",
        exclusive=(*NOT_WITH_CURRENT, ("edit", "set"), ("remove", "set"), ("remove", "edit")),
    ),
]
