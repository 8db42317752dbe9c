"""A start that goes on from a saved state: of a file, or of a snapshot's memory."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvasir.errors import OperationFailed, Origin

from . import live
from .events import run_cpus
from .migrate_to_file import from_fd
from .monitor import MonitorGone
from .states import Detail, Paused, Running, State
from .states import Lifecycle as L

if TYPE_CHECKING:
    from .guest import Guest
    from .pipes import Pipe
    from .startup import Start


@dataclass(slots=True)
class Incoming:
    """Hand it to ``startup.launch``."""

    fd: int
    """Where the stream is read from; QEMU inherits it, and the start closes it (it is then -1)."""
    running: bool = True
    event: int = Detail.STARTED_RESTORED
    reason: Running = Running.RESTORED
    cpu: Any = None
    """The CPU that the guest had, from the cookie."""
    pipe: Pipe | None = None
    """Programs that give the stream: when one fails, so does the start."""
    number: int = -1

    def prepare(self, start: Start) -> None:
        """Hand the stream to the QEMU that is about to start."""
        assert start.host is not None
        start.host.pass_fd("incoming", self.fd)
        self.number, self.fd = self.fd, -1
        start.vm.facts["incoming"] = "defer"

    async def take_in(self, start: Start) -> None:
        """Read the saved state into the QEMU that waits for it."""
        watch, run = start.run.watch, start.run
        assert watch is not None
        taking = asyncio.ensure_future(from_fd(start.guest, self.number))
        failing = asyncio.ensure_future(self.pipe.failure() if self.pipe is not None else asyncio.Event().wait())
        try:
            await asyncio.wait({taking, failing}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done() and not taking.done():
                raise OperationFailed(str(failing.result()), origin=Origin.QEMU)
            await taking
        except MonitorGone:
            if run.being_destroyed:
                raise OperationFailed("domain is not running", origin=Origin.QEMU) from None
            await watch.wait(1)
            raise await start.refusal("qemu unexpectedly closed the monitor") from None
        finally:
            for task in (taking, failing):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def go_on(self, guest: Guest, paused: bool) -> None:
        """The state is in: let the guest run on, or leave it paused; told in libvirt's order."""
        if live.has_agent(guest.live):
            live.announce_agent(guest, connected=False)
        snapshot = self.event == Detail.STARTED_FROM_SNAPSHOT
        guest.set_state(State.PAUSED, Paused.FROM_SNAPSHOT if snapshot else Paused.MIGRATION)
        guest.driver.event(guest, L.STARTED, self.event)
        if self.running and not paused:
            await run_cpus(guest, self.reason)
            return
        detail = Detail.SUSPENDED_FROM_SNAPSHOT if snapshot else Detail.SUSPENDED_RESTORED
        guest.driver.event(guest, L.SUSPENDED, Detail.SUSPENDED_PAUSED if paused else detail)


class FromImage(Incoming):
    """A start from an internal snapshot: QEMU reads the state of that name out of the disks' images."""

    def __init__(self, name: str, *, running: bool, cpu: Any = None) -> None:
        super().__init__(-1, running, Detail.STARTED_FROM_SNAPSHOT, Running.FROM_SNAPSHOT, cpu)
        self.name = name

    def prepare(self, start: Start) -> None:
        """QEMU loads it before its monitor answers."""
        start.vm.facts["loadvm"] = self.name

    async def take_in(self, start: Start) -> None:
        """Nothing more to read."""
