"""Kernel settings below /proc/sys."""

from __future__ import annotations

ROOT = "/proc/sys"


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
