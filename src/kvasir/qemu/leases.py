"""Leases of the sanlock daemon on a guest's disks (``lock_manager = "sanlock"``): over hosts, on shared storage.

Names and files are libvirt's, so that its daemons and ours share one folder: the lockspace ``__LIBVIRT__DISKS__``, and for
each image a lease named by the MD5 of its path. QEMU's own process registers with sanlock before it becomes QEMU; leases are taken
when its CPUs begin to run and given back when they stop, so that a lease outlives the daemon and goes with QEMU.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kvasir.errors import ConfigUnsupported, Error, InternalError, Origin, ResourceBusy, SystemFailure
from kvasir.host import sanlock
from kvasir.host.sanlock import Lease, SanlockError

from . import live, lockrules

log = logging.getLogger(__name__)

SPACE = "__LIBVIRT__DISKS__"
FOLDER = "/var/lib/libvirt/sanlock"
ACTIONS = ("poweroff", "pause")
"""What sanlock's helper can do to a guest that lost its leases; without a word sanlock ends it."""


@dataclass(slots=True)
class Rules:
    """qemu-sanlock.conf."""

    automatic: bool = False
    folder: str = FOLDER
    host: int = 0
    require: bool = False
    timeout: int = 0
    user: str = ""
    group: str = ""

    @classmethod
    def of(cls, driver: Any) -> Rules:
        found = lockrules.read(driver, "qemu-sanlock.conf")
        automatic = found.get("auto_disk_leases", "0") != "0"
        require = found.get("require_lease_for_disks", "0" if automatic else "1") != "0"
        paths = driver.paths
        folder = found.get("disk_lease_dir") or f"{paths.root or ''}{FOLDER}"
        return cls(automatic, folder, int(found.get("host_id", "0")), require and not automatic,
                   int(found.get("io_timeout", "0")), found.get("user", ""), found.get("group", ""))  # fmt: skip


def failed(what: str, error: SanlockError, hint: str = "") -> Error:
    """sanlock's answer as libvirt gives it."""
    if error.number > -200:
        return SystemFailure(what, OSError(-error.number, error.text), origin=Origin.LOCKING)
    kind = ResourceBusy if error.number in (*sanlock.HELD, sanlock.LVER_CHANGED) else InternalError
    return kind(f"{what}: {error.text}", origin=Origin.LOCKING, hint=hint)


class Space:
    """The lockspace of all automatic leases: made and joined once, which takes some twenty seconds."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.rules = Rules.of(driver)
        self._task: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Raises what kept it from being joined; the next call tries again."""
        if not self.rules.automatic:
            return
        if self._task is None or (self._task.done() and (self._task.cancelled() or self._task.exception())):
            self._task = asyncio.ensure_future(asyncio.to_thread(self._join))
        await asyncio.shield(self._task)

    def _join(self) -> None:
        rules = self.rules
        if not rules.host:
            raise InternalError("Automatic disk lease mode enabled, but no host ID is set", origin=Origin.LOCKING,
                                hint="host_id in qemu-sanlock.conf, another one on each host")  # fmt: skip
        path = f"{rules.folder}/{SPACE}"
        try:
            if make(path, rules, f"Unable to create lockspace {path}"):
                sanlock.write_space(SPACE, path, rules.timeout)
        except SanlockError as error:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise failed(f"Unable to initialize lockspace {path}", error) from None
        try:
            sanlock.join(SPACE, path, rules.host, rules.timeout)
        except SanlockError as error:
            raise failed(f"Unable to add lockspace {path}", error, "is another host with this host_id in it?") from None


def make(path: str, rules: Rules, text: str) -> bool:
    """Make the file of a lockspace or lease, all zeroes; False when it was there. Raises SanlockError, SystemFailure."""
    from .identity import group_id, user_id

    mode = 0o660 if rules.user or rules.group else 0o600
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise SystemFailure(text, error, origin=Origin.LOCKING) from error
    try:
        if mode == 0o660:
            os.fchown(fd, user_id(rules.user) if rules.user else -1, group_id(rules.group) if rules.group else -1)
            os.fchmod(fd, mode)
        os.posix_fallocate(fd, 0, sanlock.size_at(path))
        os.fsync(fd)
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError):
            raise SystemFailure(text, error, origin=Origin.LOCKING) from error
        raise
    finally:
        os.close(fd)
    return True


def of(driver: Any) -> Space:
    """The driver's lockspace. Raises ConfigUnsupported where sanlock's library is missing."""
    if driver.lockspace is None:
        try:
            sanlock.library()
        except OSError:
            raise ConfigUnsupported(
                "lock manager 'sanlock' needs libsanlock_client.so.1", origin=Origin.LOCKING,
                hint="install the packages: apt install sanlock libsanlock-client1",
            ) from None  # fmt: skip
        driver.lockspace = Space(driver)
    found: Space = driver.lockspace
    return found


def of_image(space: Space, path: str, shared: bool) -> Lease:
    name = hashlib.md5(os.fsencode(path), usedforsecurity=False).hexdigest()
    return Lease(SPACE, name, f"{space.rules.folder}/{name}", shared=shared)


def wanted(driver: Any, domain: Any) -> list[Lease]:
    """All leases of a guest, disks first. Raises ConfigUnsupported where one is required and none given."""
    space = of(driver)
    found, writes = [], False
    for path, shared in lockrules.images(domain):
        writes = writes or not shared
        if space.rules.automatic:
            found.append(of_image(space, path, shared))
    for lease in live.list_of(domain, "leases"):
        found.append(Lease(str(lease.lockspace), str(lease.key), str(lease.path), int(lease.offset or 0)))
    if space.rules.require and writes and not found:
        raise lockrules.none_given()
    if len(found) > sanlock.MOST:
        raise InternalError(f"Too many resources {sanlock.MOST} for object", origin=Origin.LOCKING)
    return found


async def prepare(start: Any) -> None:
    """Before QEMU is started: its leases exist, and its process will register itself."""
    domain, driver = start.domain, start.driver
    action = domain.on_lockfailure
    if action not in (None, "default", *ACTIONS):
        raise ConfigUnsupported(f"Failure action {action} is not supported by sanlock", origin=Origin.LOCKING)
    await of(driver).ready()
    leases = wanted(driver, domain)
    await asyncio.to_thread(_make_all, driver, leases)
    helper = None if action not in ACTIONS else helper_for(_uri(driver), start.guest.uuid_text, action)
    start.inside = _registration(helper)


def helper_for(uri: str, uuid: str, action: str) -> tuple[str, str]:
    """The program that sanlock runs when the guest's leases are lost."""
    return sys.executable, f"-m kvasir.cli.lock_failure {uri} {uuid} {action}"


def _uri(driver: Any) -> str:
    """By which a program on this host finds this daemon: its URI, or the folder of its sockets (sanlock takes 128 bytes)."""
    return str(driver.paths.run if driver.paths.root else driver.uri)


def _registration(helper: tuple[str, str] | None) -> Callable[[], list[int]]:
    def register() -> list[int]:
        try:
            return [sanlock.register(helper)]
        except SanlockError as error:
            raise RuntimeError(f"Failed to open socket to sanlock daemon: {error.text}") from None

    return register


def _make_all(driver: Any, leases: list[Lease]) -> None:
    rules = of(driver).rules
    for lease in leases:
        if lease.space != SPACE:
            continue
        try:
            if make(lease.path, rules, f"Unable to create lease {lease.path}"):
                try:
                    sanlock.write_lease(lease)
                except SanlockError:
                    os.unlink(lease.path)
                    raise
        except SanlockError as error:
            raise failed(f"Unable to initialize lease {lease.path}", error) from None


async def take(guest: Any, leases: list[Lease]) -> None:
    """Give leases to the running QEMU. Raises ResourceBusy, SystemFailure."""
    if not leases:
        return
    await of(guest.driver).ready()
    await asyncio.to_thread(_make_all, guest.driver, leases)
    try:
        await asyncio.to_thread(sanlock.acquire, guest.run.pid, leases, guest.name)
    except SanlockError as error:
        hint = "sanlock client status, on each host, shows who has it"
        if error.number == sanlock.LVER_CHANGED:
            hint = "somebody else used the disk while this guest was paused: it cannot go on, destroy it"
        raise failed("Failed to acquire lock", error, hint) from None


async def give_back(guest: Any, leases: list[Lease]) -> None:
    """A failure is logged: sanlock gives all back at QEMU's end."""
    if not leases or guest.run is None:
        return
    try:
        await asyncio.to_thread(sanlock.release, guest.run.pid, leases)
    except SanlockError as error:
        if error.number != -2:
            log.warning("guest %s: Failed to release lock: %s", guest.name, error.text)


async def held(guest: Any) -> list[Lease]:
    """What the guest holds. Raises SystemFailure."""
    try:
        return sanlock.parse(await asyncio.to_thread(sanlock.held, guest.run.pid))
    except SanlockError as error:
        raise failed("Failed to inquire lock", error) from None


async def pause(guest: Any) -> str:
    """Give all back; what they were, for ``resume``."""
    try:
        state = await asyncio.to_thread(sanlock.held, guest.run.pid)
    except SanlockError as error:
        log.warning("guest %s: Failed to inquire lock: %s", guest.name, error.text)
        return ""
    await give_back(guest, sanlock.parse(state))
    return state


async def resume(guest: Any, state: str) -> None:
    """Take all that the guest needs now; a lease of before must not have had another owner since."""
    before = {(lease.space, lease.name): lease.version for lease in sanlock.parse(state)}
    leases = [
        Lease(lease.space, lease.name, lease.path, lease.offset, lease.shared,
              before.get((lease.space, lease.name)) if not lease.shared else None)
        for lease in wanted(guest.driver, guest.live)
    ]  # fmt: skip
    await take(guest, leases)
