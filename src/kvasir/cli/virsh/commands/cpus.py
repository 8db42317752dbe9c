"""Processors of hosts: cpu-compare, cpu-baseline and the same for a hypervisor."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Command, Fail, data, flag, text
from kvasir.cli.virsh.shared import read_file
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.cli.virsh.xmltree import Node

FAIL, VALIDATE = 1, 2
EXPAND, MIGRATABLE = 1, 2
INCOMPATIBLE, IDENTICAL, SUPERSET = range(3)


def documents(path: str) -> list[str]:
    """The CPUs in a file: plain ones, of domains, of a host's or a domain's capabilities; several in a row too."""
    from kvasir.cli.virsh.xmltree import parse, write

    body = read_file(path)
    if body.lstrip().startswith("<?xml"):
        body = body.partition("?>")[2]
    try:
        root = parse(f"<container>{body}</container>")
    except ValueError:
        raise Fail(
            f"File '{path}' does not contain any <cpu> element or valid domain XML, host capabilities XML, or domain capabilities XML"
        ) from None
    found: list[Node] = []
    for node in root.elements():
        if node.tag == "cpu":
            found.append(node)
        elif node.tag == "domain":
            found += node.all("cpu")
        elif node.tag == "capabilities":
            found += node.all("host/cpu")
        elif node.tag == "domainCapabilities":
            found += [
                _as_cpu(mode)
                for mode in node.all("cpu/mode")
                if mode.attributes == {"name": "host-model", "supported": "yes"}
            ]
    if not found:
        raise Fail(
            f"File '{path}' does not contain any <cpu> element or valid domain XML, host capabilities XML, or domain capabilities XML"
        )
    return [write(node) for node in found]


def _as_cpu(mode: Node) -> Node:
    mode.tag, mode.attributes = "cpu", {}
    return mode


def place(args: Args) -> tuple[str | None, ...]:
    """Which hypervisor is meant."""
    kind, *rest = (args.wanted(name) for name in ("virttype", "emulator", "arch", "machine"))
    return (*rest, kind)


def compare(shell: Shell, args: Args) -> bool:
    path = args.need("file")
    flags = (FAIL if args.flag("error") else 0) | (VALIDATE if args.flag("validate") else 0)
    document = documents(path)[0]
    result = shell.attempt(f"Failed to compare host CPU with {path}", shell.conn.compareCPU, document, flags)
    return said(shell, result, path, "host CPU", "Host CPU")


def hypervisor_compare(shell: Shell, args: Args) -> bool:
    path, where = args.need("file"), place(args)
    flags = (FAIL if args.flag("error") else 0) | (VALIDATE if args.flag("validate") else 0)
    document = documents(path)[0]
    call = shell.conn.compareHypervisorCPU
    result = shell.attempt(f"Failed to compare hypervisor CPU with {path}", call, *where, document, flags)
    name = "the CPU provided by hypervisor on the host"
    return said(shell, result, path, name, "The CPU provided by hypervisor on the host")


def said(shell: Shell, result: int, path: str, name: str, begin: str) -> bool:
    """The result in words."""
    if result == SUPERSET:
        shell.out(f"{begin} is a superset of CPU described in {path}\n")
    else:
        word = "identical to" if result == IDENTICAL else "incompatible with"
        shell.out(f"CPU described in {path} is {word} {name}\n")
    return result != INCOMPATIBLE


def baseline_flags(args: Args) -> int:
    return (EXPAND if args.flag("features") else 0) | (MIGRATABLE if args.flag("migratable") else 0)


def baseline(shell: Shell, args: Args) -> None:
    found = documents(args.need("file"))
    shell.out(shell.conn.baselineCPU(found, baseline_flags(args)))


def hypervisor_baseline(shell: Shell, args: Args) -> None:
    path, where, model = args.wanted("file"), place(args), args.wanted("model")
    if path is not None and model is not None:
        raise Fail("Options --file and --model are mutually exclusive")
    if model is not None:
        from kvasir.cli.virsh.xmltree import escape

        found = [f"<cpu><model>{escape(model)}</model></cpu>"]
    elif path is not None:
        found = documents(path)
    else:
        raise Fail("Either --file or --model must be provided")
    shell.out(shell.conn.baselineHypervisorCPU(*where, found, baseline_flags(args)))


FILE = "file with CPUs, or with capabilities or domains that hold one"
PLACE = (
    text("virttype", "type of the domain (qemu, kvm)"),
    text("emulator", "path of the emulator"),
    text("arch", "architecture"),
    text("machine", "machine type"),
)
COMPARE = (
    flag("error", "fail with the reason when it is incompatible"),
    flag("validate", "check it against the schema"),
)
BASELINE = (
    flag("features", "name the features of the model too"),
    flag("migratable", "leave out what keeps a guest from migrating"),
)
COMMANDS = [
    Command("cpu-baseline", "the CPU that several hosts share", (data("file", FILE), *BASELINE), baseline),
    Command("cpu-compare", "compare a CPU with the host's", (data("file", FILE), *COMPARE), compare),
    Command(
        "hypervisor-cpu-baseline",
        "the CPU that a hypervisor can give on several hosts",
        (text("file", FILE), *PLACE, *BASELINE, text("model", "this CPU model alone")),
        hypervisor_baseline,
    ),
    Command(
        "hypervisor-cpu-compare",
        "compare a CPU with what a hypervisor can give",
        (data("file", FILE), *PLACE, *COMPARE),
        hypervisor_compare,
    ),
]
