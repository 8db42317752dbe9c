"""What a character device takes of the host at the start: folders and names of sockets, output and log files."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

from kvasir.errors import Error, InternalError, SystemFailure


async def prepare(device: Any, host: Any) -> None:
    """Make ready what the backend opens. Raises SystemFailure where a file cannot be made."""
    source = device.source
    if device.type == "unix" and device.TAG == "channel" and device.target_type == "virtio" and not source.path:
        source.path, source.mode = channel_path(device, host.vm), "bind"
        host.make_folder(os.path.dirname(source.path), 0o750)
    if device.type == "unix" and source.path and source.mode == "bind":
        _listen(device, host)
    if device.type == "tcp" and source.tls is None:
        source.tls = bool(getattr(host.config, "chardev_tls", False))
    if device.type == "file" and source.path:
        _make(source.path, host, truncate=not source.append)
    if source.log:
        _make(source.log, host, truncate=not source.log_append)


def _listen(device: Any, host: Any) -> None:
    """Make the socket that QEMU serves: in folders, too, where QEMU itself may make none."""
    from kvasir.qemu.monitor import listen_unix

    try:
        fd = listen_unix(device.source.path)
    except Error as error:
        raise InternalError(error.text.replace("monitor socket", "socket")) from error
    host.own(device.source.path)
    host.pass_fd(f"char{device.alias}", fd)


async def release(device: Any, host: Any) -> None:
    """Remove the socket that was made for the guest."""
    source = device.source
    if device.type == "unix" and getattr(source, "mode", None) == "bind" and source.path:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.stat(source.path).st_mode):
                os.unlink(source.path)


def channel_folder(vm: Any) -> str:
    """The folder of the sockets that the daemon makes for this guest's channels."""
    given = vm.facts.get("channel")
    if given:
        return str(given)
    base = getattr(getattr(vm.paths, "qemu", None), "channel", None) or "/var/lib/libvirt/qemu/channel/target"
    return f"{base}/domain-{vm.id}-{vm.name[:20]}"


def channel_path(device: Any, vm: Any) -> str:
    """The socket of a channel without a path: by its name, or by its place where it has none."""
    name = device.name
    if not name:
        place = device.address
        name = f"vioser-{place.controller or 0:02d}-{place.bus or 0:02d}-{place.port or 0:02d}.sock"
    return f"{channel_folder(vm)}/{name}"


def _make(path: str, host: Any, *, truncate: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if truncate else os.O_APPEND)
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError as error:
        raise SystemFailure(f"Unable to pre-create chardev file '{path}'", error) from error
    host.own(path)
