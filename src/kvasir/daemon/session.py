"""What a procedure sees of the connection that calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kvasir.errors import Code, Error, Origin

if TYPE_CHECKING:
    from kvasir.daemon.app import Daemon
    from kvasir.daemon.client import Client
    from kvasir.daemon.hub import Hub
    from kvasir.daemon.identity import Identity
    from kvasir.daemon.streams import Pump
    from kvasir.rpc.programs import Procedure


class Session:
    """The first argument of every procedure: one call of one connection."""

    __slots__ = ("client", "fds", "procedure", "pump", "returned_fds", "serial")

    def __init__(self, client: Client, procedure: Procedure, serial: int, fds: list[int]) -> None:
        self.client = client
        """The connection; the same object for all its calls, so it serves as a key (autodestroy)."""
        self.procedure, self.serial = procedure, serial
        self.fds = fds
        """Descriptors that came with the call. Those left in the list are closed after it; take what you keep."""
        self.returned_fds: list[int] = []
        self.pump: Pump | None = None

    @property
    def daemon(self) -> Daemon:
        """The daemon with its configuration, paths and drivers."""
        return self.client.service.daemon

    @property
    def driver(self) -> Any:
        """The hypervisor driver that connect_open chose."""
        found = self.client.driver
        if found is None:
            raise Error(
                "hypervisor connection not open",
                code=Code.INTERNAL_ERROR,
                origin=Origin.RPC,
                message="internal error: hypervisor connection not open",
            )
        return found

    def require_open(self) -> None:
        """Refuse what comes before connect_open."""
        if self.procedure.program.name != "admin":
            self.driver  # noqa: B018  # raises

    def other(self, name: str) -> Any:
        """Another driver of the daemon: 'storage', 'network', 'secret', ...; without it the procedure is not supported."""
        self.require_open()
        found = self.daemon.drivers.get(name)
        if found is None:
            raise Error(
                f"the daemon has no {name} driver",
                code=Code.NO_SUPPORT,
                origin=Origin.NONE,
                message="this function is not supported by the connection driver",
            )
        return found

    @property
    def readonly(self) -> bool:
        return self.client.readonly

    @property
    def identity(self) -> Identity:
        return self.client.identity

    @property
    def events(self) -> Hub:
        """Where the connection registers for events."""
        own: Hub | None = getattr(self.client.driver, "hub", None)
        return self.daemon.hub if own is None else own

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call this when the connection ends."""
        self.client.on_close(callback)

    def open_stream(self, pump: Pump) -> None:
        """Open the stream of this call; ``pump`` runs after the reply (see ``kvasir.daemon.streams``)."""
        if not self.procedure.stream:
            raise TypeError(f"{self.procedure.name} has no stream")
        self.pump = pump

    def return_fds(self, fds: list[int]) -> None:
        """Send descriptors with the reply; they are closed here afterwards."""
        self.returned_fds = list(fds)
