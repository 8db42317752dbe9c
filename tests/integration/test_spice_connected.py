"""Who stays connected when the password of a SPICE display changes: a client of our own meets QEMU's server."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon
from tests.waiting import readable

GUEST = """<domain type='qemu'><name>s</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<graphics type='spice' autoport='yes' {more}/><video><model type='vga'/></video></devices></domain>"""
MAIN = 1


def sealed(key: bytes, password: str, folder: Path) -> bytes:
    """The password for the server's eyes only: RSA, OAEP with SHA-1."""
    (folder / "key.der").write_bytes(key)
    command = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", str(folder / "key.der"),
               "-pkeyopt", "rsa_padding_mode:oaep"]  # fmt: skip
    return subprocess.run(command, input=password.encode() + b"\0", capture_output=True, check=True).stdout


@contextlib.contextmanager
def client(port: int, password: str, folder: Path) -> Iterator[tuple[int, socket.socket]]:
    """The main channel of a new client: the server's answer (0 is welcome) and the line."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        body = struct.pack("<IBBIII", 0, MAIN, 0, 0, 0, 18)
        line.sendall(b"REDQ" + struct.pack("<III", 2, 2, len(body)) + body)
        stream = line.makefile("rb")
        magic, _, _, size = struct.unpack("<4sIII", stream.read(16))
        reply = stream.read(size)
        assert magic == b"REDQ" and reply[:4] == bytes(4)
        line.sendall(sealed(reply[4:166], password, folder))
        yield struct.unpack("<I", stream.read(4))[0], line


def cut(line: socket.socket, seconds: float) -> bool:
    """Whether the server ends the line within that time."""
    while readable(line.fileno(), seconds):
        try:
            if not line.recv(4096):
                return True
        except OSError:
            return True
    return False


@pytest.mark.guide("domxml-graphics-connected", "trouble-rhel6-channel-xml")
def test_by_what_the_document_says(kvasird: KvasirDaemon, tmp_path: Path) -> None:
    path = kvasird.folder / "s.xml"
    agent = f"<source mode='bind' path='{kvasird.folder}/guest1.agent'/><target type='virtio' name='org.qemu.guest_agent.0'/>"
    channel = f"<channel type='unix'>{agent}</channel>"
    path.write_text(GUEST.format(more="passwd='first'").replace("<video>", f"{channel}<video>"))
    assert kvasird.virsh("create", str(path)).returncode == 0
    query = '{"execute":"qom-get","arguments":{"path":"/machine/peripheral/channel0","property":"name"}}'
    assert '"return":"org.qemu.guest_agent.0"' in kvasird.virsh("qemu-monitor-command", "s", query).stdout
    assert (kvasird.folder / "guest1.agent").is_socket()
    shown = kvasird.virsh("dumpxml", "s", "--security-info").stdout
    found = re.search(r"<graphics type='spice' port='(\d+)'.*?</graphics>", shown, re.S)
    assert found
    port = int(found[1])
    display = found[0]

    def change(password: str, connected: str) -> str:
        text = re.sub(r"passwd='\w+'( connected='\w+')?", f"passwd='{password}' connected='{connected}'", display)
        path.write_text(text)
        done = kvasird.virsh("update-device", "s", str(path), "--live")
        return done.stderr if done.returncode else ""

    with client(port, "wrong", tmp_path) as (answer, _):
        assert answer != 0
    with client(port, "first", tmp_path) as (answer, line):
        assert answer == 0
        assert change("second", "keep") == ""
        assert not cut(line, 1), "it stays"
        assert "set_password" in change("third", "fail"), "refused while a client is there"
        assert not cut(line, 1)
        assert change("fourth", "disconnect") == ""
        assert cut(line, 60), "it is sent away"
    with client(port, "fourth", tmp_path) as (answer, _):
        assert answer == 0
    assert kvasird.virsh("destroy", "s").returncode == 0
