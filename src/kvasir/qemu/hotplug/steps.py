"""A device's arguments as QMP commands: added one after the other, taken away in the opposite order."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from kvasir.errors import Error
from kvasir.qemu.args import Arg, Blockdev, Chardev, Dev, Netdev, Obj, Opt
from kvasir.qemu.device_args import args_of

log = logging.getLogger(__name__)


def arguments(vm: Any, device: Any) -> list[Arg]:
    """What the device is made of in QEMU."""
    return args_of(vm, device)


def removal(arg: Arg) -> tuple[str, dict[str, Any]] | None:
    """The command that takes away what an argument added."""
    if isinstance(arg, Dev):
        return "device_del", {"id": arg.props.get("id")}
    if isinstance(arg, Blockdev):
        return "blockdev-del", {"node-name": arg.props.get("node-name")}
    if isinstance(arg, Netdev):
        return "netdev_del", {"id": arg.props.get("id")}
    if isinstance(arg, Obj):
        return "object-del", {"id": arg.props.get("id")}
    if isinstance(arg, Chardev):
        return "chardev-remove", {"id": arg.id}
    return None


async def add(monitor: Any, args: list[Arg], stack: contextlib.AsyncExitStack, host: Any = None) -> dict[str, Any]:
    """Add everything; each step's undo goes on the stack. Gives the answers of chardevs by id. Raises MonitorError."""
    answers: dict[str, Any] = {}
    for arg in sorted(args, key=lambda one: 0 if isinstance(one, Opt) else 2 if isinstance(one, Dev) else 1):
        if isinstance(arg, Opt):
            await _option(monitor, arg, host)
            continue
        command, values = arg.qmp()
        answer = await monitor.command(command, values)
        if isinstance(arg, Chardev):
            answers[arg.id] = answer or {}
        back = removal(arg)
        if back is not None:
            stack.push_async_callback(_quietly, monitor, back)
    return answers


async def _option(monitor: Any, arg: Opt, host: Any) -> None:
    """What a watchdog does; ``-add-fd set=N,fd=NAME,opaque=PATH`` of a vDPA device."""
    if arg.option == "-watchdog-action":
        await monitor.command("set-action", {"watchdog": arg.value})
        return
    if arg.option != "-add-fd" or host is None:
        raise TypeError(f"{arg.option} cannot be added to a running guest")
    words = dict(part.split("=", 1) for part in str(arg.value).split(","))
    await monitor.add_fd(host.by_name[words["fd"]], int(words["set"]), words["opaque"])


async def take_away(monitor: Any, args: list[Arg]) -> None:
    """Remove what stood behind a device that is gone; what is no longer there is passed over."""
    for arg in reversed(args):
        if not isinstance(arg, Dev):
            back = removal(arg)
            if back is not None:
                await _quietly(monitor, back)


async def _quietly(monitor: Any, back: tuple[str, dict[str, Any]]) -> None:
    try:
        await monitor.command(*back)
    except Error as error:
        log.debug("%s %s: %s", back[0], back[1], error.message)
