"""What the agent says of users, file systems and interfaces, read with suspicion and put into the wire's shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import Error, InternalError
from kvasir.rpc.typed import Params, UInt, ULLong

from . import agent, live
from .guest import Guest

MOST = 1024
"""Entries of any list that a guest may make us carry."""

USERS, OS, TIMEZONE, HOSTNAME, FILESYSTEM, DISKS, INTERFACES = (1 << bit for bit in range(7))


@dataclass(slots=True)
class Filesystem:
    """A mounted file system."""

    mountpoint: str
    name: str
    fstype: str
    total: int | None = None
    used: int | None = None
    disks: list[str] = field(default_factory=list)


def _rows(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise InternalError("malformed return value of the guest agent")
    return [row for row in value[:MOST] if isinstance(row, dict)]


def filesystems(guest: Guest, value: Any) -> list[Filesystem]:
    """From ``guest-get-fsinfo``."""
    found = []
    for row in _rows(value):
        entry = Filesystem(str(row.get("mountpoint", "")), str(row.get("name", "")), str(row.get("type", "")))
        total, used = row.get("total-bytes"), row.get("used-bytes")
        entry.total = total if isinstance(total, int) else None
        entry.used = used if isinstance(used, int) else None
        for disk in _rows(row.get("disk", [])):
            name = _disk_name(guest, disk)
            if name:
                entry.disks.append(name)
        found.append(entry)
    return list(reversed(found))


def _disk_name(guest: Guest, said: dict[str, Any]) -> str:
    """The target of the disk at the address that the agent names."""
    address = said.get("pci-controller") or {}
    for disk in live.list_of(guest.live, "disks"):
        where = disk.address
        if where is None:
            continue
        if said.get("bus-type") == "virtio" and getattr(where, "slot", None) is not None:
            if (address.get("domain"), address.get("bus"), address.get("slot"), address.get("function")) == (
                getattr(where, "domain", 0), getattr(where, "bus", 0), where.slot, getattr(where, "function", 0),
            ):  # fmt: skip
                return live.disk_target(disk)
        elif getattr(where, "unit", None) is not None and (said.get("bus"), said.get("target"), said.get("unit")) == (
            getattr(where, "bus", 0), getattr(where, "target", 0), where.unit,
        ):  # fmt: skip
            return live.disk_target(disk)
    return ""


def interfaces(value: Any) -> list[tuple[Any, ...]]:
    """(name, mac, addresses) from ``guest-network-get-interfaces``; alias interfaces are joined to their own."""
    found: dict[str, tuple[str, str | None, list[tuple[int, str, int]]]] = {}
    for row in _rows(value):
        name = str(row.get("name", "")).partition(":")[0]
        mac = row.get("hardware-address")
        entry = found.setdefault(name, (name, str(mac) if mac else None, []))
        for address in _rows(row.get("ip-addresses", [])):
            kind = {"ipv4": 0, "ipv6": 1}.get(str(address.get("ip-address-type")))
            prefix = address.get("prefix")
            if kind is not None and isinstance(prefix, int) and 0 <= prefix <= 128:
                entry[2].append((kind, str(address.get("ip-address", "")), prefix))
    return list(found.values())


def from_arp(guest: Guest) -> list[tuple[Any, ...]]:
    """From the host's ARP table, by the MACs of the guest's cards."""
    by_mac: dict[str, list[str]] = {}
    try:
        with open("/proc/net/arp", encoding="ascii") as stream:
            for line in list(stream)[1:]:
                words = line.split()
                if len(words) >= 6 and words[3] != "00:00:00:00:00:00":
                    by_mac.setdefault(words[3].lower(), []).append(words[0])
    except OSError:
        pass
    found = []
    for card in live.list_of(guest.live, "interfaces"):
        addresses = by_mac.get(str(card.mac).lower())
        if addresses and card.target_dev:
            found.append((str(card.target_dev), str(card.mac), [(0, address, 0) for address in addresses]))
    return found


def from_leases(guest: Guest) -> list[tuple[Any, ...]]:
    """What the guest's virtual networks gave its cards."""
    from kvasir.network.leases import leases, row

    driver = guest.driver.drivers.get("network")
    found = []
    for card in live.list_of(guest.live, "interfaces"):
        net = driver.networks.get(card.source.network) if card.type == "network" and driver is not None else None
        if net is None or not card.mac:
            continue
        rows = [row(net.document, lease) for lease in leases(driver.files.dnsmasq, net.document, str(card.mac))]
        if rows:
            given = [(one["type"], one["ipaddr"], one["prefix"]) for one in rows]
            found.append((str(card.target_dev or ""), str(card.mac), given))
    return found


async def guest_info(guest: Guest, types: int) -> Params:
    """``virsh guestinfo``: the parts asked for, or all that the agent can say."""
    parts = ((USERS, users), (OS, system), (TIMEZONE, timezone), (HOSTNAME, hostname), (FILESYSTEM, mounts))
    known = USERS | OS | TIMEZONE | HOSTNAME | FILESYSTEM | DISKS | INTERFACES
    if types & ~known:
        from kvasir.errors import InvalidArg

        raise InvalidArg(f"unsupported guest information types '0x{types & ~known:x}'")
    agent.need(guest)
    out: Params = []
    for bit, ask in (*parts, (INTERFACES, cards)):
        if types and not types & bit:
            continue
        try:
            out += await ask(guest)
        except Error:
            if types:
                raise
    return out


async def users(guest: Guest) -> Params:
    rows = _rows(await agent.call(guest, "guest-get-users"))
    out: Params = [("user.count", UInt(len(rows)))]
    for number, row in enumerate(rows):
        out.append((f"user.{number}.name", str(row.get("user", ""))))
        if row.get("domain"):
            out.append((f"user.{number}.domain", str(row["domain"])))
        login = row.get("login-time", 0)
        out.append((f"user.{number}.login-time", ULLong(int(login * 1000) if isinstance(login, (int, float)) else 0)))
    return out


async def system(guest: Guest) -> Params:
    said = await agent.call(guest, "guest-get-osinfo")
    keys = (
        ("id", "id"), ("name", "name"), ("pretty-name", "pretty-name"), ("version", "version"),
        ("version-id", "version-id"), ("machine", "machine"), ("variant", "variant"), ("variant-id", "variant-id"),
        ("kernel-release", "kernel-release"), ("kernel-version", "kernel-version"),
    )  # fmt: skip
    return [(f"os.{name}", str(said[key])) for key, name in keys if key in said]


async def timezone(guest: Guest) -> Params:
    from kvasir.rpc.typed import Int

    said = await agent.call(guest, "guest-get-timezone")
    out: Params = [("timezone.name", str(said["zone"]))] if "zone" in said else []
    offset = said.get("offset")
    return [*out, ("timezone.offset", Int(offset if isinstance(offset, int) else 0))]


async def hostname(guest: Guest) -> Params:
    return [("hostname", str((await agent.call(guest, "guest-get-host-name")).get("host-name", "")))]


async def mounts(guest: Guest) -> Params:
    rows = filesystems(guest, await agent.call(guest, "guest-get-fsinfo"))
    out: Params = [("fs.count", UInt(len(rows)))]
    for number, row in enumerate(rows):
        out += [
            (f"fs.{number}.name", row.name), (f"fs.{number}.mountpoint", row.mountpoint),
            (f"fs.{number}.fstype", row.fstype),
        ]  # fmt: skip
        if row.total is not None:
            out.append((f"fs.{number}.total-bytes", ULLong(row.total)))
        if row.used is not None:
            out.append((f"fs.{number}.used-bytes", ULLong(row.used)))
        out.append((f"fs.{number}.disk.count", UInt(len(row.disks))))
        out += [(f"fs.{number}.disk.{k}.alias", name) for k, name in enumerate(row.disks)]
    return out


async def cards(guest: Guest) -> Params:
    rows = interfaces(await agent.call(guest, "guest-network-get-interfaces"))
    out: Params = [("if.count", UInt(len(rows)))]
    for number, (name, mac, addresses) in enumerate(rows):
        out.append((f"if.{number}.name", str(name)))
        if mac:
            out.append((f"if.{number}.hwaddr", str(mac)))
        out.append((f"if.{number}.addr.count", UInt(len(addresses))))
        for k, (kind, address, prefix) in enumerate(addresses):
            out += [
                (f"if.{number}.addr.{k}.type", "ipv6" if kind else "ipv4"),
                (f"if.{number}.addr.{k}.addr", address), (f"if.{number}.addr.{k}.prefix", UInt(prefix)),
            ]  # fmt: skip
    return out
