"""A firewalld for tests: ``firewalld.py LOG ZONES POLICIES VERSION BACKEND`` (lists with commas), on the bus of the environment.

It writes each call that comes to LOG, refuses zones that it does not have, and says that it was reloaded on SIGHUP.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME, PATH = "org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1"


async def main(log: str, zones: str, policies: str, version: str, backend: str) -> None:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    known = zones.split(",")

    def handle(message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or not str(message.interface).startswith((NAME, "org.freedesktop.DBus.P")):
            return None
        with open(log, "a", encoding="utf-8") as out:
            out.write(" ".join([f"{message.path}"[len(PATH) :] or "/", str(message.interface), str(message.member), *map(str, message.body)]) + "\n")
        if message.member == "getZones":
            return Message.new_method_return(message, "as", [known])
        if message.member == "getPolicies":
            return Message.new_method_return(message, "as", [policies.split(",")])
        if message.member == "changeZoneOfInterface":
            if message.body[0] not in known:
                return Message.new_error(message, f"{NAME}.Exception", f"INVALID_ZONE: {message.body[0]}")
            return Message.new_method_return(message, "s", [message.body[0]])
        if message.member == "Get":
            return Message.new_method_return(message, "v", [Variant("s", version if message.body[1] == "version" else backend)])
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", str(message.member))

    bus.add_message_handler(handle)
    await bus.request_name(NAME)

    def reloaded() -> None:
        bus.send(Message.new_signal(PATH, NAME, "Reloaded"))

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloaded)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
