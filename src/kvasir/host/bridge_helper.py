"""QEMU's setuid helper, which plugs an ordinary user's guest into a bridge that /etc/qemu/bridge.conf allows. Blocks."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import subprocess

from kvasir.errors import Origin, SystemFailure

TUNGETIFF = 0x800454D2
SECONDS = 30
"""How long the helper may take."""


def open_tap(helper: str, bridge: str, *, vnet: bool = False) -> tuple[str, int]:
    """Name and descriptor of a new tap on the bridge. Raises SystemFailure with the helper's words."""
    ours, its = socket.socketpair()
    with ours, its:
        command = [helper, *(["--use-vnet"] if vnet else []), f"--br={bridge}", f"--fd={its.fileno()}"]
        ours.settimeout(SECONDS)
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     pass_fds=[its.fileno()], text=True)  # fmt: skip
        except OSError as problem:
            raise _failed(command, problem.errno or errno.ENOENT, "", helper, bridge) from None
        its.close()
        try:
            fds = socket.recv_fds(ours, 1, 1)[1]
        except OSError:
            fds = []
        if not fds:
            child.kill()
        said = child.communicate()[1]
    if not fds:
        raise _failed(command, errno.ENOTCONN, said, helper, bridge)
    name = fcntl.ioctl(fds[0], TUNGETIFF, struct.pack("16sH22x", b"", 0))[:16].rstrip(b"\0").decode()
    os.set_inheritable(fds[0], False)
    return name, fds[0]


def _failed(command: list[str], number: int, said: str, helper: str, bridge: str) -> SystemFailure:
    words = f"stderr={said}" if said else ""
    return SystemFailure(f"{' '.join(command)}: failed to communicate with bridge helper: {words}", OSError(number, os.strerror(number)),
                         origin=Origin.NONE,
                         hint=f"chmod u+s {helper}; echo 'allow {bridge}' >> /etc/qemu/bridge.conf; or an interface of type user")  # fmt: skip
