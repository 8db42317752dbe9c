"""Which driver serves which URI.

A driver is made as ``Driver(paths: Paths, config: Config)`` when the daemon starts, without waiting, and has

    bus: events.Bus               what it publishes to
    uri: str                      the canonical URI (``qemu:///system``)
    async start()                 takes up running guests, starts what starts by itself; the sockets are served after it
    async stop()                  the daemon ends (guests live on)
    drivers: dict[str, Any]       set to all drivers of the daemon, by name, before ``start``
    active_count() -> int         what keeps the daemon from leaving when idle (running guests)

The procedures of ``kvasir.calls`` find it as ``session.driver``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kvasir.daemon import single
from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.app import Daemon
    from kvasir.daemon.config import Config
    from kvasir.daemon.paths import Paths

DRIVERS: Final[dict[str, str]] = {"qemu": "kvasir.qemu.driver:QemuDriver"}
"""URI scheme -> the driver's class."""


OTHERS: Final[dict[str, str]] = {
    "interface": "kvasir.interface.driver:InterfaceDriver",
    "network": "kvasir.network.driver:NetworkDriver",
    "nwfilter": "kvasir.nwfilter.driver:NWFilterDriver",
    "nodedev": "kvasir.nodedev.driver:NodeDeviceDriver",
    "secret": "kvasir.secret.driver:SecretDriver",
    "storage": "kvasir.storage.driver:StorageDriver",
    "test": "kvasir.testdriver.worlds:TestWorlds",
}
"""The other drivers; ``session.other(NAME)`` finds them, ``NAME:///system`` connects to one alone."""

FOLDERS: Final[dict[str, tuple[str, ...]]] = {
    "interface": ("{lib}/interface/snapshot",),
    "nodedev": (),
    "secret": ("{etc}/secrets",),
    "storage": ("{etc}/storage", "{run}/storage"),
    "test": (),
}
"""Drivers that have nothing to take up at the start while these are empty: they are made when they are first asked for."""


def make(scheme: str, paths: Paths, config: Config) -> Any:
    """An instance of the driver of that scheme."""
    module, _, name = {**DRIVERS, **OTHERS}[scheme].partition(":")
    return getattr(import_module(module), name)(paths, config)


class Drivers(dict[str, Any]):
    """The daemon's drivers by name. Those at rest are found by name only, and are made then; a loop sees the others."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__()
        self._daemon = daemon
        self._lock = threading.RLock()
        self._resting: set[str] = set()
        self.woken: Callable[[Any], None] = lambda driver: None
        """Told of each driver that was made after the start."""

    def add(self, scheme: str) -> None:
        """Make a driver, or let it rest."""
        paths = self._daemon.paths
        folders = [folder.format(etc=paths.etc, lib=paths.lib, run=paths.run) for folder in FOLDERS.get(scheme, ("/",))]
        if any(os.path.isdir(folder) and os.listdir(folder) for folder in folders):
            self._make(scheme)
        else:
            self._resting.add(scheme)

    def _make(self, scheme: str) -> Any:
        driver = self[scheme] = make(scheme, self._daemon.paths, self._daemon.qemu_config)
        driver.drivers = self
        return driver

    def __missing__(self, scheme: str) -> Any:
        with self._lock:
            if scheme in self._resting:
                self._resting.discard(scheme)
                self.woken(self._make(scheme))
            elif not super().__contains__(scheme):
                raise KeyError(scheme)
            return self[scheme]

    def get(self, scheme: str, default: Any = None) -> Any:
        return self[scheme] if scheme in self else default  # noqa: SIM401  # this is get

    def __contains__(self, scheme: object) -> bool:
        return super().__contains__(scheme) or scheme in self._resting


def choose(uri: str | None, drivers: dict[str, Any], client: Any = None) -> Any:
    """The driver that serves the URI; '' or None is the first one's own. Errors are libvirt's."""
    hypervisors = {scheme: driver for scheme, driver in drivers.items() if scheme in DRIVERS}
    parts = urlsplit(uri or "")
    if (not uri or parts.scheme == "remote") and hypervisors:
        return next(iter(hypervisors.values()))
    if not parts.scheme:
        raise _no_driver(f"URI '{uri}' does not include a driver name")
    if parts.scheme == "test" and "test" in drivers and not parts.netloc:
        return drivers["test"].open(uri, client)
    driver = hypervisors.get(parts.scheme)
    if parts.scheme in single.MODULES and parts.scheme in drivers and hypervisors:
        driver = single.Single(parts.scheme, urlsplit(next(iter(hypervisors.values())).uri).path)
    if driver is None or parts.netloc:
        raise _no_driver(uri or "")
    mine = urlsplit(driver.uri).path
    session = mine == "/system" and parts.path == "/session" and parts.scheme in DRIVERS
    if parts.path != mine and not session:
        text = f"unexpected {parts.scheme} URI path '{parts.path}', try {driver.uri}"
        raise Error(text, code=Code.INTERNAL_ERROR, origin=Origin.NONE, message=f"internal error: {text}")
    return driver


def _no_driver(text: str) -> Error:
    return Error(text, code=Code.NO_CONNECT, origin=Origin.NONE, message=f"no connection driver available for {text}")


def make_all(daemon: Daemon) -> dict[str, Any]:
    """The drivers of the daemon. Those of guests start last: what starts by itself needs the others."""
    found = Drivers(daemon)
    for scheme in (*OTHERS, *DRIVERS):
        found.add(scheme)
    return found
