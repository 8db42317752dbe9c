"""Guests with displays, an emulated TPM and directories of the host: what runs beside QEMU comes and goes with it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, processes_under
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)


def document(name: str, devices: str, extra: str = "") -> str:
    return f"""<domain type='qemu'><name>{name}</name><uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>
<memory unit='MiB'>64</memory><vcpu>1</vcpu>{extra}<os><type arch='x86_64' machine='q35'>hvm</type></os>
<features><acpi/></features><devices>{devices}</devices></domain>"""


def define(daemon: KvasirDaemon, name: str, devices: str, extra: str = "") -> None:
    path = daemon.folder / f"{name}.xml"
    path.write_text(document(name, devices, extra))
    done = daemon.our_virsh("define", str(path))
    assert done.returncode == 0, done.stderr


def ok(daemon: KvasirDaemon, *words: str) -> str:
    done = daemon.our_virsh(*words)
    assert done.returncode == 0, f"{words}: {done.stderr}\n{daemon.log()}"
    return done.stdout


def vnc_words(port: int) -> tuple[bytes, bytes]:
    """The greeting of a VNC server and the security types that it offers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        greeting = line.recv(12)
        line.sendall(b"RFB 003.008\n")
        count = line.recv(1)
        return greeting, line.recv(count[0])


@pytest.mark.guide(
    "vnc-server-configure", "ui-console-vnc-loopback", "xml-graphics-vnc-autoport", "domxml-graphics-vnc"
)
def test_vnc_port_password_and_two_guests(kvasird: KvasirDaemon) -> None:
    """Automatic ports differ, the live document shows them and the inactive one does not, the password is asked for."""
    define(kvasird, "vnc1", "<graphics type='vnc' passwd='hush4u' websocket='-1'/>")
    define(kvasird, "vnc2", "<graphics type='vnc'/>")
    for name in ("vnc1", "vnc2"):
        ok(kvasird, "start", name)
    live = [ok(kvasird, "dumpxml", name) for name in ("vnc1", "vnc2")]
    ports = [int(re.search(r"<graphics type='vnc' port='(\d+)' autoport='yes'", text)[1]) for text in live]  # type: ignore[index]
    assert len(set(ports)) == 2 and min(ports) >= 5900
    assert "hush4u" not in live[0] and "listen='127.0.0.1'" in live[0]
    assert "passwd='hush4u'" in ok(kvasird, "dumpxml", "--security-info", "vnc1")
    assert "<graphics type='vnc' port='-1' autoport='yes' websocket='-1'>" in ok(
        kvasird, "dumpxml", "--inactive", "vnc1"
    )
    greeting, types = vnc_words(ports[0])
    assert greeting.startswith(b"RFB 003.") and types == b"\x02", "VNC authentication is the only way in"
    assert vnc_words(ports[1])[1] == b"\x01", "no password, none is asked for"
    assert ok(kvasird, "vncdisplay", "vnc2").strip() == f"127.0.0.1:{ports[1] - 5900}"
    for name in ("vnc1", "vnc2"):
        ok(kvasird, "destroy", name)
    with pytest.raises(OSError):
        vnc_words(ports[0])
    assert "hush4u" not in Path(f"{kvasird.folder}/var/log/libvirt/qemu/vnc1.log").read_text()


@pytest.mark.skipif(not shutil.which("swtpm"), reason="swtpm is not installed")
def test_emulated_tpm(kvasird: KvasirDaemon) -> None:
    """The state is made once and kept over starts, swtpm ends with the guest, undefine removes the state."""
    define(kvasird, "tpm", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>")
    state = kvasird.folder / f"var/lib/libvirt/swtpm/{uuid.uuid5(uuid.NAMESPACE_DNS, 'tpm')}/tpm2/tpm2-00.permall"
    assert not state.exists()
    for _ in range(2):
        ok(kvasird, "start", "tpm")
        assert state.exists()
        made = state.stat().st_ino, state.stat().st_size
        assert [p for p in processes_under(kvasird.folder) if "swtpm" in p]
        answer = ok(kvasird, "qemu-monitor-command", "tpm", '{"execute":"query-tpm"}')
        assert "tpm-tpm0" in answer
        ok(kvasird, "destroy", "tpm")
        until(lambda: not [p for p in processes_under(kvasird.folder) if "swtpm" in p])
        assert made[1] > 0
    ok(kvasird, "undefine", "tpm")
    assert not state.parent.parent.exists()


@pytest.mark.skipif(not Path("/usr/lib/qemu/virtiofsd").exists(), reason="virtiofsd is not installed")
def test_shared_directories(kvasird: KvasirDaemon) -> None:
    """9p and virtiofs in one guest; virtiofsd ends with it; a missing directory is an error that leaves nothing."""
    for name in ("nine", "virtio"):
        (kvasird.folder / name).mkdir()
    devices = (
        f"<filesystem accessmode='mapped'><source dir='{kvasird.folder}/nine'/><target dir='n'/></filesystem>"
        f"<filesystem><driver type='virtiofs'/><source dir='{kvasird.folder}/virtio'/><target dir='v'/></filesystem>"
    )
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    define(kvasird, "fs", devices, shared)
    ok(kvasird, "start", "fs")
    assert [p for p in processes_under(kvasird.folder) if "virtiofsd" in p]
    ok(kvasird, "destroy", "fs")
    until(lambda: not [p for p in processes_under(kvasird.folder) if "virtiofsd" in p])
    (kvasird.folder / "virtio").rmdir()
    done = kvasird.our_virsh("start", "fs")
    assert done.returncode == 1 and "virtiofs export directory" in done.stderr
    assert processes_under(kvasird.folder) == [p for p in processes_under(kvasird.folder) if "kvasir.daemon" in p]


def test_spice_with_sound(kvasird: KvasirDaemon) -> None:
    """A SPICE display with its audio and a sound card starts, where QEMU has SPICE."""
    helps = subprocess.run(["qemu-system-x86_64", "-spice", "help"], capture_output=True, text=True, check=False)
    if "spice support is disabled" in helps.stderr or "There is no option group 'spice'" in helps.stderr:
        pytest.skip("this QEMU has no SPICE")
    define(
        kvasird,
        "spice",
        "<graphics type='spice' autoport='yes'/><sound model='ich9'/><video><model type='qxl'/></video>",
    )
    ok(kvasird, "start", "spice")
    text = ok(kvasird, "dumpxml", "spice")
    assert re.search(r"<graphics type='spice' port='\d+' autoport='yes' listen='127.0.0.1'>", text)
    ok(kvasird, "destroy", "spice")


@pytest.mark.skipif(not shutil.which("swtpm"), reason="swtpm is not installed")
def test_adopted_guest_keeps_display_and_tpm(kvasird: KvasirDaemon) -> None:
    """After a crash of the daemon the live document is the same, and destroy still ends what runs beside QEMU."""
    define(
        kvasird,
        "kept",
        "<graphics type='vnc' websocket='-1' passwd='hush4u'/><tpm><backend type='emulator' version='2.0'/></tpm>",
    )
    ok(kvasird, "start", "kept")
    forms = (("--security-info",), ("--inactive", "--security-info"), ("--migratable",))
    before = [ok(kvasird, "dumpxml", *form, "kept") for form in forms]
    kvasird.kill()
    kvasird.start()
    assert ok(kvasird, "domstate", "kept").strip() == "running"
    for form, text in zip(forms, before, strict=True):
        assert ok(kvasird, "dumpxml", *form, "kept") == text
    assert "listen='127.0.0.1'" not in before[2], "an address of qemu.conf stays out of what a migration reads"
    ok(kvasird, "destroy", "kept")
    until(lambda: not [p for p in processes_under(kvasird.folder) if "swtpm" in p])
    ok(kvasird, "undefine", "kept")
