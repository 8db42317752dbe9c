"""virtiofsd: one process for each directory given to a guest, started with the guest and ended with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from glob import glob
from typing import Any

from kvasir.errors import OperationFailed, SystemFailure

from . import guestlog, process
from .args import comma
from .monitor import listen_unix

DESCRIPTIONS = ("/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user")


def socket_path(vm: Any, device: Any) -> str:
    """The socket between QEMU and virtiofsd."""
    from .commandline import lib_folder

    return f"{lib_folder(vm)}/{device.alias}-fs.sock"


def find_binary(folders: tuple[str, ...] = DESCRIPTIONS) -> str:
    """The program that the host's descriptions of vhost-user backends name. Raises OperationFailed."""
    seen: dict[str, str] = {}
    for folder in folders:
        for path in glob(f"{folder}/*.json"):
            seen.setdefault(os.path.basename(path), path)
    for name in sorted(seen):
        try:
            with open(seen[name], "rb") as stream:
                said = json.loads(stream.read(1 << 20))
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and said.get("type") == "fs" and os.access(str(said.get("binary")), os.X_OK):
            return str(said["binary"])
    raise OperationFailed("Unable to find a satisfying virtiofsd", hint="apt install virtiofsd (or qemu-system-common)")


def arguments(device: Any, binary: str, fd: int) -> list[str]:
    """virtiofsd's command line."""
    words = [f"source={comma(device.source_dir)}"]
    if device.cache:
        words.append(f"cache={device.cache}")
    if device.sandbox:
        words.append(f"sandbox={device.sandbox}")
    for value, name in ((device.xattr, "xattr"), (device.flock, "flock"), (device.posix_lock, "posix_lock")):
        if value is not None:
            words.append(name if value else f"no_{name}")
    argv = [binary, f"--fd={fd}", "-o", ",".join(words)]
    if device.threads is not None and device.threads >= 0:
        argv.append(f"--thread-pool-size={device.threads}")
    return argv


def pid_path(driver: Any, guest: Any, device: Any) -> str:
    return f"{driver.status.run}/{guest.name}-{device.alias}-virtiofsd.pid"


async def start(device: Any, host: Any) -> None:
    """Start virtiofsd on a socket of its own; its end is pushed on the undo stack."""
    driver, guest = host.driver, host.guest
    if not os.path.isdir(device.source_dir):
        raise SystemFailure(
            f"the virtiofs export directory '{device.source_dir}' does not exist", OSError(2, os.strerror(2))
        )
    host.vm.facts.setdefault("lib", guest.run.lib)
    binary = device.binary_path or find_binary()
    path = socket_path(host.vm, device)
    fd = listen_unix(path)
    log = guestlog.GuestLog(f"{driver.paths.qemu.log}/{guest.name}-{device.alias}-virtiofsd.log", driver.privileged)
    try:
        host.own(path)
        pid = await process.start(
            process.Launch(arguments(device, binary, fd), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, log.fd, [fd])
        )
    finally:
        os.close(fd)
        log.close()
    process.write_pidfile(pid_path(driver, guest, device), pid)
    host.stack.push_async_callback(stop, device, host)


async def stop(device: Any, host: Any) -> None:
    """End virtiofsd if it still runs."""
    await end(pid_path(host.driver, host.guest, device))


async def end(pidfile: str) -> None:
    """End the process that a pid file names and remove the file."""
    with contextlib.suppress(OSError, ValueError):
        with open(pidfile, encoding="ascii") as stream:
            pid = int(stream.read(32).strip())
        watch = process.Watch(pid)
        try:
            if watch.signal(signal.SIGTERM) and not await watch.wait(3):
                watch.signal(signal.SIGKILL)
                await watch.wait(3)
        finally:
            watch.close()
    with contextlib.suppress(OSError):
        os.unlink(pidfile)
