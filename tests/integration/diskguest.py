"""A guest that writes known bytes to its disk all the time, and says on a serial port what it has flushed.

Round r writes the text ``r=00000123\\n`` over and over into region r modulo REGIONS of /dev/vda, flushes, and then prints its
number. So the host knows what must be there at any moment, whatever happens to guest, QEMU or daemon.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.conftest import Done, KvasirDaemon, TinyGuest
from tests.waiting import until

REGION, REGIONS = 256 << 10, 64
SIZE = REGION * REGIONS
LINE = 11
XML = """<domain type='qemu'><name>disks</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>160</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='{machine}'>hvm</type><kernel>{folder}/kernel</kernel><initrd>{folder}/initramfs</initrd><cmdline>{cmdline}</cmdline></os>
<features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu>
<devices>{disks}
<serial type='pty'/><serial type='file'><source path='{folder}/flushed'/></serial><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>{more}</devices></domain>
"""
DISK = "<disk type='file'><driver name='qemu' type='{format}'/><source file='{path}'/><target dev='{target}' bus='{bus}'/></disk>"
WRITER = (
    "r={first}; while :; do n=$(printf 'r=%08d' $r); "
    f"yes $n | dd of=/dev/vda bs={REGION} count=1 iflag=fullblock seek=$((r % {REGIONS})) conv=notrunc,fsync 2>/dev/null "
    "&& echo $r > /dev/ttyS1; r=$((r + 1)); done"
)


class DiskGuest:
    """The guest, its files and the daemon that runs it."""

    def __init__(self, daemon: KvasirDaemon, tiny: TinyGuest, *, disks: str = "", machine: str = "q35") -> None:
        self.daemon, self.folder = daemon, daemon.folder / "disks"
        self.before = -1
        """The last round of the guest's lives before."""
        self.folder.mkdir()
        self.folder.chmod(0o777)
        for name in ("kernel", "initramfs"):
            target = self.folder / name
            try:
                os.link(tiny.folder / name, target)
            except OSError:
                target.write_bytes((tiny.folder / name).read_bytes())
        self.base, self.top = self.folder / "base.qcow2", self.folder / "top.qcow2"
        tool("qemu-img", "create", "-q", "-f", "qcow2", str(self.base), str(SIZE))
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.base), "-F", "qcow2", str(self.top))
        first = DISK.format(format="qcow2", path=self.top, target="vda", bus="virtio")
        text = XML.format(folder=self.folder, cmdline=tiny.cmdline, machine=machine, disks=first + disks, more="")
        (self.folder / "g.xml").write_text(text)

    def virsh(self, *args: str, ok: bool = True) -> Done:
        done = self.client(*args)
        assert not ok or done.returncode == 0, f"{args}: {done.stdout}{done.stderr}{self.daemon.log()}"
        return done

    def client(self, *args: str) -> Done:
        """A virsh: the real one where it can be had, which is quicker to start."""
        return self.daemon.virsh(*args) if self.daemon.peers is not None else self.daemon.our_virsh(*args)

    def start(self) -> None:
        """Define, start, and wait for the agent."""
        self.virsh("define", str(self.folder / "g.xml"))
        self.boot()

    def boot(self) -> None:
        self.virsh("start", "disks")
        until(lambda: self.agent("guest-ping") is not None, "the agent does not answer")

    def agent(self, command: str, **arguments: Any) -> Any:
        message = json.dumps({"execute": command, **({"arguments": arguments} if arguments else {})})
        done = self.client("qemu-agent-command", "disks", message)
        return json.loads(done.stdout)["return"] if done.returncode == 0 else None

    def run(self, script: str) -> str:
        """Run a shell script in the guest and give its output."""
        import base64

        argv = {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True}
        began = self.agent("guest-exec", **argv)
        assert began is not None, script
        while not (state := self.agent("guest-exec-status", pid=began["pid"]) or {}).get("exited"):
            time.sleep(0.1)
        return base64.b64decode(state.get("out-data", "")).decode()

    def write(self, first: int = 0) -> None:
        """Let the writer begin."""
        script = WRITER.format(first=first)
        assert self.agent("guest-exec", path="/bin/sh", arg=["-c", script]) is not None
        self.more_rounds(2)

    def flushed(self) -> int:
        """The last round that the guest flushed, -1 for none."""
        text = (self.folder / "flushed").read_bytes().decode(errors="replace") if self._log() else ""
        lines = [line.strip() for line in text.split("\n")[:-1] if line.strip().isdigit()]
        return int(lines[-1]) if lines else self.before

    def _log(self) -> bool:
        return (self.folder / "flushed").exists()

    def more_rounds(self, count: int = 1) -> None:
        """Wait until the guest has flushed more."""
        was = self.flushed()
        until(lambda: self.flushed() >= was + count, f"the guest writes no more after round {was}")


def tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def raw_of(path: Path, format_: str = "qcow2") -> bytes:
    """The bytes that a guest sees in an image and what lies below it."""
    out = path.parent / "raw.check"
    tool("qemu-img", "convert", "-U", "-f", format_, "-O", "raw", str(path), str(out))
    data = out.read_bytes()
    out.unlink()
    return data


def check(data: bytes, flushed: int, *, latest: int | None = None) -> None:
    """Every byte is of a round that was written, no region is older than what was flushed, none newer than ``latest``."""
    for region in range(REGIONS):
        piece = data[region * REGION : (region + 1) * REGION]
        newest = flushed - (flushed - region) % REGIONS
        rounds = rounds_of(piece, region)
        if newest >= 0:
            assert rounds, f"region {region} is empty, round {newest} was flushed"
            assert min(rounds) >= newest, f"region {region} holds round {min(rounds)}, round {newest} was flushed"
        assert latest is None or not rounds or max(rounds) <= latest, f"region {region} holds {max(rounds)} > {latest}"
        assert len(rounds) <= 2, f"region {region} mixes rounds {rounds}"


def rounds_of(piece: bytes, region: int) -> list[int]:
    """The rounds in a region, in order; fails for bytes that nobody wrote."""
    found: list[int] = []
    if piece == bytes(len(piece)):
        return found
    sector = 512
    for at in range(0, len(piece), sector):
        part = piece[at : at + sector]
        if part == bytes(sector):
            assert not found or found == [-1], f"region {region}: zeros at {at} among data"
            continue
        number = number_at(part, at)
        expected = (b"r=%08d\n" % number) * (sector // LINE + 2)
        shift = at % LINE
        assert part == expected[shift : shift + sector], f"region {region} at {at}: {part[:40]!r}"
        assert number % REGIONS == region
        if not found or found[-1] != number:
            found.append(number)
    return found


def number_at(part: bytes, at: int) -> int:
    """The round that a sector names."""
    start = -at % LINE
    return int(part[start + 2 : start + 10])
