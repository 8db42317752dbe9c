"""Runs beside the daemon, in its network namespace: sends frames from a port and says which of them came out at the far end.

A line of standard input is JSON, ``{"port": "gst0", "frame": hex, "mark": hex, "wait": seconds}``; the answer is ``true`` or ``false``.
"""

from __future__ import annotations

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
    far = {"gst0": open_port("sink0"), "sink0": open_port("gst0")}
    near = {"gst0": far["sink0"], "sink0": far["gst0"]}
    side = open_port("side0")
    print("ready", flush=True)
    for count, line in enumerate(sys.stdin):
        wanted = json.loads(line)
        target, mark, sentinel = far[wanted["port"]], bytes.fromhex(wanted["mark"]), SENTINEL % count
        near[wanted["port"]].send(bytes.fromhex(wanted["frame"]))
        side.send(sentinel)
        print(json.dumps(arrives(target, mark, sentinel, wanted.get("grace", 0.05))), flush=True)


def arrives(sock: socket.socket, mark: bytes, sentinel: bytes, grace: float) -> bool:
    """Whether the marked frame comes; when the sentinel, which nothing filters, came first, only a little longer is waited."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not select.select([sock], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        data, place = sock.recvfrom(65536)
        if place[2] == socket.PACKET_OUTGOING:
            continue
        if mark in data:
            return True
        if sentinel[14:] in data:
            end = min(end, time.monotonic() + grace)
    return False


if __name__ == "__main__":
    main()
