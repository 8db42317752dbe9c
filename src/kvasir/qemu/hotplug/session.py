"""One change of a running guest: its ``vm`` as devices see it, and the host's side with descriptors that travel by QMP."""

from __future__ import annotations

import contextlib
from typing import Any

from kvasir.qemu import live
from kvasir.qemu.context import Vm
from kvasir.qemu.hostwork import Host


async def live_vm(guest: Any) -> Vm:
    """What device hooks see of the running guest."""
    driver, run = guest.driver, guest.need_active()
    caps = await driver.capabilities(live.emulator(guest.live, driver))
    vm: Vm = driver.vm(guest.live, caps)
    vm.id = guest.id
    vm.facts.update({"lib": run.lib, "channel": run.channel, "monitor_path": run.monitor_path})
    return vm


async def config_vm(guest: Any, domain: Any) -> Vm:
    """The same of a definition for the next start."""
    caps = await guest.driver.capabilities(live.emulator(domain, guest.driver))
    vm: Vm = guest.driver.vm(domain, caps)
    return vm


class HotHost(Host):
    """A host whose descriptors get a name in QEMU (``getfd``) instead of being inherited."""

    def __init__(self, guest: Any, vm: Any, stack: contextlib.AsyncExitStack) -> None:
        super().__init__(guest.driver, guest, vm, stack)
        self.named: list[tuple[str, int]] = []
        self.by_name: dict[str, int] = {}

    def pass_fd(self, name: str, fd: int) -> Any:
        """Keep the descriptor until ``send``; the device's ``qemu`` sees the name that QEMU will know it by."""
        self.fds.append(fd)
        self.by_name[name] = fd
        known = _fd_name(name)
        self.named.append((known, fd))
        self.vm.fds[name] = known
        return known

    async def send(self, monitor: Any) -> None:
        """Hand the descriptors over; QEMU forgets those that nothing took when the change fails."""
        for name, fd in self.named:
            if name.startswith("vdpa-"):
                continue
            await monitor.get_fd(fd, name)
            self.stack.push_async_callback(_drop_fd, monitor, name)


def _fd_name(name: str) -> str:
    """``net1`` -> ``tapfd-net10``, ``net1-2`` -> ``tapfd-net12``, ``vhost-net1`` -> ``vhostfd-net10``: libvirt's names."""
    rest = name.removeprefix("vhost-")
    prefix = "vhostfd-" if name.startswith("vhost-") else "tapfd-"
    if name.startswith("char"):
        return f"{name.removeprefix('char')}-source"
    if not rest.startswith("net"):
        return name
    alias, _, number = rest.partition("-")
    return f"{prefix}{alias}{number or 0}"


async def _drop_fd(monitor: Any, name: str) -> None:
    with contextlib.suppress(Exception):
        await monitor.command("closefd", {"fdname": name})
