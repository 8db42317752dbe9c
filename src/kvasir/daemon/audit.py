"""The trail of changes: one line for each call that may change something, and libvirt's records of guests that begin and end.

``audit_level = 0`` writes nothing; 1 (the default) writes to the kernel's audit trail where that is on, 2 demands it. With
``audit_logging = 1`` every line goes to the daemon's log as well. Values are quoted as the audit trail wants them: what holds a
blank or a quote is written in hexadecimal.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import uuid
from typing import TYPE_CHECKING, Any, Final

from kvasir.errors import Code, Error, Origin
from kvasir.qemu.trail import quoted

if TYPE_CHECKING:
    from kvasir.daemon.client import Client
    from kvasir.daemon.config import Config
    from kvasir.events import Event
    from kvasir.rpc.programs import Procedure

log = logging.getLogger(__name__)

CONFIG, CONTROL, RESOURCE, MACHINE_ID = 1111, 2500, 2501, 2502
RECORDS = {"control": CONTROL, "resource": RESOURCE, "machine-id": MACHINE_ID}
_GET, _ACK, _REQUEST = 1000, 4, 1
_HEADER: Final = struct.Struct("=IHHII")
_NETLINK_AUDIT = 9
STARTED, STOPPED, LIFECYCLE = 2, 5, 0
_BOOTED: Final = {0: "booted", 1: "migrated", 2: "restored", 3: "from-snapshot", 4: "wakeup"}
_ENDED: Final = {
    0: "shutdown",
    1: "destroyed",
    2: "crashed",
    3: "migrated",
    4: "saved",
    5: "failed",
    6: "from-snapshot",
}


CHANGES: Final = frozenset(
    [
        *("client_close", "connect_set_daemon_timeout", "connect_set_logging_filters", "connect_set_logging_outputs"),
        *("server_set_client_limits", "server_set_threadpool_parameters", "server_update_tls_files"),
    ]
)
"""Calls of the admin program that change the daemon."""


class Audit:
    """Where the lines go. Raises CONFIG_UNSUPPORTED when ``audit_level`` demands a trail that is not there."""

    def __init__(self, config: Config) -> None:
        self.level, self.logging = config.audit_level, config.audit_logging
        self._kinds: dict[str, str] = {}  # the sort of a guest whose document has gone when its end is told
        self._sock: socket.socket | None = None
        if self.level > 0:
            self._sock = _open()
            if self._sock is None and self.level > 1:
                text = "audit_level = 2, and the kernel's audit trail is not on"
                raise Error(text, code=Code.CONFIG_UNSUPPORTED, origin=Origin.CONF)

    @property
    def wanted(self) -> bool:
        """Whether anybody reads the lines."""
        return self.level > 0 and (self._sock is not None or self.logging)

    def call(self, client: Client, procedure: Procedure, arguments: dict[str, Any], problem: Exception | None) -> None:
        """A call that may change something is done."""
        who = client.identity
        fields = [f"op={procedure.name}", f"uid={who.uid if client.is_local else -1}", f"pid={who.pid}"]
        for name, value in (("sasl", client.sasl_user), ("dn", client.x509_name)):
            if value:
                fields.append(f"{name}={quoted(value)}")
        fields += [f"{name}={value}" for name, value in _objects(arguments)]
        fields.append(f"res={'failed' if problem is not None else 'success'}")
        self._write(CONFIG, "call", " ".join(fields))

    def record(self, kind: str, text: str, ok: bool) -> None:
        """What a driver says of a guest and its resources."""
        self._write(RECORDS[kind], kind, f"{text} res={'success' if ok else 'failed'}")

    def event(self, event: Event) -> None:
        """A guest began or ended (libvirt's VIRT_CONTROL record)."""
        if event.KIND != "domain" or event.ID != LIFECYCLE:
            return
        guest, what, detail = event.values()[:3]
        kind = getattr(getattr(guest, "current", None), "type", None) or self._kinds.get(guest.name, "kvm")
        names = f"vm={quoted(guest.name)} uuid={uuid.UUID(bytes=bytes(guest.uuid))}"
        if what == STARTED:
            self._kinds[guest.name] = kind
            pid = getattr(getattr(guest, "run", None), "pid", 0) or 0
            self._write(
                CONTROL,
                "control",
                f"virt={kind} op=start reason={_BOOTED.get(detail, detail)} {names} vm-pid={pid} res=success",
            )
        elif what == STOPPED:
            self._kinds.pop(guest.name, None)
            self._write(
                CONTROL,
                "control",
                f"virt={kind} op=stop reason={_ENDED.get(detail, detail)} {names} vm-pid=0 res=success",
            )

    def _write(self, kind: int, what: str, text: str) -> None:
        if self.logging:
            log.info("audit %s: %s", what, text)
        if self._sock is not None:
            payload = text.encode("utf-8", "replace")[:8000] + b"\0"
            try:
                self._sock.send(_HEADER.pack(16 + len(payload), kind, _REQUEST, 0, 0) + payload)
            except OSError as problem:
                log.warning("the audit trail does not take records any more: %s", problem)
                self._sock.close()
                self._sock = None


def _objects(arguments: dict[str, Any]) -> list[tuple[str, str]]:
    """What the call is about: the objects among its arguments; documents and values are left out."""
    found = []
    for name, value in arguments.items():
        if isinstance(value, tuple) and hasattr(value, "name"):
            found.append((name, quoted(str(value.name))))
        elif isinstance(value, tuple) and hasattr(value, "uuid"):
            found.append((name, str(uuid.UUID(bytes=bytes(value.uuid)))))
        elif isinstance(value, tuple) and hasattr(value, "dom"):
            found.append((name, quoted(str(value.dom.name))))
        elif name == "name" and isinstance(value, str):
            found.append((name, quoted(value)))
    return found


def _open() -> socket.socket | None:
    """The kernel's audit socket, where records are taken from us; None where not (no audit, or no rights)."""
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_AUDIT)
    except OSError:
        return None
    try:
        sock.settimeout(0.5)
        sock.send(_HEADER.pack(16, _GET, _REQUEST | _ACK, 1, os.getpid()))
        for _ in range(2):
            data = sock.recv(8192)
            length, kind = _HEADER.unpack_from(data)[:2]
            if kind == _GET and length >= 24 and struct.unpack_from("=II", data, 16)[1] == 1:
                sock.setblocking(False)
                return sock
    except (OSError, struct.error):
        pass
    sock.close()
    return None
