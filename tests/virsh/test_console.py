"""``virsh console`` on a terminal: what the guest says, what is typed, and the escape sequence."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT, KvasirDaemon, TinyGuest
from tests.waiting import readable

XML = """\
<domain type='qemu'>
  <name>talk</name>
  <memory unit='MiB'>128</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{tiny.kernel}</kernel><initrd>{tiny.initramfs}</initrd><cmdline>{tiny.cmdline}</cmdline>
  </os>
  <devices><serial type='pty'/><console type='pty'/></devices>
</domain>
"""


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)

    def until(self, wanted: bytes, timeout: float = 120) -> None:
        """Read until it shows something."""
        end = time.monotonic() + timeout
        while wanted not in self.shown:
            left = end - time.monotonic()
            assert left > 0, f"no {wanted!r} in {self.shown[-2000:]!r}"
            if readable(self.fd, left):
                try:
                    self.shown += os.read(self.fd, 65536)
                except OSError:
                    raise AssertionError(f"ended: {self.shown[-2000:]!r}") from None

    def type(self, data: bytes) -> None:
        self.shown = b""
        os.write(self.fd, data)

    def end(self) -> int:
        """Wait for it; its exit code."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if readable(self.fd, 0.1):
                try:
                    self.shown += os.read(self.fd, 65536)
                except OSError:
                    time.sleep(0.05)
        raise AssertionError(f"does not end: {self.shown[-2000:]!r}")


@pytest.fixture
def talk(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> Iterator[KvasirDaemon]:
    """A daemon with a guest defined that has a serial console."""
    path = kvasird.folder / "talk.xml"
    path.write_text(XML.format(tiny=tiny_guest))
    done = kvasird.our_virsh("define", str(path))
    assert done.returncode == 0, done.stderr
    yield kvasird
    kvasird.our_virsh("destroy", "talk")


@pytest.mark.guide("virsh-console", "virsh-console-escape", "virsh-start-opt-console")
def test_console_both_ways(talk: KvasirDaemon) -> None:
    terminal = Terminal(str(PROJECT / "bin/virsh"), "-c", talk.uri, "start", "talk", "--console")
    terminal.until(b"Connected to domain 'talk'")
    terminal.until(b"Escape character is ^] (Ctrl + ])")
    terminal.until(b"#")
    terminal.type(b"echo $((40+2))-guest\r")
    terminal.until(b"42-guest")
    terminal.type(b"\x1d")
    assert terminal.end() == 0
    assert talk.our_virsh("domstate", "talk").stdout.strip() == "running"


def test_other_escape(talk: KvasirDaemon) -> None:
    assert talk.our_virsh("start", "talk").returncode == 0
    terminal = Terminal(str(PROJECT / "bin/virsh"), "-c", talk.uri, "-e", "^A", "console", "talk", "--force")
    terminal.until(b"Escape character is ^A (Ctrl + A)")
    time.sleep(0.5)
    terminal.type(b"\x01")
    assert terminal.end() == 0


def test_end_of_the_guest_ends_the_console(talk: KvasirDaemon) -> None:
    assert talk.our_virsh("start", "talk").returncode == 0
    terminal = Terminal(str(PROJECT / "bin/virsh"), "-c", talk.uri, "console", "talk")
    terminal.until(b"Escape character")
    assert talk.our_virsh("destroy", "talk").returncode == 0
    terminal.end()
