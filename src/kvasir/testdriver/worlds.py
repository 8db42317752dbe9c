"""Which world of the test driver a URI means."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kvasir.errors import InternalError, Origin
from kvasir.rpc.programs import REMOTE

from . import first
from .texts import text_of

if TYPE_CHECKING:
    from .driver import TestDriver

CALLS = (
    "host",
    "guests",
    "changes",
    "threads",
    "tuning",
    "numbers",
    "agent",
    "snapshots",
    "checkpoints",
    "networks",
    "pools",
    "interfaces",
    "devices",
)
"""The modules of ``kvasir.testdriver.calls``."""


class TestWorlds:
    """One world for all who have ``test:///default`` open at a time, one of its own for each ``test:///FILE``."""

    __test__ = False

    def __init__(self, paths: Any = None, config: Any = None) -> None:
        self.default: TestDriver | None = None

    async def start(self) -> None:
        """Nothing runs."""

    async def stop(self) -> None:
        """Nothing is kept."""

    def open(self, uri: str | None, client: Any) -> TestDriver:
        """The world of a URI, made when it is new. Raises Error for a URI or file that is none."""
        from .driver import TestDriver

        path = urlsplit(uri or "").path
        if path in ("", "/"):
            raise InternalError("testOpen: supply a path or use test:///default", origin=Origin.NONE)
        if path == "/default":
            world = self.default = self.default or TestDriver("test:///default", first.DEFAULT, procedures)
        else:
            world = TestDriver(str(uri), text_of(path), procedures)
        world.users += 1
        client.on_close(lambda: self._left(world, client))
        return world

    def _left(self, world: TestDriver, client: Any) -> None:
        world.hub.forget(client)
        world.users -= 1
        if world.users == 0 and self.default is world:
            self.default = None


@cache
def procedures(program: int) -> dict[int, Any]:
    """The procedures that a world serves, by number."""
    from importlib import import_module

    from kvasir.daemon.dispatch import Entry, served_by
    from kvasir.testdriver.flags import checked

    if program != REMOTE.id:
        return {}
    names = ["kvasir.calls.connection", "kvasir.calls.events", *(f"kvasir.testdriver.calls.{name}" for name in CALLS)]
    return {
        procedure.number: Entry(procedure, checked(procedure.name, function))
        for name in names
        for procedure, function in served_by(import_module(name), REMOTE)
    }
