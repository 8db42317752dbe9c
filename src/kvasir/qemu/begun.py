"""How a start ends: the guest runs or waits for its user, or it never came up."""

from __future__ import annotations

from . import guestlog, live, trail
from .events import run_cpus
from .guest import Guest
from .states import Paused, Running, Shutoff, State


def failed(guest: Guest, before: tuple[State, int]) -> None:
    """It never ran: say so in its log and the audit trail; its state is the one before."""
    guestlog.append(f"{guest.driver.paths.qemu.log}/{guest.name}.log", "shutting down, reason=failed")
    trail.started(guest, ok=False)
    if guest.persistent:
        guest.set_state(State.SHUTOFF, Shutoff.FAILED if before[0] is State.SHUTOFF else before[1])


async def set_going(guest: Guest, paused: bool) -> None:
    """Let the virtual CPUs run, or leave the guest as one that its user paused."""
    if live.has_agent(guest.live):
        live.announce_agent(guest, connected=False)
    if paused:
        guest.set_state(State.PAUSED, Paused.USER)
        return
    await run_cpus(guest, Running.BOOTED)
