"""``list``, ``start``, ``stop``, ``console``: the daily words."""

from __future__ import annotations

import sys

from .base import STATES, connect, fail, find, format_option, guest_option, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


PERSISTENT, AUTOSTART = 1 << 2, 1 << 10
"""Filters of ``listAllDomains``."""
INACTIVE = 1 << 1
"""Filter of ``getAllDomainStats``; those that run are asked one by one, as none may keep the list waiting."""
OF_INACTIVE = 1 | 1 << 2 | 1 << 3
"""State, memory, CPUs."""


def list_options(parser: argparse.ArgumentParser) -> None:
    format_option(parser)
    parser.set_defaults(run=list_guests)


def list_guests(options: argparse.Namespace) -> int:
    """List the guests."""
    rows = []
    connection = connect(options)
    lasting, by_itself = ({one.UUID() for one in connection.listAllDomains(flag)} for flag in (PERSISTENT, AUTOSTART))
    stats = {one.UUID(): said for one, said in connection.getAllDomainStats(OF_INACTIVE, INACTIVE)}
    for domain in connection.listAllDomains(0):
        said = stats.get(domain.UUID(), {})
        if "balloon.maximum" in said and "vcpu.current" in said:
            state, most, cpus = said["state.state"], said["balloon.maximum"], said["vcpu.current"]
        else:
            state, most, _, cpus, _ = domain.info()
        rows.append(
            {
                "name": domain.name(), "state": STATES[state], "memory": f"{most // 1024} MiB", "cpus": cpus,
                "memory_mib": most // 1024, "uuid": domain.UUIDString(),
                "persistent": domain.UUID() in lasting, "autostart": domain.UUID() in by_itself,
            }
        )  # fmt: skip
    show(options, sorted(rows, key=lambda row: str(row["name"])), ("name", "state", "memory", "cpus"))
    return 0


def start_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.set_defaults(run=start)


def start(options: argparse.Namespace) -> int:
    """Start a guest; one that runs already is no error."""
    domain = find(connect(options), options.name)
    if not domain.isActive():
        domain.create()
    return 0


def stop_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.add_argument("--timeout", type=float, default=30, help="seconds to wait before the power is cut (30)")
    parser.add_argument("--force", action="store_true", help="cut the power at once")
    parser.set_defaults(run=stop)


def stop(options: argparse.Namespace) -> int:
    """Ask a guest to shut down; cut its power when it has not after the time given."""
    import time

    domain = find(connect(options), options.name)
    if not domain.isActive():
        return 0
    if not options.force:
        domain.shutdown()
        end = time.monotonic() + options.timeout
        while time.monotonic() < end:
            if not domain.isActive():
                return 0
            time.sleep(0.2)
    if domain.isActive():
        domain.destroy()
        if not options.force:
            print(
                f"kvasir: {options.name} was still there after {options.timeout:g} seconds: its power was cut",
                file=sys.stderr,
            )
    return 0


def console_options(parser: argparse.ArgumentParser) -> None:
    guest_option(parser)
    parser.set_defaults(run=console)


def console(options: argparse.Namespace) -> int:
    """Open a guest's console; leave it with ctrl + ]."""
    from kvasir.cli.console import run_console

    domain = find(connect(options), options.name)
    if not domain.isActive():
        fail(f"{options.name} is not running", f"kvasir start {options.name}")
    if not sys.stdin.isatty():
        fail("a console wants a terminal, and the standard input is none", f"ssh -t HOST kvasir console {options.name}")
    run_console(domain)
    return 0
