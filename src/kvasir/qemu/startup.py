"""Starting a guest: every step pushes its own undo, so that a start that fails anywhere leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from kvasir.errors import Code, Error, InternalError, OperationInvalid, OperationUnsupported, SystemFailure
from kvasir.host import kvm
from kvasir.host.files import failing

from . import (
    admit,
    begun,
    cgroups,
    chain,
    device_nodes,
    firmware,
    guestcpu,
    guestlog,
    hooks,
    live,
    locks,
    machines,
    memlock,
    memory_files,
    numa,
    perfevents,
    process,
    statusdoc,
    trail,
    vcpus,
)
from .blocks import graph
from .events import EventHandler
from .guest import Guest, Runtime, short_name
from .hostwork import Host, remove_tree
from .incoming import Incoming
from .jobs import Async, Kind, Operation
from .labels import Labels
from .monitor import Monitor, MonitorGone, listen_unix
from .native import environment
from .states import Detail, Paused, Shutoff, State
from .states import Lifecycle as L

log = logging.getLogger(__name__)

GREETING = 60.0
"""Seconds that a starting QEMU has for its greeting, beyond what its memory takes to allocate."""


async def start(
    guest: Guest,
    domain: Any = None,
    *,
    paused: bool = False,
    owner: Any = None,
    bypass_cache: bool = False,
    force_boot: bool = False,
    reset_nvram: bool = False,
    fds: list[int] | None = None,
) -> None:
    """Start the guest: from its persistent definition, or from ``domain`` (transient).

    ``owner`` is the client whose leaving destroys it; ``fds`` are descriptors for init (containers only: refused).
    Raises OperationInvalid when it runs, and QEMU's own last words when QEMU refuses.
    """
    if fds:
        raise OperationUnsupported("passing files to a guest's init is for containers", code=Code.OPERATION_UNSUPPORTED)
    async with guest.jobs.long(Async.START, Operation.START, mask=Kind(0)):
        guest.need_inactive()
        options: dict[str, Any] = {"paused": paused, "owner": owner, "reset_nvram": reset_nvram}
        if domain is None and await _managed_save(guest, force_boot, bypass_cache=bypass_cache, **options):
            return
        source = domain if domain is not None else guest.config
        if source is None:
            raise OperationInvalid("domain has no definition")
        if domain is None:
            await admit.read_again(guest)
        await launch(guest, source, **options)


async def _managed_save(guest: Guest, force_boot: bool, **options: Any) -> bool:
    """Go on from the saved state of the guest, if there is one; ``force_boot`` drops it. Whether the guest was started."""
    path = f"{guest.driver.paths.qemu.save}/{guest.name}.save"
    if not os.path.exists(path):
        return False
    if force_boot:
        try:
            os.unlink(path)
        except OSError as error:
            raise SystemFailure(f"cannot remove managed save file {path}", error) from error
        return False
    from . import restore

    return await restore.managed(guest, path, **options)


class Start:
    """One start under way."""

    def __init__(
        self, guest: Guest, source: Any, stack: contextlib.AsyncExitStack, incoming: Incoming | None = None
    ) -> None:
        self.incoming = incoming
        self.guest, self.driver, self.stack = guest, guest.driver, stack
        self.domain = source.copy()
        self.run = Runtime()
        self.run.starting = True
        self.vm: Any = None
        self.host: Host | None = None
        self.argv: list[str] = []
        self.inside: Callable[[], list[int]] | None = None
        """What the new process does before it becomes QEMU."""
        self.log: guestlog.GuestLog | None = None

    async def steps(self) -> None:
        """From the definition to a QEMU that waits, stopped, on its monitor."""
        await self.identify()
        self.stack.push_async_callback(hooks.ended, self.guest)
        await hooks.ask(self.guest, "prepare")
        await self.folders()
        await self.devices()
        await self.command()
        await hooks.ask(self.guest, "start")
        await self.execute()
        await self.speak()

    async def identify(self) -> None:
        """Give the guest an id and find what its emulator can do."""
        guest = self.guest
        emulator = live.emulator(self.domain, self.driver)
        if not os.access(emulator, os.X_OK):
            raise SystemFailure(f"Cannot check QEMU binary {emulator}", OSError(2, os.strerror(2)))
        caps = await self.driver.capabilities(emulator)
        self.driver.guests.give_id(guest)
        guest.run, guest.live = self.run, self.domain
        guest.set_state(State.PAUSED, Paused.STARTING_UP)
        self.stack.callback(self._unidentify)
        self.domain.id = guest.id
        self.vm = self.driver.vm(self.domain, caps)
        self.vm.id = guest.id
        self.run.words = sorted(caps.words)
        self._without_kvm()
        self.host = Host(self.driver, guest, self.vm, self.stack)
        self.host.identity = self.driver.identity.labelled(live.dac_label(self.domain))
        self.stack.callback(self.host.close_fds)
        if self.incoming is not None:
            self.incoming.prepare(self)
        self.run.first_cpu = guestcpu.asked(self.domain)
        if self.incoming is not None and self.incoming.cpu is not None:
            self.domain.cpu = self.incoming.cpu

    def _without_kvm(self) -> None:
        """An ordinary user who may not open /dev/kvm gets a slower guest, and is told; root gets QEMU's refusal."""
        if self.domain.type == "kvm" and not self.driver.privileged and not kvm.usable():
            self.vm.software = True
            log.warning(
                "guest %s runs without KVM: /dev/kvm cannot be opened (is its user in group kvm?)", self.guest.name
            )

    def _unidentify(self) -> None:
        guest = self.guest
        self.driver.guests.take_id(guest)
        guest.run = guest.live = None
        guest.set_state(State.SHUTOFF, Shutoff.FAILED)
        self.run.ended.set()

    async def folders(self) -> None:
        """The guest's own folders and its log."""
        assert self.host is not None
        p, guest = self.driver.paths.qemu, self.guest
        leaf = f"domain-{guest.id}-{short_name(guest.name)}"
        self.run.lib, self.run.channel = f"{p.lib}/{leaf}", f"{p.channel}/{leaf}"
        for path in (self.run.lib, self.run.channel):
            remove_tree(path)
            self.host.make_folder(path, 0o750)
            self.stack.callback(remove_tree, path)
        self.run.monitor_path = f"{self.run.lib}/monitor.sock"
        self._master_key()
        self.vm.facts.update(lib=self.run.lib, channel=self.run.channel, monitor_path=self.run.monitor_path)
        self.log = await guestlog.open_log(self.driver, guest)
        self.stack.callback(self.log.close)

    def _master_key(self) -> None:
        """The key that secrets of the command line are encrypted with."""
        assert self.host is not None
        path = f"{self.run.lib}/master-key.aes"
        with failing(f"failed to write domain master key file '{path}'"):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                self.vm.facts["master_key"] = os.urandom(32)
                os.write(fd, self.vm.facts["master_key"])
            finally:
                os.close(fd)
        self.host.identity.own(path)

    async def devices(self) -> None:
        """Aliases, addresses and the host resources of each device; labels on its files."""
        assert self.host is not None
        await chain.complete(self.domain, self.driver)
        await live.prepare(self.guest, self.domain, self.vm)
        await numa.ask_numad(self.guest, self.domain, self.vm)
        await asyncio.to_thread(firmware.make_variables, self.vm, self.host, getattr(self, "vm_reset_nvram", False))
        for device in live.devices(self.domain):
            await device.prepare(self.host)
        if self.driver.identity.uid is not None:
            live.show_label(self.domain, self.driver.identity.label)
        labels = Labels(self.driver, self.guest)
        self.stack.callback(labels.restore)
        await labels.apply(self.domain)
        self.run.labels = labels.done

    async def command(self) -> None:
        """The monitor's socket and the whole command line."""
        from . import commandline

        assert self.host is not None
        try:
            fd = listen_unix(self.run.monitor_path)
        except Error as error:
            raise InternalError(error.text) from error
        self.host.identity.own(self.run.monitor_path)
        self.host.pass_fd("monitor", fd)
        await locks.prepare(self)
        args = commandline.arguments(self.vm)
        memory_files.prepare(self.host, self.vm, args)
        self.argv = commandline.words(self.vm, args)
        self.run.nodename_index = graph.highest(self.domain)

    async def execute(self) -> None:
        """Run QEMU."""
        assert self.host is not None and self.log is not None
        identity, config = self.host.identity, self.driver.config
        env = environment(self.driver, self.run.lib, self.domain)
        version = self.vm.caps.version
        self.log.begin(live.VERSION, ".".join(map(str, version)) + (self.vm.caps.package or ""))
        if self.vm.software:
            self.log.write("warning: /dev/kvm cannot be opened: emulated by TCG\n")
        self.log.command(self.argv, env)
        self.log.start = self.run.log_start = await self.log.settled()
        self.stack.callback(self.driver.status.delete, self.guest.name)
        statusdoc.write(self.guest)
        privileged = self.driver.privileged and os.geteuid() == 0
        pid = await process.start(
            process.Launch(
                self.argv,
                env,
                self.log.fd,
                list(self.host.fds),
                uid=identity.uid if identity.uid else None,
                gid=identity.gid if identity.uid else None,
                groups=identity.groups,
                drop_capabilities=privileged and bool(config.clear_emulator_capabilities),
                keep_capability=process.CAP_SYS_RAWIO if privileged and live.sends_raw_scsi(self.domain) else None,
                limits=process.limits(
                    config.max_core if privileged else None,
                    config.max_files,
                    config.max_processes,
                    memlock.wanted(self.domain),
                ),
                gate=self._gate,
                inside=self.inside,
                dev=device_nodes.folder(self.driver, self.guest, self.stack) if privileged else None,
                dev_optional=config.namespaces is None,
            )
        )
        self.run.pid = pid
        self.host.close_fds()
        try:
            self.run.watch = process.Watch(pid)
        except ProcessLookupError:
            raise await self.refusal("process exited while connecting to monitor") from None
        self.stack.push_async_callback(self._kill)

    async def _gate(self, pid: int) -> None:
        """The process exists but does not run QEMU yet: write down that it does, so that no crash forgets it."""
        self.run.pid = pid
        process.write_pidfile(self.driver.status.pidfile(self.guest.name), pid)
        await device_nodes.fill(self.guest, self.domain, pid)
        await machines.place(self.guest, self.domain, pid, self.stack)
        self.stack.callback(perfevents.close, self.run)
        perfevents.start(self.run, self.domain)

    async def _kill(self) -> None:
        watch = self.run.watch
        if watch is None:
            return
        self.run.stopping = True
        if self.run.monitor is not None:
            await self.run.monitor.close()
        if watch.signal(9):
            await watch.wait(10)
        watch.close()

    async def refusal(self, text: str) -> Error:
        """An error with QEMU's last words."""
        if self.log is not None:
            with contextlib.suppress(Error):
                await self.log.settled()
        words = self.log.words() if self.log is not None else ""
        return InternalError(f"{text}: {words}" if words else text)

    async def speak(self) -> None:
        """Connect to the monitor while watching the process, and ask for all that the live definition shows."""
        handler = EventHandler(self.guest)
        monitor = Monitor(self.guest.name, handler.qmp, handler.eof)
        watch = self.run.watch
        assert watch is not None
        connecting = asyncio.ensure_future(monitor.connect(self.run.monitor_path, GREETING))
        dying = asyncio.ensure_future(watch.wait())
        try:
            await asyncio.wait({connecting, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise await self.refusal("process exited while connecting to monitor")
            try:
                connecting.result()
            except Error as error:
                if await watch.wait(1):
                    raise await self.refusal("process exited while connecting to monitor") from None
                raise await self.refusal(error.text) from error
        finally:
            for task in (connecting, dying):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        self.run.monitor = monitor
        self.run.monitor_since = time.time()
        try:
            await live.end_at_reboot(self.guest)
            for device in live.devices(self.domain):
                await device.started(monitor)
            await vcpus.start_hotpluggable(self.guest)
            await live.learn(self.guest)
            await cgroups.place_all(self.guest)
            if self.incoming is not None:
                await self.incoming.take_in(self)
        except MonitorGone:
            await watch.wait(1)
            raise await self.refusal("process exited while connecting to monitor") from None


async def launch(
    guest: Guest,
    source: Any,
    *,
    paused: bool = False,
    owner: Any = None,
    reset_nvram: bool = False,
    incoming: Incoming | None = None,
    started: int = Detail.STARTED_BOOTED,
) -> None:
    """Start QEMU for ``source`` inside the caller's async job; running and announced when it returns."""
    driver = guest.driver
    before = (guest.state, guest.reason)
    async with contextlib.AsyncExitStack() as stack:
        work = Start(guest, source, stack, incoming)
        work.vm_reset_nvram = reset_nvram  # type: ignore[attr-defined]
        try:
            await work.steps()
            if incoming is not None:
                await incoming.go_on(guest, paused)
            else:
                await begun.set_going(guest, paused)
            await hooks.ask(guest, "started")
            work.run.starting = False
            statusdoc.write(guest)
        except BaseException:
            stack.callback(begun.failed, guest, before)
            raise
        if work.log is not None:
            work.log.close()
        stack.pop_all()
    if owner is not None:
        work.run.owner = owner
        from . import lifecycle

        owner.on_close(lambda: driver.spawn(lifecycle.autodestroy(guest, work.run), f"autodestroy {guest.name}"))
    from . import agent

    if work.run.monitor is not None and not work.run.monitor.alive:
        return
    agent.attach(guest)
    trail.started(guest)
    if incoming is not None:
        return
    driver.event(guest, L.STARTED, started)
    if paused:
        driver.event(guest, L.SUSPENDED, Detail.SUSPENDED_PAUSED)
