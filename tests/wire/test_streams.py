"""Streams in both directions, with holes, slow readers, aborts; and descriptors in both directions."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from kvasir.daemon.streams import Hole, Stream
from kvasir.errors import Error, OperationFailed
from kvasir.rpc import frames
from kvasir.rpc.errors import decode_error
from kvasir.rpc.programs import REMOTE
from tests.waiting import until
from tests.wire.harness import DOM, Raw, Served, real_python, real_virsh

VOL = ("pool", "vol", "/pool/vol")
BIG = bytes(range(256)) * 8192


def packets(raw: Raw, name: str, serial: int) -> list[frames.Frame]:
    """Stream packets until the end of data, a confirmation or an error."""
    found = list(raw.others)
    raw.others.clear()
    while not found or (found[-1].payload and found[-1].status == frames.CONTINUE):
        frame = raw.receive()
        assert frame is not None
        found.append(frame)
    assert all((f.program, f.procedure, f.serial) == (REMOTE.id, REMOTE[name].number, serial) for f in found)
    return found


def say(raw: Raw, name: str, serial: int, status: int, payload: bytes = b"", type: int = frames.STREAM) -> None:
    raw.send(REMOTE.id, REMOTE[name].number, payload, type=type, status=status, serial=serial)


def test_reading(served: Served, raw: Raw) -> None:
    def domain_screenshot(session: Any, dom: Any, screen: int, flags: int) -> str:
        async def pump(stream: Stream) -> None:
            await stream.write(BIG)

        session.open_stream(pump)
        return "image/png"

    served.serve(domain_screenshot)
    serial = raw.start("domain_screenshot", DOM, 0, 0)
    assert raw.reply(serial) == "image/png"
    found = packets(raw, "domain_screenshot", serial)
    assert b"".join(f.payload for f in found) == BIG and max(len(f.payload) for f in found) == frames.STREAM_CHUNK
    assert (found[-1].status, found[-1].payload) == (frames.CONTINUE, b"")
    say(raw, "domain_screenshot", serial, frames.OK)
    assert packets(raw, "domain_screenshot", serial)[0].status == frames.OK
    say(raw, "domain_screenshot", serial, frames.CONTINUE, b"late data is dropped")
    assert raw.call("connect_is_secure") == 1 and not raw.others


def test_writing_with_holes(served: Served, raw: Raw) -> None:
    got: list[Any] = []

    def storage_vol_upload(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            while (item := await stream.read()) is not None:
                got.append(item)
                await asyncio.sleep(0)

        session.open_stream(pump)

    served.serve(storage_vol_upload)
    serial = raw.start("storage_vol_upload", VOL, 0, 0, 0)
    assert raw.reply(serial) is None
    for number in range(20):
        say(raw, "storage_vol_upload", serial, frames.CONTINUE, b"%d" % number)
    say(raw, "storage_vol_upload", serial, frames.CONTINUE, frames.HOLE.pack(1 << 40, 0), frames.STREAM_HOLE)
    say(raw, "storage_vol_upload", serial, frames.OK)
    assert packets(raw, "storage_vol_upload", serial)[0].status == frames.OK
    assert got == [b"%d" % number for number in range(20)] + [Hole(1 << 40)]


def test_an_error_of_the_pump_reaches_the_client(served: Served, raw: Raw) -> None:
    def storage_vol_upload(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            await stream.read()
            raise OperationFailed("disk full")

        session.open_stream(pump)

    served.serve(storage_vol_upload)
    serial = raw.start("storage_vol_upload", VOL, 0, 0, 0)
    raw.reply(serial)
    say(raw, "storage_vol_upload", serial, frames.CONTINUE, b"x")
    last = packets(raw, "storage_vol_upload", serial)[-1]
    assert last.status == frames.ERROR and decode_error(last.payload).message == "operation failed: disk full"
    assert raw.call("connect_is_secure") == 1


@pytest.mark.parametrize("how", ["abort", "finish", "leave"])
def test_the_pump_ends_with_its_client(served: Served, raw: Raw, how: str) -> None:
    ended: list[str] = []

    def domain_open_console(session: Any, dom: Any, dev_name: str | None, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("ended")

        session.open_stream(pump)

    served.serve(domain_open_console)
    serial = raw.start("domain_open_console", DOM, None, 0)
    raw.reply(serial)
    if how == "leave":
        raw.close()
    else:
        say(raw, "domain_open_console", serial, frames.ERROR if how == "abort" else frames.OK)
        assert packets(raw, "domain_open_console", serial)[-1].status == frames.OK
    until(lambda: ended)
    assert ended == ["ended"]


def test_a_slow_reader_slows_the_writer_only(served: Served, raw: Raw) -> None:
    written = [0]

    def storage_vol_download(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            for _ in range(100):
                await stream.write(b"x" * frames.STREAM_CHUNK)
                written[0] += 1

        session.open_stream(pump)

    served.serve(storage_vol_download)
    slow = Raw(served.run / "libvirt-sock").open()
    slow.reply(slow.start("storage_vol_download", VOL, 0, 0, 0))
    time.sleep(0.3)
    assert written[0] < 20
    assert raw.call("connect_is_secure") == 1
    slow.close()


def test_a_slow_writer_is_throttled(served: Served, raw: Raw) -> None:
    release = asyncio.Event()

    def storage_vol_upload(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            await release.wait()
            while await stream.read() is not None:
                pass

        session.open_stream(pump)

    served.serve(storage_vol_upload)
    serial = raw.start("storage_vol_upload", VOL, 0, 0, 0)
    raw.reply(serial)
    raw.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        for _ in range(200):
            say(raw, "storage_vol_upload", serial, frames.CONTINUE, b"x" * frames.STREAM_CHUNK)
    served.call(release.set)


def test_a_pump_that_ends_early_leaves_the_client_free(served: Served, raw: Raw) -> None:
    """What it did not read no longer counts against the client."""

    def domain_open_console(session: Any, dom: Any, dev_name: str | None, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            await asyncio.sleep(0.3)

        session.open_stream(pump)

    served.serve(domain_open_console)
    serial = raw.start("domain_open_console", DOM, None, 0)
    raw.reply(serial)
    for _ in range(12):
        say(raw, "domain_open_console", serial, frames.CONTINUE, b"unread")
    assert packets(raw, "domain_open_console", serial)[-1] == (REMOTE.id, 1, 201, frames.STREAM, serial, 2, b"", [])
    say(raw, "domain_open_console", serial, frames.OK)
    assert packets(raw, "domain_open_console", serial)[-1].status == frames.OK
    assert raw.call("connect_is_secure") == 1


def test_descriptors_with_a_call_and_with_a_reply(served: Served, raw: Raw) -> None:
    def domain_open_graphics(session: Any, dom: Any, idx: int, flags: int) -> None:
        os.write(session.fds[0], b"hello")

    def domain_open_graphics_fd(session: Any, dom: Any, idx: int, flags: int) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"from the daemon")
        os.close(writer)
        session.return_fds([reader])

    served.serve(domain_open_graphics)
    served.serve(domain_open_graphics_fd)
    reader, writer = os.pipe()
    procedure = REMOTE["domain_open_graphics"]
    payload = procedure.encode_args((DOM, 0, 0))
    raw.sock.sendall(frames.pack(REMOTE.id, 1, procedure.number, frames.CALL_WITH_FDS, 99, frames.OK, payload, nfds=1))
    frames.send_fds(raw.sock, [writer])
    os.close(writer)
    assert raw.reply(99) is None
    assert os.read(reader, 10) == b"hello" and os.read(reader, 10) == b"", "the daemon closed its copy"
    os.close(reader)
    raw.call("domain_open_graphics_fd", DOM, 0, 0)
    assert os.read(raw.last.fds[0], 100) == b"from the daemon"
    os.close(raw.last.fds[0])
    assert raw.call("connect_is_secure") == 1


REAL_CONSOLE = """
import sys, libvirt
conn = libvirt.open(sys.argv[1])
dom = conn.lookupByName("guest")
stream = conn.newStream(0)
dom.openConsole(None, stream, 0)
stream.send(b"echo me")
got = b""
while len(got) < 7:
    got += stream.recv(100)
print(got)
stream.finish()
stream = conn.newStream(0)
print(dom.screenshot(stream, 0))
data = b""
while chunk := stream.recv(65536):
    data += chunk
stream.finish()
print(len(data))
stream = conn.newStream(0)
dom.openChannel("x", stream, 0)
try:
    stream.recv(10)
except libvirt.libvirtError as problem:
    print(problem)
fd = dom.openGraphicsFD(0)
import os
print(os.read(fd, 10))
print(conn.getHostname() != "")
conn.close()
"""


def test_real_clients(served: Served, cache: Path, tmp_path: Path) -> None:
    """libvirt-python echoes through a console, reads a screenshot, sees an error, gets a descriptor; virsh reads the shot."""

    def domain_lookup_by_name(session: Any, name: str) -> Any:
        return DOM

    def domain_open_console(session: Any, dom: Any, dev_name: str | None, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            while isinstance(data := await stream.read(), bytes):
                await stream.write(data)

        session.open_stream(pump)

    def domain_screenshot(session: Any, dom: Any, screen: int, flags: int) -> str:
        async def pump(stream: Stream) -> None:
            await stream.write(BIG)

        session.open_stream(pump)
        return "image/x-portable-pixmap"

    def domain_open_channel(session: Any, dom: Any, name: str | None, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            raise OperationFailed("the channel broke")

        session.open_stream(pump)

    def domain_open_graphics_fd(session: Any, dom: Any, idx: int, flags: int) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"vnc")
        os.close(writer)
        session.return_fds([reader])

    for function in (
        *(domain_lookup_by_name, domain_open_console, domain_screenshot, domain_open_channel, domain_open_graphics_fd),
    ):
        served.serve(function)
    done = real_python(cache, REAL_CONSOLE, served.uri())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *("b'echo me'", "image/x-portable-pixmap", str(len(BIG)), "operation failed: the channel broke"),
        *("b'vnc'", "True"),
    ]
    shot = tmp_path / "shot.ppm"
    virsh = real_virsh(cache, "-c", served.uri(), "screenshot", "guest", str(shot))
    assert virsh.returncode == 0, virsh.stderr
    assert shot.read_bytes() == BIG


def test_malformed_holes_end_the_stream(served: Served, raw: Raw) -> None:
    def storage_vol_upload(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        async def pump(stream: Stream) -> None:
            await asyncio.sleep(60)

        session.open_stream(pump)

    served.serve(storage_vol_upload)
    for payload in (b"", b"x" * 11, frames.HOLE.pack(-1, 0)):
        serial = raw.start("storage_vol_upload", VOL, 0, 0, 0)
        raw.reply(serial)
        say(raw, "storage_vol_upload", serial, frames.CONTINUE, payload, frames.STREAM_HOLE)
        last = packets(raw, "storage_vol_upload", serial)[-1]
        assert last.status == frames.ERROR
        with pytest.raises(Error, match="malformed hole"):
            raise decode_error(last.payload)


def test_a_client_that_leaves_at_once_leaves_no_descriptor(served: Served) -> None:
    """Before the reply, with it, after it: what the call opened for its stream is closed."""
    opened: list[int] = []
    closed: list[int] = []

    async def storage_vol_download(session: Any, vol: Any, offset: int, length: int, flags: int) -> None:
        await asyncio.sleep(offset / 1000)
        opened.append(fd := os.open("/dev/null", os.O_RDONLY))

        async def pump(stream: Any) -> None:
            try:
                await stream.read()
            finally:
                os.close(fd)
                closed.append(fd)

        session.open_stream(pump)

    served.serve(storage_vol_download)
    for number in range(60):
        raw = Raw(served.run / "libvirt-sock").open()
        raw.start("storage_vol_download", ("p", "v", "k"), number % 6, 0, 0)
        if number % 2:
            time.sleep(0.003)
        raw.close()
    until(lambda: len(closed) >= 60)
    assert (len(opened), len(closed)) == (60, 60)
