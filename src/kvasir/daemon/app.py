"""The daemon as one object: configuration, paths, drivers, services; start, idle, stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.daemon import drivers as driver_table
from kvasir.daemon import sockets
from kvasir.daemon.audit import Audit
from kvasir.daemon.config import Config
from kvasir.daemon.hub import Hub
from kvasir.daemon.logs import Logging
from kvasir.daemon.paths import Paths
from kvasir.daemon.service import Limits, Listener, Service
from kvasir.daemon.workers import Workers
from kvasir.errors import Code, Error
from kvasir.host import hooks
from kvasir.rpc import programs

if TYPE_CHECKING:
    from kvasir.daemon.access import Access
    from kvasir.daemon.tls import ServerTls

log = logging.getLogger(__name__)

IDLE_CHECK = 1.0
GRACE = 5.0
YOUNG = 4000
"""New objects between two turns of the collector: one call makes about 2,000, most of which are gone when it ends."""
SETTLED = 2.0
"""Seconds after the start in which the first clients are answered before the collector of garbage has its first turn."""


class Daemon:
    """Everything that one process serves."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        qemu_config: Config,
        timeout: float = 0,
        logs: Logging | None = None,
        network: bool = False,
        pid_file: str | None = None,
    ) -> None:
        self.paths, self.config, self.qemu_config, self.timeout = paths, config, qemu_config, timeout
        self.logs = logs or Logging()
        self._network = network
        """Listen on TCP and TLS as well, as libvirtd.conf says (``--listen``)."""
        self.started = time.time()
        self.tls: ServerTls | None = None
        self.access: Access | None = None
        """Who may do what with which object; None: whoever is in may do all."""
        self.hub = Hub()
        self.audit = Audit(config)
        self.drivers: dict[str, Any] = {}
        """By URI scheme the hypervisor drivers, by name the others ('storage', 'network', ...)."""
        self.services: dict[str, Service] = {}
        self._pid_paths = [paths.pid_file] if pid_file in (None, paths.pid_file) else [paths.pid_file, str(pid_file)]
        self._pid_files: list[sockets.PidFile] = []
        self._ending = asyncio.Event()
        self._idle: asyncio.TimerHandle | None = None
        self._serving = False

    # --- start

    async def start(self, make_drivers: Callable[[Daemon], dict[str, Any]] | None = None) -> None:
        """Take the lock and the sockets, start the drivers, then serve."""
        self.paths.make()
        try:
            for path in self._pid_paths:
                self._pid_files.append(sockets.PidFile(path))
            if "polkit" in (self.config.access_drivers or ()):
                from kvasir.daemon.access import Access

                self.access = self.hub.access = Access()
            listeners = self._listen()
            await hooks.tell(self.paths, "daemon", operation="start", extra="start")
            self.drivers = (make_drivers or driver_table.make_all)(self)
            if isinstance(self.drivers, driver_table.Drivers):
                self.drivers.woken = self._hear
            for driver in list(self.drivers.values()):
                await driver.start()
                self._hear(driver)
            self._make_services(listeners)
        except BaseException:
            self._unlisten()
            raise
        for service in self.services.values():
            service.start()
        self._serving = True
        asyncio.get_running_loop().call_later(SETTLED, _settle)
        sockets.notify("READY=1")
        log.info("ready, serving %s after %.3f s", self.paths.uri, time.time() - self.started)
        self._check_idle()

    def _hear(self, driver: Any) -> None:
        if getattr(driver, "bus", None) is not None:
            driver.bus.subscribe(self.hub.deliver)
            if self.audit.wanted:
                driver.bus.subscribe(self.audit.event)
                if hasattr(driver, "trail"):
                    driver.trail = self.audit.record

    def _listen(self) -> dict[str, Listener]:
        config, run = self.config, self.config.unix_sock_dir or self.paths.run
        private = self.paths.is_session
        modes = [config.unix_sock_rw_perms, config.unix_sock_ro_perms, config.unix_sock_admin_perms]
        rw, ro, admin = (0o700,) * 3 if private else [int(mode, 8) for mode in modes]
        group = None if private else sockets.group_id(config.unix_sock_group or _default_group())
        auth_rw, auth_ro = ("none", "none") if private else (config.auth_unix_rw, config.auth_unix_ro)
        wanted = {
            sockets.RW: sockets.Wanted(f"{run}/{sockets.RW}", rw, group, False, auth_rw),
            sockets.RO: sockets.Wanted(f"{run}/{sockets.RO}", ro, group, True, auth_ro),
            sockets.ADMIN: sockets.Wanted(f"{run}/{sockets.ADMIN}", admin),
        }
        if private:
            del wanted[sockets.RO]
        given = sockets.activated()
        found: dict[str, Listener] = {}
        self._listeners = found
        for name, one in wanted.items():
            if name in given:
                found[name] = Listener(given[name], one.path, one.readonly, one.auth, ours=False)
            elif not given or name != sockets.ADMIN:
                queue = config.admin_max_queued_clients if name == sockets.ADMIN else config.max_queued_clients
                found[name] = sockets.listen(one, queue)
        if self._network:
            self._listen_network(found)
        return found

    def _listen_network(self, found: dict[str, Listener]) -> None:
        config, backlog = self.config, self.config.max_queued_clients
        if config.listen_tls:
            from kvasir.daemon.tls import ServerTls

            try:
                self.tls = ServerTls(config, self.paths.root)
            except Error as problem:
                raise sockets.NoNetwork(problem.message, Code(problem.code)) from None
            for one in sockets.listen_tcp(config.listen_addr, config.tls_port, config.auth_tls, backlog, self.tls):
                found[f"tls {one.path}"] = one
        if config.listen_tcp:
            for one in sockets.listen_tcp(config.listen_addr, config.tcp_port, config.auth_tcp, backlog):
                found[f"tcp {one.path}"] = one

    def _make_services(self, listeners: dict[str, Listener]) -> None:
        config = self.config
        limits = Limits(
            config.max_clients,
            config.max_anonymous_clients,
            config.max_client_requests,
            config.keepalive_interval,
            config.keepalive_count,
            config.keepalive_required,
        )
        workers = Workers(config.max_workers, config.prio_workers, config.min_workers)
        mine = [one for name, one in listeners.items() if name != sockets.ADMIN]
        served = (programs.REMOTE, programs.QEMU, programs.LXC)
        self.services["libvirtd"] = Service("libvirtd", self, served, mine, limits, workers)
        if sockets.ADMIN not in listeners:
            return
        limits = Limits(
            config.admin_max_clients,
            0,
            config.admin_max_client_requests,
            config.admin_keepalive_interval,
            config.admin_keepalive_count,
            config.admin_keepalive_required,
        )
        workers = Workers(config.admin_max_workers, 0, config.admin_min_workers)
        self.services["admin"] = Service("admin", self, (programs.ADMIN,), [listeners[sockets.ADMIN]], limits, workers)

    # --- idle

    def client_came(self) -> None:
        """A client connected."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def client_went(self) -> None:
        """A client left; the last one starts the clock of ``--timeout``."""
        self._check_idle()

    def set_timeout(self, seconds: float) -> None:
        """Change ``--timeout`` (0: never leave)."""
        self.timeout = seconds
        self._check_idle()

    def _busy(self) -> bool:
        if any(service.clients for service in self.services.values()):
            return True
        return any(driver.active_count() for driver in self.drivers.values() if hasattr(driver, "active_count"))

    def _check_idle(self, since: float | None = None) -> None:
        if not self._serving or self.timeout <= 0 or self._ending.is_set():
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if any(service.clients for service in self.services.values()):
            return
        now = asyncio.get_running_loop().time()
        if self._busy():
            since = None
        elif since is not None and now - since >= self.timeout:
            log.info("idle for %s s, leaving", self.timeout)
            self.end()
            return
        else:
            since = since or now
        wait = min(self.timeout, IDLE_CHECK * 10) if since is None else max(0.01, self.timeout - (now - since))
        self._idle = asyncio.get_running_loop().call_later(wait, self._check_idle, since)

    # --- stop

    def end(self) -> None:
        """Let ``run`` return."""
        self._ending.set()

    def reload(self) -> None:
        """SIGHUP: drivers that can read their configuration anew do; certificates are read again."""
        if self.tls is not None:
            try:
                self.tls.reload()
            except Error as problem:
                log.error("the certificates stay as they were: %s", problem.message)
        for driver in self.drivers.values():
            if hasattr(driver, "reload"):
                driver.reload()
        self._telling = asyncio.ensure_future(
            hooks.tell(self.paths, "daemon", operation="reload", sub="begin", extra="SIGHUP")
        )

    async def wait(self) -> None:
        """Until somebody ends the daemon."""
        await self._ending.wait()

    async def stop(self) -> None:
        """Stop serving; guests live on."""
        self._serving = False
        sockets.notify("STOPPING=1")
        await hooks.tell(self.paths, "daemon", operation="shutdown", extra="shutdown")
        if self._idle is not None:
            self._idle.cancel()
        for service in self.services.values():
            service.stop()
        for service in self.services.values():
            await service.workers.stop(GRACE)
        for driver in reversed(list(self.drivers.values())):
            try:
                await driver.stop()
            except Error as problem:
                log.error("stopping: %s", problem.message)
            except Exception:
                log.exception("stopping a driver")
        if self.access is not None:
            self.access.close()
        self._unlisten()

    def _unlisten(self) -> None:
        for listener in getattr(self, "_listeners", {}).values():
            listener.sock.close()
            if listener.ours:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(listener.path)
        while self._pid_files:
            self._pid_files.pop().remove()


def _settle() -> None:
    """What was made by now lives as long as the daemon: the collector never looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    gc.enable()


def _default_group() -> str | None:
    """The distribution's group of administrators of guests, where it exists."""
    try:
        sockets.group_id("libvirt")
    except Error:
        return None
    return "libvirt"
