"""What a guest's own system sees: functions of one PCI slot, a generator added by virsh edit, a device of the next start, channels."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.hotplug.harness import wait_agent
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"),
    pytest.mark.timeout(500),
]
GUEST = """<domain type='qemu'><name>hp</name><memory unit='MiB'>256</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>{images}/kernel</kernel><initrd>{images}/initramfs</initrd>
<cmdline>{cmdline}</cmdline></os><features><acpi/></features>
<cpu mode='custom' match='exact'><model>qemu64</model></cpu><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/a.raw'/><target dev='vda' bus='virtio'/>
<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0' multifunction='on'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/b.raw'/><target dev='vdb' bus='virtio'/>
<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x1'/></disk>
<serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


def inside(daemon: KvasirDaemon, command: str) -> str:
    """What a command prints in the guest, run by its agent."""
    start = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", command], "capture-output": True}}
    done = daemon.virsh("qemu-agent-command", "hp", json.dumps(start))
    assert done.returncode == 0, done.stderr
    pid = json.loads(done.stdout)["return"]["pid"]
    end = time.monotonic() + 60
    while True:
        asked = {"execute": "guest-exec-status", "arguments": {"pid": pid}}
        said = json.loads(daemon.virsh("qemu-agent-command", "hp", json.dumps(asked)).stdout)["return"]
        if said["exited"]:
            return base64.b64decode(said.get("out-data", "")).decode(errors="replace").strip()
        assert time.monotonic() < end, command
        time.sleep(0.2)


@pytest.mark.guide(
    "proc-multifunction-pci",
    "proc-rng-virsh",
    "virsh-shutdown-start-around-config",
    "virsh-vcpucount-opt-guest",
    "rng-concept",
)
def test_seen_from_inside(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    images = kvasird.folder / "images"
    images.mkdir()
    for name in ("kernel", "initramfs"):
        shutil.copy(tiny_guest.folder / name, images / name)
    for name in ("a.raw", "b.raw", "c.raw"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "raw", f"{images}/{name}", "8M"], check=True)
    path = kvasird.folder / "hp.xml"
    path.write_text(GUEST.format(images=images, cmdline=tiny_guest.cmdline))
    assert kvasird.virsh("define", str(path)).returncode == 0
    editor = kvasird.folder / "editor"
    editor.write_text(f'#!/bin/sh\nsed -i "s#</devices>#{RNG}</devices>#" "$1"\n')
    editor.chmod(0o755)
    before, os.environ["EDITOR"] = os.environ.get("EDITOR"), str(editor)
    try:
        assert "edited" in kvasird.virsh("edit", "hp").stdout
    finally:
        os.environ.pop("EDITOR")
        if before is not None:
            os.environ["EDITOR"] = before
    assert kvasird.virsh("start", "hp").returncode == 0
    wait_agent(kvasird)
    for function in (0, 1):
        assert inside(kvasird, f"cat /sys/bus/pci/devices/0000:00:05.{function}/class") == "0x010000", "SCSI storage"
    assert len(inside(kvasird, "head -c 16 /dev/hwrng | od -An -tx1").split()) == 16
    inside(kvasird, "echo 0 > /sys/devices/system/cpu/cpu1/online")
    assert kvasird.virsh("vcpucount", "hp", "--guest").stdout.strip() == "1"
    assert kvasird.virsh("vcpucount", "hp", "--active", "--live").stdout.strip() == "2"
    disk = kvasird.folder / "disk.xml"
    disk.write_text(f"<disk type='file'><source file='{images}/c.raw'/><target dev='vdc' bus='virtio'/></disk>")
    assert kvasird.virsh("attach-device", "hp", str(disk), "--config").returncode == 0
    assert "vdc" not in kvasird.virsh("domblklist", "hp").stdout, "only the next start has it"
    assert kvasird.virsh("shutdown", "hp", "--mode", "agent").returncode == 0
    until(lambda: kvasird.virsh("domstate", "hp").stdout.strip() == "shut off")
    assert kvasird.virsh("start", "hp").returncode == 0
    wait_agent(kvasird)
    assert "vdc" in kvasird.virsh("domblklist", "hp").stdout
    assert inside(kvasird, "cat /sys/block/vdc/size") == str(8 * 2048)
    assert kvasird.virsh("destroy", "hp").returncode == 0


SPICE = """<domain type='qemu'><name>hp</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices><controller type='virtio-serial'/>
<graphics type='spice' autoport='yes'/></devices></domain>"""
CHANNELS = {
    "proc-spice-agent-hotplug": "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
}


@pytest.mark.guide(*CHANNELS)
def test_a_channel_for_the_viewer(kvasird: KvasirDaemon) -> None:
    path = kvasird.folder / "hp.xml"
    path.write_text(SPICE)
    assert kvasird.virsh("create", str(path)).returncode == 0
    for row, text in CHANNELS.items():
        agent = kvasird.folder / f"{row}.xml"
        agent.write_text(text)
        done = kvasird.virsh("attach-device", "hp", str(agent))
        assert done.stdout.strip() == "Device attached successfully", done.stderr
        shown = kvasird.virsh("dumpxml", "hp").stdout
        assert "<channel type='spicevmc'>" in shown and "name='com.redhat.spice.0'" in shown
        assert kvasird.virsh("detach-device", "hp", str(agent)).returncode == 0
    assert kvasird.virsh("destroy", "hp").returncode == 0


def test_a_shared_folder_for_a_running_guest(kvasird: KvasirDaemon) -> None:
    """libvirt 9.0 itself dies of this, so there is nothing to compare with."""
    if not any(os.path.exists(path) for path in ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")):
        pytest.skip("virtiofsd is not installed")
    ports = "<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 5
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    path, fs = kvasird.folder / "hp.xml", kvasird.folder / "fs.xml"
    text = SPICE.replace("<graphics type='spice' autoport='yes'/>", "").replace("<devices>", f"<devices>{ports}")
    path.write_text(text.replace("<os>", f"{shared}<os>"))
    fs.write_text(
        f"<filesystem type='mount'><driver type='virtiofs'/><source dir='{kvasird.folder}'/><target dir='t'/></filesystem>"
    )
    assert kvasird.virsh("create", str(path)).returncode == 0
    done = kvasird.virsh("attach-device", "hp", str(fs), "--live")
    assert done.stdout.strip() == "Device attached successfully", done.stderr
    assert "<driver type='virtiofs'/>" in kvasird.virsh("dumpxml", "hp").stdout
    query = json.dumps({"execute": "qom-list", "arguments": {"path": "/machine/peripheral/fs0"}})
    assert kvasird.virsh("qemu-monitor-command", "hp", query).returncode == 0
    assert kvasird.virsh("destroy", "hp").returncode == 0


@pytest.mark.guide("error-hostdev-in-use-by-other-guest", "trouble-sriov-in-use")
def test_a_function_has_one_guest() -> None:
    """Up to the kernel's door: the check itself, with a guest that QEMU would run only on hardware that is not there."""
    from types import SimpleNamespace

    from kvasir.devices import hostdev_host
    from kvasir.errors import OperationInvalid
    from kvasir.model.domain import Domain

    text = """<domain type='kvm'><name>A</name><os><type>hvm</type></os><devices><hostdev mode='subsystem' type='pci'
    managed='yes'><source><address domain='0' bus='3' slot='0x10' function='0'/></source></hostdev></devices></domain>"""
    first, second = Domain.from_xml(text), Domain.from_xml(text)
    running = SimpleNamespace(name="A", live=first)
    host = SimpleNamespace(driver=SimpleNamespace(guests=SimpleNamespace(by_id={1: running})))
    with pytest.raises(OperationInvalid) as caught:
        hostdev_host.free(host, second.hostdevs[0], "0000:03:10.0")
    expected = "Requested operation is not valid: PCI device 0000:03:10.0 is in use by driver QEMU, domain A"
    assert caught.value.message == expected
    hostdev_host.free(host, first.hostdevs[0], "0000:03:10.0")  # its own
    hostdev_host.free(host, second.hostdevs[0], "0000:03:10.2")
