"""What every object of a connection has, and domains; the other kinds are in ``others``. The names are libvirt-python's.

Most methods are made from the wire's table on first use (``methods``); here stand those whose arguments or answers
libvirt-python shapes otherwise.
"""

from __future__ import annotations

from kvasir.client import methods
from kvasir.client.pinning import Pinning
from kvasir.client.reshaped import OfDomain
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kvasir.client.connection import Connection
    from kvasir.client.stream import Stream


def uuid_text(uuid: bytes) -> str:
    """16 bytes as the usual 36 characters."""
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def uuid_bytes(text: str, function: str = "virDomainLookupByUUIDString", origin: int = 6) -> bytes:
    """The opposite; raises an invalid argument (8) with libvirt's words."""
    try:
        found = bytes.fromhex(text.replace("-", "").replace(" ", ""))
    except ValueError:
        found = b""
    if len(found) != 16:
        from kvasir.errors import Code, Error

        message = f"uuidstr in {function} must be a valid UUID"
        raise Error(message, code=Code.INVALID_ARG, origin=origin, message=message)
    return found


def class_of(struct: str) -> type[Remote]:
    """The class of a struct of the wire."""
    if struct == "D":
        return Domain
    from kvasir.client.others import CLASSES

    return CLASSES[struct]


class Remote:
    """Something of a daemon's that methods are called on."""

    PREFIXES: tuple[str, ...] = ()
    NAMES: dict[str, str] = {}
    BOUND = True

    def __init__(self, connection: Connection, handle: Any) -> None:
        self._conn = connection
        self.handle = handle
        """The object as the wire's struct."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        kind = type(self)
        procedure = methods.find(kind.PREFIXES, name, kind.NAMES.get(name))
        if procedure is None:
            raise AttributeError(f"{kind.__name__} has no method {name}")
        layout = methods.fields(procedure)
        bound = kind.BOUND and bool(layout) and (layout[0][1] in methods.OBJECTS or kind.__name__ == "NodeDevice")
        setattr(kind, name, methods.make(procedure, bound))
        return getattr(self, name)

    def _call(self, procedure: programs.Procedure, values: Sequence[Any]) -> Any:
        return self._conn.link.call(procedure, values)

    def _wrap(self, value: Any, kind: str) -> Any:
        """A result as the caller wants it: objects of our classes, typed parameters as a dict."""
        if kind == "P[]":
            return dict(value)
        plain = kind.rstrip("[]?")
        if plain in methods.OBJECTS and value is not None:
            wrap = class_of(plain)
            return [wrap(self._conn, item) for item in value] if kind.endswith("[]") else wrap(self._conn, value)
        return value

    def connect(self) -> Connection:
        """The connection it belongs to."""
        return self._conn

    def name(self) -> str:
        """Its name."""
        return str(self.handle.name)

    def UUID(self) -> bytes:
        """Its UUID, 16 bytes."""
        return bytes(self.handle.uuid)

    def UUIDString(self) -> str:
        """Its UUID as text."""
        return uuid_text(self.handle.uuid)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {getattr(self.handle, 'name', None) or getattr(self.handle, 'uuid', b'').hex()}>"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self.handle == other.handle

    def __hash__(self) -> int:
        return hash(self.handle)


class Domain(Pinning, OfDomain, Remote):
    """A guest."""

    PREFIXES = ("domain_",)
    NAMES = {
        "reset": "domain_reset",
        "OSType": "domain_get_os_type",
        "attachDeviceFlags": "domain_attach_device_flags",
        "coreDump": "domain_core_dump",
        "coreDumpWithFormat": "domain_core_dump_with_format",
        "fsTrim": "domain_fstrim",
        "fSTrim": "domain_fstrim",
        "saveFlags": "domain_save_flags",
        "save": "domain_save",
        "setMemoryStatsPeriod": "domain_set_memory_stats_period",
        "injectNMI": "domain_inject_nmi",
        "hasManagedSaveImage": "domain_has_managed_save_image",
        "maxVcpus": "domain_get_max_vcpus",
        "setVcpus": "domain_set_vcpus",
        "vcpusFlags": "domain_get_vcpus_flags",
        "abortJob": "domain_abort_job",
        "schedulerParameters": "domain_get_scheduler_parameters",
        "setSchedulerParameters": "domain_set_scheduler_parameters",
        "schedulerParametersFlags": "domain_get_scheduler_parameters_flags",
        "snapshotListNames": "domain_snapshot_list_names",
        "snapshotLookupByName": "domain_snapshot_lookup_by_name",
        "snapshotCreateXML": "domain_snapshot_create_xml",
        "listAllSnapshots": "domain_list_all_snapshots",
        "listAllCheckpoints": "domain_list_all_checkpoints",
        "checkpointLookupByName": "domain_checkpoint_lookup_by_name",
        "checkpointCreateXML": "domain_checkpoint_create_xml",
        "addIOThread": "domain_add_iothread",
        "delIOThread": "domain_del_iothread",
        "setIOThreadParams": "domain_set_iothread_params",
        "managedSaveGetXMLDesc": "domain_managed_save_get_xml_desc",
        "managedSaveDefineXML": "domain_managed_save_define_xml",
        "PMSuspendForDuration": "domain_pm_suspend_for_duration",
        "pMSuspendForDuration": "domain_pm_suspend_for_duration",
        "pMWakeup": "domain_pm_wakeup",
        "blockRebase": "domain_block_rebase",
        "numaParameters": "domain_get_numa_parameters",
        "setBlockIoTune": "domain_set_block_io_tune",
        "blockIoTune": "domain_get_block_io_tune",
        "launchSecurityInfo": "domain_get_launch_security_info",
        "migrateStartPostCopy": "domain_migrate_start_post_copy",
        "backupGetXMLDesc": "domain_backup_get_xml_desc",
        "setLaunchSecurityState": "domain_set_launch_security_state",
        "agentSetResponseTimeout": "domain_agent_set_response_timeout",
        "authorizedSSHKeysGet": "domain_authorized_ssh_keys_get",
        "qemuMonitorCommand": "qemu:domain_monitor_command",
        "lxcOpenNamespace": "lxc:domain_open_namespace",
    }

    def ID(self) -> int:
        """Its id while it runs, else -1."""
        return int(self.handle.id)

    def _lookup(self) -> None:
        self.handle = self._call(programs.REMOTE["domain_lookup_by_uuid"], (self.handle.uuid,))

    def create(self) -> int:
        """Start it."""
        self._call(programs.REMOTE["domain_create"], (self.handle,))
        self._lookup()
        return 0

    def createWithFlags(self, flags: int = 0) -> int:
        """Start it; flags VIR_DOMAIN_START_*."""
        self.handle = self._call(programs.REMOTE["domain_create_with_flags"], (self.handle, flags))
        return 0

    def destroy(self) -> int:
        """End it at once."""
        self._call(programs.REMOTE["domain_destroy"], (self.handle,))
        self.handle = self.handle._replace(id=-1)
        return 0

    def destroyFlags(self, flags: int = 0) -> int:
        """End it; VIR_DOMAIN_DESTROY_GRACEFUL asks it first."""
        self._call(programs.REMOTE["domain_destroy_flags"], (self.handle, flags))
        self.handle = self.handle._replace(id=-1)
        return 0

    def state(self, flags: int = 0) -> list[int]:
        """[state, reason]."""
        return list(self._call(programs.REMOTE["domain_get_state"], (self.handle, flags)))

    def blockInfo(self, path: str, flags: int = 0) -> list[int]:
        """[capacity, allocation, physical] in bytes."""
        found = self._call(programs.REMOTE["domain_get_block_info"], (self.handle, path, flags))
        return [found.capacity, found.allocation, found.physical]

    def interfaceStats(self, path: str) -> tuple[int, ...]:
        """(rx bytes, packets, errors, drops, tx bytes, packets, errors, drops)."""
        return tuple(self._call(programs.REMOTE["domain_interface_stats"], (self.handle, path)))

    def memoryStats(self) -> dict[str, int]:
        """Memory statistics by name (actual, rss, unused, ...), in KiB where a size."""
        found = self._call(programs.REMOTE["domain_memory_stats"], (self.handle, 16, 0))
        return {MEMORY_STATS[item.tag]: item.val for item in found if item.tag < len(MEMORY_STATS)}

    def autostart(self) -> int:
        """1 when it starts with the daemon."""
        return int(self._call(programs.REMOTE["domain_get_autostart"], (self.handle,)))

    def metadata(self, type: int, uri: str | None, flags: int = 0) -> str:
        """Description (0), title (1) or the element of a namespace (2)."""
        return str(self._call(programs.REMOTE["domain_get_metadata"], (self.handle, type, uri, flags)))

    def interfaceAddresses(self, source: int, flags: int = 0) -> dict[str, Any]:
        """Addresses of its interfaces: {name: {"hwaddr":, "addrs": [{"addr":, "prefix":, "type":}]}}."""
        found = self._call(programs.REMOTE["domain_interface_addresses"], (self.handle, source, flags))
        return {
            card.name: {"hwaddr": card.hwaddr, "addrs": [address._asdict() for address in card.addrs] or None}
            for card in found
        }

    def revertToSnapshot(self, snap: Any, flags: int = 0) -> int:
        """Bring it to the state of a snapshot of its own."""
        self._call(programs.REMOTE["domain_revert_to_snapshot"], (snap.handle, flags))
        return 0

    def fsInfo(self, flags: int = 0) -> list[tuple[str, str, str, list[str]]]:
        """File systems seen by the guest agent: (mount point, name, type, device aliases)."""
        return [tuple(item) for item in self._call(programs.REMOTE["domain_get_fsinfo"], (self.handle, flags))[0]]

    def blockStatsFlags(self, path: str, flags: int = 0) -> dict[str, Any]:
        """Statistics of a disk by name."""
        procedure = programs.REMOTE["domain_block_stats_flags"]
        return methods._counted(self, procedure, [self.handle], [path, flags])

    def diskErrors(self, flags: int = 0) -> dict[str, int]:
        """Errors by disk: 1 unspecified, 2 no space."""
        procedure = programs.REMOTE["domain_get_disk_errors"]
        count = self._call(procedure, (self.handle, 0, flags))[1]
        found = self._call(procedure, (self.handle, count, flags))[0] if count else []
        return {item.disk: item.error for item in found}

    def vcpus(self) -> tuple[list[tuple[int, int, int, int]], list[tuple[bool, ...]]]:
        """For each virtual CPU (number, state, time in ns, host CPU), and its pinning."""
        host = self._conn.getCPUMap()[0]
        count = self.info()[3]
        width = (host + 7) // 8
        cards, maps = self._call(programs.REMOTE["domain_get_vcpus"], (self.handle, count, width))
        bits = [
            tuple(bool(maps[at * width + cpu // 8] >> (cpu % 8) & 1) for cpu in range(host)) for at in range(len(cards))
        ]
        return [tuple(card) for card in cards], bits

    def securityLabel(self) -> list[Any]:
        """[label, enforcing]."""
        found = self._call(programs.REMOTE["domain_get_security_label"], (self.handle,))
        return [found.label.split(b"\0")[0].decode("utf-8", "surrogateescape"), bool(found.enforcing)]

    def sendKey(self, codeset: int, holdtime: int, keycodes: Sequence[int], nkeycodes: int = 0, flags: int = 0) -> int:
        """Press keys together, for holdtime milliseconds."""
        self._call(programs.REMOTE["domain_send_key"], (self.handle, codeset, holdtime, list(keycodes), flags))
        return 0

    def getTime(self, flags: int = 0) -> dict[str, int]:
        """The guest's clock, by its agent."""
        return dict(self._call(programs.REMOTE["domain_get_time"], (self.handle, flags))._asdict())

    def setTime(self, time: dict[str, int] | None = None, flags: int = 0) -> int:
        """Set the guest's clock, by its agent."""
        time = time or {}
        self._call(
            programs.REMOTE["domain_set_time"], (self.handle, time.get("seconds", 0), time.get("nseconds", 0), flags)
        )
        return 0

    def guestInfo(self, types: int = 0, flags: int = 0) -> dict[str, Any]:
        """What the guest agent tells: users, os, timezone, hostname, filesystems, disks, interfaces."""
        return dict(self._call(programs.REMOTE["domain_get_guest_info"], (self.handle, types, flags)))

    def rename(self, new_name: str, flags: int = 0) -> int:
        """Give an inactive guest another name."""
        self._call(programs.REMOTE["domain_rename"], (self.handle, new_name, flags))
        self._lookup()
        return 0

    def openConsole(self, dev_name: str | None, st: Stream, flags: int = 0) -> int:
        """Bind a stream to a serial or console device."""
        st._bind(programs.REMOTE["domain_open_console"], (self.handle, dev_name, flags))
        return 0

    def openChannel(self, name: str | None, st: Stream, flags: int = 0) -> int:
        """Bind a stream to a channel."""
        st._bind(programs.REMOTE["domain_open_channel"], (self.handle, name, flags))
        return 0

    def screenshot(self, st: Stream, screen: int = 0, flags: int = 0) -> str:
        """Take a picture of a display; the stream gives the file, the answer is its MIME type."""
        return str(st._bind(programs.REMOTE["domain_screenshot"], (self.handle, screen, flags)))

    def openGraphicsFD(self, idx: int, flags: int = 0) -> int:
        """A file descriptor connected to a graphics display."""
        link = self._conn.link
        serial = link.begin(programs.REMOTE["domain_open_graphics_fd"], (self.handle, idx, flags))
        return int(link.finish_fds(serial)[1][0])

    def FDAssociate(self, name: str, fds: Sequence[int], flags: int = 0) -> int:
        """Hand open files to the domain's disks, under a name; they are there as long as this connection."""
        link = self._conn.link
        link.finish(link.begin(programs.REMOTE["domain_fd_associate"], (self.handle, name, flags), fds))
        return 0

    def createWithFiles(self, files: Sequence[int], flags: int = 0) -> int:
        """Start it with open files that its document speaks of."""
        link = self._conn.link
        link.finish(link.begin(programs.REMOTE["domain_create_with_files"], (self.handle, flags), files))
        return 0

    def qemuMonitorCommandWithFiles(self, cmd: str, files: Sequence[int], flags: int = 0) -> str:
        """A raw command of the monitor with an open file."""
        link = self._conn.link
        row = programs.QEMU["domain_monitor_command_with_files"]
        return str(link.finish(link.begin(row, (self.handle, cmd, flags), files)))

    def qemuAgentCommand(self, cmd: str, timeout: int = -2, flags: int = 0) -> str | None:
        """A raw guest agent command; timeout in seconds or -2 wait, -1 default, 0 no wait."""
        found = self._call(programs.QEMU["domain_agent_command"], (self.handle, cmd, timeout, flags))
        return None if found is None else str(found)


MEMORY_STATS = [
    "swap_in",
    "swap_out",
    "major_fault",
    "minor_fault",
    "unused",
    "available",
    "actual",
    "rss",
    "usable",
    "last_update",
    "disk_caches",
    "hugetlb_pgalloc",
    "hugetlb_pgfail",
]
"""Names of the memory statistics, by tag."""
