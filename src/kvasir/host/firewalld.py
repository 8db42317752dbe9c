"""firewalld: the zone of a bridge, and the news that it wrote its rules anew (ours may be gone then)."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)
NAME = "org.fedoraproject.FirewallD1"
SOCKET = "/run/dbus/system_bus_socket"
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def _command(*words: str) -> bool:
    if shutil.which("firewall-cmd", path=PATH) is None:
        return False
    return (
        subprocess.run(["firewall-cmd", *words], capture_output=True, check=False, env={"PATH": PATH}).returncode == 0
    )


def active() -> bool:
    """Whether firewalld runs."""
    return _command("--state")


def set_zone(bridge: str, zone: str) -> bool:
    """Put a bridge into a zone; False where there is no such zone."""
    return _command(f"--zone={zone}", f"--change-interface={bridge}")


class Watch:
    """Calls ``reloaded`` when firewalld starts or reads its configuration anew. Without a bus it does nothing."""

    def __init__(self, reloaded: Callable[[], None]) -> None:
        self.reloaded = reloaded
        self._bus: Any = None

    async def start(self) -> None:
        """Listen on the system's bus."""
        if not os.path.exists(SOCKET) and "DBUS_SYSTEM_BUS_ADDRESS" not in os.environ:
            return
        from dbus_fast import BusType, Message
        from dbus_fast.aio import MessageBus

        try:
            self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            for rule in (f"type='signal',interface='{NAME}',member='Reloaded'",
                         f"type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{NAME}'"):  # fmt: skip
                await self._bus.call(Message(destination="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                                             interface="org.freedesktop.DBus", member="AddMatch", signature="s",
                                             body=[rule]))  # fmt: skip
        except Exception as error:  # a bus that is not there must not keep the daemon from starting
            log.info("firewalld is not watched: %s", error)
            self.stop()
            return
        self._bus.add_message_handler(self._seen)

    def _seen(self, message: Any) -> None:
        if (message.member == "Reloaded" and message.interface == NAME) or (
            message.member == "NameOwnerChanged" and message.body[0] == NAME and message.body[2]
        ):
            self.reloaded()

    def stop(self) -> None:
        """Leave the bus."""
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None
