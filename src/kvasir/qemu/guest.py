"""A guest: its name, its two definitions, its state with the reason, and what it has while it runs."""

from __future__ import annotations

import asyncio
import time
import uuid as uuids
import zlib
from typing import TYPE_CHECKING, Any

from kvasir.errors import InternalError, OperationInvalid, Origin

from .jobs import Jobs
from .states import Paused, Running, State

if TYPE_CHECKING:
    from .agent import Agent
    from .monitor import Monitor
    from .process import Watch


def short_name(name: str) -> str:
    """The name as it stands in folder names: at most 20 characters, so that socket paths stay short enough."""
    return name[:20]


class Runtime:
    """What a guest has while it runs."""

    def __init__(self) -> None:
        self.monitor: Monitor | None = None
        self.agent: Agent | None = None
        self.pid = 0
        self.watch: Watch | None = None
        self.monitor_path = ""
        self.lib = ""
        """The guest's folder ``domain-ID-NAME`` under the driver's."""
        self.channel = ""
        """The folder of the guest's channel sockets."""
        self.vcpus: dict[int, int] = {}
        """Thread of each virtual CPU."""
        self.fake_reboot = False
        self.allow_reboot: bool | None = None
        self.agent_timeout = -2
        self.got_shutdown = False
        self.paused_reason = Paused.UNKNOWN
        """Why the next STOP of QEMU comes."""
        self.running_reason = Running.UNKNOWN
        """Why the next RESUME of QEMU comes."""
        self.being_destroyed = False
        self.starting = False
        self.stopping = False
        self.owner: Any = None
        """The client whose leaving destroys the guest (AUTODESTROY)."""
        self.balloon: int | None = None
        """The balloon's size in KiB as QEMU last said."""
        self.aliases: list[str] = []
        """Ids of the devices that QEMU has, as last asked."""
        self.was_changing = False  # the daemon of before ended while it changed the guest
        self.unplugs: dict[str, asyncio.Future[bool]] = {}  # calls that wait for a device to go, by alias
        self.words: list[str] = []
        """Capability words of the binary at the start."""
        self.taints: list[str] = []
        self.disks: dict[str, dict[str, Any]] = {}
        """By alias: io-status, tray and medium as last seen."""
        self.monitor_since = 0.0
        self.labels: list[Any] = []
        self._begin_blocks()
        self.ended = asyncio.Event()
        self.consoles: dict[str, Any] = {}
        """Who holds which console, by alias."""
        self.log_start = 0
        self.stats_period = 0
        self.rtc_offset: int | None = None
        self._begin_confinement()
        self.migration: Any = None
        """``migrate_to_file.Progress`` of the migration that runs."""
        self.first_cpu: Any = None
        """The CPU as the document had it before the start resolved it."""

    def _begin_confinement(self) -> None:
        self.auto_nodes: frozenset[int] | None = None
        """The host cells that numad advised."""
        self.auto_cpus: frozenset[int] | None = None
        self.perf: dict[str, int] = {}
        """Descriptors of the performance events that are counted."""
        self.memlock: tuple[int, int] | None = None
        """The limit of locked memory before devices raised it (bytes)."""
        self.own_dev = False
        """Whether QEMU has a ``/dev`` of its own."""
        self.machine: str | None = None
        """The guest's name as a machine of systemd's, None where it is none."""
        self.cgroup: Any = None
        """The guest's control group (``kvasir.host.cgroup.Group``), None where it has none."""

    def _begin_blocks(self) -> None:
        self.locked = False
        """Whether the lock manager's locks are held: while the CPUs run."""
        self.lock_state = ""
        """The leases that were given back when the CPUs stopped, with their versions."""
        self.locking = asyncio.Lock()
        self.nodename_index = 0
        """The last number that a block node got."""
        self.blockjobs: dict[str, Any] = {}
        """Jobs on disks (``blocks.jobs.BlockJob``) by QEMU's name."""
        self.pending_snapshot: dict[str, Any] = {}
        """An external snapshot that is just being taken (``snapshots.overlays``)."""
        self.waiters: dict[str, asyncio.Event] = {}
        """Jobs of QEMU that somebody waits for, by name."""
        self.backup: Any = None
        """The backup that runs (``backups.document.Backup``)."""


class Guest:
    """One guest of the driver. It encodes on the wire as a domain: ``name``, ``uuid`` (16 bytes), ``id``."""

    __slots__ = (
        "__weakref__", "_config", "_jobs", "_packed", "autostart", "driver", "id", "live", "name", "persistent", "reason",
        "run", "state", "state_since", "summary", "undefined", "updated", "uuid",
    )  # fmt: skip

    def __init__(self, driver: Any, name: str, uuid: bytes) -> None:
        self.driver, self.name, self.uuid = driver, name, uuid
        self.id = -1
        self.state, self.reason = State.SHUTOFF, 0
        self.state_since = time.time()
        self.persistent = False
        self.autostart = False
        self.updated = False
        self._packed: bytes | None = None
        self._config: Any = None
        self.undefined: Any = None
        """The definition that a guest which runs on had when it was undefined: its inactive document still."""
        self.live: Any = None
        self.run: Runtime | None = None
        self._jobs: Jobs | None = None
        self.summary: Any = None

    # -- definitions

    @property
    def uuid_text(self) -> str:
        return str(uuids.UUID(bytes=self.uuid))

    @property
    def active(self) -> bool:
        """Whether QEMU runs (``id`` is then not negative)."""
        return self.id >= 0

    @property
    def config(self) -> Any:
        """The persistent definition, parsed when it is first needed; None for a transient guest."""
        if self._config is None and self._packed is not None:
            self._config = self.driver.remembered(self)
        return self._config

    @property
    def text(self) -> str | None:
        """The persistent definition as stored (with secrets)."""
        return None if self._packed is None else zlib.decompress(self._packed).decode("utf-8", "surrogateescape")

    def says(self, tag: str) -> bool:
        """Whether the stored definition may have such an element: found in the text, without reading the document."""
        return f"<{tag}" in (self.text or "")

    def set_config(self, domain: Any, text: str | None) -> None:
        """Put a new persistent definition in place (or none)."""
        self._config, self.summary = domain, None
        self._packed = None if text is None else zlib.compress(text.encode("utf-8", "surrogateescape"), 1)
        self.driver.forget(self)

    def drop_config(self) -> None:
        """Let the parsed form go; the text stays."""
        if self._packed is not None:
            self._config = None

    @property
    def current(self) -> Any:
        """The live definition of a running guest, else the persistent one."""
        return self.live if self.live is not None else self.config

    # -- state

    def set_state(self, state: State, reason: int) -> None:
        """Change the state; the time of the change is kept for control info."""
        self.state, self.reason = state, int(reason)
        self.state_since = time.time()

    @property
    def jobs(self) -> Jobs:
        if self._jobs is None:
            self._jobs = Jobs(getattr(self.driver.config, "max_queued", 0))
        return self._jobs

    @property
    def has_jobs(self) -> bool:
        """Whether a job holds or waits for any slot."""
        return self._jobs is not None and (self._jobs.busy or self._jobs.agent is not None)

    def need_active(self) -> Runtime:
        """The runtime. Raises OperationInvalid "domain is not running"."""
        if self.run is None or not self.active:
            raise OperationInvalid("domain is not running", origin=Origin.DOMAIN)
        return self.run

    def monitor(self) -> Monitor:
        """The monitor of a running guest. Raises OperationInvalid."""
        monitor = self.need_active().monitor
        if monitor is None:
            raise InternalError(f"guest {self.name} has no monitor yet")
        return monitor

    def need_inactive(self) -> None:
        """Raises OperationInvalid when the guest runs."""
        if self.active:
            raise OperationInvalid("domain is already running", origin=Origin.QEMU)

    def __repr__(self) -> str:
        return f"<Guest {self.name} id={self.id} {self.state.name}>"


class Registry:
    """The guests of a driver, by uuid, name and id."""

    def __init__(self) -> None:
        self.by_uuid: dict[bytes, Guest] = {}
        self.by_name: dict[str, Guest] = {}
        self.by_id: dict[int, Guest] = {}
        self._last_id = 0

    def add(self, guest: Guest) -> None:
        self.by_uuid[guest.uuid] = guest
        self.by_name[guest.name] = guest

    def remove(self, guest: Guest) -> None:
        self.by_uuid.pop(guest.uuid, None)
        if self.by_name.get(guest.name) is guest:
            del self.by_name[guest.name]
        self.by_id.pop(guest.id, None)

    def rename(self, guest: Guest, name: str) -> None:
        self.by_name.pop(guest.name, None)
        guest.name = name
        self.by_name[name] = guest

    def give_id(self, guest: Guest, number: int | None = None) -> None:
        """Make the guest active under the next id (or a known one, on adoption)."""
        if number is None:
            number = self._last_id + 1
        self._last_id = max(self._last_id, number)
        guest.id = number
        self.by_id[number] = guest

    def take_id(self, guest: Guest) -> None:
        """The guest is no longer active."""
        self.by_id.pop(guest.id, None)
        guest.id = -1
