"""A message bus (D-Bus) of a test's own."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

CONFIG = """<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth><servicedir>{folder}</servicedir>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow receive_sender="*"/></policy></busconfig>"""


def start(folder: Path, socket: str = "", enter: Sequence[str] = ()) -> subprocess.Popen[str]:
    """A bus to which everybody may say everything; it listens (at ``FOLDER/bus``) once this returns.

    ``enter``: a command that enters the place where it is to run.
    """
    if not shutil.which("dbus-daemon"):
        pytest.skip("dbus-daemon is not installed")
    config = folder / "bus.conf"
    config.write_text(CONFIG.format(socket=socket or folder / "bus", folder=folder))
    command = [*enter, "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"]
    bus = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert bus.stdout is not None and bus.stdout.readline()
    return bus


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of such a bus."""
    bus = start(folder)
    try:
        yield f"unix:path={folder}/bus"
    finally:
        bus.terminate()
        bus.wait(60)
