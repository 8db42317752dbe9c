"""Connections to one of the other drivers alone: ``secret:///system``, ``network:///system``, ...

Such a connection has the driver's own procedures, its events and what every connection has; all else is not supported.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from kvasir.rpc.programs import REMOTE

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "interface": ("interface",),
    "network": ("network",),
    "nodedev": ("nodedev",),
    "nwfilter": ("nwfilter",),
    "secret": ("secret",),
    "storage": ("storage", "storage_volumes"),
}
"""The modules of ``kvasir.calls`` that belong to each driver."""
EVENTS: Final = {"network": "network", "nodedev": "node_device", "secret": "secret", "storage": "storage_pool"}
FEATURES: Final = frozenset({9})
"""Typed strings."""
NEVER: Final = frozenset({"connect_get_hostname"})


class Single:
    """The driver of such a connection: see ``kvasir.daemon.drivers``."""

    FEATURES = FEATURES

    def __init__(self, name: str, path: str) -> None:
        self.TYPE, self.uri = name, f"{name}://{path}"

    def CALLS(self, program: int) -> dict[int, Any]:
        """The procedures that it serves, by number."""
        return _procedures(self.TYPE) if program == REMOTE.id else {}


@cache
def _procedures(name: str) -> dict[int, Any]:
    from kvasir.daemon.dispatch import Entry, served_by

    found = {
        procedure.name: Entry(procedure, function)
        for module in ("connection", "events", *MODULES[name])
        for procedure, function in served_by(import_module(f"kvasir.calls.{module}"), REMOTE)
        if procedure.name not in NEVER and (module != "events" or _own_event(procedure.name, EVENTS.get(name, "none")))
    }
    if name == "storage":
        found["connect_get_capabilities"] = Entry(REMOTE["connect_get_capabilities"], _capabilities)
    return {entry.procedure.number: entry for entry in found.values()}


def _own_event(procedure: str, kind: str) -> bool:
    return procedure.startswith(f"connect_{kind}_event_")


def _capabilities(session: Session) -> str:
    """The types of pools, in the words of this connection."""
    from kvasir.calls.storage import connect_get_storage_pool_capabilities

    whole = connect_get_storage_pool_capabilities(session, 0)
    types = re.findall(r"<pool type='([^']*)' supported='yes'", whole)
    values = "".join(f"      <value>{one}</value>\n" for one in types)
    return f"<capabilities>\n\n  <pool>\n    <enum name='type'>\n{values}    </enum>\n  </pool>\n\n</capabilities>\n"
