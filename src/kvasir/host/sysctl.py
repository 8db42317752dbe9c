"""Kernel settings below /proc/sys, and the routes that the kernel made by itself."""

from __future__ import annotations

ROOT = "/proc/sys"
ROUTES = "/proc/net/ipv6_route"
ADDRCONF = 0x40000
"""The flag of routes that come from router advertisements."""


def write(name: str, value: str) -> bool:
    """Set one (``net/ipv4/ip_forward``); False where the kernel has none of that name or refuses."""
    try:
        with open(f"{ROOT}/{name}", "w", encoding="ascii") as stream:
            stream.write(value)
    except OSError:
        return False
    return True


def read(name: str) -> str | None:
    """Its value, or None where there is none."""
    try:
        with open(f"{ROOT}/{name}", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return None


def advertised_links() -> list[str]:
    """The links with IPv6 routes that the kernel made of advertisements, in its order."""
    try:
        with open(ROUTES, encoding="ascii") as stream:
            rows = [line.split() for line in stream]
    except OSError:
        return []
    return list(dict.fromkeys(row[9] for row in rows if len(row) == 10 and int(row[8], 16) & ADDRCONF))
