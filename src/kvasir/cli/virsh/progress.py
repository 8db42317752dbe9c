"""A long call with ``--verbose``: while the daemon works on it, its job is asked how far it is; Ctrl-C ends the job."""

from __future__ import annotations

from kvasir.cli.virsh.grammar import Args, Fail
from kvasir.cli.virsh.shell import Shell
from kvasir.errors import Error
from kvasir.rpc import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kvasir.client.objects import Domain

STEP = 0.5
"""Seconds between two looks."""


def _show(label: str, left: int, total: int) -> None:
    import sys

    if not total:
        return
    percent = 100 if not left else min(99, 100 - left * 100 // total)
    sys.stderr.write(f"\r{label}: [{percent:3d} %]")
    sys.stderr.flush()


def attempt(
    shell: Shell, args: Args, label: str, failure: str, domain: Domain, procedure: str, values: Sequence[Any]
) -> None:
    """Call ``procedure`` with the domain and ``values``; ``failure`` is said first when it fails."""
    link = domain.connect().link
    link.flush()
    serial = link.begin(programs.REMOTE[procedure], [domain.handle, *values])
    link.flush()
    verbose = args.flag("verbose")
    try:
        while serial not in link.replies:
            try:
                came = link.pump(STEP)
            except KeyboardInterrupt:
                domain.abortJob()
                continue
            if not came and verbose:
                _look(domain, label)
        link.finish(serial)
    except Error as problem:
        shell.error(failure)
        shell.report(problem)
        raise Fail("") from problem
    if verbose:
        _show(label, 0, 1)


def _look(domain: Domain, label: str) -> None:
    try:
        numbers = domain.connect().link.call(programs.REMOTE["domain_get_job_info"], [domain.handle])
    except Error:
        return
    _show(label, numbers.dataRemaining, numbers.dataTotal)
