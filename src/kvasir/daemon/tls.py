"""The daemon's certificates, and the handshake that a client passes before it is one."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import os
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.daemon.config import Config
from kvasir.errors import Error
from kvasir.rpc import tls

if TYPE_CHECKING:
    from kvasir.daemon.service import Listener

log = logging.getLogger(__name__)

WELCOME = b"\x01"
"""What the daemon says inside TLS when it has accepted the client's certificate."""


class ServerTls:
    """Keys and certificates of ``libvirtd.conf`` (defaults below /etc/pki). Raises libvirt's error for what is missing."""

    def __init__(self, config: Config, root: str) -> None:
        self.config, self.root = config, root
        self.context = self._load()

    def reload(self) -> None:
        """Read the files anew; connections that stand keep what they have. On failure the old ones stay."""
        self.context = self._load()

    def _path(self, name: str, default: str) -> str:
        path: str = getattr(self.config, name) or f"{self.root}/etc/pki/{default}"
        return path

    def _load(self) -> ssl.SSLContext:
        ca, crl = self._path("ca_file", "CA/cacert.pem"), self._path("crl_file", "CA/cacrl.pem")
        cert = self._path("cert_file", "libvirt/servercert.pem")
        key = self._path("key_file", "libvirt/private/serverkey.pem")
        for path, what in ((ca, "CA"), (cert, "server")):
            fields = tls.read_certificate(path, what)
            if not self.config.tls_no_sanity_certificate:
                tls.check_times(fields, path, what)
        context = tls.make_context(True, ca, cert, key, crl if os.path.exists(crl) else None)
        context.num_tickets = 0  # a GnuTLS client takes a ticket for the welcome that it waits for
        context.verify_mode = ssl.CERT_NONE if self.config.tls_no_verify_certificate else ssl.CERT_REQUIRED
        tls.apply_priority(context, self.config.tls_priority)
        return context

    def name_of(self, sock: ssl.SSLSocket) -> str:
        """The distinguished name of the client's certificate. Raises PermissionError when the list does not have it."""
        fields: dict[str, Any] = sock.getpeercert() or {}
        name = tls.distinguished_name(fields.get("subject", ()))
        allowed = self.config.tls_allowed_dn_list
        if allowed is None or self.config.tls_no_verify_certificate:
            return name
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed):
            return name
        raise PermissionError(
            f"Client's Distinguished Name is not on the list of allowed names (tls_allowed_dn_list): {name}"
        )


class TlsChannel:
    """Bytes over TLS with the manners of a non-blocking socket."""

    local = False
    secure = True

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock: socket.socket = sock

    def receive(self) -> tuple[bytes, list[int]]:
        """One record's bytes; BlockingIOError when none is whole, b"" at the end."""
        try:
            return self.sock.recv(64 * 1024), []
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except ssl.SSLEOFError:
            return b"", []

    def send(self, data: bytes) -> int:
        """How much was taken; BlockingIOError when nothing."""
        try:
            return self.sock.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


class Handshake:
    """A newcomer on the TLS socket until both sides know each other. ``done(None)`` when it comes to nothing."""

    def __init__(
        self,
        listener: Listener,
        sock: socket.socket,
        seconds: float,
        done: Callable[[Handshake, TlsChannel | None], None],
    ) -> None:
        assert listener.tls is not None
        self._tls, self._done = listener.tls, done
        self.name = ""
        """The client's distinguished name."""
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        sock.setblocking(False)
        self._peer = sock.getpeername()
        self.sock = self._tls.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._fd = self.sock.fileno()
        self._writing = False
        self._over = False
        self._timer = self._loop.call_later(seconds, self.give_up, "the TLS handshake took too long")
        self._loop.add_reader(self._fd, self._step)

    def _step(self) -> None:
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._want_write(False)
        except ssl.SSLWantWriteError:
            self._want_write(True)
        except (OSError, ValueError) as problem:
            self.give_up(f"TLS handshake failed: {problem}")
        else:
            self._check()

    def _check(self) -> None:
        try:
            self.name = self._tls.name_of(self.sock)
            self.sock.send(WELCOME)
        except (OSError, Error) as problem:
            self.give_up(str(problem))
            return
        self._leave()
        self._done(self, TlsChannel(self.sock))

    def _want_write(self, on: bool) -> None:
        if on != self._writing:
            self._writing = on
            if on:
                self._loop.add_writer(self._fd, self._step)
            else:
                self._loop.remove_writer(self._fd)

    def _leave(self) -> None:
        self._over = True
        self._timer.cancel()
        self._want_write(False)
        self._loop.remove_reader(self._fd)

    def give_up(self, why: str) -> None:
        """End it."""
        if self._over:
            return
        log.warning("client %s: %s", self._peer, why)
        self._leave()
        self.sock.close()
        self._done(self, None)
