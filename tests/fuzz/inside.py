"""Packets straight into a connection's decoder and dispatcher, in this process, led by what lines they reach. The connection has
``test:///default`` open (every object in memory); a second kind has not logged in and may only do that."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import socket
import time
from pathlib import Path
from typing import Any

from kvasir.daemon import app, config
from kvasir.daemon.client import Client
from kvasir.daemon.paths import Paths
from kvasir.rpc import frames
from kvasir.rpc.programs import ADMIN, LXC, QEMU, REMOTE, Procedure
from kvasir.testdriver.worlds import TestWorlds
from tests.fuzz import mutate
from tests.fuzz.found import Found, Listening, resident, wait_of
from tests.fuzz.seeds import Maker, World
from tests.wire.harness import Driver

LIMIT = 1.0
HANG = 15
"""Seconds after which a call is broken off with a traceback."""
TURNS = 2000
WATCHED = ("/kvasir/rpc/", "/kvasir/daemon/", "/kvasir/calls/", "/kvasir/testdriver/", "/kvasir/xml/", "/kvasir/model/")
RENEW = 20000
"""After so many packets the world is made anew, so that what was defined does not pile up."""


class Channel:
    """Takes what it is given to read, keeps what is sent."""

    local = secure = True

    def __init__(self) -> None:
        self.sock, self._far = socket.socketpair()
        self.sock.setblocking(False)
        self.incoming = b""
        self.buffer = frames.FrameBuffer()
        self.answers: list[frames.Frame] = []

    def receive(self) -> tuple[bytes, list[int]]:
        data, self.incoming = self.incoming, b""
        if not data:
            raise BlockingIOError
        return data, []

    def send(self, data: bytes) -> int:
        self.answers += self.buffer.feed(data)
        return len(data)

    def close(self) -> None:
        self._far.close()


class Lines:
    """Which lines (as arcs) were run, by coverage.py's tracer in C; without it nothing is new."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.tracer: Any = None
        try:
            from coverage.tracer import CFileDisposition, CTracer
        except ImportError:
            return

        def should_trace(filename: str, _: Any) -> Any:
            made = CFileDisposition()
            made.original_filename = made.canonical_filename = made.source_filename = filename
            made.trace = any(part in filename for part in WATCHED)
            made.reason, made.file_tracer, made.has_dynamic_filename = "", None, False
            return made

        self.tracer = tracer = CTracer()
        tracer.data, tracer.trace_arcs, tracer.should_trace, tracer.should_trace_cache = (
            self.data,
            True,
            should_trace,
            {},
        )
        tracer.concur_id_func, tracer.file_tracers, tracer.should_start_context = None, {}, None
        tracer.lock_data, tracer.unlock_data, tracer.warn = _nothing, _nothing, _nothing
        tracer.check_include, tracer.switch_context, tracer.disable_plugin = None, None, None

    def __enter__(self) -> Lines:
        if self.tracer is not None:
            self.tracer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.tracer is not None:
            self.tracer.stop()

    @property
    def count(self) -> int:
        return sum(len(lines) for lines in self.data.values())


def _nothing(*_: object, **__: object) -> None:
    pass


class Inside:
    """The daemon in this process."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.chance, self.found = root, random.Random(seed), Found()
        self.maker = Maker(self.chance, World(str(root), "test", "test", 1))
        self.maker.world.uuids["domain"] = bytes.fromhex("6695eb01f6a483049b0a3a4e7ba0f5f0")
        self.corpus: list[bytes] = []
        self.seeds = [row for program in (REMOTE, QEMU, LXC) for row in program if row.name != "connect_close"]
        self.heard = Listening()
        self.serial = self.turn = 0
        self.channel: Channel | None = None

    async def start(self) -> None:
        (self.root / "libvirtd.conf").write_text("max_client_requests = 64\nlog_level = 4\n")
        settings = config.load_daemon(str(self.root / "libvirtd.conf"))
        self.daemon = app.Daemon(Paths.system(str(self.root)), settings, config.load_qemu("/nonexistent"))
        await self.daemon.start(lambda _: {"qemu": Driver(), "test": TestWorlds()})
        logging.getLogger().addHandler(self.heard)
        signal.signal(signal.SIGALRM, _hangs)

    async def stop(self) -> None:
        logging.getLogger().removeHandler(self.heard)
        self._drop()
        self.daemon.end()
        await self.daemon.stop()

    def _drop(self) -> None:
        if self.channel is not None:
            self.client.close()
            self.channel.close()
            self.channel = None

    async def connect(self, known: bool, service: str = "libvirtd") -> None:
        """A new connection, open on the world of the test driver; or one that has not logged in."""
        self._drop()
        self.channel = Channel()
        served = self.daemon.services[service]
        self.client: Client = served.adopt(self.channel, served.listeners[0])
        if not known:
            self.client.auth, self.client.authenticated = "sasl", False
            served.unknown.add(self.client)
        elif service == "libvirtd":
            await self.send(self.packet(REMOTE["connect_open"], ("test:///default", 0)))
            assert self.client.driver is not None

    def packet(self, procedure: Procedure, args: tuple[Any, ...]) -> bytes:
        self.serial = (self.serial + 1) & 0x7FFFFFFF
        payload = procedure.encode_args(args)
        return frames.pack(procedure.program.id, 1, procedure.number, frames.CALL, self.serial, frames.OK, payload)

    async def send(self, data: bytes) -> bool:
        """Feed it; waits for all answers. True when the connection still stands."""
        assert self.channel is not None
        channel, client = self.channel, self.client
        channel.answers.clear()
        channel.incoming = data
        began, waited = time.monotonic(), wait_of()
        signal.setitimer(signal.ITIMER_REAL, HANG)
        client._readable()
        turns = 0
        while client.waits and not client.closed and turns < TURNS:
            turns += 1
            await asyncio.sleep(0 if turns < 50 else 0.001)
        signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.monotonic() - began - (wait_of() - waited)
        if took > LIMIT:
            self.found.took(_name(data), took)
        for frame in channel.answers:
            self.found.answers += frame.type == frames.REPLY
        if self.heard.heard:
            for text in self.heard.heard:
                self.found.problem(f"{_name(data)}: {text}", data)
            self.heard.heard.clear()
        if client.closed:
            self.found.closed += 1
        return not client.closed

    def next(self, rows: list[Procedure]) -> bytes:
        """One more packet: a seed or one of the corpus, mostly mutated."""
        chance = self.chance
        if self.corpus and chance.random() < 0.5:
            whole = chance.choice(self.corpus)
            head = list(frames.HEADER.unpack_from(whole))
        else:
            self.turn += 1  # each in turn, every other time by chance
            row = rows[self.turn // 2 % len(rows)] if self.turn % 2 else chance.choice(rows)
            self.found.procedures[f"{row.program.name}.{row.name}"] += 1
            whole = self.packet(row, self.maker.args(row))
            head = list(frames.HEADER.unpack_from(whole))
        data = whole[frames.HEADER_SIZE :]
        if chance.random() < 0.75:
            data = mutate.payload(chance, data, chance.choice(self.corpus)[28:] if self.corpus else b"")
        made = frames.pack(head[1], head[2], head[3], head[4], self.serial & 0xFFFF, head[6], data)
        how = chance.random()
        if how < 0.06:
            made = mutate.header(chance, made)
        elif how < 0.07:
            made = mutate.length(chance, made)
        return made

    async def run(self, packets: int, known: bool = True, service: str = "libvirtd") -> Found:
        """So many packets. Not known: the connection has not logged in."""
        rows = self.seeds if service == "libvirtd" else [row for row in ADMIN if row.name != "connect_close"]
        if not known:
            rows = [*rows, *([REMOTE["auth_sasl_init"], REMOTE["auth_sasl_start"], REMOTE["auth_sasl_step"]] * 150)]
        await self.connect(known, service)
        warm = 0.0
        lines = Lines()
        with lines:
            for number in range(packets):
                made = self.next(rows)
                self.found.packets += 1
                before = lines.count
                if not await self.send(made) or (number + 1) % RENEW == 0 or _cut(made):
                    await self.connect(known, service)
                if lines.count > before:
                    self.corpus.append(made)
                    if len(self.corpus) > 4000:
                        self.corpus.pop(self.chance.randrange(2000))
                if number in (packets // 3, packets - 1):
                    self._drop()
                    gc.collect()
                    if warm:
                        self.found.growth = resident() - warm
                    warm = resident()
                    await self.connect(known, service)
                if not known and self.client.authenticated:
                    self.found.problem("logged in by a mutated packet", made)
                    await self.connect(known, service)
        self.lines = lines.count
        return self.found


def _hangs(*_: object) -> None:
    raise TimeoutError("hangs")


def _cut(data: bytes) -> bool:
    """The length says that more follows: what came next would be taken for it."""
    return int.from_bytes(data[:4], "big") != len(data)


def _name(data: bytes) -> str:
    if len(data) < frames.HEADER_SIZE:
        return "?"
    head = frames.HEADER.unpack_from(data)
    program = {one.id: one for one in (REMOTE, QEMU, LXC, ADMIN)}.get(head[1])
    row = program.number(head[3]) if program is not None else None
    return row.name if row is not None else f"{head[1]:#x}:{head[3]}"


def run(root: Path, packets: int, seed: int = 1, known: bool = True, service: str = "libvirtd") -> Found:
    """A daemon, so many packets, and what was found."""

    async def whole() -> Found:
        inside = Inside(root, seed)
        await inside.start()
        try:
            return await inside.run(packets, known, service)
        finally:
            await inside.stop()

    return asyncio.run(whole())


def call(procedure: Procedure, args: tuple[Any, ...]) -> bytes:
    """A call as bytes."""
    return frames.pack(
        procedure.program.id, 1, procedure.number, frames.CALL, 1, frames.OK, procedure.encode_args(args)
    )


def replay(root: Path, packets: list[bytes], known: bool) -> Found:
    """Those packets, each followed by whatever it wants to do; an empty one stands for a new connection."""

    async def whole() -> Found:
        inside = Inside(root, 1)
        await inside.start()
        try:
            await inside.connect(known)
            for packet in packets:
                inside.found.packets += 1
                if not packet or not await inside.send(packet) or _cut(packet):
                    await inside.connect(known)
            return inside.found
        finally:
            await inside.stop()

    return asyncio.run(whole())
