"""Passwords of displays, as a VNC client meets them: the guest's own, qemu.conf's, and until when they hold."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon

GUEST = """\
<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><graphics type='vnc' {more}/></devices></domain>
"""


def cipher(password: str, challenge: bytes) -> bytes:
    """The answer of VNC authentication: DES under the password with the bits of each byte turned round."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode().ljust(8, b"\0")[:8])
    command = ["openssl", "enc", "-des-ecb", "-nopad", "-provider", "legacy", "-provider", "default", "-K", key.hex()]
    done = subprocess.run(command, input=challenge, capture_output=True)
    if done.returncode:
        pytest.skip("openssl has no DES here")
    return done.stdout


def let_in(port: int, password: str) -> bool:
    """Whether the server takes the password."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        stream = line.makefile("rwb", buffering=0)
        assert stream.read(12).startswith(b"RFB 003.")
        stream.write(b"RFB 003.008\n")
        count = stream.read(1)[0]
        types = stream.read(count)
        assert types == b"\x02", "VNC authentication is the only way in"
        stream.write(b"\x02")
        stream.write(cipher(password, stream.read(16)))
        return bool(stream.read(4) == bytes(4))


def start(daemon: KvasirDaemon, name: str, more: str) -> int:
    """A guest with a VNC display; its port."""
    path = daemon.folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name, more=more))
    done = daemon.our_virsh("create", str(path))
    assert done.returncode == 0, done.stderr
    found = re.search(r"<graphics type='vnc' port='(\d+)'", daemon.our_virsh("dumpxml", name).stdout)
    assert found
    return int(found[1])


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + seconds))


@pytest.mark.guide("domxml-graphics-passwdvalidto")
def test_until_when_a_password_holds(kvasird: KvasirDaemon) -> None:
    port = start(kvasird, "plain", "passwd='letmein'")
    assert let_in(port, "letmein") and not let_in(port, "wrong")
    assert let_in(start(kvasird, "future", f"passwd='letmein' passwdValidTo='{stamp(86400)}'"), "letmein")
    assert not let_in(start(kvasird, "past", f"passwd='letmein' passwdValidTo='{stamp(-86400)}'"), "letmein")
    path = kvasird.folder / "bad.xml"
    path.write_text(GUEST.format(name="bad", more="passwd='letmein' passwdValidTo='soon'"))
    assert "cannot parse password validity time 'soon'" in kvasird.our_virsh("create", str(path)).stderr
    for name in ("plain", "future", "past"):
        assert kvasird.our_virsh("destroy", name).returncode == 0


def test_password_of_the_configuration(kvasird: KvasirDaemon) -> None:
    """``vnc_password`` of qemu.conf is that of displays without one of their own, and stands in no document."""
    assert kvasird.stop() == 0
    Path(kvasird.folder, "etc/libvirt/qemu.conf").write_text('vnc_password = "shared1"\n')
    kvasird.start()
    port = start(kvasird, "shared", "")
    assert let_in(port, "shared1") and not let_in(port, "")
    assert "shared1" not in kvasird.our_virsh("dumpxml", "--security-info", "shared").stdout
    own = start(kvasird, "own", "passwd='mine'")
    assert let_in(own, "mine") and not let_in(own, "shared1")
    for name in ("shared", "own"):
        assert kvasird.our_virsh("destroy", name).returncode == 0
