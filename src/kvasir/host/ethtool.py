"""What a network card does itself, asked by ethtool's ioctls."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
COMMANDS = (("rx", 0x14), ("tx", 0x16), ("sg", 0x18), ("tso", 0x1E), ("gso", 0x23), ("gro", 0x2B))
GET_FLAGS = 0x25
FLAGS = (("lro", 15), ("rxvlan", 8), ("txvlan", 7), ("ntuple", 27), ("rxhash", 28))


def _ask(sock: socket.socket, name: str, command: int) -> int:
    value = array.array("I", [command, 0])
    try:
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP", name.encode()[:15], value.buffer_info()[0]) + bytes(16))
    except OSError:
        return 0
    return value[1]


def features(name: str) -> list[str]:
    """libvirt's words for them; [] for a card that does not answer."""
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError:
        return []
    with sock:
        found = [word for word, command in COMMANDS if _ask(sock, name, command)]
        flags = _ask(sock, name, GET_FLAGS)
        return found + [word for word, bit in FLAGS if flags >> bit & 1]
