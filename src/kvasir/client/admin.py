"""The administration of a daemon (program ``admin``): its servers, their clients, workers, limits and logs."""

from __future__ import annotations

import _socket
import os

from kvasir.client import uri as uris
from kvasir.client.link import Link
from kvasir.errors import Code, ConfigUnsupported, Error, Origin
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DAEMONS = ("libvirtd", "virtqemud", "virtnetworkd", "virtstoraged", "virtlogd", "virtlockd", "virtproxyd")


class AdminConnection:
    """A connection to a daemon's admin socket; every procedure of the program is a method: ``call(NAME, ...)``."""

    def __init__(self, link: Link, text: str) -> None:
        self.link, self.text = link, text

    def call(self, name: str, *values: Any) -> Any:
        """A procedure by its name in the admin program. Raises Error."""
        return self.link.call(programs.ADMIN[name], values)

    def close(self) -> None:
        """Say good-bye."""
        if not self.link.broken:
            self.link.closed = True
            try:  # noqa: SIM105  # contextlib costs a client's start a millisecond
                self.call("connect_close")
            except Error:
                pass
        self.link.close()


def socket_of(uri: uris.Uri) -> str:
    """The admin socket that a URI means. Raises ConfigUnsupported."""
    scheme = uri.driver + (f"+{uri.transport}" if uri.transport else "")
    if uri.driver not in DAEMONS or uri.transport not in ("", "unix"):
        raise ConfigUnsupported(f"Unsupported URI scheme '{scheme}'", origin=Origin.ADMIN)
    given = uri.parameter("socket")
    if given is not None:
        return given
    own = "/system" if os.geteuid() == 0 else "/session"
    if uri.path not in ("/system", "/session"):
        raise ConfigUnsupported(f"Invalid URI path '{uri.path}', try '{own}'", origin=Origin.ADMIN)
    if uri.path == "/system":
        folder = (uris.root() + "/run" if uris.root() else "/var/run") + "/libvirt"
    else:
        folder = (os.environ.get("XDG_RUNTIME_DIR") or os.path.expanduser("~/.cache")) + "/libvirt"
    name = "libvirt" if uri.driver == "libvirtd" else uri.driver
    return f"{folder}/{name}-admin-sock"


def open_admin(text: str | None) -> AdminConnection:
    """Connect; None is the local daemon. Raises Error."""
    text = text or f"libvirtd:///{'system' if os.geteuid() == 0 else 'session'}"
    path = socket_of(uris.Uri(text))
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        channel.connect(path)
    except OSError as problem:
        channel.close()
        words = f"Failed to connect socket to '{path}': {problem.strerror}"
        raise Error(words, code=Code.SYSTEM_ERROR, origin=Origin.RPC, int1=problem.errno or 0) from None
    log = uris.debug_log()
    connection = AdminConnection(Link(channel) if log is None else log.link(channel, text), text)
    connection.call("connect_open", 0)
    return connection
