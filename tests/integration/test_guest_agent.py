"""Chapter 11 of the guide: a real qemu-guest-agent in the tiny guest, put there while it runs and by an edit, and all that virsh asks of it.

The guest's own ``chpasswd`` is a script of this test (busybox has none); the hooks are run by the main hook of Debian's package.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Done, KvasirDaemon, TinyGuest
from tests.hotplug.harness import wait_agent
from tests.hotplug.test_live_rows import inside
from tests.integration.test_untrusted_agent import root_shell
from tests.unpacked import unpacked
from tests.waiting import until

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"), pytest.mark.timeout(600)]
CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
GUEST = """<domain type='qemu'><name>hp</name><memory unit='MiB'>256</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{at}/kernel</kernel><initrd>{at}/initramfs</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu><devices>
<disk type='file'><driver name='qemu' type='raw' discard='unmap'/><source file='{at}/files.raw'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<controller type='virtio-serial'/><serial type='pty'/><serial type='file'><source path='{at}/ticks'/></serial><console type='pty'/></devices></domain>"""
PORT = "/dev/virtio-ports/org.qemu.guest_agent.0"
PLUGGED = (
    "modprobe -a virtio_pci virtio_console; mkdir -p /dev/virtio-ports; until [ -c /dev/vport*p1 ]; do sleep 0.1; done; "
    f"ln -sf $(ls /dev/vport*p1) {PORT}; qemu-ga -d -m virtio-serial -p {PORT} -t /run -f /run/ga.pid; echo started-$((40+2))\r"
)
CHPASSWD = """#!/bin/sh
while IFS=: read -r user word; do
[ "$1" = -e ] || word=$(mkpasswd -m sha512 "$word")
sed -i "/^$user:/d" /etc/shadow; echo "$user:$word:19000:0:99999:7:::" >> /etc/shadow
done
"""
HOOK = """#!/bin/sh
echo "$1 to stdout"; echo "$1 to stderr" >&2
case $1 in freeze) echo frozen-mark > /files/hook;; thaw) echo thawed-mark > /files/hook2;; esac
"""
MIB = 1 << 20


def ok(daemon: KvasirDaemon, *words: object) -> str:
    done: Done = daemon.virsh(*map(str, words))
    assert done.returncode == 0, (words, done.stderr, daemon.log())
    return done.stdout


def fails(daemon: KvasirDaemon, *words: str) -> str:
    done = daemon.virsh(*words)
    assert done.returncode == 1, (words, done.stdout)
    return done.stderr


@pytest.fixture
def guest(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> Iterator[KvasirDaemon]:
    """The guest is defined, without a channel; its disk has a file system."""
    at = kvasird.folder / "images"
    at.mkdir()
    for name in ("kernel", "initramfs"):
        shutil.copy(tiny_guest.folder / name, at / name)
    with open(at / "files.raw", "wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", str(at / "files.raw")], check=True)
    path = kvasird.folder / "hp.xml"
    path.write_text(GUEST.format(at=at, cmdline=tiny_guest.cmdline))
    ok(kvasird, "define", path)
    yield kvasird
    kvasird.virsh("destroy", "hp")


def plugged_in(daemon: KvasirDaemon) -> None:
    """Procedure 11.2: the channel comes while the guest runs, then the agent is started in it."""
    ok(daemon, "start", "hp")
    refused = fails(daemon, "qemu-agent-command", "hp", '{"execute":"guest-ping"}')
    assert "QEMU guest agent is not configured" in refused
    path = daemon.folder / "agent.xml"
    path.write_text(CHANNEL)
    terminal = root_shell(daemon)
    assert ok(daemon, "attach-device", "hp", path).strip() == "Device attached successfully"
    terminal.type(PLUGGED.encode())
    terminal.until(b"started-42")
    terminal.type(b"\x1d")
    assert terminal.end() == 0
    wait_agent(daemon)
    assert ok(daemon, "shutdown", "hp", "--mode=agent").strip() == "Domain 'hp' is being shutdown"
    until(lambda: ok(daemon, "domstate", "hp").strip() == "shut off", "the agent ends it")


def edit_in(daemon: KvasirDaemon, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """``virsh edit`` adds this device."""
    editor = daemon.folder / "editor"
    editor.write_text(f'#!/bin/sh\nsed -i "s#</devices>#{device}</devices>#" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)


def edited(daemon: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Procedure 11.1: the channel comes by ``virsh edit`` of a guest that is off."""
    edit_in(daemon, monkeypatch, CHANNEL)
    assert "Domain 'hp' XML configuration edited." in ok(daemon, "edit", "hp")
    kept = ok(daemon, "dumpxml", "hp", "--inactive")
    assert "<controller type='virtio-serial' index='0'>" in kept and "<source mode='bind'" not in kept
    ok(daemon, "start", "hp")
    wait_agent(daemon)
    assert ok(daemon, "qemu-agent-command", "hp", '{"execute":"guest-ping"}').strip() == '{"return":{}}'


def connected(daemon: KvasirDaemon) -> None:
    live = ok(daemon, "dumpxml", "hp")
    found = re.search(
        r"<channel type='unix'>\s*<source mode='bind' path='(\S+/org.qemu.guest_agent.0)'/>\s*"
        r"<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>\s*<alias name='channel0'/>\s*"
        r"<address type='virtio-serial' controller='0' bus='0' port='1'/>", live)  # fmt: skip
    assert found, live
    path = found[1]
    assert path.startswith(f"{daemon.folder}/") and "/channel/" in path
    sockets = subprocess.run(["ss", "-xa"], capture_output=True, text=True, check=True).stdout
    assert path in sockets
    assert inside(daemon, f"readlink -f {PORT}").startswith("/dev/vport")


def vcpus(daemon: KvasirDaemon) -> None:
    assert inside(daemon, "nproc") == "2"
    ok(daemon, "setvcpus", "hp", "1", "--guest")
    assert inside(daemon, "nproc") == "1" and ok(daemon, "vcpucount", "hp", "--guest").strip() == "1"
    assert "<vcpu placement='static'>2</vcpu>" in ok(daemon, "dumpxml", "hp")
    ok(daemon, "setvcpus", "hp", "2", "--guest")
    assert inside(daemon, "nproc") == "2"


def clock(daemon: KvasirDaemon) -> None:
    """Each way to set the clock: seen by a second query and inside."""

    def asked() -> int:
        return int(re.fullmatch(r"Time: (\d+)\s*", ok(daemon, "domtime", "hp"))[1])  # type: ignore[index]

    def about(now: float) -> bool:
        return abs(asked() - now) < 60 and abs(int(inside(daemon, "date +%s")) - now) < 60

    inside(daemon, "ln -sf ../bin/busybox /sbin/hwclock; modprobe -q rtc_cmos")
    assert re.fullmatch(r"Time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*", ok(daemon, "domtime", "hp", "--pretty"))
    ok(daemon, "domtime", "hp", "--time", "1700000000")
    assert about(1700000000)
    ok(daemon, "domtime", "hp", "--now")
    assert about(time.time())
    inside(daemon, "date -s @1600000000")
    ok(daemon, "domtime", "hp", "--sync")
    assert about(time.time()), "its hardware clock was right"


def addresses(daemon: KvasirDaemon) -> None:
    script = "ip -o addr | awk '{print $2, $4}'"
    until(lambda: "eth0 10.0.2.15/24" in inside(daemon, script), "the guest has its address")
    wanted = {tuple(line.split()) for line in inside(daemon, script).splitlines()}
    table = [line.split() for line in ok(daemon, "domifaddr", "hp", "--source", "agent").splitlines()[2:] if line]
    name, found = "", set()
    for row in table:
        name = name if row[0] == "-" else row[0]
        found.add((name, row[3]))
    assert found == wanted and ("lo", "127.0.0.1/8") in found
    assert ["eth0", "52:54:00:00:00:01", "ipv4", "10.0.2.15/24"] in table


def filesystems(daemon: KvasirDaemon) -> None:
    """The list, a trim, and a freeze under which a write waits."""
    inside(daemon, "modprobe crc32c_generic; modprobe ext4; mkdir /files; mount -t ext4 /dev/vda /files")
    table = [line.split() for line in ok(daemon, "domfsinfo", "hp").splitlines() if line]
    mounts = [line.split() for line in inside(daemon, "grep ^/dev /proc/mounts").splitlines()]
    assert table[0] == ["Mountpoint", "Name", "Type", "Target"] and table[2:] == [["/files", "vda", "ext4", "vda"]]
    assert [(row[1], row[0], row[2]) for row in mounts] == [("/files", "/dev/vda", "ext4")]
    image = daemon.folder / "images/files.raw"
    inside(daemon, "dd if=/dev/urandom of=/files/big bs=1M count=16; sync; rm /files/big; sync")
    full = image.stat().st_blocks
    assert full * 512 > 16 * MIB
    ok(daemon, "domfstrim", "hp")
    assert image.stat().st_blocks * 512 < full * 512 - 15 * MIB
    ticks = daemon.folder / "images/ticks"
    writer = "n=0; while :; do n=$((n+1)); echo $n > /files/n; echo $n > /dev/ttyS1; sleep 0.1; done"
    start = {"execute": "guest-exec", "arguments": {"path": "/bin/sh", "arg": ["-c", writer]}}
    ok(daemon, "qemu-agent-command", "hp", json.dumps(start))

    def written() -> int:
        return len(ticks.read_bytes().split())

    until(lambda: written() > 5, "it writes")
    assert "Froze 1 filesystem(s)" in ok(daemon, "domfsfreeze", "hp")
    time.sleep(1)  # what was said before the freeze arrives
    before = written()
    time.sleep(2)
    assert written() == before, "a write waits"
    assert "Thawed 1 filesystem(s)" in ok(daemon, "domfsthaw", "hp")
    until(lambda: written() > before + 3, "the write goes on")


def password(daemon: KvasirDaemon) -> None:
    script = base64.b64encode(CHPASSWD.encode()).decode()
    inside(daemon, f"touch /etc/shadow; echo {script} | base64 -d > /sbin/chpasswd; chmod 755 /sbin/chpasswd")

    def shadow() -> str:
        return inside(daemon, "grep ^root: /etc/shadow").split(":")[1]

    def hashed(word: str, salt: str) -> str:
        command = ["openssl", "passwd", "-6", "-salt", salt, word]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    secret = "Correct-Horse-42"
    assert "Password set successfully for root in hp" in ok(daemon, "set-user-password", "hp", "root", secret)
    assert shadow() == hashed(secret, shadow().split("$")[2])
    ready = hashed("another", "saltsalt")
    ok(daemon, "set-user-password", "hp", "root", ready, "--encrypted")
    assert shadow() == ready
    logs = [daemon.folder / "kvasird.log", daemon.folder / "var/log/libvirt/qemu/hp.log"]
    assert all(secret not in log.read_text() for log in logs)


def quiesced(daemon: KvasirDaemon, hook: Path) -> None:
    """A writer runs, hooks tell of the freeze and the thaw: the base image has the first mark, not the second, and is clean."""
    put = [("/etc/qemu/fsfreeze-hook", hook.read_bytes()), ("/etc/qemu/fsfreeze-hook.d/mark", HOOK.encode())]
    inside(daemon, "mkdir -p /etc/qemu/fsfreeze-hook.d /var/log; rm -f /bin/logger")
    for path, content in put:
        inside(daemon, f"echo {base64.b64encode(content).decode()} | base64 -d > {path}; chmod 755 {path}")
    inside(daemon, "mv /sbin/qemu-ga /sbin/ga; printf '#!/bin/sh\\nexec /sbin/ga -F \"$@\"\\n' > /sbin/qemu-ga; chmod 755 /sbin/qemu-ga; "
                   "(sleep 1; killall qemu-ga ga) >/dev/null 2>&1 &")  # fmt: skip
    time.sleep(2)
    wait_agent(daemon)
    base = daemon.folder / "images/files.raw"
    overlay = daemon.folder / "images/files.s1"
    ok(daemon, "snapshot-create-as", "hp", "s1", "--quiesce", "--disk-only")
    assert overlay.exists() and str(overlay) in ok(daemon, "domblklist", "hp")
    log = "cat $(sed -n 's/^LOGFILE=//p' /etc/qemu/fsfreeze-hook)"
    said = inside(daemon, log)
    positions = [said.find(f"{step} to {stream}") for step in ("freeze", "thaw") for stream in ("stdout", "stderr")]
    assert -1 not in positions and positions == sorted(positions), said
    shown = subprocess.run(["dumpe2fs", "-h", str(base)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^Filesystem state: +clean$", shown, re.M) and "needs_recovery" not in shown
    assert subprocess.run(["e2fsck", "-fn", str(base)], capture_output=True).returncode == 0
    content = base.read_bytes()
    assert b"frozen-mark" in content and b"thawed-mark" not in content

    document = daemon.folder / "snapshot.xml"
    document.write_text("<domainsnapshot><name>s2</name></domainsnapshot>")
    ok(daemon, "snapshot-create", "hp", document, "--quiesce", "--disk-only")
    assert inside(daemon, log).count("thaw to stdout") == 2
    assert "files.s2" in ok(daemon, "domblklist", "hp")

    assert "Flag 'VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY' is required" in fails(daemon, "snapshot-create", "hp", "--quiesce")
    broken = daemon.folder / "images/broken"
    broken.write_bytes(b"no image")
    document.write_text(f"<domainsnapshot><name>s3</name><disks><disk name='vda'><source file='{broken}'/></disk></disks></domainsnapshot>")
    fails(daemon, "snapshot-create", "hp", str(document), "--quiesce", "--disk-only", "--reuse-external")
    status = ok(daemon, "qemu-agent-command", "hp", '{"execute":"guest-fsfreeze-status"}')
    assert status.strip() == '{"return":"thawed"}' and inside(daemon, log).count("thaw to stdout") == inside(daemon, log).count("freeze to stdout")
    assert "s3" not in ok(daemon, "snapshot-list", "hp", "--name")


def rebooted(daemon: KvasirDaemon) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = inside(daemon, boot)
    assert ok(daemon, "reboot", "hp", "--mode=agent").strip() == "Domain 'hp' is being rebooted"
    until(lambda: _answers(daemon) and inside(daemon, boot) != before, "it boots anew")
    assert ok(daemon, "domstate", "hp").strip() == "running"


def _answers(daemon: KvasirDaemon) -> bool:
    return daemon.virsh("qemu-agent-command", "hp", '{"execute":"guest-ping"}').returncode == 0


def without(daemon: KvasirDaemon) -> None:
    """No agent behind the channel: refused, and nothing is left; modes are tried in turn."""
    inside(daemon, f"rm {PORT}; (sleep 1; killall qemu-ga) >/dev/null 2>&1 &")
    until(lambda: "state='disconnected'" in ok(daemon, "dumpxml", "hp"), "the agent is gone")
    for line in ("shutdown hp --mode=agent", "domfsfreeze hp", "domtime hp", "snapshot-create-as hp s9 --quiesce --disk-only"):
        assert "QEMU guest agent is not connected" in fails(daemon, *line.split()), line
    assert "s9" not in ok(daemon, "snapshot-list", "hp", "--name")
    ok(daemon, "shutdown", "hp", "--mode", "agent,acpi")
    until(lambda: ok(daemon, "domstate", "hp").strip() == "shut off", "its power button ends it")


@pytest.mark.guide(
    "concept-qemu-ga", "behaviour-qemu-ga-vcpus", "behaviour-qemu-ga-transport", "xml-channel-qemu-ga", "proc-qemu-ga-offline",
    "proc-qemu-ga-hotplug", "virsh-shutdown-mode-agent", "virsh-reboot-mode-agent", "virsh-snapshot-create-quiesce",
    "virsh-snapshot-create-as-quiesce", "virsh-domfsfreeze", "virsh-domfstrim", "virsh-domtime", "virsh-setvcpus-guest",
    "virsh-domifaddr-agent", "virsh-domfsinfo", "virsh-set-user-password", "behaviour-consistent-snapshot-steps",
    "file-qemu-ga-hook-log",
)  # fmt: skip
def test_the_agent_at_work(guest: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = unpacked("qemu-guest-agent") / "etc/qemu/fsfreeze-hook"
    plugged_in(guest)
    edited(guest, monkeypatch)
    connected(guest)
    vcpus(guest)
    clock(guest)
    addresses(guest)
    filesystems(guest)
    password(guest)
    quiesced(guest, hook)
    rebooted(guest)
    without(guest)


SPICE = """<domain type='qemu'><name>hp</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<graphics type='spice' autoport='yes'/></devices></domain>"""
FOR_SPICE = "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"


@pytest.mark.guide("xml-channel-spice", "proc-spice-agent-offline")
def test_a_channel_for_the_spice_agent(kvasird: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Procedure 11.4, by an edit of a guest that is off; the book's unclosed target is refused."""
    path = kvasird.folder / "hp.xml"
    path.write_text(SPICE)
    ok(kvasird, "define", path)
    book = kvasird.folder / "book.xml"
    book.write_text(SPICE.replace("</devices>", FOR_SPICE.replace("0'/>", "0'>") + "</devices>"))
    assert "Opening and ending tag mismatch: target" in fails(kvasird, "define", str(book))
    edit_in(kvasird, monkeypatch, FOR_SPICE)
    assert "Domain 'hp' XML configuration edited." in ok(kvasird, "edit", "hp")
    ok(kvasird, "start", "hp")
    live = ok(kvasird, "dumpxml", "hp")
    assert re.search(r"<channel type='spicevmc'>\s*<target type='virtio' name='com.redhat.spice.0'(?: state='\w+')?/>", live), live
    line = (kvasird.folder / "var/log/libvirt/qemu/hp.log").read_text()
    assert "-chardev spicevmc,id=charchannel0,name=vdagent" in line
    ok(kvasird, "destroy", "hp")
