"""Addresses by DHCP for interfaces that are started: by the client that the host has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal

from kvasir.errors import OperationFailed, Origin
from kvasir.model.interface import Interface

SECONDS = 60


class Dhcp:
    """The clients of one daemon's interfaces; they outlive it, as the addresses do."""

    def __init__(self, run: str, lib: str) -> None:
        self.run, self.lib = run, lib

    def _pid_file(self, name: str, family: str) -> str:
        return f"{self.run}/{name}.{family}.pid"

    async def start(self, document: Interface) -> None:
        """Get the addresses that the document asks for. Raises OperationFailed where no answer comes."""
        name = str(document.name)
        for protocol in document.protocols:
            if protocol.dhcp:
                await self._start(name, str(protocol.family))

    async def _start(self, name: str, family: str) -> None:
        tool = shutil.which("dhclient") or shutil.which("dhclient", path="/usr/sbin:/sbin")
        if tool is None:
            raise OperationFailed(f"interface '{name}' asks for DHCP, and no dhclient is here", origin=Origin.INTERFACE,
                                  hint="apt install isc-dhcp-client")  # fmt: skip
        os.makedirs(self.run, exist_ok=True)
        os.makedirs(self.lib, exist_ok=True)
        number = "-4" if family == "ipv4" else "-6"
        leases = f"{self.lib}/{name}.{family}.leases"
        command = [tool, number, "-1", "-pf", self._pid_file(name, family), "-lf", leases, name]
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            code = await asyncio.wait_for(child.wait(), SECONDS)
        except TimeoutError:
            child.kill()
            await child.wait()
            code = -1
        if code:
            await self.stop(name)
            raise OperationFailed(f"no DHCP server answered interface '{name}'", origin=Origin.INTERFACE)

    async def stop(self, name: str) -> None:
        """End the clients of an interface."""
        for family in ("ipv4", "ipv6"):
            path = self._pid_file(name, family)
            with contextlib.suppress(OSError, ValueError):
                with open(path) as stream:
                    pid = int(stream.read().split()[0])
                with open(f"/proc/{pid}/cmdline", "rb") as stream:
                    if path.encode() in stream.read():
                        os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
