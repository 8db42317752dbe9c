"""``doctor``: what keeps guests from running well here, each finding with the command that repairs it; ``--fix`` runs the safe ones."""

from __future__ import annotations

import shlex
import sys

from .base import format_option, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

PASS, NOTE, WARN, FAIL = "pass", "note", "warn", "fail"


class Finding:
    """One thing looked at. ``fix`` is the repair's command line where it may be run without asking."""

    __slots__ = ("fix", "repair", "text", "verdict", "what")

    def __init__(self, what: str, verdict: str, text: str = "", repair: str = "", *, safe: bool = False) -> None:
        self.what, self.verdict, self.text, self.repair = what, verdict, text, repair
        self.fix = shlex.split(repair) if safe and repair else []

    @property
    def bad(self) -> bool:
        return self.verdict in (WARN, FAIL)

    def row(self) -> dict[str, Any]:
        return {
            "check": self.what,
            "verdict": self.verdict,
            "text": self.text,
            "repair": self.repair,
            "safe": bool(self.fix),
        }


def doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fix", action="store_true", help="run the repairs that can do no harm (modules, the default network and pool)"
    )
    parser.add_argument("--all", action="store_true", help="also what is well")
    parser.add_argument("--root", default="", metavar="DIR", help="look at the host whose files lie below DIR")
    parser.add_argument("--offline", action="store_true", help="ask no daemon")
    format_option(parser)
    parser.set_defaults(run=doctor)


def findings(options: argparse.Namespace) -> Iterator[Finding]:
    """All that is looked at: the host, then the daemon with its networks and guests."""
    from kvasir.errors import Error

    from . import doctor_guests, doctor_host

    yield from doctor_host.findings(options.root)
    if options.offline:
        return
    try:
        from .base import connect

        connection = connect(options)
    except (Error, OSError) as error:
        text = getattr(error, "message", str(error))
        yield Finding(
            "daemon", FAIL, f"it does not answer: {text}", getattr(error, "hint", "") or "systemctl start kvasird"
        )
        return
    yield Finding("daemon", PASS, str(connection.getURI()))
    yield from doctor_guests.findings(connection, options.root)


def repair(finding: Finding) -> bool:
    """Run a safe repair. Whether it went well."""
    import subprocess

    print(f"running: {finding.repair}", file=sys.stderr)
    try:
        done = subprocess.run(finding.fix, capture_output=True, text=True)
    except OSError as error:
        print(f"kvasir: {finding.fix[0]}: {error.strerror}", file=sys.stderr)
        return False
    if done.returncode:
        print(f"kvasir: {(done.stderr or done.stdout).strip()}", file=sys.stderr)
    return done.returncode == 0


def doctor(options: argparse.Namespace) -> int:
    """Print the findings. 1 when something fails."""
    found = list(findings(options))
    if options.fix:
        tried = [finding for finding in found if finding.bad and finding.fix]
        mended = sum(repair(finding) for finding in tried)
        if mended:
            found = list(findings(options))
        print(f"{mended} of {len(tried)} repairs done", file=sys.stderr)
    failed = any(finding.verdict == FAIL for finding in found)
    if options.format != "table":
        show(options, [finding.row() for finding in found if options.all or finding.verdict != PASS], ())
        return 1 if failed else 0
    for finding in found:
        if finding.verdict == PASS and not options.all:
            continue
        print(f"{finding.verdict.upper():<4}  {finding.what}" + (f": {finding.text}" if finding.text else ""))
        if finding.repair:
            print(f"      {'safe repair' if finding.fix else 'repair'}: {finding.repair}")
    bad = sum(finding.bad for finding in found)
    print(f"{len(found)} checks, {bad} to look at" if bad else f"{len(found)} checks, all well")
    return 1 if failed else 0
