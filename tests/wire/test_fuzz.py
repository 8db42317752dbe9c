"""Thousands of broken packets: each gets an answer or a closed connection, and the daemon serves on."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from kvasir.rpc import frames
from kvasir.rpc.programs import ADMIN, LXC, QEMU, REMOTE, Procedure
from tests.waiting import until
from tests.wire.harness import Raw, Served, zero

EVERY = [procedure for program in (REMOTE, QEMU, LXC) for procedure in program if procedure.name != "connect_close"]


def packet(chance: random.Random, procedure: Procedure) -> bytes:
    args = [zero(field.split(":", 1)[1]) for field in procedure._args.split()]
    whole = frames.pack(
        procedure.program.id, 1, procedure.number, frames.CALL, chance.randrange(1 << 32), frames.OK,
        procedure.encode_args(args),
    )  # fmt: skip
    data = bytearray(whole)
    for _ in range(chance.randrange(4)):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    how = chance.randrange(8)
    if how == 0:
        data = data[: chance.randrange(28, len(data) + 1)]
    elif how == 1:
        data += chance.randbytes(chance.randrange(64))
    elif how == 2:
        return bytes(data)
    data[:4] = struct.pack(">I", len(data))
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_packets(served: Served, seed: int) -> None:
    chance = random.Random(seed)
    good = Raw(served.run / "libvirt-sock").open()
    raw = Raw(served.run / "libvirt-sock").open()
    answers = closed = 0
    for _ in range(1500):
        try:
            raw.sock.sendall(packet(chance, chance.choice(EVERY)))
            raw.sock.setblocking(False)
            while raw.sock.recv(1 << 20):
                answers += 1
            raise ConnectionResetError
        except BlockingIOError:
            raw.sock.settimeout(4)
        except (TimeoutError, OSError):
            closed += 1
            raw.close()
            raw = Raw(served.run / "libvirt-sock").open()
    raw.close()
    assert good.call("connect_is_secure") == 1
    assert answers and closed < 1500


@pytest.mark.parametrize("seed", range(2))
def test_noise(served: Served, seed: int) -> None:
    chance = random.Random(seed)
    good = Raw(served.run / "libvirt-sock").open()
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(served.run / chance.choice(["libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"])))
            try:
                sock.sendall(chance.randbytes(chance.randrange(1, 4096)))
            except OSError:
                continue
    assert good.call("connect_is_secure") == 1
    assert served.daemon.services["admin"].dispatcher.programs.keys() == {ADMIN.id}


def test_cut_in_the_middle(served: Served) -> None:
    """A client that goes away after any byte of its packet leaves nothing behind."""
    good = Raw(served.run / "libvirt-sock").open()
    whole = frames.pack(REMOTE.id, 1, 1, frames.CALL, 0, frames.OK, REMOTE["connect_open"].encode_args(("", 0)))
    for cut in range(len(whole)):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(served.run / "libvirt-sock"))
            sock.sendall(whole[:cut])
    assert good.call("connect_is_secure") == 1
    until(lambda: len(served.daemon.services["libvirtd"].clients) == 1)
