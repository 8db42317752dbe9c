"""The peers themselves: the real daemon runs beside ours and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import DaemonHandle, KvasirDaemon, Peers

GUEST = """<domain type='qemu'><name>peer</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>"""


def test_real_daemon_runs_a_guest_and_keeps_to_itself(real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    before = {path: path.exists() and sorted(path.rglob("*")) for path in map(Path, ("/etc/libvirt", "/run/libvirt"))}
    document = tmp_path / "peer.xml"
    document.write_text(GUEST)
    created = real_libvirtd.virsh("create", str(document))
    assert created.returncode == 0, created.stderr
    assert real_libvirtd.virsh("-q", "list", "--name").stdout.split() == ["peer"]
    assert real_libvirtd.virsh("destroy", "peer").returncode == 0
    assert before == {path: path.exists() and sorted(path.rglob("*")) for path in before}


def test_real_clients_run(peers: Peers, real_libvirtd: DaemonHandle) -> None:
    assert "libvirt 9.0.0" in real_libvirtd.virsh("version").stdout
    script = f"import libvirt; print(libvirt.open('{real_libvirtd.uri}').getLibVersion())"
    assert peers.run("python3", "-c", script).stdout.strip() == "9000000"
    assert peers.run("virt-install", "--version").stdout.strip() == "4.1.0"


def test_real_virsh_on_our_daemon(kvasird: KvasirDaemon) -> None:
    assert "Running hypervisor: QEMU" in kvasird.virsh("version").stdout
    assert kvasird.virsh("-q", "list", "--all").stdout.strip() == ""
