"""A real guest under TCG, made and used by the real clients and by ours, against our daemon."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest
from tests.waiting import until

SCRIPT = """
import sys, threading, time, libvirt
uri, document = sys.argv[1:3]
libvirt.virEventRegisterDefaultImpl()
def pump():
    while True:
        libvirt.virEventRunDefaultImpl()
threading.Thread(target=pump, daemon=True).start()
connection = libvirt.open(uri)
events = []
connection.domainEventRegisterAny(
    None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, d, event, detail, opaque: events.append((event, detail)), None)
assert [d.name() for d in connection.listAllDomains()] == []
domain = connection.defineXML(open(document).read())
assert [d.name() for d in connection.listAllDomains()] == ["py"]
domain.create()
assert domain.info()[0] == libvirt.VIR_DOMAIN_RUNNING and domain.isActive() == 1
stream = connection.newStream(0)
domain.openConsole(None, stream, 0)
shown, end = b"", time.time() + 90
while b"tiny:/#" not in shown and time.time() < end:
    shown += stream.recv(4096)
stream.send(b"echo the-answer-is-$((40+2))\\n")
while b"the-answer-is-42" not in shown and time.time() < end:
    shown += stream.recv(4096)
assert b"the-answer-is-42" in shown, shown[-300:]
stream.abort()
stats = connection.getAllDomainStats()[0][1]
assert stats["state.state"] == 1 and stats["vcpu.maximum"] == 1 and stats["cpu.time"] > 0, stats
assert "<alias name='serial0'/>" in domain.XMLDesc(0)
assert "<alias" not in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
domain.destroy()
domain.undefine()
try:
    connection.lookupByName("py")
except libvirt.libvirtError as error:
    assert error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN
else:
    raise AssertionError("the guest is still there")
end = time.time() + 5
while (1, 0) not in events and time.time() < end:
    time.sleep(0.05)
# defined, resumed (unpaused), started (booted), shutdown (by the host), stopped (destroyed), undefined
print(events)
"""


def document(tiny: TinyGuest, name: str) -> str:
    """A guest that boots the tiny system from memory."""
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{tiny.kernel}</kernel><initrd>{tiny.initramfs}</initrd>
<cmdline>{tiny.cmdline}</cmdline></os><features><acpi/></features>
<devices><serial type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""


def virt_install(daemon: KvasirDaemon, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "KVASIR_BOOT_DIR": str(daemon.folder / "boot")}
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--connect", daemon.uri, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=180)


@pytest.fixture
def image(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> Path:
    """A disk that boots, in a folder that the guests' user may pass."""
    folder = kvasird.folder / "images"
    folder.mkdir(mode=0o755)
    return Path(shutil.copy(tiny_guest.disk, folder / "disk.qcow2"))


def test_libvirt_python_from_define_to_undefine(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    (kvasird.folder / "py.xml").write_text(document(tiny_guest, "py"))
    (kvasird.folder / "script.py").write_text(SCRIPT)
    assert kvasird.peers is not None or pytest.skip("libvirt-python is one of the peers, which cannot be had here")
    done = kvasird.peers.run("python3", str(kvasird.folder / "script.py"), kvasird.uri, str(kvasird.folder / "py.xml"))
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert done.stdout.strip() == "[(0, 0), (4, 0), (2, 0), (6, 2), (5, 1), (1, 0)]"


@pytest.mark.guide("virsh-shutdown", "virsh-define", "virsh-start")
def test_real_virsh_runs_a_guest_and_its_agent_ends_it(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    (kvasird.folder / "v.xml").write_text(document(tiny_guest, "v"))
    done = kvasird.virsh(f"define {kvasird.folder}/v.xml; start v; domstate v --reason; list --name")
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert "running (booted)" in done.stdout
    ping = '{"execute":"guest-ping"}'
    until(lambda: '"return":{}' in kvasird.virsh("qemu-agent-command", "v", ping).stdout, "the agent's answer")
    assert kvasird.virsh("shutdown", "v", "--mode", "agent").returncode == 0
    until(lambda: "shut off (shutdown)" in kvasird.virsh("domstate", "v", "--reason").stdout, "the shutdown")
    log = (kvasird.folder / "var/log/libvirt/qemu/v.log").read_text()
    assert "-name guest=v,debug-threads=on" in log
    assert "shutting down, reason=shutdown" in log


@pytest.mark.guide("virt-install-import", "virt-install-name")
def test_real_virt_install_imports_a_disk(kvasird: KvasirDaemon, image: Path) -> None:
    assert kvasird.peers is not None or pytest.skip("virt-install is one of the peers, which cannot be had here")
    words = "--name vi --memory 256 --import --virt-type qemu --osinfo generic --graphics none --network none --noautoconsole"
    done = kvasird.peers.run("virt-install", "--connect", kvasird.uri, *words.split(), "--disk", str(image))
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert "Domain creation completed." in done.stdout
    assert kvasird.virsh("domstate", "vi").stdout.strip() == "running"
    root = ET.fromstring(kvasird.virsh("dumpxml", "vi").stdout)
    disk = root.find("devices/disk")
    assert disk is not None
    assert disk.find("driver").get("type") == "qcow2"  # type: ignore[union-attr]
    assert root.find("os/boot").get("dev") == "hd"  # type: ignore[union-attr]
    assert kvasird.virsh("pool-list", "--name").stdout.split() == ["images"]
    assert kvasird.virsh("destroy", "vi").returncode == 0
    assert kvasird.virsh("undefine", "vi", "--remove-all-storage").returncode == 0
    assert not image.exists()


@pytest.mark.guide("virt-install-import", "virt-install-memory", "virt-install-vcpus")
def test_our_virt_install_imports_a_disk_that_boots(kvasird: KvasirDaemon, image: Path) -> None:
    words = "--name own --memory 256 --vcpus 1 --import --virt-type qemu --graphics none --network none --noautoconsole"
    done = virt_install(
        kvasird, *words.split(), "--disk", str(image), "--serial", f"file,path={kvasird.folder}/serial.log"
    )
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert "Domain creation completed." in done.stdout
    serial = kvasird.folder / "serial.log"
    until(lambda: serial.exists() and b"tiny:/" in serial.read_bytes(), "the guest's prompt")
    assert kvasird.virsh("destroy", "own").returncode == 0


@pytest.mark.guide("virt-install-disk")
def test_a_disk_that_does_not_exist_is_created_and_taken_back_when_the_guest_fails(kvasird: KvasirDaemon) -> None:
    folder = kvasird.folder / "disks"
    folder.mkdir(mode=0o755)
    words = [
        "--memory",
        "128",
        "--import",
        "--virt-type",
        "qemu",
        "--graphics",
        "none",
        "--network",
        "none",
        "--noautoconsole",
    ]
    done = virt_install(kvasird, "--name", "new", *words, "--disk", f"{folder}/new.qcow2,size=2")
    assert done.returncode == 0, done.stderr + kvasird.log()
    info = subprocess.run(
        ["qemu-img", "info", "-U", f"{folder}/new.qcow2"], capture_output=True, text=True, check=True
    ).stdout
    assert "virtual size: 2 GiB" in info
    assert kvasird.virsh("destroy", "new").returncode == 0
    failed = virt_install(
        kvasird, "--name", "bad", *words, "--disk", f"{folder}/bad.qcow2,size=1", "--qemu-commandline=-no-such-option"
    )
    assert failed.returncode == 1
    assert "no-such-option" in failed.stderr
    assert sorted(p.name for p in folder.iterdir()) == ["new.qcow2"]
    assert "bad" not in kvasird.virsh("list", "--all", "--name").stdout.split()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A folder on HTTP."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    server.server_close()


@pytest.mark.guide("virt-install-location")
def test_location_boots_the_trees_kernel_first_and_the_disk_after(
    kvasird: KvasirDaemon, tiny_guest: TinyGuest, served: tuple[str, Path]
) -> None:
    url, folder = served
    (folder / "images/pxeboot").mkdir(parents=True)
    shutil.copy(tiny_guest.kernel, folder / "images/pxeboot/vmlinuz")
    shutil.copy(tiny_guest.initramfs, folder / "images/pxeboot/initrd.img")
    (folder / ".treeinfo").write_text(
        "[general]\nfamily=Tiny\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n"
    )
    disks = kvasird.folder / "disks"
    disks.mkdir(mode=0o755)
    words = [
        "--name",
        "net",
        "--memory",
        "192",
        "--virt-type",
        "qemu",
        "--graphics",
        "none",
        "--network",
        "none",
        "--noautoconsole",
    ]
    done = virt_install(
        kvasird, *words, "--location", url, "--extra-args", tiny_guest.cmdline, "--disk", f"{disks}/net.qcow2,size=1",
        "--serial", f"file,path={kvasird.folder}/serial.log",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + kvasird.log()
    live = ET.fromstring(kvasird.virsh("dumpxml", "net").stdout)
    assert live.findtext("os/kernel")
    assert live.findtext("os/cmdline") == tiny_guest.cmdline
    assert live.findtext("on_reboot") == "destroy"
    kept = ET.fromstring(kvasird.virsh("dumpxml", "net", "--inactive").stdout)
    assert kept.find("os/kernel") is None
    assert [b.get("dev") for b in kept.findall("os/boot")] == ["hd"]
    assert kept.findtext("on_reboot") == "restart"
    serial = kvasird.folder / "serial.log"
    until(lambda: serial.exists() and b"tiny:/" in serial.read_bytes(), "the guest's prompt")
    assert kvasird.virsh("destroy", "net").returncode == 0


def test_kvasir_launches_the_tiny_guest_in_one_command(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    home = {"KVASIR_HOME": str(kvasird.folder / "data")}
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "KVASIR_TINY": str(tiny_guest.folder), **home}

    def kvasir(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kvasir.cli.kvasir", "-c", kvasird.uri, *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    done = kvasir("launch", "--virt-type", "qemu", "--no-console", "--network", "none")
    assert done.returncode == 0, done.stderr + kvasird.log()
    assert kvasir("list").stdout.splitlines() == ["NAME  STATE    MEMORY   CPUS", "tiny  running  256 MiB  1"]
    ping = '{"execute":"guest-ping"}'
    until(lambda: '"return":{}' in kvasird.virsh("qemu-agent-command", "tiny", ping).stdout, "the agent's answer")
    assert kvasir("stop", "tiny").returncode == 0
    assert kvasird.virsh("domstate", "tiny").stdout.strip() == "shut off"
    assert kvasir("delete", "tiny").returncode == 0
    missing = kvasir("start", "tiny")
    assert (missing.returncode, missing.stderr) == (1, "kvasir: no guest 'tiny'; there are: none\n")
