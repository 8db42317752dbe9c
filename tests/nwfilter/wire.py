"""Runs beside the daemon, in its network namespace: sends frames from a port and says which of them came out at the far end.

A line of standard input is JSON, ``{"port": "gst0", "to": "sink0", "frame": hex, "mark": hex, "grace": seconds}``; the answer is
``true`` or ``false``.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time

SENTINEL = b"\xff" * 6 + b"\x02\0\0\0\0\x77" + b"\x88\xb5" + b"sentinel-%08d"


def open_port(name: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((name, 3))
    return made


def main() -> None:
    ports: dict[str, socket.socket] = {}

    def port(name: str) -> socket.socket:
        if name not in ports:
            ports[name] = open_port(name)
        return ports[name]

    for name in ("gst0", "sink0", "side0"):
        port(name)
    witness = open_port("sink0")
    print("ready", flush=True)
    for count, line in enumerate(sys.stdin):
        wanted = json.loads(line)
        mark, sentinel = bytes.fromhex(wanted["mark"]), SENTINEL % count
        source, target = port(wanted["port"]), port(wanted["to"])
        empty(target)
        source.send(bytes.fromhex(wanted["frame"]))
        port("side0").send(sentinel)
        print(json.dumps(arrives(target, witness, mark, sentinel, wanted.get("grace", 0.05))), flush=True)


def empty(sock: socket.socket) -> None:
    """Forget what came up to now: a port's own frames fill its buffer, and a full one takes no new frame."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(65536, socket.MSG_DONTWAIT)


def arrives(sock: socket.socket, witness: socket.socket, mark: bytes, sentinel: bytes, grace: float) -> bool:
    """Whether the marked frame comes. When the witness, at a port that has no filter, has seen the sentinel, which went after the
    frame, only a little longer is waited."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        ready = select.select([sock, witness], [], [], max(0.0, end - time.monotonic()))[0]
        if sock in ready:
            data, place = sock.recvfrom(65536)
            if place[2] != socket.PACKET_OUTGOING and mark in data:
                return True
        if witness in ready and sentinel[14:] in witness.recv(65536):
            end = min(end, time.monotonic() + grace)
    return False


if __name__ == "__main__":
    main()
