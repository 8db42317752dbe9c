"""``ip`` and ``ssh``: where a guest is reached."""

from __future__ import annotations

import os

from kvasir.errors import Error

from . import network
from .base import NAMESPACE, connect, fail, find, format_option, guest_option, home, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

SOURCES = ((0, "lease"), (1, "agent"), (2, "arp"))
WAIT = 120


def ip_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument("--wait", nargs="?", type=float, const=WAIT, default=0, metavar="SECONDS",
                        help=f"until it has an address, at most so long ({WAIT})")  # fmt: skip
    format_option(parser)
    parser.set_defaults(run=ip)


def addresses(domain: Any) -> list[dict[str, Any]]:
    """The guest's addresses, from the networks' leases, its agent and the host's ARP table; loopback and link-local left out."""
    found: dict[str, dict[str, Any]] = {}
    for number, source in SOURCES:
        try:
            cards = domain.interfaceAddresses(number, 0)
        except Error:
            continue  # no agent, or no network of ours
        for name, card in cards.items():
            for row in card["addrs"] or ():
                address = str(row["addr"])
                if address == "::1" or address.startswith(("127.", "fe80:")) or address in found:
                    continue
                found[address] = {"address": address, "prefix": row["prefix"], "interface": name, "source": source}
    return sorted(found.values(), key=lambda row: ":" in row["address"])


def wait(domain: Any, seconds: float) -> list[dict[str, Any]]:
    """Addresses as soon as there are some."""
    import time

    end = time.monotonic() + seconds
    while not (rows := addresses(domain)) and time.monotonic() < end and domain.isActive():
        time.sleep(0.5)
    return rows


def ip(options: argparse.Namespace) -> int:
    """Print the addresses, and the ports of this host that lead in. 1 when there are neither."""
    domain = find(connect(options), options.name)
    if not domain.isActive():
        fail(f"{options.name} is not running", f"kvasir start {options.name}")
    rows = wait(domain, options.wait)
    ports = network.forwards(domain.XMLDesc(0))
    if options.format != "table":
        show(options, [{"name": options.name, "addresses": rows, "forwards": ports}], ())
        return 0 if rows or ports else 1
    for row in rows:
        print(row["address"])
    for row in ports:
        print(f"{row['address'] or '*'}:{row['host']} -> {row['guest']}/{row['protocol']}")
    if not rows and not ports:
        name, waited = options.name, f" after {options.wait:g} seconds" if options.wait else " yet"
        fail(
            f"{name} has no address that is known{waited}",
            f"kvasir {'console' if options.wait else 'ip --wait'} {name}",
        )
    return 0


def ssh_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", "-l", help="login name (by default the image's)")
    parser.add_argument("--wait", type=float, default=WAIT, metavar="SECONDS", help=f"for an address ({WAIT})")
    guest_option(parser)
    parser.add_argument("words", nargs="...", metavar="WORD", help="a command, or options of ssh")
    parser.set_defaults(run=ssh)


def login(domain: Any) -> str:
    """The user of the guest's image, '' where it is not known."""
    import xml.etree.ElementTree as ET

    try:
        return ET.fromstring(domain.metadata(2, NAMESPACE, 0)).get("user") or ""
    except (Error, ET.ParseError):
        return ""


def target(domain: Any, seconds: float) -> tuple[str, int]:
    """Host and port of the guest's ssh server."""
    for row in network.forwards(domain.XMLDesc(0)):
        if row["guest"] == network.SSH and row["protocol"] == "tcp":
            return row["address"] or network.LOOPBACK, row["host"]
    rows = wait(domain, seconds)
    if not rows:
        name = domain.name()
        fail(f"{name} has no address, and no port that leads to its ssh server", f"kvasir console {name}")
    return str(rows[0]["address"]), network.SSH


def ssh_words(domain: Any, user: str, seconds: float) -> list[str]:
    """The command line of ssh. The host key is remembered by the guest's UUID: ports and addresses come again."""
    from .launch import own_key

    host, port = target(domain, seconds)
    words = [
        "ssh",
        "-p",
        str(port),
        "-o",
        f"HostKeyAlias=kvasir-{domain.UUIDString()}",
        "-o",
        "StrictHostKeyChecking=accept-new",
    ]
    words += ["-o", f"UserKnownHostsFile={home()}/ssh/known_hosts"]
    if os.path.exists(own_key()):
        words += ["-i", own_key()]
    return [*words, f"{user}@{host}" if user else host]


def ssh(options: argparse.Namespace) -> int:
    """Become ssh."""
    domain = find(connect(options), options.name)
    if not domain.isActive():
        fail(f"{options.name} is not running", f"kvasir start {options.name}")
    words = ssh_words(domain, options.user or login(domain), options.wait)
    os.makedirs(f"{home()}/ssh", 0o700, exist_ok=True)
    more = options.words[1:] if options.words[:1] == ["--"] else options.words
    try:
        os.execvp("ssh", [*words, *more])
    except OSError as error:
        fail(f"ssh: {error.strerror}", "apt-get install openssh-client")
