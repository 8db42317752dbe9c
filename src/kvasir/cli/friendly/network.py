"""How a launched guest reaches the network, and how the host reaches it: networks, passt, forwarded ports."""

from __future__ import annotations

import shutil

from kvasir.errors import Error

from .base import INACTIVE, fail, session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SSH = 22
FIRST_PORT, LAST_PORT = 2222, 9999
LOOPBACK = "127.0.0.1"


def passt_works() -> bool:
    """Whether passt is installed and the host has a route that it can lead out by."""
    if not shutil.which("passt"):
        return False
    try:
        with open("/proc/net/route", encoding="ascii") as file:
            return any(line.split()[1:2] == ["00000000"] for line in file)
    except OSError:
        return False


def forwards(text: str) -> list[dict[str, Any]]:
    """The forwarded ports of a guest's document: address, protocol, host's port, guest's port."""
    import xml.etree.ElementTree as ET

    found = []
    for forward in ET.fromstring(text).findall("devices/interface/portForward"):
        for one in forward.findall("range"):
            if one.get("start") and one.get("exclude") != "yes":
                start = int(one.get("start") or 0)
                found.append(
                    {
                        "address": forward.get("address") or "", "protocol": forward.get("proto") or "tcp", "host": start,
                        "guest": int(one.get("to") or start),
                    }
                )  # fmt: skip
    return found


def taken(connection: Any) -> set[int]:
    """Ports of the host that guests of this daemon have, running or not."""
    found: set[int] = set()
    for domain in connection.listAllDomains(0):
        found |= {row["host"] for row in forwards(domain.XMLDesc(INACTIVE if domain.isPersistent() else 0))}
    return found


def free_port(used: set[int]) -> int:
    """The first port from 2222 on that no guest has and nobody listens on; it is noted as used."""
    import socket

    for port in range(FIRST_PORT, LAST_PORT + 1):
        if port in used:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        used.add(port)
        return port
    fail(f"no free port from {FIRST_PORT} to {LAST_PORT}", "kvasir launch --network none")


def published(words: list[str]) -> list[tuple[str, int, int]]:
    """(protocol, host's port, guest's port) of ``HOST:GUEST[/udp]``."""
    found = []
    for word in words:
        ports, _, protocol = word.partition("/")
        host, _, guest = ports.partition(":")
        numbers = [int(n) for n in (host, guest or host) if n.isascii() and n.isdigit() and 0 < int(n) < 65536]
        if len(numbers) != 2 or protocol not in ("", "tcp", "udp"):
            fail(f"--publish {word}: not a port", "--publish 8080:80, --publish 5353:53/udp")
        found.append((protocol or "tcp", numbers[0], numbers[1]))
    return found


def may_publish(connection: Any, protocol: str, port: int) -> None:
    """End with the reason where no guest can have a port of this host. Ports of other hosts are not looked at."""
    import errno
    import os
    import socket

    if connection.getHostname() != socket.gethostname():
        return
    other = f"--publish {port + 8000 if port < 1024 else port + 1}:..."
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            lowest = int(file.read())
    except OSError:
        lowest = 0
    if port < lowest and (os.geteuid() or "<baselabel type='kvm'>+0:" not in connection.getCapabilities()):
        fail(f"port {port} is one of root's (below {lowest}), and guests do not run as root", other)
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        if protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                fail(f"port {port}/{protocol} of this host is in use by another program or guest", other)


def user_network(connection: Any, publish: list[str]) -> str:
    """virt-install's words for user networking with a port of the host's loopback for ssh, and those asked for."""
    asked = published(publish)
    for protocol, host, _ in asked:
        may_publish(connection, protocol, host)
    used = taken(connection) | {host for protocol, host, _ in asked if protocol == "tcp"}
    ports = [("tcp", free_port(used), SSH), *asked]
    words = ["type=user", "model=virtio", *(["backend.type=passt"] if passt_works() else [])]
    for n, (protocol, host, guest) in enumerate(ports):
        head = f"portForward{n}."
        words += [
            f"{head}proto={protocol}",
            f"{head}address={LOOPBACK}",
            f"{head}range0.start={host}",
            f"{head}range0.to={guest}",
        ]
    return ",".join(words)


def default_network(connection: Any) -> bool:
    """Whether the network ``default`` is active. One that sleeps is left alone: starting it changes the host's firewall."""
    try:
        return bool(connection.networkLookupByName("default").isActive())
    except Error:
        return False


def words(connection: Any, wanted: str, publish: list[str]) -> str:
    """The value of virt-install's ``--network``: as said, or the best that works without questions."""
    if wanted == "user" or (wanted == "auto" and (session(connection) or publish or not default_network(connection))):
        return user_network(connection, publish)
    if publish:
        fail("--publish is for user networking", "--network user")
    return "network=default,model=virtio" if wanted == "auto" else named(connection, wanted)


PLAIN = ("bridge", "default", "direct", "ethernet", "hostdev", "network", "none", "vdpa")
"""Words that virt-install takes without more."""


def named(connection: Any, wanted: str) -> str:
    """The value where a network's bare name was said; any other as it is."""
    if "=" in wanted or ":" in wanted or wanted in PLAIN:
        return wanted
    there = sorted(net.name() for net in connection.listAllNetworks(0))
    if wanted not in there:
        fail(f"no network {wanted!r}; there are: {', '.join(there) or 'none'}", "--network user")
    return f"network={wanted},model=virtio"


def renew(connection: Any, domain: Any) -> None:
    """Give the forwarded ports of a defined guest new numbers on the host (a clone's are its original's)."""
    import xml.etree.ElementTree as ET

    root = ET.fromstring(domain.XMLDesc(INACTIVE | 1))
    ranges = root.findall("devices/interface/portForward/range[@start]")
    if not ranges:
        return
    used = taken(connection)
    for one in ranges:
        start, end = int(one.get("start") or 0), one.get("end")
        one.set("to", one.get("to") or str(start))
        port = free_port(used)
        one.set("start", str(port))
        if end:
            one.set("end", str(port + int(end) - start))
            used |= set(range(port, port + int(end) - start + 1))
    connection.defineXML(ET.tostring(root, encoding="unicode"))
