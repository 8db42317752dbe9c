"""Words that an option can have, for completion: fixed ones by command and option, parts of a guest, of the host."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kvasir.cli.virsh.shell import Shell
    from kvasir.cli.virsh.xmltree import Node

COMMANDS = "kvasir.cli.virsh.commands"
DOMAIN_TYPES = (
    *("none", "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp"),
    *("parallels", "bhyve", "vz", "hvf"),
)
ARCHES = (
    "none alpha armv6l armv7l armv7b aarch64 cris i686 ia64 lm32 m68k microblaze microblazeel mips mipsel mips64 mips64el"
    " openrisc parisc parisc64 ppc ppcle ppc64 ppc64le ppcemb riscv32 riscv64 s390 s390x sh4 sh4eb sparc sparc64 unicore32"
    " x86_64 xtensa xtensaeb"
)
PERF_EVENTS = (
    "cmt mbmt mbml cpu_cycles instructions cache_references cache_misses branch_instructions branch_misses bus_cycles"
    " stalled_cycles_frontend stalled_cycles_backend ref_cpu_cycles cpu_clock task_clock page_faults context_switches"
    " cpu_migrations page_faults_min page_faults_maj alignment_faults emulation_faults"
)
COPY_FORMATS = "none raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk"

WORDS: dict[tuple[str, str], Any] = {
    ("attach-interface", "source-mode"): ("server", "client"),
    ("blockcopy", "format"): COPY_FORMATS,
    ("cpu-models", "arch"): ARCHES,
    ("domcapabilities", "arch"): ARCHES,
    ("domcapabilities", "virttype"): DOMAIN_TYPES,
    ("domdirtyrate-calc", "mode"): "rare:MODES",
    ("domhostname", "source"): ("lease", "agent"),
    ("domifaddr", "source"): "cards:SOURCES",
    ("dompmsuspend", "target"): "lifecycle:SUSPEND_TARGETS",
    ("dump", "format"): "job:FORMATS",
    ("event", "event"): "event:EVENTS",
    ("hypervisor-cpu-baseline", "arch"): ARCHES,
    ("hypervisor-cpu-baseline", "virttype"): DOMAIN_TYPES,
    ("hypervisor-cpu-compare", "arch"): ARCHES,
    ("hypervisor-cpu-compare", "virttype"): DOMAIN_TYPES,
    ("maxvcpus", "type"): DOMAIN_TYPES,
    ("migrate", "comp-methods"): ("xbzrle", "mt"),
    ("net-event", "event"): "networks:EVENTS",
    ("net-update", "command"): "networks:CHANGES",
    ("net-update", "section"): "networks:SECTIONS",
    ("nodedev-detach", "driver"): ("default", "kvm", "vfio", "xen"),
    ("nodedev-event", "event"): "nodedev:EVENTS",
    ("nodedev-list", "cap"): "nodedev:CAPS",
    ("nodesuspend", "target"): "hostmemory:TARGETS",
    ("numatune", "mode"): "scheduling:MODES",
    ("perf", "disable"): PERF_EVENTS,
    ("perf", "enable"): PERF_EVENTS,
    ("pool-create-as", "type"): "pools:TYPES",
    ("pool-define-as", "type"): "pools:TYPES",
    ("pool-event", "event"): "poolsearch:EVENTS",
    ("pool-list", "type"): "pools:TYPES",
    ("reboot", "mode"): "lifecycle:MODES",
    ("secret-event", "event"): "secrets:EVENTS",
    ("send-key", "codeset"): "input:CODESETS",
    ("send-process-signal", "signame"): "input:SIGNALS",
    ("set-lifecycle-action", "action"): "lifecycle:LIFECYCLE_ACTIONS",
    ("set-lifecycle-action", "type"): "lifecycle:LIFECYCLE_TYPES",
    ("shutdown", "mode"): "lifecycle:MODES",
    ("vol-wipe", "algorithm"): "zero nnsa dod bsi gutmann schneier pfitzner7 pfitzner33 random trim",
}
"""By command and option: the words, or module and name (``rare:MODES``) of those that the command itself goes by."""
COMMA = frozenset(
    [
        *(("shutdown", "mode"), ("reboot", "mode"), ("perf", "enable"), ("perf", "disable"), ("nodedev-list", "cap")),
        *(("pool-list", "type"), ("undefine", "storage"), ("migrate", "migrate-disks")),
    ]
)
"""Options that take several words with commas between."""


def words(command: str, option: str) -> list[str]:
    """The fixed words of an option; [] where there are none."""
    found = WORDS.get((command, option), ())
    if isinstance(found, str):
        module, colon, name = found.partition(":")
        found = getattr(import_module(f"{COMMANDS}.{module}"), name) if colon else found.split()
    return [one for one in found if one != "none" or command != "net-update"]


def of_domain(shell: Shell, domain: str, command: str, option: str) -> list[str]:
    """What a guest has that an option can name."""
    if option in ("vcpu", "vcpulist") and command in ("vcpupin", "setvcpu"):
        return [str(one) for one in range(int(_document(shell, domain).get("vcpu") or 0))]
    if option == "cpulist" and command in ("vcpupin", "emulatorpin", "iothreadpin"):
        return of_host(shell, "nodecpustats", "cpu")
    if option == "mountpoint":
        return [one[0] for one in shell.conn.lookupByName(domain).fsInfo(0)]
    document = _document(shell, domain)
    if option in ("iothread", "id") and (command.startswith("iothread") or command == "attach-disk"):
        return _iothreads(document)
    if option == "devname" and command == "console":
        return [name for one in document.all("devices/serial") if (name := one.get("alias/@name"))]
    if option == "alias":
        return [
            name
            for devices in document.all("devices")
            for one in devices.elements()
            if (name := one.get("alias/@name"))
        ]
    if option in ("base", "top") and command.startswith("block"):
        return _layers(document)
    if command.startswith("domif") and option in ("device", "interface", "path"):
        return [name for card in document.all("devices/interface") for name in _card(card)]
    if command == "detach-interface" and option == "mac":
        return [name for card in document.all("devices/interface") if (name := card.get("mac/@address"))]
    if option in ("device", "path", "disk", "dev", "storage", "migrate-disks") or (command, option) == (
        "detach-disk",
        "target",
    ):
        return [name for disk in document.all("devices/disk") if (name := disk.get("target/@dev"))]
    return []


def _document(shell: Shell, domain: str) -> Node:
    from kvasir.cli.virsh.xmltree import parse

    return parse(shell.conn.lookupByName(domain).XMLDesc(0))


def _card(card: Node) -> list[str]:
    return [name for name in (card.get("target/@dev"), card.get("mac/@address")) if name]


def _iothreads(document: Node) -> list[str]:
    named = [one for node in document.all("iothreadids/iothread") if (one := node.get("@id"))]
    return named or [str(one) for one in range(1, int(document.get("iothreads") or 0) + 1)]


def _layers(document: Node) -> list[str]:
    """Disks and the images below them: ``vda``, ``vda[1]`` ..."""
    found = []
    for disk in document.all("devices/disk"):
        if name := disk.get("target/@dev"):
            found.append(name)
            found += [f"{name}[{index}]" for index in _indexes(disk)]
    return found


def _indexes(node: Node) -> list[str]:
    own = [node.attributes["index"]] if node.tag == "source" and "index" in node.attributes else []
    return own + [index for one in node.elements() for index in _indexes(one)]


def of_host(shell: Shell, command: str, option: str) -> list[str]:
    """CPUs, cells and sizes of pages of the host; CPU models; addresses, keys and UUIDs that stand for a name."""
    conn = shell.conn
    if option == "cellno":
        from kvasir.cli.virsh.xmltree import parse

        return [
            name for one in parse(conn.getCapabilities()).all("host/topology/cells/cell") if (name := one.get("@id"))
        ]
    if option == "pagesize":
        from kvasir.cli.virsh.xmltree import parse

        sizes = [int(one.get("@size") or 0) for one in parse(conn.getCapabilities()).all("host/cpu/pages")]
        return [
            f"{size >> 20}GiB" if size >> 20 else f"{size >> 10}MiB" if size >> 10 else f"{size}KiB" for size in sizes
        ]
    if (command, option) == ("nodecpustats", "cpu"):
        return [str(at) for at, there in enumerate(conn.getCPUMap(0)[1]) if there]
    if (command, option) == ("hypervisor-cpu-baseline", "model"):
        return list(conn.getCPUModelNames("x86_64", 0))
    if (command, option) == ("iface-name", "interface"):
        return [one.MACString() for one in conn.listAllInterfaces(0)]
    if (command, option) in (("domname", "domain"), ("net-name", "network")):
        return [one.UUIDString() for one in (conn.listAllDomains if option == "domain" else conn.listAllNetworks)(0)]
    if (command, option) in (("vol-name", "vol"), ("vol-pool", "vol")):
        return [one.key() for pool in conn.listAllStoragePools(2) for one in pool.listAllVolumes(0)]
    return []
