"""What repairs an error travels with it: in a field that libvirt's own clients pass over and its bindings show."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

from tests.conftest import PROJECT, KvasirDaemon, Peers
from tests.waiting import readable

POOL = "<pool type='dir'><name>lost</name><target><path>{folder}/nowhere</path></target></pool>"
HINT = "make the folder: virsh pool-build lost"
SCRIPT = """
import libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
try: libvirt.open(sys.argv[1]).storagePoolLookupByName("lost").create()
except libvirt.libvirtError as error: print(error.get_error_code(), error.get_str3())
"""


def test_a_hint_reaches_those_who_want_it(kvasird: KvasirDaemon, peers: Peers) -> None:
    """libvirt-python has it as str3; our virsh shows it on a terminal; in pipes both virsh print the same without it."""
    path = kvasird.folder / "pool.xml"
    path.write_text(POOL.format(folder=kvasird.folder))
    assert kvasird.our_virsh("pool-define", str(path)).returncode == 0
    real, ours = kvasird.virsh("pool-start", "lost"), kvasird.our_virsh("pool-start", "lost")
    assert (ours.returncode, ours.stdout, ours.stderr) == (real.returncode, real.stdout, real.stderr)
    assert "hint" not in real.stderr and "cannot open directory" in real.stderr
    (kvasird.folder / "look.py").write_text(SCRIPT)
    assert peers.run("python3", str(kvasird.folder / "look.py"), kvasird.uri).stdout.strip() == f"38 {HINT}"
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", kvasird.uri, "pool-start", "lost"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    program = subprocess.Popen(command, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said, end = b"", time.monotonic() + 60
    while f"hint: {HINT}".encode() not in said and time.monotonic() < end:
        if readable(master, 0.5):
            try:
                said += os.read(master, 4096)
            except OSError:
                break
    os.close(master)
    assert program.wait(30) == 1 and f"hint: {HINT}".encode() in said, said
