"""Packets to a whole daemon (a process of its own, every driver, a running guest) over its socket: one at a time, each followed by a ping,
so that a late answer has a name. Another connection asks all the time how long the daemon lets it wait."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kvasir.errors import Error
from kvasir.rpc import frames, programs
from kvasir.rpc.programs import LXC, QEMU, REMOTE, Procedure
from tests.fuzz import documents, mutate
from tests.fuzz.found import Found, resident, wait_of
from tests.fuzz.seeds import Maker, World
from tests.wire.harness import Raw

LIMIT = 1.0
RENEW = 10000
PONG = (programs.KEEPALIVE, programs.PONG)
WORK = (
    *("create", "start", "save", "restore", "core_dump", "snapshot", "backup", "block", "migrate", "build", "refresh", "vol_create"),
    *("attach", "detach", "update_device", "reboot", "reset", "destroy", "shutdown", "screenshot", "wipe", "capabilities", "undefine"),
    *("node_device_define", "node_device_create", "find_storage", "xml_to_native", "memory_peek", "set_vcpu", "dirty_rate", "monitor", "agent", "cpu", "rename", "resize", "revert"),
)  # fmt: skip
"""Calls that do work of seconds (QEMU, dnsmasq, qemu-img): they may take PATIENCE; all else answers within LIMIT."""
PATIENCE = 30.0


class Watcher(threading.Thread):
    """Calls that do nothing, every few milliseconds, over a connection of its own."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(daemon=True)
        self.raw, self.pid = Raw(path, 120).open("test:///default"), pid
        self.worst, self.name, self.last = 0.0, "", ""
        """The longest wait, and what was sent before it."""
        self.ends = False
        self.failed = ""

    def run(self) -> None:
        try:
            while not self.ends:
                began, waited, last = time.monotonic(), wait_of(self.pid), self.last
                self.raw.call("connect_is_secure")
                took = time.monotonic() - began - (wait_of(self.pid) - waited)
                if took > self.worst:
                    self.worst, self.name = took, f"{last} {self.last}"
                time.sleep(0.01)
        except (OSError, EOFError, Error) as problem:
            if not self.ends:
                self.failed = repr(problem)


def small_disk(folder: Path) -> None:
    """A file system that is full soon: wiping a volume that was resized to terabytes ends."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", str(folder)], check=True)


@contextlib.contextmanager
def daemon(root: Path, settings: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """kvasird below the folder; its log holds errors only."""
    path = root / "etc/libvirt/libvirtd.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'log_level = 4\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n{settings}')
    words = [sys.executable, "-X", "faulthandler", "-m", "kvasir.daemon", "--root", str(root), *options]
    with open(root / "log", "w") as log:
        child = subprocess.Popen(words, stderr=log, stdout=log)
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                Raw(root / "run/libvirt/libvirt-sock").close()
                break
            if child.poll() is not None or time.monotonic() > end:
                raise RuntimeError((root / "log").read_text())
            time.sleep(0.05)
        yield child
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(20)
        if child.poll() is None:
            child.send_signal(signal.SIGABRT)
            child.wait()


class Outside:
    """The client that sends nonsense."""

    def __init__(self, root: Path, child: subprocess.Popen[bytes], seed: int) -> None:
        self.root, self.child, self.chance, self.found = root, child, random.Random(seed), Found()
        self.path = root / "run/libvirt/libvirt-sock"
        self.images = root / "images"
        small_disk(self.images)
        self.world = World(str(self.images))
        self.maker = Maker(self.chance, self.world)
        self.rows = [row for one in (REMOTE, QEMU, LXC) for row in one if not row.event and row.name != "connect_close"]
        self.log = root / "log"
        self.logged = 0
        self.renew()
        self.watcher = Watcher(self.path, child.pid)
        self.watcher.start()

    # --- the world

    def clear(self, raw: Raw) -> None:
        """Destroy and undefine all; streams of a connection that is gone may hold a pool for a moment."""
        refused: list[str] = []

        def do(name: str, *args: Any) -> None:
            try:
                raw.call(name, *args)
            except Error as problem:
                refused.append(f"{name}: {problem.message}")

        end = time.monotonic() + 60
        while True:
            refused.clear()
            for dom in raw.call("connect_list_all_domains", 1, 0)[0]:
                do("domain_destroy", dom)
                do("domain_undefine_flags", dom, 1 | 2 | 4 | 16)
            for what, kind in (("networks", "network"), ("storage_pools", "storage_pool")):
                for one in raw.call(f"connect_list_all_{what}", 1, 0)[0]:
                    do(f"{kind}_destroy", one)
                    do(f"{kind}_undefine", one)
            for what, name in (("secrets", "secret_undefine"), ("nwfilters", "nwfilter_undefine")):
                for one in raw.call(f"connect_list_all_{what}", 1, 0)[0]:
                    do(name, one)
            left = [raw.call(f"connect_list_all_{what}", 0, 0)[1] for what in ("domains", "storage_pools", "networks")]
            if left == [0, 0, 0]:
                return
            if time.monotonic() > end:
                self.child.send_signal(signal.SIGABRT)  # each thread says where it is
                self.child.wait()
                raise RuntimeError(f"what will not go away: {refused} {self.log.read_text()[-3000:]}")
            time.sleep(0.2)

    def renew(self) -> None:
        """Take everything away, and make the few objects that the calls name."""
        raw = Raw(self.path, 120).open()

        def do(name: str, *args: Any) -> Any:
            with contextlib.suppress(Error):
                return raw.call(name, *args)

        self.clear(raw)
        shutil.rmtree(self.images, ignore_errors=True)
        (self.images / "pool").mkdir(parents=True)
        for name in ("disk", "disk2"):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(self.images / name), "1M"], check=True)
        document = self.world.document
        raw.call("storage_pool_create_xml", document(documents.POOL), 0)
        do("storage_vol_create_xml", raw.call("storage_pool_lookup_by_name", "fuzz"), documents.VOLUME, 0)
        do("network_define_xml", documents.NETWORK)
        do("nwfilter_define_xml", documents.NWFILTER)
        do("secret_define_xml", document(documents.SECRET), 0)
        dom = raw.call("domain_define_xml_flags", document(documents.DOMAIN), 0)
        do("domain_create", dom)
        self.world.domain_id = raw.call("domain_lookup_by_name", "fuzz").id
        raw.close()
        self.raw = Raw(self.path, PATIENCE).open()

    # --- sending

    def packet(self) -> tuple[str, bytes]:
        row = self.rows[self.found.packets % len(self.rows)]
        self.found.procedures[f"{row.program.name}.{row.name}"] += 1
        payload = row.encode_args(self.maker.args(row))
        return row.name, self.mutated(row, payload)

    def mutated(self, row: Procedure, payload: bytes) -> bytes:
        chance = self.chance
        if chance.random() < 0.6:
            payload = mutate.payload(chance, payload)
        elif chance.random() < 0.5:
            payload = self.words(payload)
        self.raw.serial = (self.raw.serial + 1) & 0xFFFF
        data = frames.pack(row.program.id, 1, row.number, frames.CALL, self.raw.serial, frames.OK, payload)
        how = chance.random()
        if how < 0.05:
            return mutate.header(chance, data)
        return mutate.length(chance, data) if how < 0.06 else data

    def words(self, payload: bytes) -> bytes:
        """A document in the payload is mutated as a document."""
        at = payload.find(b"<")
        if at < 4:
            return payload
        size = int.from_bytes(payload[at - 4 : at], "big")
        if at + size > len(payload):
            return payload
        text = mutate.document(self.chance, payload[at : at + size].decode("utf-8", "replace"))
        raw = text.encode("utf-8", "replace").replace(b"\0", b"")
        pad = -len(raw) % 4
        return payload[: at - 4] + len(raw).to_bytes(4, "big") + raw + b"\0" * pad + payload[at + size + (-size % 4) :]

    def send(self, name: str, data: bytes) -> None:
        """One packet and a ping; waits for what answers to both."""
        raw, found = self.raw, self.found
        self.watcher.last = name
        whole = int.from_bytes(data[:4], "big") == len(data)
        head = frames.HEADER.unpack_from(data)
        began, waited = time.monotonic(), wait_of(self.child.pid)
        try:
            raw.sock.sendall(data)
            if not whole:
                raise ConnectionResetError
            raw.send(programs.KEEPALIVE, programs.PING, type=frames.MESSAGE, serial=0)
            wants = head[4] == frames.CALL
            pinged = False
            while wants or not pinged:
                frame = raw.receive()
                if frame is None:
                    raise ConnectionResetError
                pinged = pinged or (frame.program, frame.procedure) == PONG
                if frame.type in (frames.REPLY, frames.REPLY_WITH_FDS) and frame.serial == head[5]:
                    wants = False
                    found.answers += 1
                    for fd in frame.fds:
                        os.close(fd)
                    self.stream(frame, head)
        except TimeoutError:
            found.problem(f"{name}: no answer", data)
            self.again()
        except (OSError, Error):
            found.closed += 1
            self.again()
        took = time.monotonic() - began - (wait_of(self.child.pid) - waited) if self.child.poll() is None else 0
        if took > (PATIENCE if any(word in name for word in WORK) else LIMIT):
            found.took(name, took)
            found.problem(f"{name}: {took:.1f} s", data)

    def stream(self, frame: frames.Frame, head: tuple[int, ...]) -> None:
        """A call that opened a stream: some packets for it, in no good order."""
        row = programs.BY_ID[frame.program].number(frame.procedure) if frame.program in programs.BY_ID else None
        if row is None or not row.stream or frame.status != frames.OK:
            return
        chance = self.chance
        for _ in range(chance.randrange(6)):
            kind = chance.choice((frames.STREAM, frames.STREAM, frames.STREAM_HOLE))
            status = chance.choice((frames.CONTINUE, frames.CONTINUE, frames.OK, frames.ERROR, 7))
            payload = chance.choice(
                (b"", b"x" * 100, b"y" * 70000, frames.HOLE.pack(chance.choice((0, 5, -1, 1 << 62)), 0))
            )
            self.raw.send(frame.program, frame.procedure, payload, type=kind, status=status, serial=head[5])
            self.found.packets += 1
        self.raw.send(frame.program, frame.procedure, type=frames.STREAM, status=frames.ERROR, serial=head[5])

    def again(self) -> None:
        self.raw.close()
        if self.child.poll() is None:
            self.raw = Raw(self.path, PATIENCE).open()

    def listen(self, name: str, data: bytes) -> None:
        """What the daemon logged meanwhile."""
        size = self.log.stat().st_size
        if size > self.logged:
            with open(self.log, "rb") as log:
                log.seek(self.logged)
                text = log.read().decode("utf-8", "replace")
            self.logged = size
            if "Traceback" in text:
                if len(self.found.notes) < 6:
                    self.found.notes.append(text[-4000:])
                last = [line for line in text.splitlines() if line.strip()]
                where = [line.strip() for line in last if line.startswith("  File")]
                self.found.problem(f"{name}: {last[-1]} at {where[-1] if where else '?'}", data)

    def run(self, packets: int) -> Found:
        warm, found = 0.0, self.found
        marks = {packets // 3, packets - 1}
        number = 0
        while found.packets < packets:
            name, data = self.packet()
            found.packets += 1
            self.send(name, data)
            self.listen(name, data)
            if self.child.poll() is not None:
                found.problem(f"{name}: the daemon ended: {self.log.read_text()[-1500:]}", data)
                return found
            number += 1
            if number % RENEW == 0:
                self.again()
                self.renew()
            if marks and found.packets >= min(marks):
                marks.discard(min(marks))
                self.raw.close()
                self.renew()
                time.sleep(1)
                found.growth, warm = (resident(self.child.pid) - warm if warm else 0.0), resident(self.child.pid)
        self.watcher.ends = True
        self.watcher.join(30)
        if self.watcher.worst > LIMIT:
            found.took(f"others while {self.watcher.name}", self.watcher.worst)
        if self.watcher.failed:
            found.problem(f"the quiet connection: {self.watcher.failed}", b"")
        return found


def run(root: Path, packets: int, seed: int = 1) -> Found:
    """A daemon, a running guest, a host with a network configuration, so many packets."""
    (root / "etc/network/interfaces.d").mkdir(parents=True)
    with daemon(root, "max_client_requests = 5\n") as child:
        outside = Outside(root, child, seed)
        try:
            return outside.run(packets)
        finally:
            with contextlib.suppress(Exception):
                outside.renew()
