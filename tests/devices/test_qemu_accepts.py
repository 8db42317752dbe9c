"""QEMU itself takes the forms that the devices give: the command line is run, and the monitor answers.

Golden files show that the forms are libvirt's; these show that a guest with them comes up.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.golden import harness

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed"
)

NUMA = (
    "<maxMemory slots='16' unit='MiB'>1024</maxMemory>"
    "<cpu><numa><cell id='0' cpus='0' memory='262144' unit='KiB'/></numa></cpu>"
)
GUESTS = {
    "sound": (
        "pc-q35-7.2",
        "",
        "<sound model='ich9'><codec type='micro'/><codec type='duplex'/></sound><sound model='ac97'/>"
        "<sound model='usb'/><sound model='sb16'/><sound model='pcspk'/>"
        "<audio id='1' type='none' timerPeriod='40'><input mixingEngine='yes' fixedSettings='yes' voices='1' "
        "bufferLength='100'><settings frequency='44100' channels='2' format='s16'/></input></audio>",
    ),
    "small": (
        "pc-q35-7.2",
        "",
        "<rng model='virtio'><backend model='random'/><rate bytes='100'/></rng>"
        "<rng model='virtio'><backend model='builtin'/></rng><watchdog model='i6300esb' action='dump'/>"
        "<panic model='isa'/><memballoon model='virtio' autodeflate='on' freePageReporting='on'/>"
        "<input type='tablet' bus='usb'/><input type='keyboard' bus='virtio'><driver packed='on'/></input>"
        "<hub type='usb'/><iommu model='intel'><driver caching_mode='on'/></iommu>",
    ),
    "channels": (
        "pc-q35-7.2",
        "",
        "<redirdev bus='usb' type='unix'><source mode='bind' path='{0}/redir'/></redirdev>"
        "<redirfilter><usbdev class='8' allow='yes'/><usbdev allow='no'/></redirfilter>"
        "<smartcard mode='passthrough' type='unix'><source mode='bind' path='{0}/card'/></smartcard>",
    ),
    "video": (
        "pc-q35-7.2",
        "",
        "<video><model type='virtio' heads='2'><resolution x='800' y='600'/></model></video>"
        "<video><model type='qxl'/></video><graphics type='vnc'><listen type='none'/></graphics>",
    ),
    "memory": (
        "pc-q35-7.2",
        NUMA,
        "<memory model='dimm' access='shared'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
        "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='MiB'>2</block>"
        "<requested unit='MiB'>64</requested></target></memory><video><model type='bochs'/></video>",
    ),
    "i440fx": (
        "pc-i440fx-7.2",
        "",
        "<video><model type='vmvga'/></video><sound model='es1370'/><watchdog model='ib700' action='inject-nmi'/>"
        "<rng model='virtio-transitional'><backend model='random'>/dev/urandom</backend></rng>"
        "<memballoon model='virtio-non-transitional'/><panic model='isa'><address type='isa' iobase='0x505'/></panic>",
    ),
}


def command(name: str, folder: Path) -> list[str]:
    """The command line of a guest, with the folders of the daemon moved to ``folder``."""
    machine, extra, devices = GUESTS[name]
    words = harness.ours_argv(
        "<domain type='qemu'><name>smoke</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
        f"<memory unit='KiB'>262144</memory><vcpu>1</vcpu>{extra}"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices.format(folder)}</devices></domain>"
    )
    moved = (
        ("/var/lib/libvirt/qemu/domain--1-smoke", str(folder)),
        ("/var/lib/libvirt/qemu/ram/-1-smoke", str(folder)),
    )
    for old, new in moved:
        words = [word.replace(old, new) for word in words]
    (folder / "master-key.aes").write_bytes(b"k" * 32)
    return words


def greet(process: subprocess.Popen[str], path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The greeting of the monitor, and the answer to ``query-status``."""
    until = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "no monitor after a minute"
        time.sleep(0.05)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(path))
        stream = line.makefile("rw")
        greeting = json.loads(stream.readline() or "{}")
        for execute in ("qmp_capabilities", "query-status"):
            stream.write(json.dumps({"execute": execute}) + "\n")
            stream.flush()
            answer = json.loads(stream.readline() or "{}")
    return greeting, answer


@pytest.mark.parametrize("name", GUESTS)
def test_guest_comes_up(name: str, tmp_path: Path) -> None:
    process = subprocess.Popen(command(name, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        greeting, answer = greet(process, tmp_path / "monitor.sock")
        assert greeting["QMP"]["version"]["qemu"]["major"] >= 7, process.stderr
        assert answer["return"]["status"] == "prelaunch"
    finally:
        process.kill()
        errors = process.communicate()[1]
    assert not errors, errors
