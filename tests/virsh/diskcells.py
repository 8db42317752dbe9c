"""One script in the four cells of {our, the real virsh} x {kvasird, the real libvirtd}, its output compared byte for byte.

A line of a script is a command of virsh (``{folder}`` is the folder of the images), or ``!name words``: a helper of ``Play``.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Done

UUID = "d97b19b8-97f3-4770-ba08-12aa22bba9a9"
GUEST = """<domain type='qemu'><name>g</name><uuid>{uuid}</uuid><memory unit='KiB'>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/top.qcow2'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='{second}'/><source file='{folder}/b.img'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>
"""
Row = tuple[str, int, str, str]
MASKS = [
    (r"(?m)^(Id:? +|CPU time: +)\S+$", r"\1*"),
    (r"(?m)^ \d+  +", r" *   "),
    (r"domain( type='qemu')? id='\d+'", "domain id='*'"),
    (r"/dev/pts/\d+", "/dev/pts/*"),
    (r"domain-\d+-g", "domain-*-g"),
    (r"\[ *\d+ %\]", "[N %]"),
    (r"(\n?[\w ]+: \[N %\])+", r"\1"),
    (r"(?m)^ (cur|end)=\d+", r" \1=N"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "WHEN"),
    (r"\b1[789]\d{8}\b", "STAMP"),
    (r"(?m)^ +<seclabel[^\0]*?</seclabel>\n", ""),
    (r"(?m)^( *)<source file='([^']*)'([^>]*)>\n( *<privateData.*?</privateData>\n)?", r"\1<source file='\2'\3>\n"),
    (r"(?m)^(Time elapsed: +)\d+ +ms", r"\1N ms"),
]


def masked(text: str, folder: Path) -> str:
    """A command's output without what differs from run to run."""
    text = text.replace(str(folder), "FOLDER")
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def tool(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def make_images(folder: Path, second: str = "raw") -> None:
    """base <- mid <- top (qcow2, 100 MiB, each with data of its own), and b.img."""
    for entry in folder.iterdir():
        if entry.is_file():
            entry.unlink()
    here = str(folder)
    tool("qemu-img", "create", "-q", "-f", "qcow2", f"{here}/base.qcow2", "100M")
    for name, below in (("mid", "base"), ("top", "mid")):
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{below}.qcow2", "-F", "qcow2", f"{here}/{name}.qcow2")
    tool("qemu-img", "create", "-q", "-f", second, f"{here}/b.img", "10M")
    for name, what in (("base", "-P 1 0 10M"), ("mid", "-P 2 5M 10M"), ("top", "-P 3 12M 20M")):
        tool("qemu-io", "-c", f"write {what}", f"{here}/{name}.qcow2")
    (folder / "g.xml").write_text(GUEST.format(uuid=UUID, folder=folder, second=second))


class Play:
    """One run of a script in one cell."""

    def __init__(self, run: Callable[..., Done], folder: Path, *, own: Path | None = None) -> None:
        self.run, self.folder, self.own = run, folder, own
        self.rows: list[Row] = []

    def script(self, text: str) -> list[Row]:
        """Run every line; the result of each."""
        for line in text.strip().splitlines():
            line = line.split("  #")[0].strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("!"):
                word, *words = shlex.split(line[1:].format(folder=self.folder))
                getattr(self, word)(*words)
                continue
            done = self.run(*shlex.split(line.replace("{folder}", str(self.folder))))
            self.rows.append(
                (line, done.returncode, masked(done.stdout, self.folder), masked(done.stderr, self.folder))
            )
        return self.rows

    # -- helpers of scripts

    def images(self, second: str = "raw") -> None:
        """Images as at the beginning, and the guest defined anew."""
        self.run("destroy", "g")
        self.run("undefine", "g", "--snapshots-metadata", "--checkpoints-metadata", "--managed-save")
        make_images(self.folder, second)
        assert self.run("define", str(self.folder / "g.xml")).returncode == 0

    def until(self, seconds: str, text: str, *command: str) -> None:
        """Repeat a command until its output has the text."""
        end = time.monotonic() + float(seconds)
        while text not in (done := self.run(*command)).stdout + done.stderr:
            assert time.monotonic() < end, f"{command} does not say {text!r}: {done.stdout}{done.stderr}"
            time.sleep(0.1)

    def make(self, *command: str) -> None:
        """Run a tool of images."""
        tool(*command)
        for entry in self.folder.iterdir():
            if entry.is_file():
                os.chmod(entry, 0o666)

    def write(self, name: str, text: str) -> None:
        """Write a small file; the text stands in double quotes."""
        (self.folder / name).write_text(text)

    def dump(self, name: str, *command: str) -> None:
        """A command's output as a file."""
        (self.folder / name).write_text(self.run(*command).stdout)

    def editor(self, *words: str) -> None:
        """What the commands that edit run."""
        script = self.folder / "editor"
        quoted = " ".join(shlex.quote(word) for word in words)
        script.write_text(f'#!/bin/sh\nexec {quoted} "$1"\n')
        script.chmod(0o755)
        os.environ["EDITOR"] = os.environ["VISUAL"] = str(script)

    def passwd(self) -> None:
        """The guest gets a display with a password."""
        text = (
            (self.folder / "g.xml")
            .read_text()
            .replace("<controller", "<graphics type='vnc' passwd='secret'/><controller", 1)
        )
        (self.folder / "g.xml").write_text(text)
        assert self.run("define", str(self.folder / "g.xml")).returncode == 0

    def files(self) -> None:
        """The names of the files, as a row of the results."""
        names = " ".join(sorted(entry.name for entry in self.folder.iterdir()))
        self.rows.append(("!files", 0, names, ""))

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def differences(got: list[Row], expected: list[Row]) -> str:
    """The commands whose result is another, each with both results."""
    parts = []
    for mine, theirs in zip(got, expected, strict=True):
        if mine != theirs:
            lines = [f"exit code {code}\n{out}{error}".splitlines() for _, code, out, error in (theirs, mine)]
            diff = "\n".join(difflib.unified_diff(*lines, "real", "ours", n=1, lineterm=""))
            parts.append(f"$ virsh {mine[0]}\n{diff}")
    return "\n\n".join(parts)


def compare(play: Play, script: str, expected: list[Row]) -> None:
    """A script says the same in this cell as in another; the guest ends with it."""
    found = differences(play.script(script), expected)
    play.run("destroy", "g")
    assert not found, found
