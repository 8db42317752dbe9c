"""A change of a guest's tuning: which definitions it is for, and the group that governs it. No procedures."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from kvasir.calls.guests import impact
from kvasir.errors import OperationInvalid, OperationUnsupported
from kvasir.qemu import statusdoc
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.host.cgroup import Group
    from kvasir.qemu.guest import Guest

STRING_OKAY = 4
"""The client understands typed parameters that are strings."""


def privileged(found: Guest, what: str) -> None:
    """Raises OperationUnsupported in a session."""
    if not found.driver.privileged:
        raise OperationUnsupported(f"{what} tuning is not available in session mode")


def controller(found: Guest, name: str, shown: str = "") -> Group:
    """The running guest's group, governed by that controller. Raises OperationInvalid."""
    group: Group | None = found.need_active().cgroup
    if group is None or not group.has(name):
        if name == "blkio":
            raise OperationInvalid("blkio cgroup isn't mounted")
        raise OperationInvalid(f"cgroup {shown or name} controller is not mounted")
    return group


class Change:
    """A change of a guest's definitions: ``live`` and ``config`` are those to change, None where they are not meant."""

    def __init__(self, found: Guest, flags: int) -> None:
        self.guest, self.flags = found, flags
        self.live: Any = None
        self.config: Any = None
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Change:
        await self.stack.enter_async_context(self.guest.jobs.normal(Kind.MODIFY))
        try:
            in_live, in_config = impact(self.guest, self.flags)
            self.live = self.guest.live if in_live else None
            self.config = self.guest.config.copy() if in_config else None
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if self.live is not None:
                statusdoc.save(self.guest)
            if error is None and self.config is not None:
                await self.guest.driver.rewrite(self.guest, self.config)
        finally:
            await self.stack.aclose()

    @property
    def domains(self) -> list[Any]:
        """The definitions to change."""
        return [domain for domain in (self.live, self.config) if domain is not None]
