"""{our virsh, the real virsh 9.0} x {kvasird, the real libvirtd}: one script of 40 commands says the same in all four cells.

Ids, uuids, times, pts numbers and the daemons' own sockets are masked; all else is compared byte for byte: standard output, standard
error and exit code of each command.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, Done, KvasirDaemon, TinyGuest, short_folder

UUID = "5eed0000-0000-4000-8000-00000000000a"

DOCUMENT = """<domain type='qemu'>
  <name>matrix</name>
  <uuid>{uuid}</uuid>
  <title>The matrix</title>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{tiny.kernel}</kernel>
    <initrd>{tiny.initramfs}</initrd>
    <cmdline>{tiny.cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{folder}/matrix.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><mac address='52:54:00:00:00:0a'/><model type='virtio'/></interface>
    <serial type='pty'/>
    <console type='pty'/>
    <graphics type='vnc' port='5977' autoport='no'/>
    <video><model type='vga'/></video>
  </devices>
</domain>
"""

SCRIPT = """
hostname
list --all
define {folder}/matrix.xml
list --all
list --all --title
list --all --name --uuid
dominfo matrix
domid matrix
domuuid matrix
domname {uuid}
domstate matrix --reason
domblklist matrix --details
domiflist matrix
dumpxml matrix
dumpxml matrix --inactive --security-info
desc matrix
desc matrix --config --new-desc A-guest
desc matrix
metadata matrix urn:kvasir:test --config --key k --set <note>1</note>
metadata matrix urn:kvasir:test --config
autostart matrix
list --all --autostart
autostart matrix --disable
vcpucount matrix
start matrix
list
domstate matrix --reason
dominfo matrix
domblklist matrix
domiflist matrix
domblkinfo matrix vda
domdisplay matrix
vncdisplay matrix
ttyconsole matrix
domcontrol matrix
domstats matrix --state --vcpu
suspend matrix
domstate matrix --reason
resume matrix
dumpxml matrix
undefine matrix
dominfo matrix
define {folder}/matrix.xml
start matrix
destroy matrix
domstate matrix --reason
undefine matrix
dominfo matrix
start nobody
list --bogus
nonsense
echo --xml a<b
list --all
"""

MASKS = [
    (re.compile(r"(?m)^(Id: +|State: +|CPU time: +)\S+$"), r"\1*"),
    (re.compile(r"(?m)^ \d+ (  +)"), r" * \1"),
    (re.compile(r"id='\d+'"), "id='*'"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/*"),
    (re.compile(r"domain-\d+-matrix"), "domain-*-matrix"),
    (re.compile(r"(CPU time: +)[\d.]+s"), r"\1*"),
    (re.compile(r"(vcpu\.0\.(?:time|wait|delay|halted)=)\d+"), r"\1*"),
]


def masked(text: str, folder: Path) -> str:
    """A command's output without what differs from run to run."""
    text = text.replace(str(folder), "FOLDER").replace(UUID, "UUID")
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def play(run: Callable[..., Done], folder: Path, tiny: TinyGuest) -> list[tuple[str, int, str, str]]:
    """Run the script in one cell: command, exit code, output and error of each line."""
    (folder / "matrix.img").write_bytes(b"\0" * (1 << 20))
    (folder / "matrix.xml").write_text(DOCUMENT.format(uuid=UUID, tiny=tiny, folder=folder))
    script = SCRIPT.strip().format(uuid=UUID, folder=folder).splitlines()
    results = []
    for line in script:
        done = run(*line.split())
        results.append((line.replace(str(folder), "FOLDER"), done.returncode,
                        masked(done.stdout, folder), masked(done.stderr, folder)))  # fmt: skip
    return results


@pytest.fixture(scope="module")
def images() -> Iterator[Path]:
    """The guest's files lie at one path in all cells: tables are as wide as it is long."""
    with short_folder("kv-matrix-") as folder:
        yield folder


@pytest.fixture(scope="module")
def expected(real_libvirtd: DaemonHandle, images: Path, tiny_guest: TinyGuest) -> list[tuple[str, int, str, str]]:
    """The cell of the two real ones, by which the other three are judged."""
    results = play(real_libvirtd.virsh, images, tiny_guest)
    started = [code for line, code, _, _ in results if line == "start matrix"]
    assert started == [0, 1], "the real daemon starts the guest once, and refuses to start it twice"
    return results


def differences(got: list[tuple[str, int, str, str]], expected: list[tuple[str, int, str, str]]) -> str:
    """The commands whose result is another, each with both results."""
    parts = []
    for mine, theirs in zip(got, expected, strict=True):
        if mine != theirs:
            lines = [f"exit code {code}\n{out}{error}".splitlines() for _, code, out, error in (theirs, mine)]
            parts.append(
                f"$ virsh {mine[0]}\n" + "\n".join(difflib.unified_diff(*lines, "real", "ours", n=1, lineterm=""))
            )
    return "\n\n".join(parts)


def test_our_virsh_on_the_real_daemon(
    expected: list[tuple[str, int, str, str]], real_libvirtd: DaemonHandle, images: Path, tiny_guest: TinyGuest
) -> None:
    found = differences(play(real_libvirtd.our_virsh, images, tiny_guest), expected)
    assert not found, found


def test_real_virsh_on_our_daemon(
    expected: list[tuple[str, int, str, str]], kvasird: KvasirDaemon, images: Path, tiny_guest: TinyGuest
) -> None:
    found = differences(play(kvasird.virsh, images, tiny_guest), expected)
    assert not found, found


def test_our_virsh_on_our_daemon(
    expected: list[tuple[str, int, str, str]], kvasird: KvasirDaemon, images: Path, tiny_guest: TinyGuest
) -> None:
    found = differences(play(kvasird.our_virsh, images, tiny_guest), expected)
    assert not found, found
