"""Waiting for a block job, with its progress on stderr."""

from __future__ import annotations

import sys

from kvasir.cli.virsh.grammar import Args, Fail
from kvasir.cli.virsh.shell import Shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMPLETED, FAILED, CANCELED, READY = 0, 1, 2, 3
EVENT_JOB, EVENT_JOB_2 = 8, 16
STEP = 0.5


def progress(shell: Shell, label: str, left: int, whole: int) -> None:
    """``\\rBlock Copy: [ 52 %]``: 100 only when nothing is left."""
    if not whole:
        return
    percent = 100 if not left else min(99, 100 - left * 100 // whole)
    sys.stdout.flush()
    sys.stderr.write(f"\r{label}: [{percent:3d} %]")
    sys.stderr.flush()


class Wait:
    """The wait for the end (or the ready state) of one disk's job."""

    def __init__(self, shell: Shell, args: Args, domain: Any, path: str, label: str) -> None:
        self.shell, self.args, self.domain, self.path, self.label = shell, args, domain, path, label
        self.status: int | None = None
        seconds = args.number("timeout")
        if seconds is not None and seconds < 1:
            given = args.text("timeout")
            raise Fail(f"Numeric value '{given}' for <timeout> option is malformed or out of range")
        self.seconds = seconds
        conn = shell.conn
        self._callbacks = [
            conn.domainEventRegisterAny(domain, event, self._seen, None) for event in (EVENT_JOB, EVENT_JOB_2)
        ]

    def _seen(self, conn: Any, domain: Any, disk: str, kind: int, status: int, opaque: Any) -> None:
        if disk == self.path:
            self.status = status

    def close(self) -> None:
        """No more events."""
        from kvasir.errors import Error

        for number in self._callbacks:
            try:  # noqa: SIM105  # contextlib is not worth its import
                self.shell.conn.domainEventDeregisterAny(number)
            except Error:
                pass

    def run(self) -> None:
        """Until an event comes, or the time is over (then the job is aborted)."""
        from time import monotonic

        shell, domain = self.shell, self.domain
        verbose, began, last = self.args.flag("verbose"), monotonic(), (0, 0)
        try:
            while True:
                failed = f"failed to query job for disk {self.path}"
                info = shell.attempt(failed, domain.blockJobInfo, self.path, 0)
                done, whole = info.get("cur", 0), info.get("end", 0)
                if self.status is not None:
                    break
                if verbose and (done, whole) != last:
                    progress(shell, self.label, whole - done, whole)
                last = (done, whole)
                if self.seconds is not None and monotonic() - began > self.seconds:
                    self.abort()
                    break
                self._sleep(monotonic() + STEP)
        except KeyboardInterrupt:
            self.abort()
        if verbose and self.status in (COMPLETED, READY):
            progress(shell, self.label, 0, 1)

    def _sleep(self, until: float) -> None:
        from time import monotonic

        while self.status is None and (left := until - monotonic()) > 0:
            self.shell.conn.dispatch(left)

    def abort(self) -> None:
        """End the job."""
        flags = 1 if self.args.flag("async") else 0
        self.shell.attempt(f"failed to abort job for disk {self.path}", self.domain.blockJobAbort, self.path, flags)
        self.status = CANCELED
