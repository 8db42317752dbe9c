"""What dnsmasq calls for each lease (``--dhcp-script``): keeps libvirt's ``BRIDGE.status`` and gives the leases back at its start.

A copy of this file lies in the folder that it keeps; standard library only, and no package around it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
LIMIT = 10 << 20


def read(path: str) -> list[dict[str, Any]]:
    """The leases of a file; an empty or missing one has none."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.loads(stream.read(LIMIT) or "[]")
    except FileNotFoundError:
        return []
    return [one for one in found if isinstance(one, dict) and "ip-address" in one]


def write(path: str, leases: list[dict[str, Any]]) -> None:
    """Replace the file, whole or not at all."""
    draft = f"{path}.new"
    with open(draft, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(leases, indent=2) + "\n" if leases else "[\n\n]\n")
    os.chmod(draft, 0o644)
    os.rename(draft, path)


def entry(words: list[str], environment: dict[str, str]) -> dict[str, Any] | None:
    """The lease that dnsmasq tells of, in libvirt's order; None without its end."""
    identity, address = words[0], words[1]
    six = ":" in address
    mac = environment.get("DNSMASQ_MAC") if six else identity
    client = identity if six else environment.get("DNSMASQ_CLIENT_ID")
    ends = environment.get("DNSMASQ_LEASE_EXPIRES")
    if ends is None:
        return None
    pairs: list[tuple[str, Any]] = [
        ("iaid", environment.get("DNSMASQ_IAID")), ("ip-address", address), ("mac-address", mac),
        ("hostname", words[2] if len(words) > 2 else environment.get("DNSMASQ_OLD_HOSTNAME")), ("client-id", client),
        ("server-duid", environment.get("DNSMASQ_SERVER_DUID")), ("expiry-time", int(ends)),
    ]  # fmt: skip
    return {name: value for name, value in pairs if value is not None}


def current(leases: list[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """Without those that have ended (0 never ends)."""
    return [one for one in leases if not one.get("expiry-time") or one["expiry-time"] > now]


def lease_file(leases: list[dict[str, Any]]) -> str:
    """The leases as dnsmasq's own file would say them."""
    lines, six = [], []
    for one in leases:
        name, client = one.get("hostname", "*"), one.get("client-id", "*")
        if ":" in one["ip-address"]:
            six.append(f"{one.get('expiry-time', 0)} {one.get('iaid', '0')} {one['ip-address']} {name} {client}")
        else:
            lines.append(
                f"{one.get('expiry-time', 0)} {one.get('mac-address', '*')} {one['ip-address']} {name} {client}"
            )
    duid = next((one["server-duid"] for one in leases if "server-duid" in one), None)
    if duid:
        lines += [f"duid {duid}", *six]
    return "".join(f"{line}\n" for line in lines)


def main(words: list[str], environment: dict[str, str], folder: str = FOLDER) -> int:
    """``add|old|del MAC IP [NAME]`` or ``init``."""
    bridge = environment.get("DNSMASQ_INTERFACE") or environment.get("VIR_BRIDGE_NAME")
    if not words or not bridge or "/" in bridge:
        return 0
    action, path = words[0], os.path.join(folder, f"{bridge}.status")
    if action in ("add", "old", "del") and len(words) < 3:
        return 1
    with open(os.path.join(folder, ".leases.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        leases = read(path)
        if action == "init":
            sys.stdout.write(lease_file(leases))
            return 0
        if action not in ("add", "old", "del"):
            return 0
        address = words[2]
        known = next((one for one in leases if one["ip-address"] == address), {})
        leases = [one for one in leases if one["ip-address"] != address]
        if action != "del":
            new = entry(words[1:], environment)
            if new is not None:
                if "server-duid" in known and "server-duid" not in new:
                    new["server-duid"] = known["server-duid"]
                leases.append(new)
        write(path, leases)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
