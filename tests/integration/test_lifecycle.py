"""The life of guests through the real virsh: the same words, the same events and the same order on the real daemon and on ours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.waiting import listening, until

SMALL = """<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='KiB'>32768</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<video><model type='vga'/></video><memballoon model='virtio'/></devices>{more}</domain>
"""
UUID = "d97b19b8-97f3-4770-ba08-12aa22bba9a9"

SCRIPT = """
define {xml}
list --all
domstate b
dominfo b
start b --paused
list
domstate b --reason
start b
create {xml}
resume b
resume b
domstate b --reason
suspend b
suspend b
domstate b --reason
resume b
domblklist b
domblklist b --details
domiflist b
domifstat b 52:54:00:11:22:33
domif-getlink b 52:54:00:11:22:33
domblkstat b zz
domblkinfo b hdc
domblkerror b
domcontrol b
domjobinfo b
vcpucount b
vcpupin b
emulatorpin b
iothreadinfo b
memtune b
schedinfo b
cpu-stats b
desc b
desc b --live --title a title
desc b --config a description
desc b
metadata b http://x.y/z --key k --set '<foo><bar a="1"/></foo>'
metadata b http://x.y/z
metadata b http://nosuch
metadata b http://x.y/z --remove
setmem b 900M
setmaxmem b 64M --config
reset b
shutdown b --mode agent
shutdown b --mode initctl
reboot b --mode signal
domhostname b
domfsinfo b
domtime b
qemu-agent-command b '{{"execute":"guest-ping"}}'
qemu-monitor-command b --hmp info status
inject-nmi b
send-key b KEY_LEFTCTRL KEY_A
autostart b
list --autostart --all --name
autostart b --disable
destroy b
destroy b
suspend b
domstate b --reason
domrename b c
domstate c
domrename c b
undefine b
undefine b
create {xml}
undefine b
domrename b c
list --transient --name
destroy b
list --all
domstate nosuch
start nosuch
dominfo 00000000-1111-2222-3333-444444444444
"""


def mask(text: str, folder: str) -> str:
    text = re.sub(r'"id":"libvirt-\d+"', '"id":"libvirt-N"', text.replace(folder, "FOLDER"))
    text = re.sub(r"-{20,}", "---", text)  # as wide as the folder's name makes it
    text = re.sub(r"(?m)^(Id|CPU time):( +)[-\d.s]+$", r"\1:\2N", text)
    text = re.sub(r"(?m)^(Security label:).*\n", "", text)
    return re.sub(r"(?m)^ \d+( +\S+ +(running|paused))", r" N\1", text)


class Listener:
    """``virsh event --all --loop`` in the background."""

    def __init__(self, daemon, out: Path) -> None:
        libraries = ":".join(str(p.parent) for p in (daemon.peers.root / "usr/lib").glob("*/libvirt.so.0"))
        command = [str(daemon.peers.root / "usr/bin/virsh"), "-c", daemon.uri, "event", "--all", "--loop"]
        self.out = out
        with open(out, "wb") as stream:
            env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"}
            self.process = subprocess.Popen(command, stdout=stream, stderr=stream, env=env)
        listening(self.process.pid)

    def stop(self) -> list[str]:
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        return [
            line for line in self.out.read_text().splitlines() if line.startswith("event ") and "reboot" not in line
        ]


def play(daemon, folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Run the script; give (command, masked words) and the events. Reboot events are counted by QEMU's luck: left out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    disk = folder / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "64M"], check=True)
    xml = folder / "b.xml"
    xml.write_text(SMALL.format(name="b", uuid=UUID, disk=disk, more=""))
    listener = Listener(daemon, folder / "events")
    said = []
    for line in SCRIPT.format(xml=xml).strip().splitlines():
        done = daemon.virsh(*_words(line))
        said.append(
            (
                line.replace(str(folder), "FOLDER"),
                mask(done.stdout + done.stderr, str(folder)) + f"rc={done.returncode}",
            )
        )
    return said, listener.stop()


def _words(line: str) -> list[str]:
    import shlex

    words = shlex.split(line)
    if words[0] == "desc" and len(words) > 3:
        at = next(i for i in range(2, len(words)) if not words[i].startswith("--"))
        return [*words[:at], " ".join(words[at:])]
    if "--hmp" in words:
        at = words.index("--hmp") + 1
        return [*words[:at], " ".join(words[at:])]
    return words


@pytest.mark.guide(
    "virsh-list", "virsh-list-opt-all", "virsh-define", "virsh-start", "virsh-start-opt-paused", "virsh-suspend",
    "virsh-resume", "virsh-reset", "virsh-destroy", "virsh-undefine", "virsh-autostart", "virsh-autostart-opt-disable",
    "virsh-domblklist", "virsh-domblklist-opt-details", "virsh-domiflist", "virsh-domblkerror", "virsh-inject-nmi",
)  # fmt: skip
def test_the_same_words_and_events_as_the_real_daemon(real_libvirtd, kvasird):
    theirs, their_events = play(real_libvirtd, real_libvirtd.folder / "play")
    ours, our_events = play(kvasird, kvasird.folder / "play")
    different = [(a[0], a[1], b[1]) for a, b in zip(theirs, ours, strict=True) if a[1] != b[1]]
    assert not different, "\n".join(f"{command}\n  real: {a!r}\n  ours: {b!r}" for command, a, b in different)
    assert our_events == their_events


@pytest.mark.guide("virsh-start-opt-autodestroy")
def test_autodestroy(kvasird, tmp_path):
    from kvasir import client

    disk = kvasird.folder / "d.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    connection = client.open(kvasird.uri)
    connection.createXML(SMALL.format(name="auto", uuid=UUID, disk=disk, more=""), 2)
    assert "auto" in kvasird.virsh("list").stdout
    connection.close()
    until(lambda: "auto" not in kvasird.virsh("list", "--all").stdout)


@pytest.mark.guide("virsh-destroy-opt-graceful")
def test_graceful_never_kills(kvasird):
    disk = kvasird.folder / "d.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    xml = kvasird.folder / "g.xml"
    xml.write_text(SMALL.format(name="g", uuid=UUID, disk=disk, more=""))
    assert kvasird.virsh("create", str(xml)).returncode == 0
    pid = int((kvasird.folder / "run/libvirt/qemu/g.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    failed = kvasird.virsh("destroy", "g", "--graceful")
    assert failed.returncode == 1 and "Failed to terminate process" in failed.stderr, failed
    os.kill(pid, signal.SIGCONT)
    kvasird.virsh("destroy", "g")
    assert "g" not in kvasird.virsh("list", "--all", "--name").stdout.split()


HEAD = "<domain type='qemu'><name>{name}</name><memory>16384</memory><os><type>hvm</type>{boot}</os>{rest}</domain>"
DISK = "<devices><disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='vda'/></disk></devices>"
REFUSED = {
    "no disk": HEAD.format(name="r", boot="", rest=DISK.format(path="{folder}/nosuch.qcow2")),
    "slash": HEAD.format(name="a/b", boot="", rest=""),
    "no kernel": HEAD.format(name="r", boot="<kernel>/nosuch</kernel>", rest=""),
    "no emulator": HEAD.format(name="r", boot="", rest="<devices><emulator>/nosuch/qemu</emulator></devices>"),
    "no base": HEAD.format(name="r", boot="", rest=DISK.format(path="{folder}/over.qcow2")),
    "not qcow2": HEAD.format(name="r", boot="", rest=DISK.format(path="{folder}/raw.img")),
    "no name": HEAD.format(name="", boot="", rest=""),
}


def refusals(daemon) -> dict[str, str]:
    """What the daemon says to each document that cannot start; the time and QEMU's JSON are masked."""
    folder = daemon.folder / "refused"
    folder.mkdir(mode=0o755)
    for name in ("base.img", "raw.img"):
        (folder / name).write_bytes(bytes(1 << 20))
    over = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "raw",
        "-b",
        str(folder / "base.img"),
        str(folder / "over.qcow2"),
    ]
    subprocess.run(over, check=True)
    (folder / "base.img").unlink()
    said = {}
    for name, text in REFUSED.items():
        path = folder / "r.xml"
        path.write_text(text.replace("{folder}", str(folder)))
        done = daemon.virsh("create", str(path))
        words = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", done.stderr.replace(str(folder), "FOLDER"))
        # which of the two the real daemon says depends on how far it came before QEMU ended
        words = words.replace("qemu unexpectedly closed the monitor", "process exited while connecting to monitor")
        said[name] = re.sub(r"-blockdev \{.*\}: ", "-blockdev ...: ", words) + f"rc={done.returncode}"
    return said


def test_the_same_refusals_as_the_real_daemon(real_libvirtd, kvasird):
    assert refusals(kvasird) == refusals(real_libvirtd)
    assert kvasird.virsh("list", "--all", "--name").stdout.split() == []
    assert [path.name for path in (kvasird.folder / "var/lib/libvirt/qemu").glob("domain-*")] == []
