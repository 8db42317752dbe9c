"""Guests as machines of systemd's, on both daemons with one stand-in for systemd on a bus of the test's own (there is none here).

The stand-in puts the process into the scope's groups as systemd does, in the sub-tree of control groups that each daemon has.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bus as dbus
from tests.conftest import PROJECT, DaemonHandle, short_folder
from tests.waiting import until

from .conftest import Room, group_files, needs_cgroups

SERVICE = "[D-BUS Service]\nName=org.freedesktop.machine1\nExec=/bin/false\nUser=root\n"
GUEST = """<domain type='qemu'><name>{name}</name><uuid>5a8d5b50-64d3-4f37-9c1b-2f6d3a1d2b11</uuid><memory>65536</memory>
<resource><partition>/{part}</partition></resource><cputune><shares>512</shares></cputune>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


@pytest.fixture(scope="module", autouse=True)
def bus() -> Iterator[Path]:
    needs_cgroups()
    with short_folder("kv-mach-") as folder:
        (folder / "org.freedesktop.machine1.service").write_text(SERVICE)
        with dbus.running(folder) as address:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
            try:
                yield folder
            finally:
                del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]


@contextlib.contextmanager
def machined(bus: Path, below: str, pid: int) -> Iterator[Path]:
    """The stand-in, in a daemon's namespaces; its log."""
    log = bus / f"log-{pid}"
    log.touch()
    inside = ["nsenter", "-t", str(pid), "-m", "-p", "--wd=/", "env", f"PYTHONPATH={PROJECT}:{PROJECT}/src"]
    command = [*inside, sys.executable, "-m", "tests.tuning.machined", f"unix:path={bus}/bus", below, str(log)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None and process.stdout.readline() == "ready\n"
    try:
        yield log
    finally:
        process.stdin.close()
        process.wait()


def calls(log: Path) -> list[list[object]]:
    """What was asked, without the numbers of processes."""
    found = []
    for line in log.read_text().splitlines():
        _, member, signature, body = json.loads(line)
        if member == "CreateMachineWithNetwork":
            body[4] = "PID"
        if member == "GetMachineByPID":
            body[0] = "PID"
        found.append([member, signature, body])
    return found


def script(daemon: DaemonHandle, log: Path, part: str) -> tuple[list[object], dict[str, str]]:
    """Start, tune and end a guest: what systemd was asked, and the guest's groups after its start."""
    document = daemon.folder / "machine.xml"
    document.write_text(GUEST.format(name="made.up-guest", part=part))
    log.write_text("")
    created = daemon.virsh("create", str(document))
    assert created.returncode == 0, created.stderr
    (pid,) = pids("made.up-guest")
    groups = {name: str(path) for name, path in group_files(pid).items()}
    if isinstance(daemon, Room):
        daemon.restart()
    told = daemon.virsh("schedinfo", "made.up-guest", "cpu_shares=2000")
    assert told.returncode == 0, told.stderr
    assert daemon.virsh("destroy", "made.up-guest").returncode == 0
    scopes = {path.partition(".scope")[0] + ".scope" for path in groups.values()}
    until(lambda: not any(map(os.path.isdir, scopes)))
    document.write_text(GUEST.format(name="refused", part=part))
    refused = daemon.virsh("create", str(document))
    assert refused.returncode == 1 and not pids("refused")
    return [calls(log), refused.stderr.splitlines()[1:]], groups


def pids(name: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", f"guest={name},"], capture_output=True, text=True).stdout
    return [int(word) for word in found.split()]


def test_as_the_real_daemon(room: Room, real: DaemonHandle, bus: Path) -> None:
    """The same calls with the same words; the guest lies in ``libvirt`` below its scope, and is known again after kill -9."""
    with machined(bus, str(room.folder / "sys/fs/cgroup"), room.pid) as log:
        ours, groups = script(room, log, "kvasirmachines/of-a-test")
    outer = (real.folder / "peer.pid").read_text().strip()
    first = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
    with machined(bus, "/sys/fs/cgroup", first) as log:
        theirs, real_groups = script(real, log, "kvasirmachines/of-a-test")
    assert ours == theirs
    assert {name: tail(path) for name, path in groups.items()} == {
        name: tail(path) for name, path in real_groups.items()
    }
    assert tail(groups["cpu"]) == "/machine-qemu\\x2d1\\x2dmade.up\\x2dguest.scope/libvirt/emulator"


def tail(path: str) -> str:
    return path.partition(".slice")[2]
