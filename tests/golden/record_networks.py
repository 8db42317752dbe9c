"""Record what the real libvirt 9.0 makes of our network documents.

    scripts/peer exec --dir D -- /usr/bin/python3 tests/golden/record_networks.py SOCKET [FILE.xml ...]

For each ``net/NAME.xml`` it writes ``net/NAME.real``: sections that begin with ``== WORD``. ``error`` and ``start-error`` hold
the code, the domain and the words of a refusal; ``out`` is the inactive document, ``live`` that of the running network;
``conf``, ``hostsfile`` and ``addnhosts`` are dnsmasq's files, ``addresses`` and ``routes`` what the bridge has, ``rules`` the firewall.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BRIDGES = ("hostbr0", "ovsbr")
CARDS = ("hosta", "hostb")


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def host() -> None:
    """The bridges and cards that the documents name."""
    for bridge in BRIDGES:
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", bridge, "up")
    for card in CARDS:
        run("ip", "link", "add", card, "type", "veth", "peer", "name", f"{card}p")
        run("ip", "link", "set", card, "up")
        run("ip", "link", "set", f"{card}p", "up")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "hosta")


def link(name: str) -> str:
    """What matters of a bridge: up, MTU, STP and delay."""
    found = json.loads(run("ip", "-d", "-j", "link", "show", name) or "[]")
    if not found:
        return "none\n"
    data = found[0]["linkinfo"].get("info_data", {})
    return (f"up={'UP' in found[0]['flags']} mtu={found[0]['mtu']} stp={data.get('stp_state')} "
            f"delay={data.get('forward_delay')}\n")  # fmt: skip


def addresses(name: str) -> str:
    lines = []
    for one in json.loads(run("ip", "-j", "address", "show", name) or "[]"):
        for info in one["addr_info"]:
            if info["scope"] != "link":
                lines.append(f"{info['local']}/{info['prefixlen']} brd {info.get('broadcast')}\n")
    return "".join(lines)


def routes(name: str) -> str:
    lines = []
    for family in ("-4", "-6"):
        for one in json.loads(run("ip", family, "-j", "route", "show", "dev", name) or "[]"):
            if "gateway" in one:
                lines.append(f"{one['dst']} via {one['gateway']} metric {one.get('metric')}\n")
    return "".join(lines)


def sysctls(name: str) -> str:
    lines = []
    for key in (
        "ipv6/conf/{}/disable_ipv6",
        "ipv6/conf/{}/accept_ra",
        "ipv6/conf/{}/autoconf",
        "ipv4/conf/{}/forwarding",
    ):
        path = Path("/proc/sys/net", key.format(name))
        lines.append(f"{key.format('BRIDGE')} {path.read_text().strip() if path.exists() else None}\n")
    return "".join(lines)


def rules() -> str:
    """The rules of libvirt's own chains, without counters."""
    found, table, chain = [], "", ""
    for line in run("nft", "list", "ruleset").splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            table = " ".join(words[1:3])
        elif words[:1] == ["chain"]:
            chain = words[1]
        elif chain.startswith("LIBVIRT") and words and words != ["}"]:
            found.append(f"{table} {chain}: {re.sub(r' counter packets [0-9]+ bytes [0-9]+', '', line.strip())}\n")
    return "".join(found)


def failure(error: Any) -> str:
    return f"{error.get_error_code()} {error.get_error_domain()}\n{error.get_error_message().rstrip()}\n"


def files(name: str) -> dict[str, str]:
    found = {}
    for kind in ("conf", "hostsfile", "addnhosts"):
        path = Path(f"/var/lib/libvirt/dnsmasq/{name}.{kind}")
        if path.exists():
            found[kind] = path.read_text()
    return found


def record(connection: Any, libvirt: Any, path: Path) -> dict[str, str]:
    """The sections of one document."""
    try:
        network = connection.networkDefineXML(path.read_text())
    except libvirt.libvirtError as error:
        return {"error": failure(error)}
    found = {"out": network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)}
    try:
        network.create()
    except libvirt.libvirtError as error:
        found["start-error"] = failure(error)
        network.undefine()
        return found
    found["live"] = network.XMLDesc(0)
    found.update(files(network.name()))
    match = re.search(r"<bridge name='([^']+)'", found["live"])
    if match and match[1] not in BRIDGES:
        found["link"] = link(match[1])
        found["addresses"] = addresses(match[1])
        found["routes"] = routes(match[1])
        found["sysctl"] = sysctls(match[1])
    found["rules"] = rules()
    network.destroy()
    network.undefine()
    return found


def main() -> int:
    import libvirt  # type: ignore[import-not-found]  # one of the peers

    libvirt.registerErrorHandler(lambda context, error: None, None)
    connection = libvirt.open(f"qemu+unix:///system?socket={sys.argv[1]}")
    host()
    for network in connection.listAllNetworks():
        if network.isActive():
            network.destroy()
        network.undefine()
    for name in sys.argv[2:] or sorted(str(p) for p in (HERE / "net").glob("*.xml")):
        path = Path(name)
        sections = record(connection, libvirt, path)
        text = "".join(f"== {word}\n{body}" + ("" if body.endswith("\n") or not body else "\n")
                       for word, body in sections.items())  # fmt: skip
        path.with_suffix(".real").write_text(text)
        print(f"{path.stem}: {' '.join(sections)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
