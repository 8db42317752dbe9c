"""Virtual networks: net-*, and their ports: net-port-*."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import WRAP, XPATH, check_xpath, edit_document, inactive_or_live, print_document
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, number, text
from kvasir.cli.virsh.shared import line, read_file, set_autostart
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kvasir.client.others import Network, NetworkPort

INACTIVE_XML = 1
VALIDATE = 1
LIST_INACTIVE, LIST_ACTIVE = 1, 2
LIST_FILTERS = {"persistent": 4, "transient": 8, "autostart": 16, "no-autostart": 32}
EVENTS = ("lifecycle",)
LIFECYCLE = ("Defined", "Undefined", "Started", "Stopped")
CHANGES = {"modify": 1, "delete": 2, "add": 3, "add-last": 3, "add-first": 4}
SECTIONS = (
    "none", "bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward", "forward-interface", "forward-pf",
    "portgroup", "dns-host", "dns-txt", "dns-srv",
)  # fmt: skip


def find_network(shell: Shell, args: Args, option: str = "network", by: str = "un") -> Network:
    """The network that an option names."""
    wanted = shell.wanted(args, option)
    problem: Error | None = None
    if "u" in by and len(wanted) == 36:
        shell.trying(args, option, "network UUID")
        try:
            return shell.conn.networkLookupByUUIDString(wanted)  # type: ignore[no-any-return]  # made from the table
        except Error as caught:
            problem = caught
    if "n" in by:
        shell.trying(args, option, "network NAME")
        try:
            return shell.conn.networkLookupByName(wanted)  # type: ignore[no-any-return]  # made from the table
        except Error as caught:
            problem = caught
    shell.error(f"failed to get network '{wanted}'")
    if problem is not None:
        raise problem
    raise Fail("")


def net_autostart(shell: Shell, args: Args) -> None:
    net = find_network(shell, args)
    set_autostart(shell, args, f"network {args.need('network')}", net)


def _made(shell: Shell, args: Args, verb: str, plain: Callable[..., Any], flagged: Callable[..., Any]) -> None:
    """Make a network of the file, with its grammar checked if asked (older daemons know the call without flags only)."""
    path = args.need("file")
    document, words = read_file(path), f"Failed to {verb} network from {path}"
    if args.flag("validate"):
        made = shell.attempt(words, flagged, document, VALIDATE)
    else:
        made = shell.attempt(words, plain, document)
    shell.extra(f"Network {made.name()} {verb}d from {path}\n")


def net_create(shell: Shell, args: Args) -> None:
    _made(shell, args, "create", shell.conn.networkCreateXML, shell.conn.networkCreateXMLFlags)


def net_define(shell: Shell, args: Args) -> None:
    _made(shell, args, "define", shell.conn.networkDefineXML, shell.conn.networkDefineXMLFlags)


def net_destroy(shell: Shell, args: Args) -> None:
    net, name = find_network(shell, args), args.need("network")
    shell.attempt(f"Failed to destroy network {name}", net.destroy)
    shell.extra(f"Network {name} destroyed\n")


def net_dumpxml(shell: Shell, args: Args) -> None:
    found = find_network(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(INACTIVE_XML if args.flag("inactive") else 0))


def net_edit(shell: Shell, args: Args) -> None:
    net = find_network(shell, args)
    name = net.name()

    def save(document: str) -> None:
        shell.conn.networkDefineXML(document)

    edit_document(
        shell,
        lambda: inactive_or_live(net, INACTIVE_XML),
        save,
        f"Network {name} XML configuration not changed.\n",
        f"Network {name} XML configuration edited.\n",
    )


def net_info(shell: Shell, args: Args) -> None:
    net = find_network(shell, args)
    shell.out(line("Name:", net.name()) + line("UUID:", net.UUIDString()))
    shell.out(line("Active:", "yes" if net.isActive() else "no"))
    shell.out(line("Persistent:", "yes" if net.isPersistent() else "no"))
    try:
        shell.out(line("Autostart:", "yes" if net.autostart() else "no"))
    except Error:
        shell.out(line("Autostart:", "no autostart"))
    try:
        shell.out(line("Bridge:", net.bridgeName()))
    except Error:
        return


def net_list(shell: Shell, args: Args) -> None:
    if sum(args.flag(name) for name in ("uuid", "name", "table")) > 1:
        raise Fail("Only one argument from --table, --name and --uuid may be specified.")
    flags = LIST_INACTIVE if args.flag("inactive") else LIST_ACTIVE
    if args.flag("all"):
        flags = LIST_INACTIVE | LIST_ACTIVE
    flags |= sum(bit for name, bit in LIST_FILTERS.items() if args.flag(name))
    found = shell.attempt("Failed to list networks", shell.conn.listAllNetworks, flags)
    networks = sorted(found, key=lambda net: str(net.name()).lower())
    if args.flag("uuid") or args.flag("name"):
        for net in networks:
            shell.out((net.UUIDString() if args.flag("uuid") else net.name()) + "\n")
        return
    rows = [row(net) for net in networks]
    shell.out(table(("Name", "State", "Autostart", "Persistent"), rows, not shell.quiet))


def row(net: Network) -> list[str]:
    """A line of the table."""
    try:
        started = "yes" if net.autostart() else "no"
    except Error:
        started = "no autostart"
    return [net.name(), "active" if net.isActive() else "inactive", started, "yes" if net.isPersistent() else "no"]


def net_name(shell: Shell, args: Args) -> None:
    shell.out(find_network(shell, args, by="u").name() + "\n")


def net_uuid(shell: Shell, args: Args) -> None:
    shell.out(find_network(shell, args, by="n").UUIDString() + "\n")


def net_start(shell: Shell, args: Args) -> None:
    net, name = find_network(shell, args), args.need("network")
    shell.attempt(f"Failed to start network {name}", net.create)
    shell.extra(f"Network {name} started\n")


def net_undefine(shell: Shell, args: Args) -> None:
    net, name = find_network(shell, args), args.need("network")
    shell.attempt(f"Failed to undefine network {name}", net.undefine)
    shell.extra(f"Network {name} has been undefined\n")


def net_update(shell: Shell, args: Args) -> None:
    net = find_network(shell, args)
    command = args.need("command")
    if command not in CHANGES:
        raise Fail(f"unrecognized command name '{command}'")
    section, xml, index = args.need("section"), args.need("xml"), args.number("parent-index")
    if section not in SECTIONS[1:]:
        raise Fail(f"unrecognized section name '{section}'")
    if not xml.startswith("<"):
        xml = read_file(xml)
    live, config = args.flag("live"), args.flag("config")
    flags = (1 if live else 0) | (2 if config else 0)
    shell.attempt(f"Failed to update network {net.name()}", net.update, CHANGES[command], SECTIONS.index(section),
                  -1 if index is None else index, xml, flags)  # fmt: skip
    if config:
        what = "persistent config and live state" if live else "persistent config"
    else:
        what = "live state" if live or net.isActive() else "persistent config"
    shell.out(f"Updated network {net.name()} {what}")


def net_dhcp_leases(shell: Shell, args: Args) -> None:
    import time

    args.wanted("mac")
    net = find_network(shell, args)
    found = shell.attempt(
        "Failed to get leases info for " + args.need("network"), net.DHCPLeases, args.wanted("mac"), 0
    )
    rows = []
    for lease in sorted(found, key=lambda one: (one.expirytime, (one.hostname or "").lower())):
        ends = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lease.expirytime)) if lease.expirytime else ""
        rows.append([ends, lease.mac or "-", ("ipv4", "ipv6")[lease.type], f"{lease.ipaddr}/{lease.prefix}",
                     lease.hostname or "-", lease.clientid or "-"])  # fmt: skip
    header = ("Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID")
    shell.out(table(header, rows, not shell.quiet))


def net_event(shell: Shell, args: Args) -> bool:
    from kvasir.cli.virsh.commands.watching import watch

    net = find_network(shell, args) if args.wanted("network") and not args.flag("list") else None

    def register(event: int, seen: Any) -> int:
        return int(shell.conn.networkEventRegisterAny(net, event, seen, None))

    def describe(name: str, thing: Any, values: tuple[Any, ...]) -> str:
        event = LIFECYCLE[values[0]] if values[0] < len(LIFECYCLE) else "unknown"
        return f"event '{name}' for network {thing.name()}: {event}"

    return watch(shell, args, EVENTS, register, lambda number: shell.conn.networkEventDeregisterAny(number), describe)


# --- ports


def find_port(shell: Shell, args: Args) -> NetworkPort:
    """The port that --port names by its UUID."""
    import uuid

    try:
        net = find_network(shell, args)
    except Error:
        raise Fail("") from None  # one line is all that libvirt says here
    wanted = shell.wanted(args, "port")
    shell.trying(args, "port", "network UUID")
    try:
        return net.portLookupByUUID(uuid.UUID(wanted).bytes)  # type: ignore[no-any-return]  # made from the table
    except (ValueError, Error):
        raise Fail(f"failed to get network port '{wanted}'") from None


def net_port_list(shell: Shell, args: Args) -> None:
    if args.flag("uuid") and args.flag("table"):
        raise Fail("Only one argument from --table and --uuid may be specified.")
    net = find_network(shell, args)
    found = net.listAllPorts(0)
    names = sorted(port.UUIDString() for port in found)
    if args.flag("uuid"):
        shell.out("".join(f"{name}\n" for name in names))
        return
    shell.out(table(("UUID",), [[name] for name in names], not shell.quiet))


def net_port_create(shell: Shell, args: Args) -> None:
    net = find_network(shell, args)
    path = args.need("file")
    flags = 2 if args.flag("validate") else 0
    port = shell.attempt(f"Failed to create network from {path}", net.portCreateXML, read_file(path), flags)
    shell.extra(f"Network port {port.UUIDString()} created from {path}\n")


def net_port_dumpxml(shell: Shell, args: Args) -> None:
    found = find_port(shell, args)
    check_xpath(args)
    print_document(shell, args, found.XMLDesc(0))


def net_port_delete(shell: Shell, args: Args) -> None:
    port = find_port(shell, args)
    name = port.UUIDString()
    shell.attempt(f"Failed to delete network port {name}", port.delete, 0)
    shell.extra(f"Network port {name} deleted\n")


def _event_options() -> tuple[Any, ...]:
    from kvasir.cli.virsh.commands.watching import options

    return options("network", "only this network, by name or UUID")


NETWORK = data("network", "name or UUID of the network")
FILE = data("file", "file with the XML")
CHECKED = flag("validate", "check the XML against the schema")
PORT = data("port", "UUID of the port")
COMMANDS = [
    Command("net-autostart", "start a network with the host", (NETWORK, flag("disable", "no longer")), net_autostart),
    Command(
        "net-create",
        "make and start a network from an XML file",
        (FILE, CHECKED),
        net_create,
        description="The network is gone when it is stopped, unless it is defined too.",
    ),
    Command("net-define", "define a network from an XML file, do not start it", (FILE, CHECKED), net_define),
    Command("net-destroy", "stop a network", (NETWORK,), net_destroy, description="Its guests lose their connection."),
    Command(
        "net-dhcp-leases",
        "list the addresses that a network gave out",
        (NETWORK, text("mac", "only to this MAC address")),
        net_dhcp_leases,
    ),
    Command(
        "net-dumpxml",
        "print a network's XML",
        (NETWORK, flag("inactive", "the configuration"), XPATH, WRAP),
        net_dumpxml,
    ),
    Command("net-edit", "edit a network's XML", (NETWORK,), net_edit),
    Command("net-event", "wait for events of networks", _event_options(), net_event),
    Command("net-info", "what a network is", (NETWORK,), net_info),
    Command(
        "net-list",
        "list networks",
        (
            flag("inactive", "those that do not run"),
            flag("all", "those that run and those that do not"),
            flag("persistent", "those with configuration"),
            flag("transient", "those without configuration"),
            flag("autostart", "those that start with the host"),
            flag("no-autostart", "those that do not"),
            flag("uuid", "print UUIDs only"),
            flag("name", "print names only"),
            flag("table", "print the table (as without options)"),
        ),
        net_list,
    ),
    Command("net-name", "print a network's name", (data("network", "UUID of the network"),), net_name),
    Command("net-start", "start a network that is defined", (NETWORK,), net_start),
    Command("net-undefine", "forget a network's configuration", (NETWORK,), net_undefine),
    Command(
        "net-update",
        "change a part of a network",
        (
            NETWORK,
            data("command", "what to do: add-first, add-last (add), delete or modify"),
            data("section", "the part of the configuration"),
            data("xml", "the element itself when it begins with '<', else the file that holds it"),
            number("parent-index", "which of several parents has it"),
            flag("config", "affect the next start"),
            flag("live", "affect the running network"),
            flag("current", "affect the network in its present state"),
        ),
        net_update,
        exclusive=(("current", "live"), ("current", "config")),
    ),
    Command("net-uuid", "print a network's UUID", (data("network", "name of the network"),), net_uuid),
    Command(
        "net-port-list",
        "list a network's ports",
        (NETWORK, flag("uuid", "print UUIDs only"), flag("table", "print the table (as without options)")),
        net_port_list,
    ),
    Command("net-port-create", "make a port of a network from an XML file", (NETWORK, FILE, CHECKED), net_port_create),
    Command("net-port-dumpxml", "print a port's XML", (NETWORK, PORT, XPATH, WRAP), net_port_dumpxml),
    Command("net-port-delete", "remove a port of a network", (NETWORK, PORT), net_port_delete),
]
