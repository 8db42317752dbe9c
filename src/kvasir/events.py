"""Events as drivers publish them: ``driver.bus.publish(Lifecycle(guest, event, detail))``.

One small class for each event of libvirt's API; its fields stand in the wire's order. The first field is the object: anything
that has the attributes of its struct on the wire (``name``, ``uuid``, ``id`` for guests), read at the moment of publishing.
``MESSAGES`` says which message carries it to clients that registered by callback id and, where there is one, to clients
that registered the old way. Publish from the daemon's loop only; publishing never waits and never fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, dataclass_transform

log = logging.getLogger(__name__)


@dataclass_transform(frozen_default=True)
class Event:
    """Base: ``KIND`` is the object's sort, ``ID`` the event's number among those of its sort, ``MESSAGE`` its wire name.

    The annotations of a class body are its fields, in order (as a dataclass, but made without generating code: the
    daemon's start is the quicker for it).
    """

    KIND: ClassVar[str]
    ID: ClassVar[int]
    MESSAGE: ClassVar[str]
    LEGACY: ClassVar[str | None] = None
    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        body = cls.__dict__.get("__annotations__", {})  # noqa: RUF063  # inspect costs the start 10 ms
        cls.FIELDS = (*cls.FIELDS, *(name for name, kind in body.items() if "ClassVar" not in str(kind)))

    def __init__(self, *values: Any, **named: Any) -> None:
        for name, value in zip(self.FIELDS, values):  # noqa: B905  # what is left is named, or missing
            named[name] = value
        if len(values) > len(self.FIELDS) or named.keys() != set(self.FIELDS):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.FIELDS)}")
        self.__dict__.update(named)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot assign to field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.FIELDS)})"

    def values(self) -> tuple[Any, ...]:
        """The fields in order."""
        return tuple(getattr(self, name) for name in self.FIELDS)


class DomainEvent(Event):
    """Something happened to a guest."""

    KIND: ClassVar[str] = "domain"
    dom: Any


class Lifecycle(DomainEvent):
    """Defined, started, stopped ...: numbers of virDomainEventType and its details."""

    ID, MESSAGE, LEGACY = 0, "domain_event_callback_lifecycle", "domain_event_lifecycle"
    event: int
    detail: int


class Reboot(DomainEvent):
    """The guest rebooted itself."""

    ID, MESSAGE, LEGACY = 1, "domain_event_callback_reboot", "domain_event_reboot"


class RtcChange(DomainEvent):
    """The guest set its clock; offset in seconds."""

    ID, MESSAGE, LEGACY = 2, "domain_event_callback_rtc_change", "domain_event_rtc_change"
    offset: int


class Watchdog(DomainEvent):
    """The watchdog fired; action is virDomainEventWatchdogAction."""

    ID, MESSAGE, LEGACY = 3, "domain_event_callback_watchdog", "domain_event_watchdog"
    action: int


class IoError(DomainEvent):
    """A disk failed; action is virDomainEventIOErrorAction. Publish ``IoErrorReason`` beside it."""

    ID, MESSAGE, LEGACY = 4, "domain_event_callback_io_error", "domain_event_io_error"
    src_path: str
    alias: str
    action: int


class Graphics(DomainEvent):
    """A viewer came or went. Addresses are (family, node, service), identities (type, name)."""

    ID, MESSAGE, LEGACY = 5, "domain_event_callback_graphics", "domain_event_graphics"
    phase: int
    local: tuple[int, str, str]
    remote: tuple[int, str, str]
    auth_scheme: str
    subject: list[tuple[str, str]]


class IoErrorReason(DomainEvent):
    """As ``IoError`` with QEMU's reason ('enospc' or '')."""

    ID, MESSAGE, LEGACY = 6, "domain_event_callback_io_error_reason", "domain_event_io_error_reason"
    src_path: str
    alias: str
    action: int
    reason: str


class ControlError(DomainEvent):
    """The monitor is lost."""

    ID, MESSAGE, LEGACY = 7, "domain_event_callback_control_error", "domain_event_control_error"


class BlockJob(DomainEvent):
    """A block job changed state, named by source path. Publish ``BlockJob2`` beside it."""

    ID, MESSAGE, LEGACY = 8, "domain_event_callback_block_job", "domain_event_block_job"
    path: str
    type: int
    status: int


class DiskChange(DomainEvent):
    """A disk's source changed."""

    ID, MESSAGE, LEGACY = 9, "domain_event_callback_disk_change", "domain_event_disk_change"
    old_path: str | None
    new_path: str | None
    alias: str
    reason: int


class TrayChange(DomainEvent):
    """A tray was opened (0) or closed (1)."""

    ID, MESSAGE, LEGACY = 10, "domain_event_callback_tray_change", "domain_event_tray_change"
    alias: str
    reason: int


class PmWakeup(DomainEvent):
    """The guest woke up."""

    ID, MESSAGE, LEGACY = 11, "domain_event_callback_pmwakeup", "domain_event_pmwakeup"


class PmSuspend(DomainEvent):
    """The guest suspended itself to memory."""

    ID, MESSAGE, LEGACY = 12, "domain_event_callback_pmsuspend", "domain_event_pmsuspend"


class BalloonChange(DomainEvent):
    """The balloon moved; actual memory in KiB."""

    ID, MESSAGE, LEGACY = 13, "domain_event_callback_balloon_change", "domain_event_balloon_change"
    actual: int


class PmSuspendDisk(DomainEvent):
    """The guest suspended itself to disk."""

    ID, MESSAGE, LEGACY = 14, "domain_event_callback_pmsuspend_disk", "domain_event_pmsuspend_disk"


class DeviceRemoved(DomainEvent):
    """A device is gone from the guest."""

    ID, MESSAGE, LEGACY = 15, "domain_event_callback_device_removed", "domain_event_device_removed"
    alias: str


class BlockJob2(DomainEvent):
    """A block job changed state, named by target (``vda``)."""

    ID, MESSAGE = 16, "domain_event_block_job_2"
    dst: str
    type: int
    status: int


class Tunable(DomainEvent):
    """A tunable changed; typed parameters."""

    ID, MESSAGE = 17, "domain_event_callback_tunable"
    params: list[tuple[str, Any]]


class AgentLifecycle(DomainEvent):
    """The guest agent connected (1) or went (2)."""

    ID, MESSAGE = 18, "domain_event_callback_agent_lifecycle"
    state: int
    reason: int


class DeviceAdded(DomainEvent):
    """A device was plugged in."""

    ID, MESSAGE = 19, "domain_event_callback_device_added"
    alias: str


class MigrationIteration(DomainEvent):
    """A migration began its next pass."""

    ID, MESSAGE = 20, "domain_event_callback_migration_iteration"
    iteration: int


class JobCompleted(DomainEvent):
    """A job ended; typed parameters are its statistics."""

    ID, MESSAGE = 21, "domain_event_callback_job_completed"
    params: list[tuple[str, Any]]


class DeviceRemovalFailed(DomainEvent):
    """The guest refused to give a device up."""

    ID, MESSAGE = 22, "domain_event_callback_device_removal_failed"
    alias: str


class MetadataChange(DomainEvent):
    """Title, description or an element of the metadata changed."""

    ID, MESSAGE = 23, "domain_event_callback_metadata_change"
    type: int
    uri: str | None


class BlockThreshold(DomainEvent):
    """A disk's write offset passed its threshold."""

    ID, MESSAGE = 24, "domain_event_block_threshold"
    dev: str
    path: str | None
    threshold: int
    excess: int


class MemoryFailure(DomainEvent):
    """A memory page broke."""

    ID, MESSAGE = 25, "domain_event_memory_failure"
    recipient: int
    action: int
    flags: int


class MemoryDeviceSizeChange(DomainEvent):
    """The guest took or gave memory of a virtio-mem device; size in KiB."""

    ID, MESSAGE = 26, "domain_event_memory_device_size_change"
    alias: str
    size: int


class NetworkLifecycle(Event):
    """A network was defined, started, stopped ..."""

    KIND, ID, MESSAGE = "network", 0, "network_event_lifecycle"
    net: Any
    event: int
    detail: int


class PoolLifecycle(Event):
    """A storage pool was defined, started, stopped ..."""

    KIND, ID, MESSAGE = "storage_pool", 0, "storage_pool_event_lifecycle"
    pool: Any
    event: int
    detail: int


class PoolRefresh(Event):
    """A storage pool read its volumes anew."""

    KIND, ID, MESSAGE = "storage_pool", 1, "storage_pool_event_refresh"
    pool: Any


class NodeDeviceLifecycle(Event):
    """A host device came or went."""

    KIND, ID, MESSAGE = "node_device", 0, "node_device_event_lifecycle"
    dev: Any
    event: int
    detail: int


class NodeDeviceUpdate(Event):
    """A host device's document changed."""

    KIND, ID, MESSAGE = "node_device", 1, "node_device_event_update"
    dev: Any


class SecretLifecycle(Event):
    """A secret was defined or undefined."""

    KIND, ID, MESSAGE = "secret", 0, "secret_event_lifecycle"
    secret: Any
    event: int
    detail: int


class SecretValueChanged(Event):
    """A secret got a new value."""

    KIND, ID, MESSAGE = "secret", 1, "secret_event_value_changed"
    secret: Any


class MonitorEvent(Event):
    """A raw event of a guest's monitor; details is JSON text."""

    KIND, ID, MESSAGE = "monitor", 0, "domain_monitor_event"
    dom: Any
    event: str
    seconds: int
    micros: int
    details: str | None


ALL: tuple[type[Event], ...] = (
    *(Lifecycle, Reboot, RtcChange, Watchdog, IoError, Graphics, IoErrorReason, ControlError, BlockJob, DiskChange),
    *(TrayChange, PmWakeup, PmSuspend, BalloonChange, PmSuspendDisk, DeviceRemoved, BlockJob2, Tunable, AgentLifecycle),
    *(
        DeviceAdded,
        MigrationIteration,
        JobCompleted,
        DeviceRemovalFailed,
        MetadataChange,
        BlockThreshold,
        MemoryFailure,
    ),
    *(MemoryDeviceSizeChange, NetworkLifecycle, PoolLifecycle, PoolRefresh, NodeDeviceLifecycle, NodeDeviceUpdate),
    *(SecretLifecycle, SecretValueChanged, MonitorEvent),
)

Subscriber: TypeAlias = Callable[[Event], None]


class Bus:
    """Takes events from a driver to whoever subscribed."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def publish(self, event: Event) -> None:
        """Hand the event to every subscriber; one that fails is logged and holds nobody up."""
        for subscriber in list(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                log.exception("cannot deliver %s", type(event).__name__)
