"""States of a guest with their reasons, and the numbers and words that libvirt gives them."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """What a guest does (``virDomainState``)."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7


class Running(IntEnum):
    """Why a guest runs."""

    UNKNOWN = 0
    BOOTED = 1
    MIGRATED = 2
    RESTORED = 3
    FROM_SNAPSHOT = 4
    UNPAUSED = 5
    MIGRATION_CANCELED = 6
    SAVE_CANCELED = 7
    WAKEUP = 8
    CRASHED = 9
    POSTCOPY = 10
    POSTCOPY_FAILED = 11


class Paused(IntEnum):
    """Why a guest is paused."""

    UNKNOWN = 0
    USER = 1
    MIGRATION = 2
    SAVE = 3
    DUMP = 4
    IOERROR = 5
    WATCHDOG = 6
    FROM_SNAPSHOT = 7
    SHUTTING_DOWN = 8
    SNAPSHOT = 9
    CRASHED = 10
    STARTING_UP = 11
    POSTCOPY = 12
    POSTCOPY_FAILED = 13


class Shutdown(IntEnum):
    """Why a guest is going down."""

    UNKNOWN = 0
    USER = 1


class Shutoff(IntEnum):
    """Why a guest is off."""

    UNKNOWN = 0
    SHUTDOWN = 1
    DESTROYED = 2
    CRASHED = 3
    MIGRATED = 4
    SAVED = 5
    FAILED = 6
    FROM_SNAPSHOT = 7
    DAEMON = 8


class Crashed(IntEnum):
    """Why a guest counts as crashed."""

    UNKNOWN = 0
    PANICKED = 1


STATE_WORDS = ("nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended")

REASON_WORDS: dict[State, tuple[str, ...]] = {
    State.NOSTATE: ("unknown",),
    State.RUNNING: (
        "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled",
        "save canceled", "wakeup", "crashed", "post-copy", "post-copy failed",
    ),
    State.BLOCKED: ("unknown",),
    State.PAUSED: (
        "unknown", "user", "migration", "save", "dump", "ioerror", "watchdog", "from snapshot", "shutdown",
        "snapshot", "panicked", "starting up", "post-copy", "post-copy failed",
    ),
    State.SHUTDOWN: ("unknown", "user"),
    State.SHUTOFF: (
        "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon",
    ),
    State.CRASHED: ("unknown", "panicked"),
    State.PMSUSPENDED: ("unknown",),
}  # fmt: skip
"""The words of status documents and of the end of a guest's log."""


def reason_word(state: State, reason: int) -> str:
    """The word of a reason; ``unknown`` for a number that the state does not have."""
    words = REASON_WORDS[state]
    return words[reason] if 0 <= reason < len(words) else "unknown"


def reason_number(state: State, word: str) -> int:
    """The number of a reason's word; 0 for a word that the state does not have."""
    words = REASON_WORDS[state]
    return words.index(word) if word in words else 0


class Lifecycle(IntEnum):
    """Lifecycle events (``virDomainEventType``)."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    SUSPENDED = 3
    RESUMED = 4
    STOPPED = 5
    SHUTDOWN = 6
    PMSUSPENDED = 7
    CRASHED = 8


class Detail:
    """Details of lifecycle events, by event."""

    DEFINED_ADDED, DEFINED_UPDATED, DEFINED_RENAMED, DEFINED_FROM_SNAPSHOT = range(4)
    UNDEFINED_REMOVED, UNDEFINED_RENAMED = range(2)
    STARTED_BOOTED, STARTED_MIGRATED, STARTED_RESTORED, STARTED_FROM_SNAPSHOT, STARTED_WAKEUP = range(5)
    (
        SUSPENDED_PAUSED, SUSPENDED_MIGRATED, SUSPENDED_IOERROR, SUSPENDED_WATCHDOG, SUSPENDED_RESTORED,
        SUSPENDED_FROM_SNAPSHOT, SUSPENDED_API_ERROR, SUSPENDED_POSTCOPY, SUSPENDED_POSTCOPY_FAILED,
    ) = range(9)  # fmt: skip
    RESUMED_UNPAUSED, RESUMED_MIGRATED, RESUMED_FROM_SNAPSHOT, RESUMED_POSTCOPY, RESUMED_POSTCOPY_FAILED = range(5)
    (
        STOPPED_SHUTDOWN, STOPPED_DESTROYED, STOPPED_CRASHED, STOPPED_MIGRATED, STOPPED_SAVED, STOPPED_FAILED,
        STOPPED_FROM_SNAPSHOT,
    ) = range(7)  # fmt: skip
    SHUTDOWN_FINISHED, SHUTDOWN_GUEST, SHUTDOWN_HOST = range(3)
    PMSUSPENDED_MEMORY, PMSUSPENDED_DISK = range(2)
    CRASHED_PANICKED, CRASHED_CRASHLOADED = range(2)


STOPPED_DETAIL = {
    Shutoff.UNKNOWN: Detail.STOPPED_SHUTDOWN,
    Shutoff.SHUTDOWN: Detail.STOPPED_SHUTDOWN,
    Shutoff.DESTROYED: Detail.STOPPED_DESTROYED,
    Shutoff.CRASHED: Detail.STOPPED_CRASHED,
    Shutoff.MIGRATED: Detail.STOPPED_MIGRATED,
    Shutoff.SAVED: Detail.STOPPED_SAVED,
    Shutoff.FAILED: Detail.STOPPED_FAILED,
    Shutoff.FROM_SNAPSHOT: Detail.STOPPED_FROM_SNAPSHOT,
    Shutoff.DAEMON: Detail.STOPPED_FAILED,
}
