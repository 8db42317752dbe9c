"""Ports of switches that know guests by a profile: 802.1Qbg (VEPA, through lldpad) and 802.1Qbh (VN-Link, through the card's driver).

The request is a SETLINK message with the profile, to lldpad's netlink address or to the kernel; then the state is asked for until the
switch has answered. Messages and errors are those of libvirt 9.0, as recorded from it; what it says at the end of an 802.1Qbh port could
not be recorded (no such card here) and is the plain request. Everything blocks.
"""

from __future__ import annotations

import os
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kvasir.errors import InternalError, Origin, SystemFailure
from kvasir.host import netlink, sriov

LLDPAD = "/var/run/lldpad.pid"
NEWLINK, GETLINK, SETLINK, ERROR = 16, 18, 19, 2
REQUEST_ACK = 5
IFNAME, LINK, LINKINFO, VFINFO_LIST, VF_PORTS, PORT_SELF, EXT_MASK = 3, 5, 18, 22, 24, 25, 29
VF_INFO, VF_MAC, VF_VLAN, VF_PORT = 1, 1, 2, 1
PORT_VF, PORT_PROFILE, PORT_VSI, PORT_INSTANCE, PORT_HOST, PORT_REQUEST, PORT_RESPONSE = range(1, 8)
ASSOCIATE, DISASSOCIATE = 2, 3
IN_PROGRESS, DONE = 0x101, (0, 0x100)
SELF = -1
NESTED = 0x8000
SECONDS, INTERVAL = 10.0, 0.125
"""How long a switch may take, and how often it is asked."""


@dataclass(frozen=True)
class Request:
    """What is said of a port. ``target`` is the netlink address: lldpad's, or 0 for the kernel."""

    link: str
    number: int
    target: int
    operation: int
    vf: int = SELF
    mac: str | None = None
    vlan: int | None = None
    profile: str | None = None
    vsi: bytes | None = None
    instance: bytes | None = None
    host: bytes | None = None

    def body(self) -> bytes:
        """The SETLINK message without its head."""
        out = struct.pack("BxHiII", 0, 0, self.number, 0, 0)
        if self.target:
            out += netlink.attribute(IFNAME, self.link.encode() + b"\0")
        about = b""
        if self.mac is not None:
            about += netlink.attribute(VF_MAC, struct.pack("i32s", self.vf, netlink.mac_bytes(self.mac)))
        if self.vlan is not None:
            about += netlink.attribute(VF_VLAN, struct.pack("iII", self.vf, self.vlan, 0))
        if about:
            out += _nest(VFINFO_LIST, _nest(VF_INFO, about))
        port = b""
        if self.profile is not None:
            port += netlink.attribute(PORT_PROFILE, self.profile.encode() + b"\0")
        for kind, value in ((PORT_VSI, self.vsi), (PORT_INSTANCE, self.instance), (PORT_HOST, self.host)):
            port += netlink.attribute(kind, value) if value is not None else b""
        if self.vf != SELF:
            port += netlink.attribute(PORT_VF, struct.pack("i", self.vf))
        port += netlink.attribute(PORT_REQUEST, struct.pack("B", self.operation))
        return out + (_nest(PORT_SELF, port) if self.by_self else _nest(VF_PORTS, _nest(VF_PORT, port)))

    @property
    def by_self(self) -> bool:
        """The kernel's own port of a card, as against one of several."""
        return self.vf == SELF and not self.target


def _nest(kind: int, data: bytes) -> bytes:
    return netlink.attribute(kind | NESTED, data)


def _exchange(target: int, kind: int, body: bytes) -> bytes:
    """Send a message and return what it brings ('' for a mere consent). Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.bind((0, 0))
        sock.settimeout(SECONDS)
        serial = int(time.time()) & 0xFFFFFFFF
        sock.sendto(struct.pack("IHHII", 16 + len(body), kind, REQUEST_ACK, serial, 0) + body, (target, 0))
        while True:
            data, sender = sock.recvfrom(1 << 18)
            if sender[0] != target or len(data) < 20:
                continue
            size, what = struct.unpack_from("IH", data)
            if what != ERROR:
                return data[16:size]
            number = -struct.unpack_from("i", data, 16)[0]
            if number:
                raise OSError(number, os.strerror(number))
            return b""


def _send(request: Request) -> None:
    try:
        _exchange(request.target, SETLINK, request.body())
    except OSError as problem:
        raise _not_sent(f"{request.link}: {problem.strerror or problem}") from None


def _not_sent(why: str) -> InternalError:
    return InternalError("sending of PortProfileRequest failed.", origin=Origin.NONE, hint=why)


def _ask(request: Request) -> int:
    """The switch's answer so far. Raises InternalError."""
    body = struct.pack("BxHiII", 0, 0, request.number, 0, 0) + netlink.attribute(EXT_MASK, struct.pack("I", 1))
    try:
        found = netlink.attributes(_exchange(request.target, GETLINK, body)[16:])
    except OSError as problem:
        raise SystemFailure(
            f"Unable to get state of port profile of {request.link}", problem, origin=Origin.NONE
        ) from None
    wanted = PORT_SELF if request.by_self else VF_PORTS
    if wanted not in found:
        raise InternalError(f"IFLA_{'PORT_SELF' if request.by_self else 'VF_PORTS'} is missing", origin=Origin.NONE)
    port = netlink.attributes(found[PORT_SELF]) if request.by_self else _mine(request, found[VF_PORTS])
    if PORT_RESPONSE not in port:
        if request.target:
            return IN_PROGRESS
        raise InternalError("no IFLA_PORT_RESPONSE found in netlink message", origin=Origin.NONE)
    return int(struct.unpack_from("H", port[PORT_RESPONSE])[0])


def _mine(request: Request, data: bytes) -> dict[int, bytes]:
    """The entry of our port in a list of ports."""
    for one in _entries(data):
        port = netlink.attributes(one)
        same = request.instance is None or port.get(PORT_INSTANCE) == request.instance
        if same and port.get(PORT_VF) == struct.pack("i", request.vf):
            return port
    name = str(uuid.UUID(bytes=request.instance)) if request.instance is not None else ""
    raise InternalError(
        f"Could not find vf/instanceId {request.vf & 0xFFFFFFFF}/{name}  in netlink response", origin=Origin.NONE
    )


def _entries(data: bytes) -> Iterator[bytes]:
    while len(data) >= 4:
        size, _ = struct.unpack_from("HH", data)
        if size < 4:
            return
        yield data[4:size]
        data = data[size + (-size % 4) :]


def _wait(request: Request) -> None:
    """Until the switch has answered. Raises kvasir errors; TimedOut after ten seconds."""
    for _ in range(int(SECONDS / INTERVAL)):
        answer = _ask(request)
        if answer in DONE:
            return
        if answer != IN_PROGRESS:
            words = f"error {answer} during port-profile setlink on interface {request.link} ({request.number})"
            raise SystemFailure(words, OSError(22, os.strerror(22)), origin=Origin.NONE)
        time.sleep(INTERVAL)
    raise TimedOut("port-profile setlink timed out", origin=Origin.NONE)


class TimedOut(InternalError):
    """The switch said nothing final."""


def _carry_out(request: Request) -> None:
    _send(request)
    _wait(request)


# --- 802.1Qbg


def _lldpad() -> int:
    try:
        with open(LLDPAD, encoding="ascii") as stream:
            return int(stream.read().strip())
    except (OSError, ValueError):
        raise _not_sent(f"lldpad does not run ({LLDPAD}): apt-get install lldpad") from None


def _below(name: str) -> tuple[str, int, int]:
    """The card under a macvtap with its number, and the VLAN on the way (0: none)."""
    vlan, seen = 0, set[int]()
    number = netlink.index(name)
    while number not in seen:
        seen.add(number)
        body = struct.pack("BxHiII", 0, 0, number, 0, 0)
        found = netlink.attributes(netlink.request(GETLINK, 0, body)[0][1][16:])
        info = netlink.attributes(found.get(LINKINFO, b""))
        if info.get(1, b"").rstrip(b"\0") == b"vlan":
            vlan = int(struct.unpack_from("H", netlink.attributes(info.get(2, b"")).get(1, b"\0\0"))[0])
        if LINK not in found or info.get(1, b"").rstrip(b"\0") == b"veth":
            break
        number = struct.unpack("I", found[LINK])[0]
    return socket.if_indextoname(number), number, vlan


def _qbg(name: str, mac: str, port: object, operation: int) -> None:
    values = {key: int(getattr(port, key) or 0) for key in ("managerid", "typeid", "typeidversion")}
    vsi = struct.pack("B3sB3x", values["managerid"], values["typeid"].to_bytes(3, "little"), values["typeidversion"])
    try:
        link, number, vlan = _below(name)
    except OSError as problem:
        raise _not_sent(f"{name}: {problem.strerror}") from None
    instance = uuid.UUID(str(getattr(port, "instanceid", None))).bytes
    _carry_out(Request(link, number, _lldpad(), operation, mac=mac, vlan=vlan, vsi=vsi, instance=instance))


# --- 802.1Qbh


def _qbh(card: str, vf: int, mac: str, port: object, guest: str, host: str, operation: int) -> None:
    try:
        plain = Request(card, netlink.index(card), 0, DISASSOCIATE, vf)
    except OSError as problem:
        raise _not_sent(f"{card}: {problem.strerror}") from None
    if operation == DISASSOCIATE:
        _carry_out(plain)
        return
    whole = replace(plain, operation=ASSOCIATE, mac=mac, profile=str(getattr(port, "profileid", "")),
                    instance=uuid.UUID(guest).bytes, host=uuid.UUID(host).bytes)  # fmt: skip
    try:
        _carry_out(whole)
    except TimedOut:
        _carry_out(plain)
        raise


# --- what interfaces call


def associate(port: object, *, macvtap: str | None, card: str, vf: int = SELF, mac: str, guest: str, host: str, sys: str = sriov.ROOT,
              end: bool = False) -> None:  # fmt: skip
    """Tell the switch of a guest's port, or of its ``end``. ``macvtap`` is the guest's device over ``card``; a virtual function has its
    number (``vf``) on its card. Other kinds of ports need nothing. Raises kvasir errors."""
    kind, operation = getattr(port, "type", None), DISASSOCIATE if end else ASSOCIATE
    if kind == "802.1Qbg":
        _qbg(macvtap or card, mac, port, operation)
    elif kind == "802.1Qbh":
        if vf == SELF:
            card, vf = sriov.above(card, sys) or (card, vf)
        _qbh(card, vf, mac, port, guest, host, operation)
