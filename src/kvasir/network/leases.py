"""Leases that a network gave out, and the MAC addresses of its guests: libvirt's files beside dnsmasq's, for its NSS modules too."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from kvasir.host.files import write_file

from . import leaseshelper

IPV4, IPV6 = 0, 1


def helper(folder: str) -> str:
    """The program that dnsmasq calls, put beside the files that it keeps."""
    path = f"{folder}/leaseshelper"
    with open(leaseshelper.__file__, encoding="utf-8") as stream:
        text = f"#!{sys.executable} -IS\n{stream.read()}"
    try:
        with open(path, encoding="utf-8") as stream:
            if stream.read() == text:
                return path
    except OSError:
        pass
    write_file(path, text, 0o755)
    os.chmod(path, 0o755)
    return path


def leases(folder: str, net: Any, mac: str | None = None) -> list[dict[str, Any]]:
    """The network's leases that have not ended, of one MAC address or all."""
    if not net.bridge:
        return []
    try:
        found = leaseshelper.current(leaseshelper.read(f"{folder}/{net.bridge}.status"), time.time())
    except (OSError, ValueError):
        return []
    return [one for one in found if "mac-address" in one and (mac is None or one["mac-address"].lower() == mac.lower())]


def row(net: Any, lease: dict[str, Any]) -> dict[str, Any]:
    """One lease as the wire carries it."""
    import ipaddress

    address = str(lease["ip-address"])
    prefix = 0
    for ip in net.ips:
        if ip.six is (":" in address) and ipaddress.ip_address(address) in ip.net:
            prefix = ip.length
    return {
        "iface": net.bridge, "expirytime": int(lease.get("expiry-time", 0)), "type": IPV6 if ":" in address else IPV4,
        "mac": lease.get("mac-address"), "iaid": lease.get("iaid"), "ipaddr": address, "prefix": prefix,
        "hostname": lease.get("hostname"), "clientid": lease.get("client-id"),
    }  # fmt: skip


def write_macs(folder: str, bridge: str, ports: Any) -> None:
    """Keep which guest has which MAC addresses."""
    macs: dict[str, list[str]] = {}
    for port in ports:
        known = macs.setdefault(str(port.document.owner), [])
        if port.document.mac not in known:
            known.append(port.document.mac)
    body = json.dumps([{"domain": name, "macs": many} for name, many in macs.items()], indent=2) if macs else "[\n\n]"
    write_file(f"{folder}/{bridge}.macs", body + "\n", 0o644)
