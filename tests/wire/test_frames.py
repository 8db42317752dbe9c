"""Packets: put together from pieces, refused when they cannot be, with descriptors behind them."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvasir.rpc import frames
from kvasir.rpc.xdr import Malformed


def test_empty_call_is_28_bytes() -> None:
    assert frames.pack(0x20008086, 1, 66, frames.CALL, 3, frames.OK) == bytes.fromhex(
        "0000001c 20008086 00000001 00000042 00000000 00000003 00000000"
    )


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(1, 40))
def test_any_cut_gives_the_same_packets(payloads: list[bytes], step: int) -> None:
    data = b"".join(frames.pack(1, 2, n, frames.CALL, n, frames.OK, body) for n, body in enumerate(payloads))
    buffer = frames.FrameBuffer()
    found = [frame for at in range(0, len(data), step) for frame in buffer.feed(data[at : at + step])]
    assert [(frame.procedure, frame.payload) for frame in found] == list(enumerate(payloads))


@pytest.mark.parametrize("size", [0, 4, 27, frames.MESSAGE_MAX + 5, 0xFFFFFFFF, int.from_bytes(b"GET ", "big")])
def test_impossible_lengths_are_refused_at_once(size: int) -> None:
    with pytest.raises(Malformed, match=r"too (small|large)"):
        frames.FrameBuffer().feed(size.to_bytes(4, "big"))


def test_largest_packet_passes() -> None:
    data = frames.pack(1, 1, 1, frames.CALL, 0, frames.OK, b"x" * (frames.MESSAGE_MAX - 24))
    assert len(frames.FrameBuffer().feed(data)[0].payload) == frames.MESSAGE_MAX - 24
    with pytest.raises(Malformed):
        frames.pack(1, 1, 1, frames.CALL, 0, frames.OK, b"x" * (frames.MESSAGE_MAX - 23))


def test_descriptors_follow_their_packet() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    ours.sendall(frames.pack(1, 1, 7, frames.CALL_WITH_FDS, 0, frames.OK, b"body", nfds=2))
    frames.send_fds(ours, [reader, writer])
    ours.sendall(frames.pack(1, 1, 8, frames.CALL, 1, frames.OK, b"next"))
    ours.close()
    buffer, found = frames.FrameBuffer(), []
    while True:
        data, fds = frames.receive(theirs)
        if not data:
            break
        found += buffer.feed(data, fds)
    assert [(frame.procedure, frame.payload, len(frame.fds)) for frame in found] == [(7, b"body", 2), (8, b"next", 0)]
    os.write(found[0].fds[1], b"through")
    assert os.read(found[0].fds[0], 20) == b"through"
    for fd in (reader, writer, *found[0].fds):
        os.close(fd)
    theirs.close()


def test_announced_but_missing_descriptors_are_refused() -> None:
    buffer = frames.FrameBuffer()
    buffer.feed(frames.pack(1, 1, 7, frames.CALL_WITH_FDS, 0, frames.OK, b"", nfds=1))
    with pytest.raises(Malformed, match="1 file descriptors announced, 0 received"):
        buffer.feed(b"\0")
    with pytest.raises(Malformed, match="too many FDs"):
        frames.FrameBuffer().feed(frames.pack(1, 1, 7, frames.CALL_WITH_FDS, 0, frames.OK, b"", nfds=33))


def test_descriptors_that_nobody_took_are_closed() -> None:
    reader, writer = os.pipe()
    buffer = frames.FrameBuffer()
    buffer.feed(b"", [reader])
    buffer.close()
    with pytest.raises(OSError):
        os.fstat(reader)
    os.close(writer)
