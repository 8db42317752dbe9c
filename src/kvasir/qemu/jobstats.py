"""The figures of a long job: what ``domjobinfo`` prints and the job-completed event carries."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from kvasir.rpc.typed import Int, Params, ULLong

NONE, BOUNDED, UNBOUNDED, COMPLETED, FAILED, CANCELLED = range(6)
"""Types of jobs, as clients know them."""


@dataclass(slots=True)
class Figures:
    """One job's figures. ``migrate`` is QEMU's last ``query-migrate``, ``dump`` its last ``query-dump``."""

    operation: int
    since: float = field(default_factory=time.monotonic)
    elapsed: int | None = None
    """Milliseconds, once the job has ended."""
    downtime: int | None = None
    migrate: dict[str, Any] = field(default_factory=dict)
    dump: dict[str, Any] = field(default_factory=dict)
    backup: dict[str, Any] = field(default_factory=dict)
    """Of a backup: whether it is pulled, total and done bytes, the error."""
    type: int = UNBOUNDED
    errmsg: str | None = None

    def milliseconds(self) -> int:
        """How long the job takes or took."""
        return int((time.monotonic() - self.since) * 1000) if self.elapsed is None else self.elapsed

    def end(self, type: int) -> None:
        """The job is over."""
        self.elapsed, self.type = self.milliseconds(), type

    def totals(self) -> tuple[int, int, int, int, int, int]:
        """Bytes: memory total, processed, remaining; disks the same."""
        if self.dump:
            total, done = int(self.dump.get("total", 0)), int(self.dump.get("completed", 0))
            return total, done, total - done, 0, 0, 0
        if self.backup:
            total, done = int(self.backup["total"]), int(self.backup["done"])
            return 0, 0, 0, total, done, total - done
        ram, disk = self.migrate.get("ram") or {}, self.migrate.get("disk") or {}
        return (
            int(ram.get("total", 0)), int(ram.get("transferred", 0)), int(ram.get("remaining", 0)),
            int(disk.get("total", 0)), int(disk.get("transferred", 0)), int(disk.get("remaining", 0)),
        )  # fmt: skip


def info(figures: Figures) -> tuple[int, ...]:
    """The twelve numbers of the old call."""
    memory, done, left, disk, disk_done, disk_left = figures.totals()
    return (
        figures.type, figures.milliseconds(), 0, memory + disk, done + disk_done, left + disk_left,
        memory, done, left, disk, disk_done, disk_left,
    )  # fmt: skip


def params(figures: Figures) -> Params:
    """The typed parameters, in libvirt's order."""
    out: Params = [("operation", Int(figures.operation)), ("time_elapsed", ULLong(figures.milliseconds()))]
    if figures.dump:
        memory, done, left = figures.totals()[:3]
        rows = (("memory_total", memory), ("memory_processed", done), ("memory_remaining", left))
        return [*out, *((name, ULLong(value)) for name, value in rows)]
    if figures.backup:
        return [*out, *_backup(figures)]
    if not figures.migrate:
        return out
    return [*out, *_migration(figures)]


def _backup(figures: Figures) -> Params:
    *_, total, done, left = figures.totals()
    rows: Params
    if figures.backup["pull"]:
        rows = [("disk_temp_used", ULLong(done)), ("disk_temp_total", ULLong(total))]
    else:
        rows = [(f"disk_{name}", ULLong(value)) for name, value in
                (("total", total), ("processed", done), ("remaining", left))]  # fmt: skip
    if figures.elapsed is not None:
        rows.append(("success", figures.type == COMPLETED))
        if figures.errmsg:
            rows.append(("errmsg", figures.errmsg))
    return rows


def _migration(figures: Figures) -> Params:
    answer, ram = figures.migrate, figures.migrate.get("ram") or {}
    memory, done, left, disk, disk_done, disk_left = figures.totals()
    rows: list[tuple[str, int]] = []
    downtime = figures.downtime if figures.downtime is not None else answer.get("downtime")
    if downtime is None:
        downtime = answer.get("expected-downtime")
    if downtime is not None:
        rows.append(("downtime", int(downtime)))
    if "setup-time" in answer:
        rows.append(("setup_time", int(answer["setup-time"])))
    rows += [
        ("data_total", memory + disk), ("data_processed", done + disk_done), ("data_remaining", left + disk_left),
        ("memory_total", memory), ("memory_processed", done), ("memory_remaining", left),
    ]  # fmt: skip
    if speed := int(float(ram.get("mbps", 0)) * (1000 * 1000 / 8)):
        rows.append(("memory_bps", speed))
    if "duplicate" in ram:
        rows += [
            ("memory_constant", int(ram["duplicate"])), ("memory_normal", int(ram.get("normal", 0))),
            ("memory_normal_bytes", int(ram.get("normal-bytes", 0))),
        ]  # fmt: skip
    rows += [
        ("memory_dirty_rate", int(ram.get("dirty-pages-rate", 0))),
        ("memory_iteration", int(ram.get("dirty-sync-count", 0))),
        ("memory_postcopy_requests", int(ram.get("postcopy-requests", 0))),
        ("memory_page_size", int(ram.get("page-size", 0))),
    ]
    if disk:
        rows += [("disk_total", disk), ("disk_processed", disk_done), ("disk_remaining", disk_left)]
    return [(name, ULLong(value)) for name, value in rows]
