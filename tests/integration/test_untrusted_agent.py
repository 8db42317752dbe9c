"""What answers on the agent's channel is the guest: silence, floods and nonsense cost their own caller an error, and nobody else anything."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest
from tests.hotplug.harness import wait_agent
from tests.virsh.test_console import Terminal
from tests.waiting import until

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"), pytest.mark.timeout(500)]
GUEST = """<domain type='qemu'><name>hp</name><memory unit='MiB'>160</memory>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{at}/kernel</kernel><initrd>{at}/initramfs</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu><devices>
<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""
OTHER = "<domain type='qemu'><name>other</name><memory unit='MiB'>32</memory><os><type machine='pc'>hvm</type></os></domain>"
PORT = "/dev/virtio-ports/org.qemu.guest_agent.0"
PING = ("qemu-agent-command", "hp", '{"execute":"guest-ping"}', "--timeout", "5")
ANSWER = (
    'exec 3<>$P; while read -r line <&3; do id=$(echo "$line" | sed -n \'s/.*"id": *\\([0-9]*\\).*/\\1/p\'); '
    'if [ -n "$id" ]; then echo "{\\"return\\": $id}" >&3; else eval "$SAY" >&3; fi; done'
)
"""An agent that synchronises as it should, and then says what it likes."""
SAYS = {
    "nonsense": "echo '{]'",
    "a flood": "dd if=/dev/zero bs=1M count=100 2>/dev/null | tr '\\000' x",
}


@pytest.fixture
def terminal(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> Iterator[Terminal]:
    """A root shell in the guest, whose own agent has been taken away."""
    at = kvasird.folder / "images"
    at.mkdir()
    for name in ("kernel", "initramfs"):
        shutil.copy(tiny_guest.folder / name, at / name)
    for name, text in (("hp", GUEST.format(at=at, cmdline=tiny_guest.cmdline)), ("other", OTHER)):
        (kvasird.folder / f"{name}.xml").write_text(text)
        assert kvasird.virsh("create", str(kvasird.folder / f"{name}.xml")).returncode == 0
    wait_agent(kvasird)
    shell = root_shell(kvasird)
    tell(shell, f"P=$(readlink -f {PORT}); rm {PORT}; killall qemu-ga; sleep 1")
    try:
        yield shell
        shell.type(b"\x1d")
        shell.end()
    finally:
        for name in ("hp", "other"):
            kvasird.virsh("destroy", name)


def root_shell(daemon: KvasirDaemon) -> Terminal:
    """The console of the guest, when its shell answers."""
    shell = Terminal(str(PROJECT / "bin/virsh"), "-c", daemon.uri, "console", "hp", "--force")
    shell.until(b"Escape character")
    until(lambda: _prompt(shell), "no shell on the console")
    return shell


def _prompt(shell: Terminal) -> bool:
    shell.type(b"\r")
    try:
        shell.until(b"#", 5)
    except AssertionError as error:
        if "ended" in str(error):
            raise
        return False
    return True


def tell(shell: Terminal, line: str) -> None:
    """A line for the shell, until it is done."""
    shell.type(f"{line}; echo done-$((40+2))\r".encode())
    shell.until(b"done-42")


def memory(daemon: KvasirDaemon) -> int:
    """MiB of the daemon."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10  # type: ignore[index]


@pytest.mark.guide("behaviour-qemu-ga-trust")
def test_a_guest_that_abuses_the_channel(kvasird: KvasirDaemon, terminal: Terminal) -> None:
    before = memory(kvasird)
    tell(terminal, "cat $P >/dev/null & sleep 0.1")
    began = time.monotonic()
    done = kvasird.virsh(*PING)
    assert done.returncode == 1 and "Guest agent is not responding" in done.stderr, done.stderr
    assert time.monotonic() - began < 60
    works(kvasird)
    tell(terminal, "kill $!; sleep 1")
    for kind, say in SAYS.items():
        tell(terminal, f"SAY={quoted(say)}")
        tell(terminal, f"({ANSWER}) 2>/dev/null & sleep 0.1")
        done = kvasird.virsh(*PING)
        assert done.returncode == 1 and re.search("agent|json", done.stderr), (kind, done.stderr)
        works(kvasird)
        tell(terminal, "kill $!; killall dd tr; sleep 1")
    assert memory(kvasird) < before + 48, "an answer may be 10 MiB"


def works(daemon: KvasirDaemon) -> None:
    """The guest's other commands and the other guest."""
    for line in ("suspend hp", "resume hp", "suspend other", "resume other", "domstats hp", "dumpxml hp"):
        done = daemon.virsh(*line.split())
        assert done.returncode == 0, (line, done.stderr)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
