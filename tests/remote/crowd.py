"""Many clients in one process: ``crowd.py KIND COUNT WHERE...`` connects, says "ready N" and keeps them until its input ends.

Kinds: unix PATH, tcp HOST PORT, tls HOST PORT CA CERT KEY (each opens qemu:///system), slow HOST PORT (a tenth of a packet, then a byte now and then),
half HOST PORT (the first bytes of a TLS handshake).
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import struct
import sys
from typing import Any

PROGRAM, AUTH_LIST, CONNECT_OPEN = 0x20008086, 66, 1
HEAD = struct.Struct(">IIIiiIi")
URI = b"qemu:///system\0\0"


def packet(procedure: int, payload: bytes = b"") -> bytes:
    return HEAD.pack(HEAD.size + len(payload), PROGRAM, 1, procedure, 0, procedure, 0) + payload


OPEN = packet(CONNECT_OPEN, struct.pack(">II", 1, 14) + URI + struct.pack(">I", 0))


def answer(sock: Any) -> None:
    """A reply that is no error."""
    data = b""
    while len(data) < 4 or len(data) < struct.unpack(">I", data[:4])[0]:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionResetError("closed by the daemon")
        data += piece
    if HEAD.unpack_from(data)[6]:
        raise ValueError(f"an error: {data!r}")


def connect(kind: str, where: list[str]) -> Any:
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(120)
        sock.connect(where[0])
    else:
        sock = socket.create_connection((where[0], int(where[1])), timeout=120)
    if kind == "tls":
        context = ssl.create_default_context(cafile=where[2])
        context.load_cert_chain(where[3], where[4])
        sock = context.wrap_socket(sock, server_hostname=where[0])
        if sock.recv(1) != b"\1":
            raise ConnectionResetError("no welcome")
    if kind == "slow":
        sock.sendall(OPEN[:6])
    elif kind == "half":
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
    else:
        sock.sendall(packet(AUTH_LIST) + OPEN)
        answer(sock)
    return sock


def main() -> None:
    kind, count, where = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    held = [connect(kind, where) for _ in range(count)]
    print("ready", len(held), flush=True)
    number = 6
    while not select.select([sys.stdin], [], [], 1)[0]:
        if kind == "slow" and number < len(OPEN):
            for sock in held:
                sock.send(OPEN[number : number + 1])
            number += 1
    closed = 0
    for sock in held:
        sock.settimeout(0)
        try:
            closed += sock.recv(65536) == b""
        except ConnectionError:
            closed += 1
        except OSError:
            pass
    print("closed by the daemon", closed, flush=True)


if __name__ == "__main__":
    main()
