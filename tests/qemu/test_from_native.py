"""A QEMU that was started by hand, as a document: the guide's example, what else its lines say, and what is refused."""

from __future__ import annotations

import pytest
from lxml import etree

from kvasir.errors import ConfigUnsupported, InvalidArg
from kvasir.qemu import from_native
from tests.conftest import KvasirDaemon

ARGS = """LC_ALL=C
PATH=/bin
HOME=/home/test
USER=test
LOGNAME=test {qemu} -S -M pc -m 214 -smp 1 -nographic -monitor pty -no-acpi -boot c -hda /dev/HostVG/QEMUGuest1 -net none \
-serial none -parallel none -usb
"""
FIGURE = {
    "string(/domain/@type)": "qemu", "string(/domain/memory)": "219136", "string(/domain/currentMemory)": "219136",
    "string(/domain/vcpu)": "1", "string(/domain/os/type)": "hvm", "string(/domain/os/type/@arch)": "i686",
    "string(/domain/os/type/@machine)": "pc", "string(/domain/os/boot/@dev)": "hd", "string(/domain/clock/@offset)": "utc",
    "string(/domain/on_poweroff)": "destroy", "string(/domain/on_reboot)": "restart", "string(/domain/on_crash)": "destroy",
    "string(/domain/devices/emulator)": "/usr/bin/qemu", "string(/domain/devices/disk/@type)": "block",
    "string(/domain/devices/disk/@device)": "disk", "string(/domain/devices/disk/source/@dev)": "/dev/HostVG/QEMUGuest1",
    "string(/domain/devices/disk/target/@dev)": "hda", "string(/domain/devices/disk/target/@bus)": "ide",
    "count(/domain/devices/*)": 2.0,
}  # fmt: skip


@pytest.mark.guide("virsh-domxml-from-native", "proc-domxml-from-native", "virsh-domxml-from-native-args-file")
def test_the_guides_example(kvasird: KvasirDaemon) -> None:
    demo = kvasird.folder / "demo.args"
    demo.write_text(ARGS.format(qemu="/usr/bin/qemu"))
    done = kvasird.virsh("domxml-from-native", "qemu-argv", str(demo))
    assert done.returncode == 0, done.stderr
    tree = etree.fromstring(done.stdout.strip())
    assert {path: tree.getroottree().xpath(path) for path in FIGURE} == FIGURE
    demo.write_text(ARGS.format(qemu="/usr/bin/qemu-system-x86_64"))
    made = kvasird.folder / "made.xml"
    made.write_text(kvasird.our_virsh("domxml-from-native", "qemu-argv", str(demo)).stdout.strip())
    assert kvasird.virsh("define", str(made)).returncode == 0
    assert "219136" in kvasird.virsh("dominfo", "unnamed").stdout
    assert kvasird.virsh("undefine", "unnamed").returncode == 0
    done = kvasird.virsh("domxml-from-native", "foo", str(demo))
    assert "invalid argument: unsupported config type foo" in done.stderr


def test_more_of_a_line() -> None:
    text = from_native.document(
        "/usr/bin/qemu-system-x86_64 -name guest=a,,b -uuid 11111111-2222-3333-4444-555555555555 -enable-kvm -m 2G -smp 4,maxcpus=8 "
        "-drive file=/x.qcow2,if=virtio,format=qcow2,cache=none -cdrom '/a b.iso' -net nic,macaddr=52:54:00:00:00:01,model=virtio "
        "-net user -serial pty -vnc 0.0.0.0:3 -vga std -kernel /k -initrd /i -append 'a=1 b' -boot order=dc -cpu qemu64,+vmx"
    )
    tree = etree.fromstring(text).getroottree()
    expected = {
        "string(/domain/@type)": "kvm", "string(/domain/name)": "a,b", "string(/domain/memory)": "2097152",
        "string(/domain/vcpu)": "4", "string(//disk[1]/target/@dev)": "vda", "string(//disk[1]/driver/@cache)": "none",
        "string(//disk[@device='cdrom']/source/@file)": "/a b.iso", "string(//interface/mac/@address)": "52:54:00:00:00:01",
        "string(//graphics/@port)": "5903", "string(//os/cmdline)": "a=1 b", "string(//os/boot[1]/@dev)": "cdrom",
        "string(//cpu/model)": "qemu64", "string(//os/type/@arch)": "x86_64", "count(//serial)": 1.0,
    }  # fmt: skip
    assert {path: tree.xpath(path) for path in expected} == expected


@pytest.mark.parametrize("line", ["", "A=1", "/q -m", "/q -m lots", "/q -smp x", "/q -vnc x", "/q 'open"])
def test_lines_that_cannot_be_read(line: str) -> None:
    with pytest.raises(InvalidArg):
        from_native.document(line)


@pytest.mark.parametrize("line", ["/q -device foo", "/q -net tap", "/q -serial tcp:x:1", "/q -vga foo"])
def test_lines_that_no_document_can_say(line: str) -> None:
    with pytest.raises(ConfigUnsupported):
        from_native.document(line)
