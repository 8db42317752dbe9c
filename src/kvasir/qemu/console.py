"""A guest's terminals as streams, its screen as a picture, its keyboard and its NMI button."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from typing import Any

from kvasir.errors import InternalError, InvalidArg, OperationFailed, OperationInvalid, SystemFailure

from . import keymap, live
from .guest import Guest
from .jobs import Kind

FORCE, SAFE = 1, 2
CHUNK = 64 << 10

MAX_KEYS = 16


def find(guest: Guest, name: str | None) -> Any:
    """The device of a console call: by alias, or the first console, serial or parallel port. Raises InternalError."""
    domain = guest.live
    if name:
        chosen = next((dev for dev in live.chardevs(domain) if dev.alias == name), None)
    else:
        chosen = next(
            (dev for kind in ("consoles", "serials", "parallels") for dev in live.list_of(domain, kind)), None
        )
        if chosen is not None and getattr(chosen, "target_type", None) == "serial":
            chosen = next(iter(live.list_of(domain, "serials")), chosen)
    if chosen is None:
        raise InternalError(f"cannot find character device {name or '(null)'}")
    return chosen


def find_channel(guest: Guest, name: str | None) -> Any:
    """The channel of that name (or the first). Raises InternalError."""
    for channel in live.list_of(guest.live, "channels"):
        if not name or live.channel_name(channel) == name or channel.alias == name:
            return channel
    raise InternalError(f"cannot find channel {name or '(null)'}")


def open_device(device: Any) -> int:
    """A descriptor of the host's end of a character device. Raises InternalError, SystemFailure."""
    kind, path = getattr(device, "type", None), terminal(device)
    if kind not in ("pty", "unix") or not path:
        raise InternalError(f"character device {device.alias} is not using a PTY")
    try:
        if kind == "pty":
            return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        return sock.detach()
    except OSError as error:
        raise SystemFailure(f"unable to open tty {path}", error) from error


def terminal(device: Any) -> str | None:
    """The path of a device's pty or socket."""
    return live.source_path(device)


class Holder:
    """The one stream that holds a console."""

    def __init__(self, guest: Guest, alias: str) -> None:
        self.guest, self.run, self.alias = guest, guest.run, alias
        self.task: asyncio.Task[Any] | None = None

    def release(self) -> None:
        if self.run is not None and self.run.consoles.get(self.alias) is self:
            del self.run.consoles[self.alias]


def take(guest: Guest, device: Any, flags: int) -> Holder:
    """Become the holder of a console; FORCE throws out who holds it. Raises OperationFailed."""
    run = guest.need_active()
    alias = str(device.alias)
    held = run.consoles.get(alias)
    if held is not None:
        if not flags & FORCE:
            raise OperationFailed("Active console session exists for this domain")
        held.release()
        if held.task is not None:
            held.task.cancel()
    holder = run.consoles[alias] = Holder(guest, alias)
    return holder


async def pump(stream: Any, fd: int, holder: Holder) -> None:
    """Carry bytes both ways until either end closes."""
    holder.task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    out = asyncio.ensure_future(_to_client(loop, stream, fd))
    into = asyncio.ensure_future(_to_guest(loop, stream, fd))
    try:
        await asyncio.wait({out, into}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (out, into):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        loop.remove_reader(fd)
        loop.remove_writer(fd)
        os.close(fd)
        holder.release()


async def _ready(loop: asyncio.AbstractEventLoop, fd: int, write: bool) -> None:
    future = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    add(fd, wake)
    try:
        await future
    finally:
        remove(fd)


async def _to_client(loop: asyncio.AbstractEventLoop, stream: Any, fd: int) -> None:
    while True:
        await _ready(loop, fd, False)
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return
        if not data:
            return
        await stream.write(data)


async def _to_guest(loop: asyncio.AbstractEventLoop, stream: Any, fd: int) -> None:
    while (data := await stream.read()) is not None:
        if not isinstance(data, bytes):
            continue
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                await _ready(loop, fd, True)


async def screenshot(guest: Guest, screen: int) -> tuple[int, str]:
    """A picture of a screen: a descriptor of the file and its MIME type. Raises InvalidArg, InternalError."""
    guest.need_active()
    videos = live.list_of(guest.live, "videos")
    heads = [video for video in videos if getattr(video, "model", None) != "none"]
    if not heads:
        raise OperationInvalid("no screens to take screenshot from")
    if screen >= sum(int(getattr(video, "heads", None) or 1) for video in heads):
        raise OperationInvalid("no such screen ID")
    driver = guest.driver
    fd, path = tempfile.mkstemp(prefix="qemu.screendump.", dir=driver.paths.qemu.cache)
    try:
        driver.identity.own(path)
        png = "screenshot-format-png" in guest.need_active().words
        arguments: dict[str, Any] = {"filename": path} | ({"format": "png"} if png else {})
        if screen:
            arguments |= {"device": heads[min(screen, len(heads) - 1)].alias}
        async with guest.jobs.normal(Kind.QUERY):
            await guest.monitor().command("screendump", arguments)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), "image/png" if png else "image/x-portable-pixmap"
    except OSError as error:
        raise SystemFailure("unable to open stream", error) from error
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(path)


async def send_file(stream: Any, fd: int) -> None:
    """Send a file down a stream and close it."""
    try:
        while data := os.read(fd, CHUNK):
            await stream.write(data)
    finally:
        os.close(fd)


async def send_key(guest: Guest, codeset: int, hold: int, codes: list[int]) -> None:
    """Press keys together and let them go after ``hold`` ms."""
    if len(codes) > MAX_KEYS:
        raise InvalidArg(f"nkeycodes exceeds maximum {MAX_KEYS}")
    numbers = [keymap.number(codeset, code) for code in codes]
    guest.need_active()
    arguments: dict[str, Any] = {"keys": [{"type": "number", "data": number} for number in numbers]}
    if hold:
        arguments["hold-time"] = hold
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        await guest.monitor().command("send-key", arguments)


async def inject_nmi(guest: Guest) -> None:
    """Press the NMI button."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        await guest.monitor().command("inject-nmi")
