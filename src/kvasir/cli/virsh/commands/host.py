"""The host and its hypervisor: version, nodeinfo, capabilities, ..."""

from __future__ import annotations

from kvasir.cli.virsh.commands.define import print_document
from kvasir.cli.virsh.grammar import Args, Command, data, flag, number, text
from kvasir.cli.virsh.shell import Shell

LIBRARY = 9000000


def dotted(value: int) -> str:
    """9000000 as 9.0.0."""
    return f"{value // 1000000}.{value // 1000 % 1000}.{value % 1000}"


def version(shell: Shell, args: Args) -> None:
    conn = shell.conn
    kind = shell.attempt("failed to get hypervisor type", conn.getType)
    shell.out(f"Compiled against library: libvirt {dotted(LIBRARY)}\n")
    shell.out(f"Using library: libvirt {dotted(LIBRARY)}\n")
    shell.out(f"Using API: {kind} {dotted(LIBRARY)}\n")
    running = shell.attempt("failed to get the hypervisor version", conn.getVersion)
    if running == 0:
        shell.out(f"Cannot extract running {kind} hypervisor version\n")
    else:
        shell.out(f"Running hypervisor: {kind} {dotted(running)}\n")
    if args.flag("daemon"):
        found = shell.attempt("failed to get the daemon version", conn.getLibVersion)
        shell.out(f"Running against daemon: {dotted(found)}\n")


def uri(shell: Shell, args: Args) -> None:
    shell.out(shell.attempt("failed to get URI", shell.conn.getURI) + "\n")


def hostname(shell: Shell, args: Args) -> None:
    shell.out(shell.attempt("failed to get hostname", shell.conn.getHostname) + "\n")


def sysinfo(shell: Shell, args: Args) -> None:
    shell.out(shell.attempt("failed to get sysinfo", shell.conn.getSysinfo, 0))


def nodeinfo(shell: Shell, args: Args) -> None:
    model, _, cpus, mhz, nodes, sockets, cores, threads = shell.attempt(
        "failed to get node information", shell.conn.getInfo
    )
    memory = shell.conn.memory_kib()
    rows = [("CPU model:", model), ("CPU(s):", cpus)]
    if mhz:
        rows.append(("CPU frequency:", f"{mhz} MHz"))
    rows += [
        ("CPU socket(s):", sockets),
        ("Core(s) per socket:", cores),
        ("Thread(s) per core:", threads),
        ("NUMA cell(s):", nodes),
        ("Memory size:", f"{memory} KiB"),
    ]
    shell.out("".join(f"{label:<20} {value}\n" for label, value in rows))


def nodecpumap(shell: Shell, args: Args) -> None:
    count, bits, online = shell.attempt("Unable to get cpu map", shell.conn.getCPUMap)
    shown = ranges(bits) if args.flag("pretty") else "".join("y" if bit else "-" for bit in bits)
    for label, value in (("CPUs present:", count), ("CPUs online:", online), ("CPU map:", shown)):
        shell.out(f"{label:<15} {value}\n")


def ranges(bits: list[bool]) -> str:
    """``0-3,5`` of a list of bits."""
    parts, at = [], 0
    while at < len(bits):
        if not bits[at]:
            at += 1
            continue
        end = at
        while end + 1 < len(bits) and bits[end + 1]:
            end += 1
        parts.append(str(at) if end == at else f"{at}-{end}")
        at = end + 1
    return ",".join(parts)


def capabilities(shell: Shell, args: Args) -> None:
    print_document(shell, args, shell.attempt("failed to get capabilities", shell.conn.getCapabilities) + "\n")


def domcapabilities(shell: Shell, args: Args) -> None:
    kind, *values = [args.wanted(name) for name in ("virttype", "emulatorbin", "arch", "machine")]
    document = shell.attempt("failed to get emulator capabilities", shell.conn.getDomainCapabilities, *values, kind, 0)
    print_document(shell, args, document + "\n")


def cpu_models(shell: Shell, args: Args) -> None:
    found = shell.attempt("failed to get CPU model names", shell.conn.getCPUModelNames, args.need("arch"), 0)
    shell.out("".join(f"{name}\n" for name in found) if found else "all CPU models are accepted\n")


def maxvcpus(shell: Shell, args: Args) -> None:
    from kvasir.cli.virsh.xmltree import parse
    from kvasir.errors import Error

    kind = args.wanted("type")
    count = None
    try:
        document = shell.conn.getDomainCapabilities(None, None, None, kind, 0)
        count = parse(document).get("vcpu/@max")
    except (Error, ValueError):
        pass
    shell.out(f"{int(count) if count else shell.conn.getMaxVcpus(kind)}\n")


def freecell(shell: Shell, args: Args) -> None:
    if args.flag("all"):
        from kvasir.cli.virsh.xmltree import parse

        document = shell.attempt("unable to get node capabilities", shell.conn.getCapabilities)
        total = 0
        for cell in parse(document).all("host/topology/cells/cell"):
            which = int(cell.get("@id") or "0")
            free = shell.conn.getCellsFreeMemory(which, 1)[0] // 1024
            total += free
            shell.out(f"{which:5d}: {free:10d} KiB\n")
        shell.out(f"--------------------\n{'Total':>5}: {total:10d} KiB\n")
        return
    which_cell = args.number("cellno")
    if which_cell is not None:
        free = shell.conn.getCellsFreeMemory(which_cell, 1)[0]
        shell.out(f"{which_cell}: {free // 1024} KiB\n")
    else:
        shell.out(f"Total: {shell.conn.getFreeMemory() // 1024} KiB\n")


COMMANDS = [
    Command("capabilities", "what host and hypervisor can do", (), capabilities, description="Prints XML."),
    Command("cpu-models", "CPU models of an architecture", (data("arch", "the architecture"),), cpu_models),
    Command(
        "domcapabilities",
        "what domains can have",
        (
            text("virttype", "kind of virtualization (/domain/@type)"),
            text("emulatorbin", "path of the emulator (/domain/devices/emulator)"),
            text("arch", "architecture (/domain/os/type/@arch)"),
            text("machine", "machine type (/domain/os/type/@machine)"),
        ),
        domcapabilities,
        description="Prints XML.",
    ),
    Command(
        "freecell",
        "free memory of NUMA cells",
        (number("cellno", "number of the cell"), flag("all", "all cells")),
        freecell,
        exclusive=(("all", "cellno"),),
    ),
    Command("hostname", "name of the hypervisor's host", (), hostname),
    Command(
        "maxvcpus",
        "most virtual CPUs of a domain",
        (text("type", "kind of domain"),),
        maxvcpus,
        description="Prints how many virtual CPUs a domain can have here.",
    ),
    Command(
        "nodecpumap",
        "CPUs of the host",
        (flag("pretty", "as ranges"),),
        nodecpumap,
        description="Prints how many CPUs there are and which are online.",
    ),
    Command("nodeinfo", "CPUs and memory of the host", (), nodeinfo, description="Prints the basic facts of the host."),
    Command(
        "sysinfo", "SMBIOS information of the host", (), sysinfo, description="Prints XML, if the hypervisor knows."
    ),
    Command("uri", "canonical URI of the connection", (), uri),
    Command(
        "version",
        "versions of library, API and hypervisor",
        (flag("daemon", "that of the daemon too"),),
        version,
        description="Prints what runs here.",
    ),
]
