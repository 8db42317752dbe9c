"""Listening sockets: made at libvirt's paths or taken from systemd, and the lock that keeps two daemons apart."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import logging
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvasir.daemon import identity
from kvasir.daemon.service import Listener
from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.tls import ServerTls

log = logging.getLogger(__name__)

RW, RO, ADMIN = "libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"
_FLOCK = struct.Struct("hhqqi4x")


class AnotherDaemon(Error):
    """The folders are served by another process."""

    code = Code.RESOURCE_BUSY

    def __init__(self, what: str, pid: int) -> None:
        who = f"process {pid} ({_command(pid)})" if pid > 0 else "another process"
        super().__init__(
            f"{what} is held by {who}",
            origin=Origin.RPC,
            message=f"resource busy: {what} is held by {who}; stop it first, or use --root DIR",
        )


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read(4096).rstrip(b"\0").split(b"\0")
    except OSError:
        return "gone"
    return b" ".join(words).decode("utf-8", "replace")[:200] or "?"


class PidFile:
    """The file that says which process serves; locked while it lives, as libvirt locks it."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._fd = self._lock()
        while not self._is_the_file():  # a daemon that ended just now took the file away between open and lock
            os.close(self._fd)
            self._fd = self._lock()
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())

    def _lock(self) -> int:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError:
            ask = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
            pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, ask))[4]
            os.close(fd)
            raise AnotherDaemon(self.path, pid) from None
        return fd

    def _is_the_file(self) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._fd))

    def remove(self) -> None:
        """At the end of the daemon."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A socket that the daemon listens on."""

    path: str
    mode: int
    group: int | None = None
    readonly: bool = False
    auth: str = "none"


def group_id(name: str | None) -> int | None:
    """The number of a group; None when no group is named."""
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        text = f"unable to find the group '{name}' of unix_sock_group"
        raise Error(text, code=Code.CONF_SYNTAX, origin=Origin.CONF) from None


def listen(wanted: Wanted, backlog: int) -> Listener:
    """Make the socket; a stale file is replaced, one that somebody serves is left alone and named."""
    os.makedirs(os.path.dirname(wanted.path), exist_ok=True)
    _refuse_served(wanted.path)
    if len(os.fsencode(wanted.path)) > 107:
        raise Error(f"the path of the socket is too long: {wanted.path}", code=Code.SYSTEM_ERROR, origin=Origin.RPC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    old = os.umask(0o777 & ~wanted.mode)
    try:
        sock.bind(wanted.path)
    except OSError as problem:
        sock.close()
        text = f"Failed to bind socket to '{wanted.path}': {problem.strerror}"
        raise Error(text, code=Code.SYSTEM_ERROR, origin=Origin.RPC, int1=problem.errno or 0) from None
    finally:
        os.umask(old)
    if wanted.group is not None:
        os.chown(wanted.path, -1, wanted.group)
    sock.listen(backlog)
    return Listener(sock, wanted.path, wanted.readonly, wanted.auth)


class NoNetwork(Error):
    """The daemon cannot listen on the network."""

    code = Code.CONFIG_UNSUPPORTED
    exit_code = 6

    def __init__(self, text: str, code: Code = Code.CONFIG_UNSUPPORTED) -> None:
        prefix = "unsupported configuration: " if code == Code.CONFIG_UNSUPPORTED else ""
        super().__init__(text, code=code, origin=Origin.RPC, message=prefix + text)


def listen_tcp(address: str | None, port: str, auth: str, backlog: int, tls: ServerTls | None = None) -> list[Listener]:
    """Listen on TCP, plain or with TLS, on every address that ``address`` means (none: all)."""
    found: list[Listener] = []
    try:
        for family, kind, number, _, place in socket.getaddrinfo(
            address or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                sock = socket.socket(family, kind | socket.SOCK_CLOEXEC, number)
            except OSError:
                continue  # no IPv6 here
            found.append(Listener(sock, f"{address or '*'}:{port} ({family.name})", auth=auth, ours=False, tls=tls))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(place)
            sock.listen(backlog)
    except (OSError, ValueError) as problem:
        for listener in found:
            listener.sock.close()
        raise NoNetwork(f"Unable to listen on port {port}: {problem}", Code.SYSTEM_ERROR) from None
    return found


def _refuse_served(path: str) -> None:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    probe.settimeout(2)
    try:
        probe.connect(path)
    except FileNotFoundError:
        return
    except OSError:
        os.unlink(path)
        log.info("removed the stale socket %s", path)
        return
    else:
        raise AnotherDaemon(path, identity.of_peer(probe).pid)
    finally:
        probe.close()


def activated() -> dict[str, socket.socket]:
    """Sockets that systemd passed, by file name (``libvirt-sock``, ...). Clears the environment of them."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or (pid and pid != str(os.getpid())):
        return {}
    found: dict[str, socket.socket] = {}
    for fd in range(3, 3 + int(count)):
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        name = sock.getsockname()
        if sock.family != socket.AF_UNIX or not isinstance(name, str):
            raise Error(f"descriptor {fd} from systemd is no unix socket", code=Code.INTERNAL_ERROR, origin=Origin.RPC)
        base = os.path.basename(name)
        for known in (RO, ADMIN, RW):
            if base == known or base == known.replace("libvirt", "virtqemud"):
                found[known] = sock
    return found


def notify(state: str) -> None:
    """Tell systemd (``READY=1``, ``STOPPING=1``); does nothing where it does not run us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError as problem:
            log.warning("cannot notify systemd: %s", problem)
