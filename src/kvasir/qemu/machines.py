"""Guests as machines of the host: registered with systemd's machine service where there is one, before QEMU runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from kvasir.host.cgroup import Group
from kvasir.host.machined import Machines, slice_name

from . import cgroups, live

PROPERTIES = {"cpu": ("CPUShares", "CPUWeight"), "blkio": ("BlockIOWeight", "IOWeight")}
"""What systemd calls a weight, by version 1 and 2."""


def service(driver: Any) -> Machines:
    """The driver's connection."""
    known: Machines | None = driver.__dict__.get("machines")
    if known is None:
        known = driver.machines = Machines(driver.paths.root)
    return known


async def place(guest: Any, domain: Any, pid: int, stack: contextlib.AsyncExitStack) -> None:
    """Put a process that is to become the guest's QEMU into its groups: a machine's where it can be. Raises as ``cgroups.place``."""
    await _register(guest, domain, pid, stack)
    await asyncio.to_thread(cgroups.place, guest, domain, pid, stack)
    await _keep_all(guest, domain)


async def _register(guest: Any, domain: Any, pid: int, stack: contextlib.AsyncExitStack) -> None:
    """Make a process that is to become the guest's QEMU a machine. Raises ServiceError.

    Nothing is done where guests have no control groups, or the host no such service.
    """
    driver = guest.driver
    partition = domain.partition or "/machine"
    if not cgroups.trees(driver) or not partition.startswith("/") or not await service(driver).there():
        return
    name = cgroups.machine_name(driver, guest.id, guest.name)
    await service(driver).create(name, guest.uuid, pid, _interfaces(domain), slice_name(partition))
    stack.push_async_callback(service(driver).terminate, name)
    guest.run.machine = name


def _interfaces(domain: Any) -> list[int]:
    """The host's numbers of the guest's interfaces."""
    found = []
    for net in live.list_of(domain, "interfaces"):
        with contextlib.suppress(OSError, TypeError):
            found.append(socket.if_nametoindex(net.target_dev))
    return found


async def leave(driver: Any, run: Any) -> None:
    """End the machine of a guest that has ended."""
    if run.machine is not None:
        await service(driver).terminate(run.machine)


async def keep(guest: Any, group: Group, controller: str, value: int) -> None:
    """A weight was set: tell systemd, which would undo it at its next change of the scope. Raises ServiceError."""
    if group.scope is not None:
        name = PROPERTIES[controller][controller in group.unified]
        await service(guest.driver).keep(group.scope.name, name, value)


async def _keep_all(guest: Any, domain: Any) -> None:
    """The weights of the document, after the guest was placed. Raises ServiceError."""
    group, blkio, cpu = guest.run.cgroup, domain.blkiotune, domain.cputune
    if group is not None and group.scope is not None:
        if cpu is not None and cpu.shares:
            await keep(guest, group, "cpu", cpu.shares)
        if blkio is not None and blkio.weight:
            await keep(guest, group, "blkio", blkio.weight)
