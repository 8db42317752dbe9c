"""virt-install and virt-clone, ours on kvasird beside the original on libvirtd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.daemons import PEER, PROJECT, Subject

TIMER = str(PROJECT / "benchmarks/timer.py")
PLAIN = "--virt-type qemu --memory 64 --osinfo generic --network none --graphics none --disk none --import"
GIB = 1 << 30


def tool(subject: Subject, name: str) -> list[str]:
    """The command of a tool that belongs to the subject."""
    if subject.name == "libvirtd":
        return [name]
    launcher = PROJECT / ".venv/bin" / name
    return [str(launcher)] if launcher.exists() else [sys.executable, "-m", f"kvasir.cli.{name.replace('-', '_')}"]


def timed(subject: Subject, rounds: int, words: list[str], then: str = "") -> list[float]:
    """Milliseconds of each run. Raises RuntimeError with the last words of one that failed."""
    command = [TIMER, str(rounds), "--", *words, *(["--then", then] if then else [])]
    outer = [PEER, "run", "--", "python3"] if subject.name == "libvirtd" else [sys.executable]
    env = {**os.environ, "XDG_CACHE_HOME": str(subject.folder / "cache")}
    done = subprocess.run([*outer, *command], env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return [1000 * float(line) for line in done.stdout.split()]


def version(subject: Subject) -> list[float]:
    return timed(subject, 7, [*tool(subject, "virt-install"), "--version"])


def print_xml(subject: Subject) -> list[float]:
    words = [*tool(subject, "virt-install"), "--connect", subject.uri, "--name", "v", *PLAIN.split(), "--print-xml"]
    timed(subject, 1, words)  # the OS database is indexed once
    return timed(subject, 7, words)


def virsh(subject: Subject) -> str:
    if subject.name == "libvirtd":
        return f"virsh -c {subject.uri}"
    return f"{PROJECT}/.venv/bin/virsh -c {subject.uri}"


def to_running(subject: Subject) -> list[float]:
    words = [
        *tool(subject, "virt-install"),
        "--connect",
        subject.uri,
        "--name",
        "v{n}",
        *PLAIN.split(),
        "--noautoconsole",
    ]
    return timed(subject, 5, words, f"{virsh(subject)} destroy v{{n}}; {virsh(subject)} undefine v{{n}}")


def clone(subject: Subject) -> list[float]:
    """A guest with a 10 GiB image that holds 64 MiB."""
    image = subject.folder / "images/ten.img"
    with open(image, "wb") as file:
        file.truncate(10 * GIB)
        for at in range(0, 10, 2):
            file.seek(at * GIB)
            file.write(os.urandom(13 << 20))
    image.chmod(0o644)
    document = subject.folder / "ten.xml"
    document.write_text(
        "<domain type='qemu'><name>ten</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/>"
        "</disk></devices></domain>"
    )
    copies = Path(subject.folder / "images")
    words = [
        *tool(subject, "virt-clone"),
        "--connect",
        subject.uri,
        "--original-xml",
        str(document),
        "-n",
        "c{n}",
        "-f",
        f"{copies}/c{{n}}.img",
    ]
    return timed(subject, 3, words, f"{virsh(subject)} undefine c{{n}}; rm -f {copies}/c{{n}}.img")


ROWS = (
    ("virt-install --version", version),
    ("virt-install --print-xml", print_xml),
    ("virt-install --import to running", to_running),
    ("virt-clone of 10 GiB sparse", clone),
)
