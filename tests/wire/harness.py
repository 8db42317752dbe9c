"""A daemon inside the test, and a client that speaks raw packets to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kvasir.daemon import app, config
from kvasir.daemon.dispatch import Entry
from kvasir.daemon.paths import Paths
from kvasir.errors import NoDomain
from kvasir.events import Bus
from kvasir.rpc import frames, programs
from kvasir.rpc.errors import decode_error
from kvasir.rpc.programs import REMOTE, _struct_fields

PROJECT = Path(__file__).resolve().parents[2]
UUID = bytes(range(16))
Dom = namedtuple("Dom", "name uuid id")
Named = namedtuple("Named", "name uuid")
Device = namedtuple("Device", "name")
Secret = namedtuple("Secret", "uuid usageType usageID")
DOM = Dom("guest", UUID, 7)


class Driver:
    """A driver with one guest that does nothing."""

    uri = "qemu:///system"

    def __init__(self) -> None:
        self.bus = Bus()
        self.active = 0
        self.stopped = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    def active_count(self) -> int:
        return self.active

    def lookup_uuid(self, found: bytes, name: str = "") -> Any:
        if found != UUID:
            raise NoDomain(f"no domain with matching uuid '{uuid.UUID(bytes=found)}' ({name})")
        return DOM


class Served:
    """The daemon on a thread of its own."""

    def __init__(self, root: Path, settings: str = "", timeout: float = 0) -> None:
        self.root = root
        self.run = root / "run/libvirt"
        self.driver = Driver()
        (root / "libvirtd.conf").write_text(settings)
        self._settings, self._timeout = config.load_daemon(str(root / "libvirtd.conf")), timeout
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.thread.start()
        assert self._ready.wait(20)
        if self._problem is not None:
            raise self._problem

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        paths = Paths.system(str(self.root))
        self.daemon = app.Daemon(paths, self._settings, config.load_qemu("/nonexistent"), self._timeout)
        try:
            await self.daemon.start(lambda _: {"qemu": self.driver})
        except BaseException as problem:
            self._problem = problem
            self._ready.set()
            return
        self._ready.set()
        await self.daemon.wait()
        await self.daemon.stop()

    def serve(self, function: Callable[..., Any], program: programs.Program = REMOTE) -> None:
        """Serve one more procedure, named as the function."""
        procedure = program[function.__name__]
        dispatcher = self.daemon.services["libvirtd"].dispatcher
        dispatcher.entries[program.id][procedure.number] = Entry(procedure, function)

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a plain function in the daemon's loop."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def close(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.daemon.end)
            self.thread.join(15)
            assert not self.thread.is_alive(), "the daemon did not end"

    def uri(self, path: str = "system") -> str:
        return f"qemu+unix:///{path}?socket={self.run}/libvirt-sock"


class Raw:
    """A client that sends what it is told."""

    def __init__(self, path: Path | str, timeout: float = 30) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.serial = 0
        self.buffer = frames.FrameBuffer()
        self.waiting: list[frames.Frame] = []
        self.others: list[frames.Frame] = []

    def send(
        self, program: int, procedure: int, payload: bytes = b"", *, version: int = 1, type: int = 0, status: int = 0,
        serial: int | None = None,
    ) -> int:  # fmt: skip
        if serial is None:
            serial = self.serial
            self.serial += 1
        self.sock.sendall(frames.pack(program, version, procedure, type, serial, status, payload))
        return serial

    def receive(self) -> frames.Frame | None:
        """The next packet; None when the daemon closed."""
        while not self.waiting:
            try:
                data, fds = frames.receive(self.sock)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.waiting += self.buffer.feed(data, fds)
        return self.waiting.pop(0)

    def reply(self, serial: int) -> Any:
        """The result of the call, or its error raised."""
        while True:
            frame = self.receive()
            if frame is None:
                raise EOFError
            if frame.type in (frames.REPLY, frames.REPLY_WITH_FDS) and frame.serial == serial:
                break
            self.others.append(frame)
        if frame.status == frames.ERROR:
            raise decode_error(frame.payload)
        procedure = programs.BY_ID[frame.program].number(frame.procedure)
        assert procedure is not None
        self.last = frame
        return procedure.decode_result(frame.payload)

    def start(self, name: str, *args: Any, program: programs.Program = REMOTE) -> int:
        procedure = program[name]
        return self.send(program.id, procedure.number, procedure.encode_args(args))

    def call(self, name: str, *args: Any, program: programs.Program = REMOTE) -> Any:
        return self.reply(self.start(name, *args, program=program))

    def open(self, uri: str = "qemu:///system", flags: int = 0) -> Raw:
        self.call("auth_list")
        self.call("connect_open", uri, flags)
        return self

    def close(self) -> None:
        self.sock.close()


def zero(kind: str) -> Any:
    """A value of that type with nothing in it."""
    if kind.endswith("?"):
        return None
    if kind in ("o[]", "c[]"):
        return b""
    if kind.startswith("c["):
        return ""
    if kind.endswith("[]"):
        return []
    plain = {"s": "x", "U": UUID, "d": 0.0, "P": ("x", "y")}
    if kind in plain:
        return plain[kind]
    if kind in ("i", "u", "l", "L", "c", "uc", "h"):
        return 0
    return tuple(zero(field.split(":", 1)[1]) for field in _struct_fields(kind).split())


@contextlib.contextmanager
def process(root: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """``kvasird --root`` as a process of its own, ended at the end."""
    command = [sys.executable, "-m", "kvasir.daemon", "--root", str(root), *options]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child.stderr is not None:
            child.stderr.close()


def peers() -> Path | None:
    """The cache of the real libvirt, or None where it cannot be had."""
    done = subprocess.run([str(PROJECT / "scripts/peers")], stdout=subprocess.PIPE, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def real_python(cache: Path, code: str, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script with the real libvirt-python."""
    env = {
        **os.environ,
        "LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"),
        "PYTHONPATH": str(cache / "usr/lib/python3/dist-packages"),
    }
    return subprocess.run(
        [sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, timeout=timeout, check=False
    )


def real_virsh(cache: Path, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """The real C virsh."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(cache / "usr/bin/virsh"), *args], env=env, capture_output=True, text=True, timeout=timeout, check=False
    )
