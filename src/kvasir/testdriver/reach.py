"""Which guest of the test driver a call means, and which of its definitions."""

from __future__ import annotations

from typing import Any, NamedTuple

from kvasir.calls.filters import (
    ACTIVE,
    AUTOSTART,
    CHECKPOINT,
    INACTIVE,
    NO_AUTOSTART,
    NO_CHECKPOINT,
    NO_SNAPSHOT,
    NOT_SAVED,
    OTHER,
    PAUSED,
    PERSISTENT,
    RUNNING,
    SAVED,
    SHUTOFF,
    SNAPSHOT,
    TRANSIENT,
    passes,
)
from kvasir.calls.guests import meant
from kvasir.errors import InvalidArg, Origin
from kvasir.qemu.states import State
from kvasir.testdriver.guest import Guest

LIVE, CONFIG = 1, 2


class Handle(NamedTuple):
    """A snapshot or checkpoint as the wire names it."""

    name: str
    dom: Any


def guest(session: Any, dom: Any) -> Guest:
    """The guest that a call names. Raises NoDomain."""
    found: Guest = session.driver.lookup_uuid(dom.uuid, dom.name)
    return found


def definitions(one: Guest, flags: int) -> list[Any]:
    """The definitions that a change is for, the live one first. Raises OperationInvalid."""
    live, config = meant(one, flags)
    return ([one.live] if live else []) + ([one.config] if config else [])


def one_definition(one: Guest, flags: int) -> Any:
    """The one that a call is for. Raises InvalidArg where it is for both."""
    if flags & (LIVE | CONFIG) == LIVE | CONFIG:
        text = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
        raise InvalidArg(text, message=text, origin=Origin.DOMAIN)
    return definitions(one, flags & (LIVE | CONFIG))[0]


def selected(one: Guest, flags: int) -> bool:
    """Whether a guest passes the filters of a list."""
    snapshots = bool(one.driver.snapshot_trees.get(one).known)
    pairs = (
        (ACTIVE, INACTIVE, one.active), (PERSISTENT, TRANSIENT, one.persistent),
        (AUTOSTART, NO_AUTOSTART, one.autostart), (SAVED, NOT_SAVED, one.saved),
        (SNAPSHOT, NO_SNAPSHOT, snapshots), (CHECKPOINT, NO_CHECKPOINT, bool(one.checkpoints)),
    )  # fmt: skip
    if not passes(flags, *pairs):
        return False
    states = {State.RUNNING: RUNNING, State.PAUSED: PAUSED, State.SHUTOFF: SHUTOFF}
    mask = RUNNING | PAUSED | SHUTOFF | OTHER
    return not flags & mask or bool(flags & states.get(one.state, OTHER))
