"""``kvasir image``: work on disk images that no guest uses. All of qemu-img's options and exit codes, with help where it has none."""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

VERBS = {
    "create": ("[-f FORMAT] [-b BACKING] FILE [SIZE]", "make an image: kvasir image create -f qcow2 web.qcow2 20G"),
    "info": ("[-U] [--backing-chain] FILE", "what an image is: format, sizes, what lies below it, snapshots"),
    "check": ("[-r leaks|all] FILE", "look for damage; ends with 0 sound, 1 not checked, 2 damaged, 3 only leaks, 63 no such check"),
    "convert": ("[-c] [-O FORMAT] [-o OPTIONS] FILE... TARGET", "copy into another format: ... convert -O qcow2 disk.vmdk disk.qcow2"),
    "resize": ("[--shrink] FILE [+|-]SIZE", "make it larger, or smaller after its file systems were made smaller"),
    "commit": ("[-d] FILE", "write an overlay's content into the image below it"),
    "rebase": ("[-u] -b BACKING -F FORMAT FILE", "give it another image below; -u only changes the name"),
    "compare": ("[-s] FILE1 FILE2", "compare what guests see; ends with 0 equal, 1 different, 2 and more an error"),
    "map": ("[--output json] FILE", "where each part of the content lies"),
    "snapshot": ("-l | -c NAME | -a NAME | -d NAME  FILE", "list, make, go back to, delete internal snapshots"),
    "amend": ("-o OPTIONS FILE", "change options of a qcow2 image: ... amend -o compat=1.1 old.qcow2"),
    "measure": ("-O FORMAT FILE", "how much room a copy in another format would need"),
    "dd": ("if=FILE of=FILE [bs=N] [count=N]", "copy a part of an image"),
    "bitmap": ("--add|--remove|--clear ... FILE NAME", "dirty bitmaps of a qcow2 image"),
    "bench": ("[-w] [-c N] FILE", "measure reads or writes of an image (-w destroys what is in it)"),
}  # fmt: skip
"""Each verb of qemu-img with its usual words and what it is for."""


def text() -> str:
    """The help."""
    lines = ["usage: kvasir image VERB [options of qemu-img]", "", "Work on disk images that no guest uses now:", ""]
    for verb, (words, what) in VERBS.items():
        lines.append(f"  {verb:<9} {words}\n{'':12}{what}")
    return "\n".join(
        [*lines, "", "All options of qemu-img are understood: see qemu-img --help. Its exit codes are kept.", ""]
    )


def image(options: Namespace) -> int:
    """Run a verb; gives qemu-img's own exit code."""
    from kvasir.cli import image_run

    words: list[str] = options.words
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(text())
        return 0
    if words[0] not in VERBS:
        near = [verb for verb in VERBS if verb[:3] == words[0][:3]]
        print(f"kvasir: image has no verb {words[0]!r}; there are: {', '.join(near or VERBS)}", file=sys.stderr)
        return 1
    if "--help" in words or "-h" in words:
        usual, what = VERBS[words[0]]
        sys.stdout.write(f"usage: kvasir image {words[0]} {usual}\n\n{what}\n\nAll of its options: qemu-img --help\n")
        return 0
    words = name_backing(words)
    shown = sys.stderr.isatty() and "-p" not in words
    status, problem = image_run.run(words, bar if shown else None)
    if shown and words[0] in image_run.WITH_PROGRESS:
        sys.stderr.write("\r" + " " * 60 + "\r")
    for line in advice(words, problem, status):
        print(f"kvasir: {line}", file=sys.stderr)
    return status


def bar(percent: float) -> None:
    """Draw how far it is."""
    full = int(percent * 40 / 100)
    sys.stderr.write(f"\r[{'=' * full}{' ' * (40 - full)}] {percent:5.1f} %")
    sys.stderr.flush()


def name_backing(words: list[str]) -> list[str]:
    """Say the format of the image below a new one, which qemu-img wants to be told."""
    if words[0] != "create" or "-b" not in words[:-1] or "-F" in words or "-u" in words:
        return words
    below = words[words.index("-b") + 1]
    if not os.path.isfile(below):
        return words
    from kvasir.storage import probe

    fd = probe.open_volume(below)
    try:
        found = probe.probe(fd).format
    finally:
        os.close(fd)
    return [words[0], "-F", found, *words[1:]]


def advice(words: list[str], problem: str, status: int) -> list[str]:
    """What may help after a failure."""
    found = []
    locked = re.search(r'Failed to get (?:shared )?"(\w+)" lock', problem)
    if locked:
        path = next((word for word in words[1:] if os.path.exists(word)), "")
        user = holder(path) if path else ""
        found.append(f"{path or 'the image'} is in use{f' by {user}' if user else ''}: shut the guest down first")
        if words[0] in ("info", "map", "check"):
            found.append(f"to look at it all the same: kvasir image {words[0]} -U ...")
    if "--shrink" in problem or ("shrink" in problem.lower() and words[0] == "resize"):
        found.append(
            "make the file systems in it smaller first, then add --shrink: what lies behind the new end is lost"
        )
    if words[0] == "check" and status == 3:
        found.append("leaked clusters waste room and harm nothing: kvasir image check -r leaks FILE")
    if words[0] == "check" and status == 2:
        found.append("copy the image before a repair: kvasir image check -r all FILE")
    if status == 127:
        found.append("install it: apt install qemu-utils, dnf install qemu-img")
    return found


def holder(path: str) -> str:
    """The guest or process that has the file open, as far as this user may see."""
    try:
        wanted = os.stat(path)
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return ""
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                status = os.stat(f"/proc/{pid}/fd/{fd}")
                if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino) and int(pid) != os.getpid():
                    return _name_of(pid)
        except OSError:
            continue
    return ""


def _name_of(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return f"process {pid}"
    for word in words:
        match = re.match(rb"guest=([^,]+)", word)
        if match:
            return f"the guest '{match[1].decode('utf-8', 'replace')}'"
    return f"process {pid} ({os.path.basename(words[0]).decode('utf-8', 'replace')})"
