"""Disks and network cards from options: attach-disk, attach-interface, detach-disk, detach-interface."""

from __future__ import annotations

from kvasir.cli.virsh.commands.addresses import Bad, address_xml, pci_parts
from kvasir.cli.virsh.commands.cards import mac_text
from kvasir.cli.virsh.commands.devices import NOT_TOGETHER, WHERE, flags_of
from kvasir.cli.virsh.grammar import Args, Command, Fail, data, decimal, flag, text
from kvasir.cli.virsh.shared import DOMAIN
from kvasir.cli.virsh.shell import Shell
from kvasir.cli.virsh.xmltree import Node, escape, parse, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.objects import Domain

AFFECT_LIVE, AFFECT_CONFIG, INACTIVE = 1, 2, 2
PRINT = flag("print-xml", "print the XML, change nothing")


def quoted(value: str) -> str:
    return escape(value).replace("'", "&apos;").replace('"', "&quot;")


def attributes(*pairs: tuple[str, str | None]) -> str:
    """Those that have a value, quoted."""
    return "".join(f" {name}='{quoted(value)}'" for name, value in pairs if value is not None)


def attach_disk(shell: Shell, args: Args) -> None:
    exclusive(args, "source-host-name", "source-host-socket")
    source, target = args.text("source"), args.need("target")
    given = {name: args.wanted(name) for name in READ_FIRST}
    given |= {name: args.wanted(name) for name in TEXTS}
    if given["source-protocol"] is not None and given["sourcetype"] in ("file", "block"):
        raise Fail("--source-protocol option requires --sourcetype network")
    if given["mode"] not in (None, "readonly", "shareable"):
        raise Fail(f"No support for {given['mode']} in command 'attach-disk'")
    kind = kind_of(given, source)
    if (wwn := given["wwn"]) is not None and not is_wwn(wwn):
        raise Fail(f"internal error: Malformed wwn: {wwn}")
    document = "\n".join(["<disk" + attributes(("type", kind), ("device", given["type"]), rawio(args)) + ">",
                          *disk_lines(given, kind, source, target, args.flag("multifunction")), "</disk>\n"])  # fmt: skip
    send(shell, args, document, "attach", "disk")


def is_wwn(text: str) -> bool:
    """Whether it is a world wide name: 16 hexadecimal digits."""
    digits = text.removeprefix("0x")
    return len(digits) == 16 and all(letter in "0123456789abcdefABCDEF" for letter in digits)


def exclusive(args: Args, first: str, second: str) -> None:
    """Only one of the two."""
    if args.flag(first) and args.flag(second):
        raise Fail(f"Options --{first} and --{second} are mutually exclusive")


def rawio(args: Args) -> tuple[str, str | None]:
    return "rawio", "yes" if args.flag("rawio") else None


def kind_of(given: dict[str, str | None], source: str | None) -> str:
    """The type of the source: as said, by protocol, or whether the file is a device of this host."""
    said = given["sourcetype"]
    if said is not None:
        if said not in ("file", "block", "network"):
            raise Fail(f"Unknown source type: '{said}'")
        return said
    if given["source-protocol"] is not None:
        return "network"
    import os
    import stat

    try:
        return "block" if source and stat.S_ISBLK(os.stat(source).st_mode) else "file"
    except OSError:
        return "file"


def disk_lines(
    given: dict[str, str | None], kind: str, source: str | None, target: str, multifunction: bool
) -> list[str]:
    lines = []
    driver = attributes(("name", given["driver"]), ("type", given["subdriver"]), ("iothread", given["iothread"]),
                        ("cache", given["cache"]), ("io", given["io"]))  # fmt: skip
    if driver:
        lines.append(f"  <driver{driver}/>")
    lines += source_lines(given, kind, source)
    lines.append(f"  <target{attributes(('dev', target), ('bus', given['targetbus']))}/>")
    if given["mode"]:
        lines.append(f"  <{given['mode']}/>")
    if given["serial"]:
        lines.append(f"  <serial>{escape(given['serial'])}</serial>")
    if given["alias"]:
        lines.append(f"  <alias{attributes(('name', given['alias']))}/>")
    if given["wwn"]:
        lines.append(f"  <wwn>{escape(given['wwn'])}</wwn>")
    if given["address"]:
        try:
            lines.append("  " + address_xml(given["address"], target, multifunction))
        except Bad as problem:
            raise Fail(str(problem)) from None
    return lines


def source_lines(given: dict[str, str | None], kind: str, source: str | None) -> list[str]:
    if kind != "network":
        return [f"  <source{attributes(('dev' if kind == 'block' else 'file', source or ''))}/>"]
    name, port = given["source-host-name"], None
    if name is not None and ":" in name:
        name, _, port = name.rpartition(":")
    host = attributes(("transport", given["source-host-transport"]), ("name", name), ("port", port),
                      ("socket", given["source-host-socket"]))  # fmt: skip
    head = f"  <source{attributes(('protocol', given['source-protocol']), ('name', source))}"
    return [f"{head}>", f"    <host{host}/>", "  </source>"] if host else [f"{head}/>"]


def send(shell: Shell, args: Args, document: str, verb: str, what: str) -> None:
    """Print the document, or have the daemon do it."""
    if args.flag("print-xml"):
        shell.out(document)
        return
    domain = shell.domain(args)
    flags = flags_of(shell, args, domain)
    plain = not flags and not args.flag("current")
    name = "attachDevice" if verb == "attach" else "detachDevice"
    call = (getattr(domain, name), document) if plain else (getattr(domain, f"{name}Flags"), document, flags)
    shell.attempt(f"Failed to {verb} {what}", *call)
    shell.extra(f"{what.capitalize()} {verb}ed successfully\n")


# -- network cards

SOURCES = {"network": "network", "bridge": "bridge", "direct": "dev"}
MODES = ("vepa", "private", "bridge", "passthrough")


def rate(value: str) -> list[int]:
    """``average[,peak[,burst[,floor]]]``. Raises Fail in libvirt's words."""
    parts = value.split(",")
    if len(parts) > 4:
        raise Fail(f"Rate string '{value}' has too many fields")
    found = []
    for name, part in zip(("average", "peak", "burst", "floor"), parts, strict=False):
        number = decimal(part) if part else 0
        if number is None or "-" in part or number >= 1 << 64:
            raise Fail(f"field '{name}' is malformed")
        found.append(number)
    return found + [0] * (4 - len(found))


def bandwidth_lines(inbound: str | None, outbound: str | None) -> list[str]:
    lines = []
    if inbound is not None:
        average, peak, burst, floor = rate(inbound)
        if not average and not floor:
            raise Fail("either inbound average or floor is mandatory")
        words = (("average", average), ("peak", peak), ("burst", burst), ("floor", floor))
        lines.append(f"    <inbound{attributes(*((n, str(v)) for n, v in words if v))}/>")
    if outbound is not None:
        average, peak, burst, floor = rate(outbound)
        if not average:
            raise Fail("outbound average is mandatory")
        if floor:
            raise Fail("outbound floor is unsupported yet")
        sent = (("average", average), ("peak", peak), ("burst", burst))
        lines.append(f"    <outbound{attributes(*((n, str(v)) for n, v in sent if v))}/>")
    return ["  <bandwidth>", *lines, "  </bandwidth>"] if lines else []


def attach_interface(shell: Shell, args: Args) -> None:
    kind, source = args.need("type"), args.need("source")
    for option in ("target", "mac", "script", "model", "alias", "inbound", "outbound", "source-mode"):
        args.wanted(option)
    if kind not in (*SOURCES, "hostdev"):
        raise Fail(f"No support for {kind} in command 'attach-interface'")
    bandwidth = bandwidth_lines(args.wanted("inbound"), args.wanted("outbound"))
    mode = args.wanted("source-mode")
    managed = "yes" if args.flag("managed") else None
    lines = [f"<interface{attributes(('type', kind), ('managed', managed))}>"]
    if kind == "hostdev":
        try:
            place = pci_parts(source.replace(".", ":").split(":"))
        except Bad:
            raise Fail(f"cannot parse pci address '{source}' for network interface") from None
        lines += ["  <source>", f"    {place}", "  </source>"]
    else:
        if mode is not None and not (kind == "direct" and mode in MODES):
            raise Fail(f"Invalid source mode: {mode}")
        lines.append(f"  <source{attributes((SOURCES[kind], source), ('mode', mode))}/>")
    for tag, name in (("target", "dev"), ("mac", "address"), ("script", "path"), ("model", "type"), ("alias", "name")):
        value = args.wanted(tag)
        if value is not None:
            lines.append(f"  <{tag}{attributes((name, value))}/>")
    send(shell, args, "\n".join([*lines, *bandwidth, "</interface>\n"]), "attach", "interface")


def detach_interface(shell: Shell, args: Args) -> None:
    domain = shell.domain(args)
    quiet = False
    try:
        kind, mac = args.need("type"), args.wanted("mac")
        quiet = args.flag("print-xml") and not args.flag("persistent")
        _detach_interface(shell, args, domain, kind, mac)
    except Fail as problem:
        if str(problem) and not quiet:
            problem.args = (f"{problem}\nerror: Failed to detach interface",)
        raise


def _detach_interface(shell: Shell, args: Args, domain: Domain, kind: str, mac: str | None) -> None:
    flags = flags_of(shell, args, domain)
    steps = [0, INACTIVE] if flags == AFFECT_LIVE | AFFECT_CONFIG else [INACTIVE if flags & AFFECT_CONFIG else 0]
    plain = not flags and not args.flag("current")
    for form in steps:
        root = parse(domain.XMLDesc(form))
        document = write(find_card(root, kind, mac))
        if args.flag("print-xml"):
            shell.out(document)
            return
        only = flags if len(steps) == 1 else (AFFECT_CONFIG if form else AFFECT_LIVE)
        call = (domain.detachDevice, document) if plain else (domain.detachDeviceFlags, document, only)
        shell.attempt("Failed to detach interface", *call)
    shell.extra("Interface detached successfully\n")


def find_card(root: Node, kind: str, mac: str | None) -> Node:
    """The card of that type and MAC address, which may be left out for the only one. Raises Fail."""
    cards = [card for card in root.all("devices/interface") if card.get("@type") == kind]
    if not cards:
        raise Fail(f"No interface found whose type is {kind}")
    if mac is None and len(cards) > 1:
        raise Fail(f"Domain has {len(cards)} interfaces. Please specify which one to detach using --mac")
    if mac is None:
        return cards[0]
    wanted = mac_text(mac)
    found = [card for card in cards if mac_text(card.get("mac/@address") or "") == wanted != "-"]
    if len(found) > 1:
        raise Fail(
            f"Domain has multiple interfaces matching MAC address {mac}. You must use detach-device and specify the "
            "device pci address to remove it."
        )
    if not found:
        raise Fail(f"No interface with MAC address {mac} was found")
    return found[0]


def find_disk(root: Node, wanted: str, kinds: tuple[str, ...] = ()) -> Node:
    """The disk of that target or source. Raises Fail."""
    for disk in root.all("devices/disk"):
        if kinds and (disk.get("@device") or "disk") not in kinds:
            continue
        if wanted in (disk.get("target/@dev"), disk.first("source", ("file", "dev", "dir", "name"))):
            return disk
    raise Fail(f"No disk found whose source path or target is {wanted}")


def trimmed(disk: Node) -> Node:
    """Without what only the running domain knows of the images below."""
    disk.children = [
        child for child in disk.children if isinstance(child, str) or child.tag not in ("backingStore", "mirror")
    ]
    return disk


def detach_disk(shell: Shell, args: Args) -> None:
    domain, target = shell.domain(args), args.need("target")
    flags = flags_of(shell, args, domain)
    off = args.flag("current") and domain.isActive() == 0
    form = INACTIVE if flags == AFFECT_CONFIG or off else 0
    document = write(trimmed(find_disk(parse(domain.XMLDesc(form)), target)))
    if args.flag("print-xml"):
        shell.out(document)
        return
    plain = not flags and not args.flag("current")
    call = (domain.detachDevice, document) if plain else (domain.detachDeviceFlags, document, flags)
    shell.attempt("Failed to detach disk", *call)
    shell.extra("Disk detached successfully\n")


DISK_OPTIONS = (
    text("targetbus", "bus of the guest: virtio, scsi, sata, ide, usb"),
    text("driver", "name of the driver (qemu)"),
    text("subdriver", "format of the image"),
    text("iothread", "number of the I/O thread that serves it"),
    text("cache", "cache mode"),
    text("io", "how input and output are done: threads, native, io_uring"),
    text("type", "disk, cdrom, floppy or lun"),
    text("mode", "readonly or shareable"),
    text("sourcetype", "what the source is: file, block or network"),
    text("serial", "serial number that the guest sees"),
    text("wwn", "world wide name that the guest sees"),
    text("alias", "alias of one's own, beginning with ua-"),
    flag("rawio", "the guest may send SCSI commands of any kind"),
    text("address", "place in the guest: pci:0000.00.05.0, scsi:0.0.1, usb:0.1 ..."),
    flag("multifunction", "the PCI slot may hold more functions"),
    PRINT,
    text("source-protocol", "protocol of a network source"),
    text("source-host-name", "its server, with :port"),
    text("source-host-transport", "tcp, unix or rdma"),
    text("source-host-socket", "its socket"),
)
READ_FIRST = (
    "driver",
    "subdriver",
    "type",
    "mode",
    "iothread",
    "cache",
    "io",
    "serial",
    "wwn",
    "address",
    "targetbus",
    "alias",
)
TEXTS = tuple(option.name for option in DISK_OPTIONS if option.kind != "flag")
COMMANDS = [
    Command(
        "attach-disk",
        "attach a disk",
        (
            DOMAIN, data("source", "file, device or name of the image", empty=True), data("target", "name in the guest (vdb)"),
            *DISK_OPTIONS, *WHERE,
        ),
        attach_disk,
        exclusive=NOT_TOGETHER,
        needs=(
            *((f"source-host-{name}", "source-protocol") for name in ("name", "transport", "socket")),
            ("source-host-socket", "source-host-transport"),
        ),
    ),
    Command(
        "attach-interface",
        "attach a network card",
        (
            DOMAIN, data("type", "network, bridge, direct or hostdev"), data("source", "what it is plugged into"),
            text("target", "name of the host's side"), text("mac", "MAC address"),
            text("script", "script that plugs it in"), text("model", "model of the card"),
            text("alias", "alias of one's own, beginning with ua-"),
            text("inbound", "limit of what it receives: average,peak,burst,floor"),
            text("outbound", "limit of what it sends: average,peak,burst"),
            *WHERE, PRINT,
            flag("managed", "a host device is taken from its driver and given back"),
            text("source-mode", "mode of a direct attachment: vepa, private, bridge, passthrough"),
        ),
        attach_interface,
        exclusive=NOT_TOGETHER,
    ),
    Command(
        "detach-disk",
        "detach a disk",
        (DOMAIN, data("target", "the disk, by target or source"), *WHERE, PRINT),
        detach_disk,
        exclusive=NOT_TOGETHER,
    ),
    Command(
        "detach-interface",
        "detach a network card",
        (DOMAIN, data("type", "type of its source"), text("mac", "its MAC address"), *WHERE, PRINT),
        detach_interface,
        exclusive=NOT_TOGETHER,
    ),
]  # fmt: skip
