"""A guest with a real system in it, through the real virsh on our daemon: console, agent, reboots, shutdown, restart of the daemon."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import time

import pytest

from tests.waiting import readable, until

XML = """<domain type='qemu'><name>tiny</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu>
<on_reboot>{on_reboot}</on_reboot>
<devices><interface type='user'><model type='virtio'/></interface><serial type='pty'/><console type='pty'/>
<console type='pty'><target type='virtio' port='1'/></console>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>
"""

pytestmark = pytest.mark.timeout(280)


def document(kvasird, tiny, on_reboot="restart") -> str:
    folder = tiny.folder
    path = kvasird.folder / "tiny.xml"
    kernel, initrd = kvasird.folder / "kernel", kvasird.folder / "initramfs"
    for target, name in ((kernel, "kernel"), (initrd, "initramfs")):
        if not target.exists():
            os.link(folder / name, target) if os.stat(folder).st_dev == os.stat(kvasird.folder).st_dev else (
                target.write_bytes((folder / name).read_bytes())
            )
    text = (folder / "cmdline").read_text().strip()
    path.write_text(XML.format(kernel=kernel, initrd=initrd, cmdline=text, on_reboot=on_reboot))
    return str(path)


def wait_for_agent(kvasird, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while kvasird.virsh("qemu-agent-command", "tiny", '{"execute":"guest-ping"}').returncode:
        assert time.monotonic() < end, "the agent does not answer"
        time.sleep(0.5)


def wait_off(kvasird, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while (state := kvasird.virsh("domstate", "tiny", "--reason").stdout.strip()).split(" (")[0] != "shut off":
        assert time.monotonic() < end, state
        time.sleep(0.2)
    return state


def console(kvasird, command: bytes, answer: bytes, seconds: float = 60) -> bytes:
    """Type into ``virsh console`` on a terminal of its own and leave it by ^]."""
    master, slave = pty.openpty()
    libraries = ":".join(str(p.parent) for p in (kvasird.peers.root / "usr/lib").glob("*/libvirt.so.0"))
    virsh = [str(kvasird.peers.root / "usr/bin/virsh"), "-c", kvasird.uri, "console", "tiny"]
    program = subprocess.Popen(
        ["setsid", "-c", *virsh],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
    )
    os.close(slave)
    got, end, typed = b"", time.monotonic() + seconds, 0.0
    try:
        while answer not in got:
            assert time.monotonic() < end, got[-500:]
            if time.monotonic() - typed > 5:
                os.write(master, command + b"\r")
                typed = time.monotonic()
            if readable(master, 0.3):
                got += os.read(master, 4096)
        os.write(master, b"\x1d")
        assert program.wait(10) == 0
    finally:
        program.kill()
        os.close(master)
    return got


@pytest.mark.guide(
    "virsh-console",
    "virsh-console-escape",
    "virsh-shutdown",
    "virsh-shutdown-opt-mode",
    "virsh-reboot-opt-mode",
    "virsh-domhostname",
    "trouble-serial-console",
    "trouble-serial-console-xml",
)
def test_a_life_with_a_restart_of_the_daemon(kvasird, tiny_guest):
    path = document(kvasird, tiny_guest)
    assert kvasird.virsh("define", path).returncode == 0
    started = kvasird.virsh("start", "tiny")
    assert started.returncode == 0, started.stderr + kvasird.log()
    said = console(kvasird, b"echo kvasir-$((40+2))", b"kvasir-42")
    assert b"Connected to domain 'tiny'" in said
    wait_for_agent(kvasird)
    for virsh in (kvasird.virsh, kvasird.our_virsh):
        assert virsh("domhostname", "tiny").stdout.strip() == "tiny"
        assert virsh("domhostname", "tiny", "--source", "agent").stdout.strip() == "tiny"
        assert "no hostname found for domain tiny" in virsh("domhostname", "tiny", "--source", "lease").stderr
    shown = kvasird.virsh("dumpxml", "tiny").stdout
    assert "state='connected'" in shown
    virtio = re.search(
        r"<console type='pty'>\s*<source path='(/dev/pts/\d+)'/>\s*<target type='virtio' port='1'/>\s*<alias name='console1'/>",
        shown,
    )
    assert virtio is not None and stat.S_ISCHR(os.stat(virtio[1]).st_mode)
    assert kvasird.virsh("reboot", "tiny", "--mode", "acpi").returncode == 0
    time.sleep(4)
    wait_for_agent(kvasird)
    pid = (kvasird.folder / "run/libvirt/qemu/tiny.pid").read_text()
    kvasird.kill()
    kvasird.start()
    assert kvasird.virsh("domstate", "tiny", "--reason").stdout.strip() == "running (booted)"
    assert (kvasird.folder / "run/libvirt/qemu/tiny.pid").read_text() == pid, "the guest lived through it"
    wait_for_agent(kvasird)
    assert b"again-7" in console(kvasird, b"echo again-$((3+4))", b"again-7")
    kernel = b"dmesg -n 8; echo said-$((5*5)) > /dev/kmsg"
    assert re.search(rb"\[ *\d+\.\d+\] said-25", console(kvasird, kernel, b"] said-25")), "the kernel's own messages"
    console(kvasird, b"exec getty -L 115200 ttyS0", b"login:")
    assert kvasird.virsh("shutdown", "tiny", "--mode", "agent").returncode == 0
    assert wait_off(kvasird) == "shut off (shutdown)"


@pytest.mark.guide("virsh-reboot-on-reboot", "virsh-reboot")
def test_on_reboot_destroy(kvasird, tiny_guest):
    assert kvasird.virsh("create", document(kvasird, tiny_guest, "destroy")).returncode == 0
    wait_for_agent(kvasird)
    assert kvasird.virsh("reboot", "tiny", "--mode", "agent").returncode == 0
    until(
        lambda: "tiny" not in kvasird.virsh("list", "--all", "--name").stdout,
        "a guest that is destroyed at its reboot went on",
    )
