"""Network interfaces of the host: iface-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, print_document
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Any
    from xml.etree.ElementTree import Element

    from kvasir.client.others import Interface

INACTIVE_XML = VALIDATE = 1
LIST_INACTIVE, LIST_ACTIVE = 1, 2
MOVED = ("mac", "bond", "vlan")
"""What belongs to the card itself, and goes with it into a bridge and out of it."""


def is_mac(word: str) -> bool:
    """Whether the word is a MAC address."""
    parts = word.split(":")
    return len(parts) == 6 and all(
        0 < len(part) <= 2 and all(letter in "0123456789abcdefABCDEF" for letter in part) for part in parts
    )


def find_interface(shell: Shell, args: Args, option: str = "interface", by: str = "nm") -> Interface:
    """The interface that an option names, by name or MAC address."""
    wanted = shell.wanted(args, option)
    mac = is_mac(wanted)
    call = shell.conn.interfaceLookupByMACString if mac else shell.conn.interfaceLookupByName
    if ("m" if mac else "n") not in by:
        raise Fail(f"failed to get interface '{wanted}'")
    shell.trying(args, option, "interface MAC" if mac else "interface NAME")
    return shell.attempt(f"failed to get interface '{wanted}'", call, wanted)  # type: ignore[no-any-return]  # from the table


def iface_list(shell: Shell, args: Args) -> None:
    flags = 0 if args.flag("inactive") else LIST_ACTIVE
    if args.flag("inactive") or args.flag("all"):
        flags |= LIST_INACTIVE
    found = shell.attempt("Failed to list interfaces", shell.conn.listAllInterfaces, flags)
    rows = [
        [card.name(), "active" if card.isActive() else "inactive", card.MACString()]
        for card in sorted(found, key=lambda card: str(card.name()).lower())
    ]
    shell.out(table(("Name", "State", "MAC Address"), rows, not shell.quiet))


def iface_dumpxml(shell: Shell, args: Args) -> None:
    found = find_interface(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(INACTIVE_XML if args.flag("inactive") else 0))


def iface_mac(shell: Shell, args: Args) -> None:
    shell.out(f"{find_interface(shell, args, by='n').MACString()}\n")


def iface_name(shell: Shell, args: Args) -> None:
    shell.out(f"{find_interface(shell, args, by='m').name()}\n")


def iface_define(shell: Shell, args: Args) -> None:
    path = args.need("file")
    flags = VALIDATE if args.flag("validate") else 0
    made = shell.attempt(
        f"Failed to define interface from {path}", shell.conn.interfaceDefineXML, read_file(path), flags
    )
    shell.extra(f"Interface {made.name()} defined from {path}\n")


def iface_undefine(shell: Shell, args: Args) -> None:
    card, name = find_interface(shell, args), args.need("interface")
    shell.attempt(f"Failed to undefine interface {name}", card.undefine)
    shell.extra(f"Interface {name} undefined\n")


def iface_start(shell: Shell, args: Args) -> None:
    card, name = find_interface(shell, args), args.need("interface")
    shell.attempt(f"Failed to start interface {name}", card.create, 0)
    shell.extra(f"Interface {name} started\n")


def iface_destroy(shell: Shell, args: Args) -> None:
    card, name = find_interface(shell, args), args.need("interface")
    shell.attempt(f"Failed to destroy interface {name}", card.destroy, 0)
    shell.extra(f"Interface {name} destroyed\n")


def iface_edit(shell: Shell, args: Args) -> None:
    card = find_interface(shell, args)
    name = card.name()
    edit_document(
        shell,
        lambda: str(card.XMLDesc(INACTIVE_XML)),
        lambda document: shell.conn.interfaceDefineXML(document, 0) and None,
        f"Interface {name} XML configuration not changed.\n",
        f"Interface {name} XML configuration edited.\n",
    )


def iface_begin(shell: Shell, args: Args) -> None:
    shell.attempt("Failed to begin network config change transaction", shell.conn.changeBegin, 0)
    shell.extra("Network config change transaction started\n")


def iface_commit(shell: Shell, args: Args) -> None:
    shell.attempt("Failed to commit network config change transaction", shell.conn.changeCommit, 0)
    shell.extra("Network config change transaction committed\n")


def iface_rollback(shell: Shell, args: Args) -> None:
    shell.attempt("Failed to rollback network config change transaction", shell.conn.changeRollback, 0)
    shell.extra("Network config change transaction rolled back\n")


def before(shell: Shell, problem: Error | None) -> AbstractContextManager[None]:
    """The error of an earlier look-up is told after a failure of our own, as libvirt's does."""
    from contextlib import contextmanager

    @contextmanager
    def guard() -> Iterator[None]:
        try:
            yield
        except Fail as failure:
            if problem is None:
                raise
            shell.error(str(failure))
            raise problem from None

    return guard()


def bridge_document(shell: Shell, card: Interface, name: str, bridge: str, stp: bool, delay: int) -> str:
    """The document of a bridge that has the card in it, and all of the card's that is not bound to it."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(card.XMLDesc(INACTIVE_XML))
    kind = root.get("type")
    if kind is None:
        raise Fail(f"Existing device {name} has no type")
    if kind == "bridge":
        raise Fail(f"Existing device {name} is already a bridge")
    if root.get("name") != name:
        raise Fail(f"Interface name from config {root.get('name')} doesn't match given supplied name {name}")
    above = ElementTree.SubElement(root, "bridge", {"stp": "on" if stp else "off", "delay": str(delay)})
    root.set("type", "bridge")
    root.set("name", bridge)
    move(root, ElementTree.SubElement(above, "interface", {"type": kind, "name": name}))
    return ElementTree.tostring(root, "unicode")


def move(source: Element, target: Element) -> None:
    """Bring what is the card's own to the other element."""
    for part in [part for part in source if part.tag in MOVED]:
        source.remove(part)
        target.append(part)


def iface_bridge(shell: Shell, args: Args) -> None:
    card = find_interface(shell, args, by="n")
    name, bridge = args.need("interface"), args.need("bridge")
    problem: Error | None = None
    try:
        shell.conn.interfaceLookupByName(bridge)
    except Error as missing:
        problem = missing
    else:
        raise Fail(f"Network device {bridge} already exists")
    with before(shell, problem):
        delay = args.unsigned("delay")
        text = bridge_document(shell, card, name, bridge, not args.flag("no-stp"), delay or 0)
    made = shell.attempt(f"Failed to define new bridge interface {bridge}", shell.conn.interfaceDefineXML, text, 0)
    shell.extra(f"Created bridge {bridge} with attached device {name}\n")
    if not args.flag("no-start"):
        shell.attempt(f"Failed to start bridge interface {bridge}", made.create, 0)
        shell.extra(f"Bridge interface {bridge} started\n")


def card_document(text: str, bridge: str) -> tuple[str, str]:
    """The name of a bridge's only card, and the document that it has without the bridge."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(text)
    kind = root.get("type")
    if kind is None:
        raise Fail(f"Existing device {bridge} has no type")
    if kind != "bridge":
        raise Fail(f"Device {bridge} is not a bridge")
    if root.get("name") != bridge:
        raise Fail(f"Interface name from config {root.get('name')} doesn't match given supplied name {bridge}")
    above = root.find("bridge")
    if above is None:
        raise Fail("No bridge node in xml document")
    cards = above.findall("interface")
    if len(cards) > 1:
        raise Fail("Multiple interfaces attached to bridge")
    if not cards:
        raise Fail("No interface attached to bridge")
    name, kind = cards[0].get("name"), cards[0].get("type")
    if name is None:
        raise Fail(f"Device attached to bridge {bridge} has no name")
    if kind is None:
        raise Fail(f"Attached device {name} has no type")
    root.set("type", kind)
    root.set("name", name)
    root.remove(above)
    move(cards[0], root)
    return name, ElementTree.tostring(root, "unicode")


def iface_unbridge(shell: Shell, args: Args) -> None:
    card, bridge = find_interface(shell, args, "bridge", "n"), args.need("bridge")
    name, text = card_document(card.XMLDesc(INACTIVE_XML), bridge)
    shell.attempt(f"Failed to destroy bridge interface {bridge}", card.destroy, 0)
    shell.attempt(f"Failed to undefine bridge interface {bridge}", card.undefine)
    made: Any = shell.attempt(f"Failed to define new interface {name}", shell.conn.interfaceDefineXML, text, 0)
    shell.extra(f"Device {name} un-attached from bridge {bridge}\n")
    if not args.flag("no-start"):
        shell.attempt(f"Failed to start interface {name}", made.create, 0)
        shell.extra(f"Interface {name} started\n")


INTERFACE = data("interface", "interface by name or MAC address")
COMMANDS = [
    Command("iface-begin", "keep the interfaces' settings, for iface-commit or iface-rollback", (), iface_begin,
            description="Other programs are not to change the settings meanwhile: what a rollback does then is not said."),
    Command("iface-bridge", "make a bridge and plug an interface into it", (
        data("interface", "interface by name"), data("bridge", "name of the new bridge"),
        flag("no-stp", "without the spanning tree protocol"),
        number("delay", "seconds that a new port passes nothing"), flag("no-start", "define it only"),
    ), iface_bridge),
    Command("iface-commit", "keep what was changed since iface-begin", (), iface_commit),
    Command("iface-define", "define an interface from an XML file, or change it",
            (data("file", "file with the interface's XML"), flag("validate", "check it against the schema")), iface_define),
    Command("iface-destroy", "stop an interface", (INTERFACE,), iface_destroy),
    Command("iface-dumpxml", "print an interface's XML",
            (INTERFACE, flag("inactive", "as it is configured"), XPATH, WRAP), iface_dumpxml),
    Command("iface-edit", "edit an interface's XML", (INTERFACE,), iface_edit),
    Command("iface-list", "list interfaces",
            (flag("inactive", "those that are not active"), flag("all", "all of them")), iface_list, exclusive=(("all", "inactive"),)),
    Command("iface-mac", "the MAC address of an interface", (data("interface", "interface by name"),), iface_mac),
    Command("iface-name", "the name of an interface", (data("interface", "MAC address"),), iface_name),
    Command("iface-rollback", "go back to what was at iface-begin", (), iface_rollback),
    Command("iface-start", "start an interface", (INTERFACE,), iface_start),
    Command("iface-unbridge", "undo a bridge and give its interface back", (
        data("bridge", "bridge by name"), flag("no-start", "leave the interface down"),
    ), iface_unbridge),
    Command("iface-undefine", "forget an interface's definition", (INTERFACE,), iface_undefine),
]  # fmt: skip
