"""What a forward mode does for the driver. All methods block and run outside of the daemon's loop."""

from __future__ import annotations

import contextlib
from typing import Any

from kvasir.errors import InternalError, Origin
from kvasir.model.network_port import Plug


class Kind:
    """The behaviour of one forward mode; ``net`` is the ``VirtualNetwork``, ``files`` where the driver keeps things."""

    def __init__(self, net: Any, files: Any) -> None:
        self.net, self.files, self.document = net, files, net.document

    def fill(self) -> None:
        """Complete the running document before the start."""

    def check(self) -> None:
        """Refuse a document that this host cannot have. Raises kvasir errors."""

    def start(self, undo: contextlib.ExitStack) -> None:
        """Make the network real; what is made is pushed on ``undo``."""

    def stop(self) -> None:
        """The reverse of ``start``; never fails."""

    def forget(self) -> None:
        """The network is no longer known: remove what was kept of it."""

    def adopt(self) -> bool:
        """Whether the network is still there after a restart of the daemon."""
        return True

    def refresh(self) -> None:
        """Put rules and helpers back that were lost (after a restart of the daemon or a flush of the firewall)."""

    def changed(self, section: str, old: Any) -> None:
        """The running document changed from ``old``."""

    def plug(self, port: Any) -> Plug:
        """Where a guest's port is plugged in. Raises InternalError where nothing is free."""
        raise NotImplementedError

    def plugged(self, port: Any) -> None:
        """A port was made."""

    def unplugged(self, port: Any) -> None:
        """A port is gone."""

    def least_used(self, pool: list[Any], *, exclusive: bool = False) -> Any:
        """The member of a pool with the fewest guests. Raises InternalError when none is free."""
        uses = [(sum(self.net.uses(port, one) for port in self.net.ports.values()), at) for at, one in enumerate(pool)]
        if not uses:
            raise self.none_left()
        count, at = min(uses)
        if exclusive and count:
            raise self.none_left()
        return pool[at]

    def none_left(self) -> InternalError:
        text = f"network '{self.net.name}' requires exclusive access to interfaces, but none are available"
        return InternalError(text, origin=Origin.NETWORK)
