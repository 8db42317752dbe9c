"""After the daemon was killed: what finished without it, and what a cut-off change left in QEMU that no device of the document has."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from typing import Any

from kvasir.errors import Error
from kvasir.qemu import learn
from kvasir.qemu.args import Arg, Blockdev, Chardev, Netdev, Obj
from kvasir.qemu.labels import Labels
from kvasir.qemu.live import labelled_paths

from . import detach, steps
from .session import live_vm

log = logging.getLogger(__name__)

NODES = re.compile(r"libvirt-\d+-(format|storage)|libvirt-CoR-\w+")
BACKENDS = re.compile(r"chr-vu-fs\d+|char(channel|serial|parallel|console|redir|rng|shmem|net)\d+")
OBJECTS = re.compile(r"(objrng|memdimm|memnvdimm|memvirtiomem|memvirtiopmem|shmmem-shmem)\d+")
CARDS = re.compile(r"^\s*\\?\s*(hostnet\d+): ", re.M)
WAIT = 2.0
"""Seconds for a device that was plugged half to go, before what stood behind it is taken away."""


async def reconcile(guest: Any, before: list[str]) -> None:
    """Finish removals that ended meanwhile, and take away what a cut-off plug left. Called when a guest is taken up."""
    await learn.peripherals(guest)
    now = set(guest.run.aliases)
    for alias in before:
        device = detach.by_alias(guest.live, alias) if alias not in now else None
        if device is not None:
            log.info("guest %s: %s went away while no daemon was here", guest.name, alias)
            await detach.finish(guest, device)
    known = {device.alias for device in guest.live.all_devices()}
    strays = sorted(alias for alias in now - known - set(before) if not alias.startswith("vcpu"))
    if not strays and not await _maybe(guest):
        return
    for alias in strays:
        log.info("guest %s: %s was being plugged when the daemon ended: it is taken out", guest.name, alias)
        with contextlib.suppress(Error):
            await guest.monitor().command("device_del", {"id": alias})
    if strays:
        await asyncio.sleep(WAIT)
    await _sweep(guest)
    await learn.peripherals(guest)


async def _maybe(guest: Any) -> bool:
    """Whether the daemon of before was changing the guest, so that more than devices may be left over."""
    return bool(guest.run.was_changing)


async def _sweep(guest: Any) -> None:
    """Take away block nodes, backends and objects that belong to no device of the document."""
    vm = await live_vm(guest)
    vm.secrets = detach._NoSecrets()
    wanted: dict[type[Arg], set[str]] = {Blockdev: set(), Chardev: {"charmonitor"}, Netdev: set(), Obj: set()}
    for device in guest.live.all_devices():
        try:
            args = steps.arguments(vm, device)
        except Error as error:
            log.debug("guest %s: %s: %s", guest.name, device.alias, error.message)
            return
        for arg in args:
            if isinstance(arg, Chardev):
                wanted[Chardev].add(arg.id)
            elif isinstance(arg, (Blockdev, Netdev, Obj)):
                key = "node-name" if isinstance(arg, Blockdev) else "id"
                wanted[type(arg)].add(str(arg.props.get(key)))
    if getattr(guest.run, "blockjobs", None):
        return  # nodes of jobs stand in no disk
    await _nodes(guest, wanted[Blockdev])
    monitor = guest.monitor()
    for row in await monitor.command("query-chardev"):
        label = str(row.get("label"))
        if BACKENDS.fullmatch(label) and label not in wanted[Chardev]:
            await steps._quietly(monitor, ("chardev-remove", {"id": label}))
    for row in await monitor.command("qom-list", {"path": "/objects"}):
        name = str(row.get("name"))
        if OBJECTS.fullmatch(name) and name not in wanted[Obj]:
            await steps._quietly(monitor, ("object-del", {"id": name}))
    for name in set(CARDS.findall(await monitor.hmp("info network"))) - wanted[Netdev]:
        await steps._quietly(monitor, ("netdev_del", {"id": name}))


async def _nodes(guest: Any, wanted: set[str]) -> None:
    monitor = guest.monitor()
    rows = await monitor.command("query-named-block-nodes", {"flat": True})
    files = {str(row["node-name"]): str(row.get("file") or "") for row in rows}
    strays = sorted((name for name in files if NODES.fullmatch(name) and name not in wanted), key=_from_the_top)
    for name in strays:
        await steps._quietly(monitor, ("blockdev-del", {"node-name": name}))
    ours = {path for path, _ in labelled_paths(guest.live)}
    labels = Labels(guest.driver, guest)
    for path in {files[name] for name in strays} - ours:
        if path.startswith("/") and labels.works:
            labels.give_back(path)


def _from_the_top(name: str) -> tuple[int, str]:
    kinds = ("CoR", "format", "storage")
    return next((at for at, kind in enumerate(kinds) if kind in name), 3), name
