"""A peer in the place of lldpad, which answers port profile requests (802.1Qbg) by netlink: ``lldpad.py LOG NUMBER``.

Every message that comes is written to LOG as a line of hex. The answers to questions for the state are the words of LOG.say, one after
the other, the last again and again: ``no`` (the port is not named), or a number (the response). ``LOG.refuse`` holds the error with
which requests are answered.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

SETLINK, GETLINK, NEWLINK, ERROR = 19, 18, 16, 2
VF_PORTS, VF_PORT, PORT_VF, INSTANCE, RESPONSE = 24, 1, 1, 4, 7
NESTED = 0x8000


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def find(data: bytes, *path: int) -> bytes:
    for wanted in path:
        rest, data = data, b""
        while len(rest) >= 4:
            size, kind = struct.unpack_from("HH", rest)
            if kind & 0x3FFF == wanted:
                data = rest[4:size]
            rest = rest[size + (-size % 4) :]
    return data


def main(log: Path, number: int) -> None:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.bind((number, 0))
    print("ready", flush=True)
    instance, asked = b"", 0
    while True:
        data, sender = sock.recvfrom(65536)
        _, kind, _, serial, _ = struct.unpack_from("IHHII", data)
        with log.open("a") as out:
            out.write(data.hex() + "\n")
        body = data[32:]
        if kind == SETLINK:
            instance, asked = find(body, VF_PORTS, VF_PORT, INSTANCE), 0
            refuse = Path(f"{log}.refuse")
            code = -int(refuse.read_text()) if refuse.exists() else 0
            answer = struct.pack("i", code) + data[:16]
            reply = ERROR
        else:
            words = Path(f"{log}.say").read_text().split()
            word = words[min(asked, len(words) - 1)]
            asked += 1
            port = attribute(PORT_VF, struct.pack("i", -1)) + attribute(INSTANCE, instance) + attribute(RESPONSE, struct.pack("H", int(word, 0))) if word != "no" else b""
            answer = data[16:32] + attribute(VF_PORTS | NESTED, attribute(VF_PORT | NESTED, port))
            reply = NEWLINK
        head = struct.pack("IHHII", 16 + len(answer), reply, 0, serial, number)
        sock.sendto(head + answer, sender)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid())
