"""Runs a case of the storage corpus through a virsh on a daemon, with stand-ins for the storage tools.

A case is one file: ``# guide: rows`` (optional), ``# disk`` (what a tmpfs answers otherwise: sizes of files and their limits), ``--- answers`` (see faketool), ``--- file NAME`` documents, ``--- sh`` (a
shell script that prepares the daemon's folder), ``--- end`` (the reverse), ``--- run`` (lines for virsh; ``@D@`` is the daemon's folder, ``@I@`` the documents'),
``--- each`` (lines for virsh for each document, ``@F@`` its file and ``@N@`` its name without ``.xml``).
The transcript has virsh's words and the command lines of the tools, with what changes from run to run taken out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = (
    *(
        "vgcreate",
        "vgchange",
        "vgscan",
        "vgs",
        "vgremove",
        "pvs",
        "pvcreate",
        "pvremove",
        "lvs",
        "lvcreate",
        "lvremove",
    ),
    *("lvchange", "iscsiadm", "zfs", "zpool", "showmount", "gluster", "scrub", "mkfs", "mount", "umount", "parted"),
    *("qemu-img", "libvirt_parthelper", "udevadm", "dmsetup", "multipath"),
)
EDITOR = "sed -i s/0755/0750/"
"""What pool-edit runs."""
FIXED = """\
$ qemu-img *--object secret,*
try
$ qemu-img *
run
$ scrub *
run
"""


@dataclass
class Case:
    """One file of the corpus."""

    name: str
    rows: list[str] = field(default_factory=list)
    answers: str = ""
    shell: str = ""
    end: str = ""
    run: str = ""
    each: str = ""
    disk: bool = False
    files: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Case:
    case = Case(path.stem)
    section = ""
    for line in path.read_text().splitlines(keepends=True):
        if line.startswith("--- "):
            section = line[4:].strip()
        elif not section:
            if line.startswith("# guide:"):
                case.rows += line[8:].split()
            case.disk = case.disk or line.startswith("# disk")
        elif section.startswith("file "):
            name = section[5:]
            case.files[name] = case.files.get(name, "") + line
        elif section == "answers":
            case.answers += line
        elif section == "sh":
            case.shell += line
        elif section == "end":
            case.end += line
        elif section == "each":
            case.each += line
        elif section == "run":
            case.run += line
    for name in case.files if case.each else ():
        case.run += case.each.replace("@F@", f"@I@/{name}").replace("@N@", name.removesuffix(".xml"))
    return case


def cases() -> list[Path]:
    return sorted((HERE / "cases").glob("*.case"))


def toolbox(folder: Path) -> Path:
    """A folder with the stand-ins, to stand first in a daemon's PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        shutil.copy(HERE / "faketool", folder / name)
    return folder


def play(case: Case, lab: Path, virsh: Callable[[str], str], enter: Callable[[list[str]], object]) -> str:
    """Run the case; ``virsh`` takes the script and gives what was printed. Returns the transcript.

    ``enter`` runs a command in the daemon's mount namespace: a tree that the case makes in ``sys`` is laid over /sys.
    """
    work, documents = lab / "d", lab / "i"
    for path in (work, documents):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    (lab / "answers").write_text((case.answers + FIXED).replace("@D@", str(work)))
    (lab / "log").write_text("")
    for used in lab.glob("used-*"):
        used.rmdir()

    def put(text: str) -> str:
        if (work / "loop").is_symlink():
            text = text.replace("@L@", (work / "loop").readlink().name)
        return text.replace("@D@", str(work)).replace("@I@", str(documents))

    try:
        if case.shell:
            subprocess.run(["sh", "-ec", put(case.shell)], check=True, cwd=work, capture_output=True)
        for name in ("loop", "loop2"):  # a guest that was killed leaves its user as the device's owner
            if (work / name).is_symlink():
                os.chown(work / name, 0, 0)
        for name, text in case.files.items():
            (documents / name).write_text(put(text))
        if (work / "sys").is_dir():
            enter(["mount", "--bind", str(work / "sys"), "/sys"])
        printed = virsh(put(case.run))
    finally:
        if (work / "sys").is_dir():
            enter(["umount", "-l", "/sys"])
        if case.end:
            subprocess.run(["sh", "-c", put(case.end)], cwd=work, capture_output=True)
    tools = "".join(f"! {line}\n" for line in tool_lines((lab / "log").read_text()))
    return settle(printed + tools, lab)


OURS_OR_THEIRS = ("libvirt_parthelper", "udevadm", "dmsetup")
"""libvirt reads partitions and multipath maps with helpers of its own, we with ``parted ... unit`` and dmsetup."""


def tool_lines(log: str) -> list[str]:
    """What the tools were asked, without the helpers that only one side has."""
    return [line for line in log.splitlines() if line.split()[0] not in OURS_OR_THEIRS and " unit " not in line]


PATTERNS = (
    (re.compile(r"^.*virsh # ", re.M), "virsh # "),
    (re.compile(r"<(.time)>[\d.]+</"), r"<\1>TIME</"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b\d{11,}\b"), "BIG"),
    (re.compile(r"\b\d{2,}\.\d\d GiB"), "BIG GiB"),
    (re.compile(r"libvirt-iface-[0-9a-f]{8}"), "libvirt-iface-X"),
    (re.compile(r"file=\S+\.secret\.[A-Za-z0-9_]+"), "file=SECRET"),
    (re.compile(r"\bloop\d+"), "loopN"),
    (re.compile(r"/dev/fd/\d+|/dev/fdset/\d+"), "FD"),
)


AMOUNT = r"[\d.]+(?: \w*B)?"
"""A size as documents and tables show it."""


def without_space(text: str, size: int) -> str:
    """Without the sizes of pools on this machine's own file system, which has ``size`` bytes."""
    for whole in (str(size), pretty(size)):
        text = re.sub(
            rf"(capacity unit='bytes'>|Capacity: +){re.escape(whole)}(?=\D)(.*\n.*(?:allocation unit='bytes'>|Allocation: +))"
            rf"{AMOUNT}(.*\n.*(?:available unit='bytes'>|Available: +)){AMOUNT}",
            r"\1SPACE\2SPACE\3SPACE", text,
        )  # fmt: skip
        text = re.sub(rf" {re.escape(whole)} +{AMOUNT} +{AMOUNT}", " SPACE   SPACE   SPACE", text)
    return re.sub(r"(?<= )-( {3,}-)+", lambda found: "   ".join(found[0].split()), text)  # (their columns are as wide)


def pretty(size: int) -> str:
    """As tables write it."""
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / 1024**power:.2f} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[power]}"


def settle(text: str, lab: Path) -> str:
    """Take out what changes from run to run."""
    found = os.statvfs(lab)
    text = without_space(text, found.f_blocks * found.f_frsize)
    text = text.replace(str(lab / "d"), "@D@").replace(str(lab / "i"), "@I@")
    for pattern, word in PATTERNS:
        text = pattern.sub(word, text)
    return text
