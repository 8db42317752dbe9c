"""Documents of domains: create, define, dumpxml, edit, domxml-from-native, domxml-to-native."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import DOMAIN, XML_INACTIVE, passed_fds, read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DUMP_FLAGS = {"inactive": 2, "security-info": 1, "update-cpu": 4, "migratable": 8}
CREATE_FLAGS = {"paused": 1, "autodestroy": 2, "validate": 16, "reset-nvram": 32}
SECURE = 1
DEFINE_VALIDATE = 1
XPATH = text("xpath", "print only what this XPath expression selects", positional=False)
WRAP = flag("wrap", "wrap what --xpath selects in one root element")


def create(shell: Shell, args: Args) -> None:
    path = args.need("file")
    document = read_file(path)
    flags = sum(bit for name, bit in CREATE_FLAGS.items() if args.flag(name))
    fds = passed_fds(args)
    call = (shell.conn.createXMLWithFiles, document, fds, flags) if fds else (shell.conn.createXML, document, flags)
    domain = shell.attempt(f"Failed to create domain from {path}", *call)
    shell.extra(f"Domain '{domain.name()}' created from {path}\n")
    if args.flag("console"):
        from kvasir.cli.virsh.commands.console import run_console

        run_console(shell, domain, None, 0)


def define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    document = read_file(path)
    if args.flag("validate"):
        call: tuple[Any, ...] = (shell.conn.defineXMLFlags, document, DEFINE_VALIDATE)
    else:
        call = (shell.conn.defineXML, document)
    domain = shell.attempt(f"Failed to define domain from {path}", *call)
    shell.extra(f"Domain '{domain.name()}' defined from {path}\n")


def dumpxml(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    check_xpath(args)
    flags = sum(bit for name, bit in DUMP_FLAGS.items() if args.flag(name))
    print_document(shell, args, domain.XMLDesc(flags))


def check_xpath(args: Args) -> None:
    """An empty expression fails without a word, as libvirt has it."""
    if args.has("xpath") and not args.text("xpath"):
        raise Fail("")


def print_document(shell: Shell, args: Args, document: str) -> None:
    """A document, or what ``--xpath`` selects of it."""
    expression = args.wanted("xpath")
    if expression is None:
        shell.out(document)
        return
    from kvasir.cli.virsh.xpath import select

    shell.out(select(document, expression, args.flag("wrap")))


def edit(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name = domain.name()
    flags = 0 if args.flag("skip-validate") else DEFINE_VALIDATE

    def save(document: str) -> None:
        shell.conn.defineXMLFlags(document, flags)

    def relaxed(document: str) -> None:
        shell.conn.defineXMLFlags(document, 0)

    edit_document(
        shell,
        lambda: str(domain.XMLDesc(SECURE | (XML_INACTIVE if domain.isPersistent() else 0))),
        save,
        f"Domain '{name}' XML configuration not changed.\n",
        f"Domain '{name}' XML configuration edited.\n",
        relaxed,
    )


def edit_document(
    shell: Shell,
    fetch: Callable[[], str],
    save: Callable[[str], None],
    unchanged: str,
    changed: str,
    relaxed: Callable[[str], None] | None = None,
) -> None:
    """Let an editor change a document and save it."""
    from kvasir.cli.virsh.editing import edit

    if edit(shell, fetch, save, relaxed):
        shell.extra(changed)
    else:
        shell.extra(unchanged)


def inactive_or_live(thing: Any, inactive: int) -> str:
    """The document of the next start; the present one of a driver that knows no other."""
    from kvasir.errors import Code, Error

    try:
        return str(thing.XMLDesc(inactive))
    except Error as problem:
        if problem.code != Code.INVALID_ARG:
            raise
        return str(thing.XMLDesc(0))


def domxml_to_native(shell: Shell, args: Args) -> None:
    form = args.need("format")
    path, name = args.wanted("xml"), args.wanted("domain")
    if path is not None and name is not None:
        raise Fail("Options --domain and --xml are mutually exclusive")
    if name is not None:
        document = shell.domain(args).XMLDesc(0)
    elif path is not None:
        document = read_file(path)
    else:
        raise Fail("need either domain or domain XML")
    shell.out(shell.conn.domainXMLToNative(form, document, 0))


def domxml_from_native(shell: Shell, args: Args) -> None:
    form = args.need("format")
    document = read_file(args.need("config"))
    shell.out(shell.conn.domainXMLFromNative(form, document, 0))


COMMANDS = [
    Command(
        "create",
        "make and start a domain from an XML file",
        (
            data("file", "file with the domain's XML"),
            flag("console", "attach to its console"),
            flag("paused", "leave it paused"),
            flag("autodestroy", "destroy it when virsh goes"),
            text("pass-fds", "file descriptors for it, numbers with commas"),
            flag("validate", "check the XML against the schema"),
            flag("reset-nvram", "make its NVRAM anew from the template"),
        ),
        create,
        description="The domain is gone when it ends, unless it is defined too.",
    ),
    Command(
        "define",
        "define a domain from an XML file, do not start it",
        (data("file", "file with the domain's XML"), flag("validate", "check the XML against the schema")),
        define,
        description="Adds a domain, or changes the configuration of one.",
    ),
    Command(
        "domxml-from-native",
        "domain XML from a hypervisor's own configuration",
        (data("format", "the configuration's format"), data("config", "file with the configuration")),
        domxml_from_native,
    ),
    Command(
        "domxml-to-native",
        "a hypervisor's own configuration from domain XML",
        (
            data("format", "the format wanted, such as qemu-argv"),
            text("domain", "name, id or UUID of the domain", positional=False),
            text("xml", "file with the domain's XML"),
        ),
        domxml_to_native,
    ),
    Command(
        "dumpxml",
        "print a domain's XML",
        (
            DOMAIN,
            flag("inactive", "the configuration, not the running domain"),
            flag("security-info", "with passwords"),
            flag("update-cpu", "with the CPU model resolved for this host"),
            flag("migratable", "as another host wants it"),
            XPATH,
            WRAP,
        ),
        dumpxml,
        description="Prints the domain's XML.",
    ),
    Command(
        "edit",
        "edit a domain's XML",
        (DOMAIN, flag("skip-validate", "do not check it against the schema")),
        edit,
        description="Opens the configuration in $VISUAL or $EDITOR and defines what was saved.",
    ),
]
