"""A stand-in for systemd and its machine service on a bus: puts the leader into a scope's group, and writes each call down.

python -m tests.tuning.machined BUS-ADDRESS MOUNT-OF-GROUPS LOG
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import json
import os
import sys
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

SERVED = ("org.freedesktop.machine1.Manager", "org.freedesktop.systemd1.Manager", "org.freedesktop.DBus.Properties")


def plain(value: Any) -> Any:
    """A D-Bus value as JSON."""
    if isinstance(value, Variant):
        return [value.signature, plain(value.value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def scope_of(name: str) -> str:
    return f"machine-{name}.scope".replace("-", "\\x2d").replace("machine\\x2d", "machine-", 1)


def trees(below: str) -> list[str]:
    """Where hierarchies of control groups are mounted below a folder."""
    with open("/proc/self/mounts") as stream:
        rows = [line.split() for line in stream]
    return sorted({row[1] for row in rows if row[2] in ("cgroup", "cgroup2") and row[1].startswith(below)})


async def clear(mount: str, machine: str) -> None:
    """systemd removes what it made once nothing is in it."""
    for _ in range(200):
        folders = [
            folder
            for top in trees(mount)
            for folder in glob.glob(f"{glob.escape(top)}/*.slice/{glob.escape(scope_of(machine))}")
        ]
        slices = [folder for top in trees(mount) for folder in glob.glob(f"{glob.escape(top)}/kvasir*.slice")]
        for folder in (*folders, *slices):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if not folders:
            return
        await asyncio.sleep(0.05)


def copy(source: str, target: str) -> None:
    with open(source) as have, open(target, "w") as want:
        want.write(have.read())


machines: dict[int, str] = {}
"""The scope of each leader."""
tasks: list[asyncio.Task[None]] = []


def answer(message: Message, mount: str) -> Message:
    if message.member == "GetMachineByPID":
        return Message.new_method_return(message, "o", [f"/org/freedesktop/machine1/machine/{message.body[0]}"])
    if message.member == "Get":
        return Message.new_method_return(message, "v", [Variant("s", machines[int(message.path.rpartition("/")[2])])])
    if message.member == "CreateMachineWithNetwork":
        name, _, _, _, leader, _, _, properties = message.body
        if "refused" in name:
            return Message.new_error(message, "org.freedesktop.machine1.Refused", "no room for this machine")
        for top in trees(mount):
            folder = os.path.join(top, dict(properties)["Slice"].value, scope_of(name))
            os.makedirs(folder)
            for file in ("cpuset.cpus", "cpuset.mems") if os.path.exists(f"{folder}/cpuset.mems") else ():
                for part in (os.path.dirname(folder), folder):
                    copy(f"{top}/{file}", f"{part}/{file}")
            with open(f"{folder}/cgroup.procs", "w") as stream:
                stream.write(str(leader))
        machines[leader] = scope_of(name)
        return Message.new_method_return(message, "o", [f"/org/freedesktop/machine1/machine/{leader}"])
    if message.member == "TerminateMachine":
        tasks.append(asyncio.ensure_future(clear(mount, message.body[0])))
    return Message.new_method_return(message)


async def serve(address: str, mount: str, log: str) -> None:
    bus = await MessageBus(bus_address=address, bus_type=BusType.SYSTEM).connect()

    def handle(message: Message) -> Message | bool:
        if message.message_type != MessageType.METHOD_CALL or message.interface not in SERVED:
            return False
        reply = answer(message, mount)
        with open(log, "a") as stream:
            stream.write(json.dumps([message.interface, message.member, message.signature, plain(message.body)]) + "\n")
        return reply

    bus.add_message_handler(handle)
    for name in ("org.freedesktop.systemd1", "org.freedesktop.machine1"):
        await bus.request_name(name)
    print("ready", flush=True)
    ended = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(0, lambda: ended.done() or ended.set_result(None))
    await ended  # the test closed our standard input
    bus.disconnect()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:4]))
