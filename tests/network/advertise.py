"""One router advertisement out of a card: ``advertise.py CARD PREFIX SECONDS`` (PREFIX ``-``: none; SECONDS: as default router)."""

from __future__ import annotations

import socket
import struct
import sys

from packets import checksum, mac

ALL, ROUTER = "33:33:00:00:00:01", "02:00:00:00:00:99"


def main(card: str, prefix: str, seconds: int) -> None:
    source, target = socket.inet_pton(socket.AF_INET6, "fe80::99"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, seconds, 0, 0)
    if prefix != "-":
        body += struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    found = checksum(source + target + struct.pack(">II", len(body), 58) + body)
    body = body[:2] + struct.pack(">H", found) + body[4:]
    head = mac(ALL) + mac(ROUTER) + struct.pack(">HIHBB", 0x86DD, 6 << 28, len(body), 58, 255) + source + target
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((card, 0))
        out.send(head + body)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
