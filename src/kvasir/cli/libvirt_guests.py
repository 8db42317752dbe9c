"""``libvirt-guests``: guests are saved or shut down when the host goes down, and run again when it comes up (guide A.11).

    libvirt-guests start|stop|restart|status|gueststatus [--root DIR] [--config FILE]

For an init system: ``start`` at boot after the daemon, ``stop`` before it. The settings are those of libvirt's own file; the list of
what ran is libvirt's too (a line for each URI: the URI, then UUIDs), so that either program takes up what the other left.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator

from kvasir.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kvasir.client.connection import Connection
    from kvasir.client.objects import Domain

FILES = ("/etc/sysconfig/libvirt-guests", "/etc/default/libvirt-guests")
LIST = "/var/lib/libvirt/libvirt-guests"
MARK = "/var/lock/libvirt-guests"
DEFAULTS = {
    "URIS": "default",
    "ON_BOOT": "start",
    "START_DELAY": "0",
    "ON_SHUTDOWN": "suspend",
    "PARALLEL_SHUTDOWN": "0",
    "SHUTDOWN_TIMEOUT": "300",
    "BYPASS_CACHE": "0",
    "SYNC_TIME": "0",
}
WORDS = {"ON_BOOT": ("start", "ignore"), "ON_SHUTDOWN": ("suspend", "shutdown")}
RUNNING, PERSISTENT = 1, 4
"""Flags of the list of guests: those that are active; those that have a definition."""
BYPASS = {"start": 4, "save": 1}
SYNC = 1
POLL = 0.5
USAGE = "usage: libvirt-guests start|stop|restart|status|gueststatus [--root DIR] [--config FILE]\n"


class Settings:
    """What the file says; what it does not say is as in DEFAULTS. Raises ValueError for a value that is none."""

    def __init__(self, text: str) -> None:
        self.values = dict(DEFAULTS)
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and name in DEFAULTS:
                self.values[name] = " ".join(shlex.split(value, comments=True))
        for name, words in WORDS.items():
            if self.values[name] not in words:
                raise ValueError(f"{name} is {self.values[name]!r}, expected {' or '.join(words)}")
        self.delay, self.parallel = self._number("START_DELAY"), self._number("PARALLEL_SHUTDOWN")
        self.timeout = self._number("SHUTDOWN_TIMEOUT")
        self.bypass, self.sync = bool(self._number("BYPASS_CACHE")), bool(self._number("SYNC_TIME"))

    def _number(self, name: str) -> int:
        if not self.values[name].isdigit():
            raise ValueError(f"{name} is {self.values[name]!r}, expected a number")
        return int(self.values[name])

    @property
    def uris(self) -> list[str]:
        return self.values["URIS"].split()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Service:
    """The guests of all URIs. ``root`` is put before the paths of list and mark."""

    def __init__(self, settings: Settings, root: str = "") -> None:
        self.settings = settings
        self.list, self.mark = root + LIST, root + MARK
        self.good = True

    def connections(self) -> Iterator[tuple[str, Connection]]:
        """Those that can be had; the others are named and left out."""
        for uri in self.settings.uris:
            connection = self.connect(uri)
            if connection is not None:
                with connection:
                    yield uri, connection

    def connect(self, uri: str) -> Connection | None:
        from kvasir import client

        try:
            return client.open(None if uri == "default" else uri)
        except Error as problem:
            say(f"no connection to {uri}, left out: {problem.message}")
            return None

    def attempt(self, what: str, call: Callable[..., object], *words: object) -> bool:
        """Say what was done, or why it could not be."""
        try:
            call(*words)
        except Error as problem:
            self.good = False
            say(f"{what}: failed: {problem.message}")
            return False
        say(f"{what}: done")
        return True

    # -- boot

    def start(self) -> None:
        """Start what ran before, whether it is marked for autostart or not."""
        os.makedirs(os.path.dirname(self.mark), exist_ok=True)
        with open(self.mark, "w"):
            pass
        try:
            with open(self.list) as file:
                lines = [line.split() for line in file if line.strip()]
        except FileNotFoundError:
            return
        for uri, *uuids in lines if self.settings.values["ON_BOOT"] == "start" else ():
            connection = self.connect(uri)
            if connection is not None:
                with connection:
                    say(f"starting guests of {uri}")
                    self._start_all(connection, uuids)
        os.unlink(self.list)

    def _start_all(self, connection: Connection, uuids: list[str]) -> None:
        flags = BYPASS["start"] if self.settings.bypass else 0
        started = False
        for uuid in uuids:
            try:
                guest: Domain = connection.lookupByUUIDString(uuid)
                active = guest.isActive()
            except Error as problem:
                say(f"{uuid}: {problem.message}")
                continue
            if active:
                say(f"{guest.name()}: runs already")
                continue
            if started and self.settings.delay:
                time.sleep(self.settings.delay)
            how = " --bypass-cache" if flags else ""
            started = self.attempt(f"start {guest.name()}{how}", guest.createWithFlags, flags) or started
            if self.settings.sync:
                self.attempt(f"set the time of {guest.name()}", guest.setTime, None, SYNC)

    # -- shutdown

    def stop(self) -> None:
        """Save or shut down what runs, and remember it. A list that is there already is that of a stop before."""
        if os.path.exists(self.list):
            return
        suspend = self.settings.values["ON_SHUTDOWN"] == "suspend"
        remembered = []
        for uri, connection in self.connections():
            guests: list[Domain] = connection.listAllDomains(RUNNING)
            say(f"running guests of {uri}: {', '.join(guest.name() for guest in guests) or 'none'}")
            kept = [guest for guest in guests if guest.isPersistent()]
            for guest in guests if suspend else ():
                if guest not in kept:
                    say(f"{guest.name()}: not saved, as it has no definition")
            if kept:
                remembered.append(" ".join([uri, *(guest.UUIDString() for guest in kept)]))
                self._write(remembered)
            if suspend:
                self._save(kept)
            else:
                self._shut_down(guests)
        self._write(remembered)
        if os.path.exists(self.mark):
            os.unlink(self.mark)

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        os.makedirs(os.path.dirname(self.list), exist_ok=True)
        with open(self.list, "w") as file:
            file.write("\n".join(lines) + "\n")

    def _save(self, guests: list[Domain]) -> None:
        flags, how = (BYPASS["save"], " --bypass-cache") if self.settings.bypass else (0, "")
        for guest in guests:
            self.attempt(f"managedsave {guest.name()}{how}", guest.managedSave, flags)

    def _shut_down(self, guests: list[Domain]) -> None:
        """At most so many at a time; the time limit is each guest's own where they go one by one, else that of them all."""
        width = self.settings.parallel or 1
        waiting, going = list(guests), dict[str, "Domain"]()
        end = self._end()
        while waiting or going:
            while waiting and len(going) < width:
                guest = waiting.pop(0)
                if width == 1:
                    end = self._end()
                if self.attempt(f"shutdown {guest.name()}", guest.shutdown):
                    going[guest.name()] = guest
            for name, guest in list(going.items()):
                if not _active(guest):
                    say(f"{name}: is off")
                    del going[name]
            if going and end and time.monotonic() >= end:
                self.good = False
                say(f"not shut down in {self.settings.timeout} s: {', '.join(going)}")
                going.clear()
                if width > 1:
                    return
            if going:
                time.sleep(POLL)

    def _end(self) -> float:
        return time.monotonic() + self.settings.timeout if self.settings.timeout else 0.0

    # -- looking

    def status(self) -> int:
        """0: started; 3: stopped, and guests wait to be started again; 1: neither."""
        if os.path.exists(self.list):
            say("stopped, with guests to start again")
            return 3
        if os.path.exists(self.mark):
            say("started")
            return 0
        say("stopped")
        return 3

    def gueststatus(self) -> int:
        """All guests of all URIs."""
        for uri, connection in self.connections():
            say(f"* {uri}:")
            for guest in connection.listAllDomains(0):
                say(f"  {guest.name()}: {'running' if guest.isActive() else 'off'}")
        return 0


def _active(guest: Domain) -> bool:
    """A guest without a definition is gone when it is off."""
    try:
        return bool(guest.isActive())
    except Error:
        return False


def main(argv: list[str] | None = None) -> int:
    """Exit code 0: all done; 1: something failed and was named; 2: the words or the settings are wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    options = {"--root": "", "--config": ""}
    for name in options:
        if name in words:
            at = words.index(name)
            options[name] = words[at + 1] if at + 1 < len(words) else ""
            del words[at : at + 2]
    if len(words) != 1 or words[0] not in ("start", "stop", "restart", "status", "gueststatus"):
        sys.stderr.write(USAGE)
        return 2
    files = [options["--config"]] if options["--config"] else [options["--root"] + name for name in FILES]
    path = next((name for name in files if os.path.exists(name)), None)
    try:
        text = ""
        if path is not None:
            with open(path) as file:
                text = file.read()
        service = Service(Settings(text), options["--root"])
    except (OSError, ValueError) as problem:
        sys.stderr.write(f"libvirt-guests: {problem}\n")
        return 2
    if words[0] in ("status", "gueststatus"):
        return int(getattr(service, words[0])())
    for name in ("stop", "start") if words[0] == "restart" else (words[0],):
        getattr(service, name)()
    return 0 if service.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
