"""Which daemon a URI means, and what is said when it cannot be reached (guide 20.4, A.19.2, A.19.9), by both virsh."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, Done, KvasirDaemon, Peers, short_folder


def both(peers: Peers, uri: str, *words: str) -> tuple[Done, Done]:
    """The same call by the real virsh and by ours."""
    command = [str(PROJECT / "bin/virsh"), "-c", uri, *words]
    env = {**os.environ, "LC_ALL": "C"}
    ours = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    return peers.virsh(uri, *words), ours


REFUSED = {
    "qemu://system": "invalid URI qemu://system (maybe you want qemu:///system)",
    "qemu://session/": "invalid URI qemu://session/ (maybe you want qemu:///session)",
    "qemu://127.0.0.1/system": "Cannot read CA certificate",
    "qemu+tcp://127.0.0.1:1/system": "unable to connect to server at '127.0.0.1:1': Connection refused",
    "qemu+unix:///system?socket=/nosuch/sock": "Failed to connect socket to '/nosuch/sock': No such file or directory",
}


@pytest.mark.guide("trouble-uri-intro", "trouble-uri-ca-cert", "trouble-uri-slashes", "trouble-table-a1-cannot-read-ca",
                   "trouble-table-a1-other-connectivity")  # fmt: skip
@pytest.mark.parametrize("uri", REFUSED)
def test_what_cannot_be_reached(peers: Peers, uri: str) -> None:
    if "CA certificate" in REFUSED[uri] and Path("/etc/pki/CA/cacert.pem").exists():
        pytest.skip("this host has a CA certificate of its own")
    real, ours = both(peers, uri, "list")
    assert (ours.returncode, ours.stderr) == (real.returncode, real.stderr)
    assert ours.returncode == 1
    assert ours.stderr.startswith("error: failed to connect to the hypervisor\n")
    assert REFUSED[uri] in ours.stderr


@pytest.mark.guide("uri-lxc", "trouble-no-guests-uri", "trouble-uri-slashes")
def test_what_a_daemon_does_not_serve(peers: Peers, kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Containers and other hypervisors are refused in the same words by both daemons."""
    for path in ("lxc+unix:///", "lxc+unix:///system", "vbox+unix:///system", "qemu+unix:///nosuch"):
        said = []
        for daemon in (kvasird, real_libvirtd):
            where = daemon.uri.partition("?")[2]
            said += [done.stderr for done in both(peers, f"{path}?{where}", "uri")]
        assert len(set(said)) == 1, said
        assert "no connection driver available for" in said[0] or "unexpected qemu URI path '/nosuch'" in said[0]


SYSTEM = """
set -e
mkdir {work}/etc
cp -a /etc/. {work}/etc/ 2>/dev/null || true
rm -rf {work}/etc/libvirt
mount --bind {work}/etc /etc
for folder in /run /var/lib /var/log /var/cache; do mount -t tmpfs -o mode=755 tmpfs $folder; done
{python} -m kvasir.daemon > {work}/log 2>&1 &
daemon=$!
for turn in $(seq 300); do [ -S /run/libvirt/libvirt-sock ] && break; sleep 0.1; done
for virsh in '{ours}' 'env LD_LIBRARY_PATH={libraries} {real}'; do
    $virsh -q -c qemu:///system uri
    $virsh -q uri
    $virsh -q -c qemu:///system list --all --name
    LIBVIRT_DEFAULT_URI=qemu:///system $virsh -q uri
    echo connect qemu:///system | $virsh -q > /dev/null
done
ls /etc/libvirt/qemu /run/libvirt
kill $daemon
wait $daemon
"""


@pytest.mark.guide("uri-qemu-system", "trouble-no-guests-uri", "virsh-connect")
def test_the_system_itself(peers: Peers, tmp_path: Path) -> None:
    """kvasird as the system's daemon, in a mount namespace with an /etc, /run and /var of its own."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare")
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    text = SYSTEM.format(
        work=tmp_path, python=sys.executable, ours=PROJECT / "bin/virsh", real=peers.root / "usr/bin/virsh",
        libraries=libraries,
    )  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
    for name in ("LIBVIRT_DEFAULT_URI", "KVASIR_ROOT"):
        env.pop(name, None)
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", text]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    assert done.stdout.split().count("qemu:///system") == 6
    assert "libvirt-sock" in done.stdout
    assert "autostart" in done.stdout


@pytest.mark.guide("trouble-no-guests", "trouble-no-guests-modules", "trouble-no-guests-extensions", "trouble-table-a1-no-guests",
                   "trouble-bios-verify")  # fmt: skip
@pytest.mark.parametrize("module", ["there", "missing"])
def test_no_guests_shown(
    tmp_path: Path, kvasird: KvasirDaemon, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    """The three looks of the guide: extensions, the kernel's module (made-up hosts), the URI; then the empty list."""
    from kvasir.cli import virt_host_validate

    (tmp_path / "proc").mkdir()
    (tmp_path / "dev").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx sse2\n")
    if module == "there":
        (tmp_path / "dev/kvm").touch()
    virt_host_validate.main(["qemu"], str(tmp_path))
    said = capsys.readouterr().out
    assert re.search(r"Checking for hardware virtualization +: PASS", said)
    wanted = "PASS" if module == "there" else r"FAIL \(Check that the 'kvm_intel' module is loaded"
    assert re.search(rf"Checking if device /dev/kvm exists +: {wanted}", said)
    for virsh in (kvasird.virsh, kvasird.our_virsh):
        assert virsh("-q", "uri").stdout.strip() == kvasird.uri
        assert virsh("list", "--all").stdout.splitlines()[0].split() == ["Id", "Name", "State"]
        assert len(virsh("list", "--all").stdout.strip().splitlines()) == 2


SYSLOG = """
set -e
for node in null zero random urandom full tty ptmx; do touch {work}/dev/$node; mount --bind /dev/$node {work}/dev/$node; done
mkdir -p {work}/dev/pts {work}/dev/shm
mount --bind {work}/dev /dev
{python} -m kvasir.daemon --root {work}/root > {work}/log 2>&1 &
daemon=$!
for turn in $(seq 300); do [ -S {work}/root/run/libvirt/libvirt-sock ] && break; sleep 0.1; done
{ours} -q -c 'qemu+unix:///system?socket={work}/root/run/libvirt/libvirt-sock' start nosuch || true
kill $daemon
wait $daemon
"""


@pytest.mark.guide("conf-libvirtd-log-outputs")
@pytest.mark.parametrize("line", ['log_outputs="3:syslog:libvirtd"', ""])
def test_warnings_go_to_syslog(line: str) -> None:
    """With the line of the guide, warnings and errors reach /dev/log (one of the test's own) as libvirtd's; without, none."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare")
    with short_folder("kv-log-") as work:
        for folder in ("dev", "root/etc/libvirt/qemu"):
            (work / folder).mkdir(parents=True)
        (work / "root/etc/libvirt/libvirtd.conf").write_text(line + "\n")
        (work / "root/etc/libvirt/qemu/bad.xml").write_text("<domain type='qemu'><name>bad</name>")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(work / "dev/log"))
            log.setblocking(False)
            text = SYSLOG.format(work=work, python=sys.executable, ours=PROJECT / "bin/virsh")
            env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LC_ALL": "C"}
            command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", text]
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            said = []
            try:
                while True:
                    said.append(log.recv(65536).decode())
            except BlockingIOError:
                pass
    if not line:
        assert said == []
        return
    assert any("libvirtd: " in one and "bad.xml" in one for one in said), said
    others = [one for one in said if "libvirt version: " not in one and "hostname: " not in one]  # each output's head
    assert not any(": info :" in one or ": debug :" in one for one in others), others
