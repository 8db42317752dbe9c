"""Network cards of a domain: domiflist, domifstat, domifaddr, domif-getlink, domif-setlink."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, alias, data, decimal, flag, text
from kvasir.cli.virsh.shared import CONFIG as CONFIG_FLAG
from kvasir.cli.virsh.shared import CURRENT as CURRENT_FLAG
from kvasir.cli.virsh.shared import DOMAIN, NOT_WITH_CURRENT, XML_INACTIVE, domain_xml
from kvasir.cli.virsh.shared import LIVE as LIVE_FLAG
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.table import table
from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.xmltree import Node

COUNTERS = ("rx_bytes", "rx_packets", "rx_errs", "rx_drop", "tx_bytes", "tx_packets", "tx_errs", "tx_drop")
SOURCES = {"lease": 0, "agent": 1, "arp": 2}
FAMILIES = ("ipv4", "ipv6")
LIVE, CONFIG = 1, 2


def domiflist(shell: Shell, args: Args) -> None:
    root = domain_xml(shell, args, XML_INACTIVE if args.flag("inactive") else 0)
    rows = [
        [
            card.get("target/@dev") or "-",
            card.get("@type") or "",
            card.first("source", ("bridge", "dev", "network", "name", "path")) or "-",
            card.get("model/@type") or "-",
            card.get("mac/@address") or "-",
        ]
        for card in root.all("devices/interface")
    ]
    shell.out(table(("Interface", "Type", "Source", "Model", "MAC"), rows, not shell.quiet))


def domifstat(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    name, device = args.need("domain"), args.need("interface")
    values = shell.attempt(f"Failed to get interface stats {name} {device}", domain.interfaceStats, device)
    for label, value in zip(COUNTERS, values, strict=True):
        if value >= 0:
            shell.out(f"{device} {label} {value}\n")


def domifaddr(shell: Shell, args: Args) -> None:
    wanted, source = args.wanted("interface"), args.wanted("source")
    if source is not None and source not in SOURCES:
        raise Fail(f"Unknown data source '{source}'")
    domain = shell.domain(args)
    number = SOURCES[source] if source else 0
    cards = shell.attempt("Failed to query for interfaces addresses", domain.interfaceAddresses, number, 0)
    shell.extra(f" {'Name':<10} {'MAC address':<20} {'Protocol':<8}     {'Address'}\n{'-' * 79}\n")
    for name, card in cards.items():
        if wanted is not None and name != wanted:
            continue
        mac = card["hwaddr"] or "N/A"
        if not card["addrs"]:
            shell.out(f" {name:<10} {mac:<17}    {'N/A':<12} N/A\n")
        for at, address in enumerate(card["addrs"] or ()):
            family = FAMILIES[address["type"]] if address["type"] < len(FAMILIES) else ""
            shown = f"{family:<12} {address['addr']}/{address['prefix']}"
            first = at == 0 or args.flag("full")
            shell.out(f" {name if first else '-':<10} {mac if first else '-':<17}    {shown}\n")


def find_card(root: Node, wanted: str) -> list[Node]:
    """The cards of a MAC or target name."""
    mac = mac_text(wanted)
    return [
        card
        for card in root.all("devices/interface")
        if (card.get("mac/@address") or "").lower() == mac or card.get("target/@dev") == wanted
    ]


def mac_text(wanted: str) -> str:
    """A MAC in its usual form, "-" when the text is none."""
    parts = wanted.split(":")
    try:
        if len(parts) == 6 and all(1 <= len(part) <= 2 for part in parts):
            return ":".join(f"{int(part, 16):02x}" for part in parts)
    except ValueError:
        pass
    return "-"


def domif_getlink(shell: Shell, args: Args) -> None:
    wanted = args.need("interface")
    cards = find_card(domain_xml(shell, args, XML_INACTIVE if args.flag("config") else 0), wanted)
    if not cards:
        mac = mac_text(wanted)
        raise Fail(f"Interface (dev: {wanted}) not found." if mac == "-" else f"Interface (mac: {mac}) not found.")
    if len(cards) > 1:
        raise Fail("multiple matching interfaces found")
    shell.out(f"{wanted} {cards[0].get('link/@state') or 'up'}")


def domif_setlink(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    wanted, state = args.need("interface"), args.need("state")
    if state not in ("up", "down"):
        raise Fail(f"invalid link state '{state}'")
    flags, form = 0, 0
    if args.flag("config"):
        flags, form = CONFIG, XML_INACTIVE
    if domain.isActive() == 0:
        flags, form = CONFIG, XML_INACTIVE
    from kvasir.cli.virsh.xmltree import parse

    cards = find_card(parse(domain.XMLDesc(form)), wanted)
    if not cards:
        raise Fail(f"interface '{wanted}' not found")
    if len(cards) > 1:
        raise Fail("multiple matching interfaces found")
    document = with_link(cards[0], state)
    if args.flag("print-xml"):
        shell.out(document)
        return
    try:
        domain.updateDeviceFlags(document, flags)
    except Error:
        shell.error("Failed to update interface link state")
        raise
    shell.extra("Device updated successfully\n")


def with_link(card: Node, state: str) -> str:
    """The card's XML with the link in that state."""
    from kvasir.cli.virsh.xmltree import Node, write

    links = list(card.elements("link"))
    if links:
        links[0].attributes["state"] = state
    else:
        card.children.append(Node("link", {"state": state}))
    return write(card)


CARD = data("interface", "the network card, by name or MAC")


def rate(text: str, side: str) -> list[tuple[str, int]]:
    """``average,peak,burst,floor`` as parameters of one side."""
    words = ("average", "peak", "burst", "floor")
    parts = text.split(",")
    if len(parts) > len(words):
        raise Fail(f"Rate string '{text}' has too many fields")
    values = dict.fromkeys(words, 0)
    for word, part in zip(words, parts, strict=False):
        if not part and (word != "average" or len(parts) > 1):
            continue
        found = decimal(part)
        if found is None or "-" in part or found >= 1 << 64:
            raise Fail(f"field '{word}' is malformed")
        values[word] = found
    if not values["average"] and (values["burst"] or values["peak"]) and not (side == "inbound" and values["floor"]):
        raise Fail(f"{'either inbound average or floor' if side == 'inbound' else 'outbound average'} is mandatory")
    if max(values.values()) >= 1 << 32:
        raise Fail(f"{side} rate larger than maximum {(1 << 32) - 1}")
    if side == "outbound" and values.pop("floor"):
        raise Fail("outbound floor is unsupported yet")
    return [(f"{side}.{word}", value) for word, value in values.items() if value or word == "average"]


def domiftune(shell: Shell, args: Args) -> None:
    from kvasir.rpc.typed import UInt

    flags = shell.affect(args)
    domain, device = shell.domain(args), args.need("interface")
    wanted = [
        (name, UInt(value))
        for side in ("inbound", "outbound")
        if (said := args.wanted(side)) is not None
        for name, value in rate(said, side)
    ]
    if wanted:
        shell.attempt("Unable to set interface parameters", domain.setInterfaceParameters, device, wanted, flags)
        return
    try:
        found = domain.interfaceParameters(device, flags)
    except Error as problem:
        shell.error(f"Unable to get {'number of ' if problem.counting else ''}interface parameters")
        raise
    shell.out("".join(f"{name:<15}: {value}\n" for name, value in found.items()))


COMMANDS = [
    Command(
        "domif-getlink",
        "link state of a network card",
        (
            DOMAIN,
            data("interface", "the network card, by name or MAC"),
            alias("persistent", "config"),
            flag("config", "that of the configuration"),
        ),
        domif_getlink,
    ),
    Command(
        "domif-setlink",
        "set the link state of a network card",
        (
            DOMAIN,
            CARD,
            data("state", "up or down"),
            alias("persistent", "config"),
            flag("config", "affect the configuration, used at the next start"),
            flag("print-xml", "print the card's XML, change nothing"),
        ),
        domif_setlink,
    ),
    Command(
        "domifaddr",
        "addresses of a running domain's network cards",
        (
            DOMAIN,
            text("interface", "one card, by name"),
            flag("full", "print name and MAC on every line"),
            text("source", "who knows: lease, agent or arp"),
        ),
        domifaddr,
    ),
    Command(
        "domiflist",
        "list a domain's network cards",
        (DOMAIN, flag("inactive", "those of the configuration")),
        domiflist,
    ),
    Command(
        "domiftune",
        "read or set the limits of a network card",
        (
            DOMAIN,
            CARD,
            text("inbound", "what the guest receives: average,peak,burst,floor"),
            text("outbound", "what it sends: average,peak,burst"),
            CONFIG_FLAG,
            LIVE_FLAG,
            CURRENT_FLAG,
        ),
        domiftune,
        exclusive=NOT_WITH_CURRENT,
    ),
    Command("domifstat", "statistics of a network card", (DOMAIN, CARD), domifstat),
]
