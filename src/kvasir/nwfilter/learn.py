"""Finding out the address of an interface from its packets, where a filter needs $IP and nobody said it (guide 17.14.5).

``any``: the first address that the guest uses in ARP or IPv4, or that a DHCP server gives it. ``dhcp``: what DHCP servers
acknowledge, for as long as the lease lasts. Packets are untrusted: every length is checked, and at most ``RATE`` a second are read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kvasir.nwfilter.documents import Item, Rule
from kvasir.nwfilter.tree import Instance

log = logging.getLogger(__name__)

ETH_ALL = 3
RATE, BURST = 100, 200
DHCP_COOKIE = b"\x63\x82\x53\x63"
OPTION_LEASE, OPTION_TYPE, OPTION_SERVER, OPTION_END = 51, 53, 54, 255
OFFER, ACK, NAK = 2, 5, 6
FOREVER = 0xFFFFFFFF


@dataclass(frozen=True)
class Lease:
    """What a packet says: the guest has (or, with seconds 0, has lost) an address."""

    address: str
    seconds: int
    server: str = ""


def from_guest(frame: bytes, mac: bytes) -> str | None:
    """The address that the guest uses in this frame, if it is one of ARP or IPv4 from its own card."""
    if len(frame) < 34 or frame[6:12] != mac:
        return None
    kind = frame[12:14]
    if kind == b"\x08\x06" and len(frame) >= 42:
        raw = frame[28:32]
    elif kind == b"\x08\x00" and frame[14] >> 4 == 4:
        raw = frame[26:30]
    else:
        return None
    if raw == bytes(4) or raw[0] >= 224 or raw[0] == 127:
        return None
    return socket.inet_ntoa(raw)


def dhcp(frame: bytes, mac: bytes) -> tuple[int, Lease] | None:
    """Message type and lease of a DHCP answer to the guest."""
    if len(frame) < 14 + 20 + 8 + 240 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    start = 14 + (frame[14] & 15) * 4
    if frame[start : start + 4] != struct.pack(">HH", 67, 68):
        return None
    message = frame[start + 8 :]
    if len(message) < 240 or message[0] != 2 or message[28:34] != mac or message[236:240] != DHCP_COOKIE:
        return None
    kind, seconds, server = 0, FOREVER, socket.inet_ntoa(frame[26:30])
    at = 240
    while at + 1 < len(message) and message[at] != OPTION_END:
        if message[at] == 0:
            at += 1
            continue
        size = message[at + 1]
        value = message[at + 2 : at + 2 + size]
        if len(value) < size:
            return None
        if message[at] == OPTION_TYPE and size == 1:
            kind = value[0]
        elif message[at] == OPTION_LEASE and size == 4:
            seconds = int.from_bytes(value, "big")
        elif message[at] == OPTION_SERVER and size == 4:
            server = socket.inet_ntoa(value)
        at += 2 + size
    return kind, Lease(socket.inet_ntoa(message[16:20]), 0 if kind == NAK else seconds, server)


class Learner:
    """Listens on one interface. ``learned(lease)`` is called in the event loop. Raises OSError when it cannot listen."""

    def __init__(
        self, port: str, mac: str, only_dhcp: bool, servers: list[str], learned: Callable[[Lease], None]
    ) -> None:
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.only_dhcp, self.servers, self._learned = only_dhcp, servers, learned
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_ALL))
        try:
            self._sock.bind((port, ETH_ALL))
        except OSError:
            self._sock.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._tokens, self._at = float(BURST), self._loop.time()
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def _readable(self) -> None:
        now = self._loop.time()
        self._tokens, self._at = min(BURST, self._tokens + (now - self._at) * RATE), now
        for _ in range(64):
            try:
                frame, _ = self._sock.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError as problem:
                log.info("the interface that was listened on is gone: %s", problem)
                self.close()
                return
            if self._tokens < 1:
                continue
            self._tokens -= 1
            found = self._lease(frame)
            if found is not None:
                self._learned(found)
                return

    def _lease(self, frame: bytes) -> Lease | None:
        answer = dhcp(frame, self.mac)
        if answer is not None:
            kind, lease = answer
            if self.servers and lease.server not in self.servers:
                return None
            return lease if kind in (ACK, NAK) or (kind == OFFER and not self.only_dhcp) else None
        if self.only_dhcp:
            return None
        address = from_guest(frame, self.mac)
        return Lease(address, FOREVER) if address else None

    def close(self) -> None:
        """Listen no more."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()


def _rule(
    action: str, direction: str, priority: int, element: str | None = None, /, negated: bool = False, **items: object
) -> Instance:
    made = {name.replace("_", "-"): Item(value, negated) for name, value in items.items()}
    return Instance("root", 0, Rule(action, direction, priority, True, element, made))


def meanwhile(mac: str, only_dhcp: bool, servers: list[str]) -> list[Instance]:
    """What passes while the address is not known: ARP and IPv4 of the guest's own card, or DHCP alone."""
    ports: dict[str, Any] = {"protocol": "udp", "srcportstart": 68, "dstportstart": 67}
    answers: dict[str, Any] = {"protocol": "udp", "srcportstart": 67, "dstportstart": 68}
    if not only_dhcp:
        return [
            _rule("drop", "out", 100, "mac", negated=True, srcmacaddr=mac),
            _rule("accept", "out", 200, "mac", protocolid="ipv4"),
            _rule("accept", "out", 200, "mac", protocolid="arp"),
            _rule("drop", "out", 900),
        ]
    found = [_rule("accept", "out", 100, "ip", srcmacaddr=mac, **ports)]
    found += [_rule("accept", "in", 100, "ip", srcipaddr=server, **answers) for server in servers]
    if not servers:
        found.append(_rule("accept", "in", 100, "ip", **answers))
    return [*found, _rule("drop", "inout", 900)]
