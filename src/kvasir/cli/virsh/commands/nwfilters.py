"""Network filters: nwfilter-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, print_document
from kvasir.cli.virsh.grammar import Args, Command, data, flag
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Code, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VALIDATE = 1


def find_filter(shell: Shell, args: Args) -> Any:
    """The filter that --nwfilter names, by UUID or name."""
    wanted = shell.wanted(args, "nwfilter")
    conn = shell.conn
    if len(wanted.replace("-", "")) == 32:
        shell.trying(args, "nwfilter", "nwfilter UUID")
        try:
            return conn.nwfilterLookupByUUIDString(wanted)
        except Error:
            pass
    shell.trying(args, "nwfilter", "nwfilter NAME")
    try:
        return conn.nwfilterLookupByName(wanted)
    except Error as problem:
        shell.error(f"failed to get nwfilter '{wanted}'")
        raise problem from None


def find_binding(shell: Shell, args: Args) -> Any:
    """The binding that --binding names by its port device."""
    wanted = shell.wanted(args, "binding")
    shell.trying(args, "binding", "nwfilter binding port dev")
    try:
        return shell.conn.nwfilterBindingLookupByPortDev(wanted)
    except Error as problem:
        shell.error(f"failed to get nwfilter binding '{wanted}'")
        raise problem from None


def nwfilter_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    text = read_file(path)
    words = f"Failed to define network filter from {path}"
    if flags:
        found = shell.attempt(words, shell.conn.nwfilterDefineXMLFlags, text, flags)
    else:
        found = shell.attempt(words, shell.conn.nwfilterDefineXML, text)
    shell.extra(f"Network filter {found.name()} defined from {path}\n")


def nwfilter_dumpxml(shell: Shell, args: Args) -> None:
    found = find_filter(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def nwfilter_undefine(shell: Shell, args: Args) -> None:
    found = find_filter(shell, args)
    shell.attempt(f"Failed to undefine network filter {found.name()}", found.undefine)
    shell.extra(f"Network filter {found.name()} undefined\n")


def all_filters(shell: Shell) -> Any:
    """Every filter; where the daemon is too old to list them at once, the older call says why it cannot either."""
    conn = shell.conn
    try:
        return conn.listAllNWFilters(0)
    except Error as problem:
        if problem.code != Code.NO_SUPPORT:
            return shell.attempt("Failed to list network filters", conn.listAllNWFilters, 0)
    shell.attempt("Failed to count network filters", conn.numOfNWFilters)
    return [conn.nwfilterLookupByName(name) for name in conn.listNWFilters()]


def nwfilter_list(shell: Shell, args: Args) -> None:
    found = all_filters(shell)
    rows = [[one.UUIDString(), one.name()] for one in sorted(found, key=lambda one: str(one.name()).lower())]
    shell.out(table(("UUID", "Name"), rows, not shell.quiet))


def nwfilter_edit(shell: Shell, args: Args) -> None:
    found = find_filter(shell, args)
    name = found.name()
    edit_document(
        shell,
        lambda: str(found.XMLDesc(0)),
        lambda document: shell.conn.nwfilterDefineXML(document) and None,
        f"Network filter {name} XML configuration not changed.\n",
        f"Network filter {name} XML configuration edited.\n",
    )


def binding_create(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    words = f"Failed to create network filter from {path}"
    found = shell.attempt(words, shell.conn.nwfilterBindingCreateXML, read_file(path), flags)
    shell.extra(f"Network filter binding on {found.portDev()} created from {path}\n")


def binding_delete(shell: Shell, args: Args) -> None:
    found = find_binding(shell, args)
    shell.attempt(f"Failed to delete network filter binding on {found.portDev()}", found.delete)
    shell.extra(f"Network filter binding on {found.portDev()} deleted\n")


def binding_dumpxml(shell: Shell, args: Args) -> None:
    found = find_binding(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def binding_list(shell: Shell, args: Args) -> None:
    found = shell.attempt("Failed to list network filter bindings", shell.conn.listAllNWFilterBindings, 0)
    rows = [[one.portDev(), one.filterName()] for one in sorted(found, key=lambda one: str(one.portDev()).lower())]
    shell.out(table(("Port Dev", "Filter"), rows, not shell.quiet))


FILTER = data("nwfilter", "network filter by name or UUID")
BINDING = data("binding", "the port device of the binding")
SCHEMA = flag("validate", "check it against the schema")
COMMANDS = [
    Command(
        "nwfilter-define", "define a network filter from an XML file, or change one",
        (data("file", "file with the XML"), SCHEMA), nwfilter_define,
    ),
    Command("nwfilter-dumpxml", "print a network filter's XML", (FILTER, XPATH, WRAP), nwfilter_dumpxml),
    Command("nwfilter-edit", "edit a network filter's XML", (FILTER,), nwfilter_edit),
    Command("nwfilter-list", "list network filters", (), nwfilter_list),
    Command("nwfilter-undefine", "forget a network filter", (FILTER,), nwfilter_undefine),
    Command(
        "nwfilter-binding-create", "give an interface a filter, by an XML file",
        (data("file", "file with the XML"), SCHEMA), binding_create,
    ),
    Command("nwfilter-binding-delete", "take an interface's filter away", (BINDING,), binding_delete),
    Command("nwfilter-binding-dumpxml", "print a binding's XML", (BINDING, XPATH, WRAP), binding_dumpxml),
    Command("nwfilter-binding-list", "list the bindings of filters to interfaces", (), binding_list),
]  # fmt: skip
