"""What happens to a running guest: shutdown, reboot, reset, suspend, resume, the end, and the actions at its events."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

from kvasir.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    Error,
    InternalError,
    InvalidArg,
    OperationFailed,
    OperationInvalid,
    Origin,
    SystemFailure,
)
from kvasir.model import checks

from . import cgroups, guestlog, hooks, live, machines, memory_files, perfevents, process, statusdoc
from .events import run_cpus, stop_cpus
from .guest import Guest, Runtime
from .hostwork import Host, remove_tree
from .jobs import Async, Kind, Operation
from .monitor import MonitorError
from .states import STOPPED_DETAIL, Detail, Paused, Running, Shutoff, State, reason_word
from .states import Lifecycle as L

log = logging.getLogger(__name__)

ACPI, AGENT = 1, 2
"""Ways to ask for a shutdown or reboot; initctl, signal and paravirt (4, 8, 16) are not QEMU's."""


def check_flags(flags: int, allowed: int, function: str) -> None:
    """Refuse flags that the call does not have, in libvirt's words. Raises InvalidArg."""
    if flags & ~allowed:
        text = f"unsupported flags (0x{flags & ~allowed:x}) in function {function}"
        raise InvalidArg(text, message=text, origin=Origin.QEMU, int1=0, int2=0)


# -- pausing


async def suspend(guest: Guest) -> None:
    """Halt the guest's CPUs."""
    run = guest.need_active()
    reason = Paused.MIGRATION if guest.jobs.async_job is Async.MIGRATION_OUT else Paused.USER
    async with guest.jobs.normal(Kind.SUSPEND):
        if guest.run is not run:
            guest.need_active()
        if guest.state is State.PMSUSPENDED:
            raise OperationInvalid("domain is pmsuspended")
        if guest.state is not State.PAUSED:
            await stop_cpus(guest, reason)


async def resume(guest: Guest) -> None:
    """Let a paused guest run on."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        if guest.state is State.PMSUSPENDED:
            raise OperationInvalid("domain is pmsuspended")
        if guest.state is State.RUNNING:
            raise OperationInvalid("domain is already running")
        if guest.state in (State.PAUSED, State.CRASHED):
            try:
                await run_cpus(guest, Running.UNPAUSED)
            except MonitorError as error:
                raise OperationFailed(f"resume operation failed: {error.reason}") from error


async def pm_suspend(guest: Guest, target: int, duration: int) -> None:
    """Let the guest's agent suspend it: 0 to memory, 1 to disk, 2 hybrid."""
    if duration:
        raise ArgumentUnsupported("Duration not supported. Use 0 for now")
    if target not in (0, 1, 2):
        raise ArgumentUnsupported(f"Unknown suspend target: {target}")
    from . import agent

    name = ("guest-suspend-ram", "guest-suspend-disk", "guest-suspend-hybrid")[target]
    await agent.call(guest, name, ends="suspend")


async def pm_wakeup(guest: Guest) -> None:
    """Wake a guest that suspended itself."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        await guest.monitor().command("system_wakeup")


# -- shutdown and reboot


async def shutdown(guest: Guest, flags: int) -> None:
    """Ask the guest to shut down: by the agent where one is, or by the ACPI power button."""
    check_flags(flags, ACPI | AGENT, "qemuDomainShutdownFlags")
    run = guest.need_active()
    is_reboot = live.action(guest.live, "on_poweroff") == "restart"
    await _ask(guest, run, flags, is_reboot, "reboot" if is_reboot else "powerdown", fake=is_reboot)


async def reboot(guest: Guest, flags: int) -> None:
    """Ask the guest to reboot: by the agent, or by power button and a reset when it is down (fake reboot)."""
    check_flags(flags, ACPI | AGENT, "qemuDomainReboot")
    run = guest.need_active()
    is_reboot = live.action(guest.live, "on_reboot") not in ("destroy", "preserve")
    await _ask(guest, run, flags, is_reboot, "reboot" if is_reboot else "powerdown", fake=is_reboot)


async def _ask(guest: Guest, run: Runtime, flags: int, is_reboot: bool, mode: str, *, fake: bool) -> None:
    from . import agent

    use_agent = bool(flags & AGENT) or (not flags and run.agent is not None)
    forced = bool(flags & AGENT) and not flags & ACPI
    if use_agent:
        try:
            await agent.shutdown(guest, mode, fake)
        except Error as error:
            if forced:
                raise
            log.debug("guest %s: agent shutdown failed: %s", guest.name, error)
        else:
            return
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        if mode == "powerdown" and guest.state is not State.RUNNING:
            raise OperationInvalid("domain is not running")
        set_fake_reboot(guest, fake)
        await guest.monitor().command("system_powerdown")


def set_fake_reboot(guest: Guest, value: bool) -> None:
    """Whether the coming shutdown is to be turned into a reset."""
    if guest.run is not None and guest.run.fake_reboot != value:
        guest.run.fake_reboot = value
        statusdoc.save(guest)


async def reset(guest: Guest) -> None:
    """Press the reset button."""
    guest.need_active()
    async with guest.jobs.normal(Kind.MODIFY):
        guest.need_active()
        await guest.monitor().command("system_reset")
        set_fake_reboot(guest, False)
        if guest.state is State.CRASHED:
            guest.set_state(State.PAUSED, Paused.CRASHED)


def shut_or_reboot(guest: Guest, run: Runtime) -> None:
    """QEMU's machine is down: reset it (fake reboot, on_poweroff=restart), keep it, or end the process."""
    if run.fake_reboot or live.action(guest.live, "on_poweroff") == "restart":
        guest.driver.spawn(_fake_reboot(guest, run), f"reboot of {guest.name}")
    elif live.action(guest.live, "on_poweroff") == "preserve":
        log.info("guest %s is down and preserved", guest.name)
    elif run.watch is not None:
        run.watch.signal(15)


async def _fake_reboot(guest: Guest, run: Runtime) -> None:
    try:
        async with guest.jobs.normal(Kind.MODIFY):
            if guest.run is not run:
                return
            await guest.monitor().command("system_reset")
            run.got_shutdown = False
            reason = Running.CRASHED if guest.state is State.CRASHED else Running.BOOTED
            await run_cpus(guest, reason)
            run.fake_reboot = False
            statusdoc.save(guest)
    except Error as error:
        log.warning("guest %s cannot be rebooted: %s", guest.name, error)
        if run.watch is not None:
            run.watch.signal(15)


# -- the end


async def destroy(guest: Guest, *, graceful: bool = False) -> None:
    """End the guest now, without asking it. ``graceful`` never kills: it fails when QEMU does not heed SIGTERM.

    Does not wait for a job that runs: the process goes first, which frees whoever waits for it.
    """
    run = guest.need_active()
    starting = guest.state is State.PAUSED and guest.reason == Paused.STARTING_UP
    run.being_destroyed = True
    await _kill(guest, run, graceful=graceful)
    if starting and run.starting:
        with contextlib.suppress(TimeoutError):
            await _until(run.ended, 30)
        return
    async with guest.jobs.normal(Kind.DESTROY, nested=True):
        if guest.run is not run:
            raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
        await finish(guest, run, Shutoff.DESTROYED)
    guest.driver.event(guest, L.STOPPED, Detail.STOPPED_DESTROYED)
    guest.driver.gone(guest)


async def _until(event: Any, seconds: float) -> None:
    import asyncio

    async with asyncio.timeout(seconds):
        await event.wait()


async def _kill(guest: Guest, run: Runtime, *, graceful: bool) -> None:
    watch = run.watch
    if watch is None or await process.end(watch, graceful=graceful):
        return
    run.being_destroyed = False
    raise SystemFailure(
        f"Failed to terminate process {run.pid} with SIG{'TERM' if graceful else 'KILL'}", OSError(16, os.strerror(16))
    )


async def stop(guest: Guest, reason: Shutoff, detail: int | None = None, *, silent: bool = False) -> None:
    """End the guest from within the daemon (autodestroy, crash action, lost monitor).

    ``silent``: what QEMU says at its end is not heard (a saved guest does not shut down).
    """
    run = guest.run
    if run is None:
        return
    run.being_destroyed = True
    if silent and run.monitor is not None:
        await run.monitor.close()
    await _kill(guest, run, graceful=False)
    async with guest.jobs.normal(Kind.DESTROY, nested=True):
        if guest.run is not run:
            return
        await finish(guest, run, reason)
    guest.driver.event(guest, L.STOPPED, STOPPED_DETAIL[reason] if detail is None else detail)
    guest.driver.gone(guest)


async def died(guest: Guest, run: Runtime) -> None:
    """QEMU ended by itself: shut down when it said so before, else it crashed."""
    async with guest.jobs.normal(Kind.DESTROY, nested=True, wait=3600):
        if guest.run is not run or run.being_destroyed:
            return
        if run.watch is not None and not await run.watch.wait(2):
            await process.end(run.watch)
        reason = Shutoff.SHUTDOWN if run.got_shutdown else Shutoff.CRASHED
        detail = Detail.STOPPED_SHUTDOWN if run.got_shutdown else Detail.STOPPED_FAILED
        if not run.got_shutdown:
            log.warning("guest %s: QEMU is gone without a shutdown", guest.name)
        await finish(guest, run, reason)
    guest.driver.event(guest, L.STOPPED, detail)
    guest.driver.gone(guest)


async def finish(guest: Guest, run: Runtime, reason: Shutoff) -> None:
    """The process is gone: give back all that the guest had. Each step is tried, whatever the others say."""
    run.stopping = True
    driver = guest.driver
    if run.agent is not None:
        run.agent.close()
        run.agent = None
    if run.monitor is not None:
        await run.monitor.close()
    if run.watch is not None:
        run.watch.close()
    guestlog.append(
        f"{driver.paths.qemu.log}/{guest.name}.log", f"shutting down, reason={reason_word(State.SHUTOFF, reason)}"
    )
    await hooks.tell(guest, "stopped")
    await release(guest, run)
    await hooks.tell(guest, "release")
    driver.status.delete(guest.name)
    if run.backup is not None:
        from .backups import run as backups

        await backups.cut_off(guest, run.backup)
    driver.guests.take_id(guest)
    guest.live = guest.run = None
    guest.set_state(State.SHUTOFF, reason)
    run.ended.set()


async def release(guest: Guest, run: Runtime) -> None:
    """Devices, labels and folders of a guest that has ended."""
    from .labels import Labels

    driver = guest.driver
    vm = driver.vm(guest.live, None)
    vm.id = guest.id
    async with contextlib.AsyncExitStack() as stack:
        host = Host(driver, guest, vm, stack)
        for device in reversed(list(live.devices(guest.live))):
            try:
                await device.release(host)
            except Exception as error:
                log.warning("guest %s: %s cannot be released: %s", guest.name, device, error)
    labels = Labels(driver, guest)
    try:
        labels.restore_all(guest.live)
    except Exception as error:
        log.warning("guest %s: labels cannot be restored: %s", guest.name, error)
    perfevents.close(run)
    if run.cgroup is not None:
        await cgroups.remove(run.cgroup)
    await machines.leave(driver, run)
    for path in (run.lib, run.channel):
        remove_tree(path)
    memory_files.remove(vm)


# -- actions


async def panicked(guest: Guest, run: Runtime) -> None:
    """The guest's kernel panicked: do what ``on_crash`` says."""
    from . import dump

    driver = guest.driver
    action = live.action(guest.live, "on_crash")
    async with guest.jobs.long(Async.DUMP, Operation.DUMP):
        if guest.run is not run:
            return
        driver.event(guest, L.CRASHED, Detail.CRASHED_PANICKED)
        statusdoc.save(guest)
        if action in ("coredump-destroy", "coredump-restart"):
            try:
                await dump.automatic(guest)
            except (Error, OSError) as error:
                log.error("guest %s: no core dump: %s", guest.name, error)
    if action in ("destroy", "coredump-destroy"):
        await stop(guest, Shutoff.CRASHED)
    elif action in ("restart", "coredump-restart"):
        run.fake_reboot = True
        await _fake_reboot(guest, run)


def watchdog_dumps(guest: Guest) -> bool:
    """Whether a watchdog of the guest has the action ``dump`` (QEMU itself then only pauses)."""
    return any(getattr(dog, "action", None) == "dump" for dog in live.list_of(guest.live, "watchdogs"))


async def watchdog_dump(guest: Guest) -> None:
    """Dump the guest's memory and let it run on."""
    from . import dump

    async with guest.jobs.long(Async.DUMP, Operation.DUMP):
        try:
            await dump.automatic(guest)
        finally:
            if guest.state is State.PAUSED and guest.active:
                await run_cpus(guest, Running.UNPAUSED)


LIFECYCLE_TYPES = ("on_poweroff", "on_reboot", "on_crash")
LIFECYCLE_ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")


async def set_action(guest: Guest, kind: int, action: int, live_too: bool, config_too: bool) -> None:
    """Change what happens at poweroff, reboot or crash."""
    if not 0 <= kind < 3:
        raise InvalidArg(f"lifecycle type '{kind}' is not known")
    if not 0 <= action < len(LIFECYCLE_ACTIONS):
        raise InvalidArg(f"lifecycle action '{action}' is not known")
    field, word = LIFECYCLE_TYPES[kind], LIFECYCLE_ACTIONS[action]
    if kind < 2 and action >= 4:
        text = f"Lifecycle event '{field[3:]}' doesn't support '{word}' action"
        raise ConfigUnsupported(text, origin=Origin.DOMAIN)
    async with guest.jobs.normal(Kind.MODIFY):
        for domain in (guest.live if live_too else None, guest.config if config_too else None):
            if domain is not None:
                checks.check_actions(
                    *(word if name == field else live.action(domain, name) for name in LIFECYCLE_TYPES)
                )
        if live_too:
            run = guest.need_active()
            setattr(guest.live, field, word)
            allow = live.action(guest.live, "on_reboot") == "restart" or live.action(guest.live, "on_poweroff") in (
                "restart", "preserve",
            )  # fmt: skip
            if field != "on_crash" and "set-action" in run.words:
                await guest.monitor().command("set-action", {"reboot": "reset" if allow else "shutdown"})
            statusdoc.save(guest)
        if config_too:
            domain = guest.config.copy()
            setattr(domain, field, word)
            await guest.driver.rewrite(guest, domain)


__all__ = ["InternalError", "destroy", "died", "finish", "reboot", "reset", "resume", "shutdown", "stop", "suspend"]


async def autodestroy(guest: Guest, run: Runtime) -> None:
    """The client that owns the guest went away."""
    if guest.run is run and guest.active:
        await stop(guest, Shutoff.DESTROYED, Detail.STOPPED_DESTROYED)
