"""Methods whose arguments or answers libvirt-python shapes otherwise than the wire: the rarer ones, of guests and of connections."""

from __future__ import annotations

from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def _no_migration(function: str) -> Any:
    from kvasir.errors import Code, Error, Origin

    message = f"this function is not supported by the connection driver: {function} is not built yet"
    raise Error(message, code=Code.NO_SUPPORT, origin=Origin.DOMAIN, message=message)


class OfDomain:
    """Of a guest."""

    handle: Any
    _call: Any
    _conn: Any

    def jobStats(self, flags: int = 0) -> dict[str, Any]:
        """What its job has done: {"type": VIR_DOMAIN_JOB_*, field: value}."""
        kind, fields = self._call(programs.REMOTE["domain_get_job_stats"], (self.handle, flags))
        return {"type": int(kind), **dict(fields)}

    def blockStats(self, path: str) -> tuple[int, ...]:
        """(read requests, bytes, write requests, bytes, errors or -1) of a disk."""
        return tuple(self._call(programs.REMOTE["domain_block_stats"], (self.handle, path)))

    def blockJobInfo(self, path: str, flags: int = 0) -> dict[str, int]:
        """A disk's job: {"type":, "bandwidth": MiB/s (or bytes, by flag), "cur":, "end":}; {} when there is none."""
        row = programs.REMOTE["domain_get_block_job_info"]
        found, *figures = self._call(row, (self.handle, path, flags))
        return dict(zip(("type", "bandwidth", "cur", "end"), figures, strict=True)) if found else {}

    def securityLabelList(self) -> list[list[Any]]:
        """[label, enforcing] of each security driver."""
        found = self._call(programs.REMOTE["domain_get_security_label_list"], (self.handle,))[0]
        return [[one.label.split(b"\0")[0].decode("utf-8", "surrogateescape"), bool(one.enforcing)] for one in found]

    def fsFreeze(self, mountpoints: Sequence[str] | None = None, flags: int = 0) -> int:
        """Freeze file systems, by the guest agent; gives how many."""
        return int(self._call(programs.REMOTE["domain_fsfreeze"], (self.handle, list(mountpoints or ()), flags)))

    def fsThaw(self, mountpoints: Sequence[str] | None = None, flags: int = 0) -> int:
        """Thaw them again."""
        return int(self._call(programs.REMOTE["domain_fsthaw"], (self.handle, list(mountpoints or ()), flags)))

    def openGraphics(self, idx: int, fd: int, flags: int = 0) -> int:
        """Hand one end of a pair of sockets to a graphics display."""
        link = self._conn.link
        link.finish(link.begin(programs.REMOTE["domain_open_graphics"], (self.handle, idx, flags), [fd]))
        return 0

    def migrate(self, *given: Any, **named: Any) -> Any:
        """Not built yet: raises NO_SUPPORT, as the five others."""
        _no_migration("virDomainMigrate")

    migrate2 = migrate3 = migrateToURI = migrateToURI2 = migrateToURI3 = migrate


class OfConnection:
    """Of a connection."""

    _call: Any
    domainEventRegisterAny: Any
    domainEventDeregisterAny: Any

    def domainEventRegister(self, cb: Any, opaque: Any) -> int:
        """The old way: ``cb(conn, dom, event, detail, opaque)`` for the life of all guests."""
        known: list[tuple[Any, int]] = self.__dict__.setdefault("_old_callbacks", [])
        known.append((cb, self.domainEventRegisterAny(None, 0, cb, opaque)))
        return 0

    def domainEventDeregister(self, cb: Any) -> int:
        known: list[tuple[Any, int]] = self.__dict__.setdefault("_old_callbacks", [])
        for entry in [entry for entry in known if entry[0] == cb]:
            known.remove(entry)
            self.domainEventDeregisterAny(entry[1])
        return 0

    def getFreePages(
        self, pages: Sequence[int], startCell: int, cellCount: int, flags: int = 0
    ) -> dict[int, dict[int, int]]:
        """Free pages of each size (KiB) in each NUMA cell: {cell: {size: count}}."""
        sizes = list(pages)
        row = programs.REMOTE["node_get_free_pages"]
        counts = list(self._call(row, (sizes, startCell, cellCount, flags)))
        rows = range(0, len(counts), len(sizes) or 1)
        return {
            startCell + at // len(sizes): dict(zip(sizes, counts[at : at + len(sizes)], strict=True)) for at in rows
        }

    def allocPages(self, pages: dict[int, int], startCell: int = 0, cellCount: int = 0, flags: int = 0) -> int:
        """Reserve huge pages, {size in KiB: count}; VIR_NODE_ALLOC_PAGES_SET sets instead of adding."""
        sizes, counts = list(pages), list(pages.values())
        return int(self._call(programs.REMOTE["node_alloc_pages"], (sizes, counts, startCell, cellCount, flags)))
