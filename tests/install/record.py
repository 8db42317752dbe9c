"""Records what the original says to all command lines of ``lines.py``: ``.venv/bin/python -m tests.install.record``."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT
from tests.install import lines, sides

GOLDEN = Path(__file__).parent / "golden"
KEPT = ("a.qcow2", "a.raw", "b.raw", "a.iso", "base.xml")


def media(folder: Path) -> None:
    """The images that the command lines name."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "a.qcow2", "1G"], check=True)
    for name in ("a.raw", "b.raw"):
        (folder / name).write_bytes(b"\0" * (1 << 20))
    (folder / "a.iso").write_bytes(b"")
    (folder / "base.xml").write_text((GOLDEN / "base.xml").read_text().replace("@D@", str(folder)))


def sweep(folder: Path) -> None:
    """Take away what the original's --print-xml made (it creates the disks)."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            path.unlink()


def request(line: str, folder: Path) -> tuple[str, list[str], str]:
    """Tool, words and standard input of one line."""
    tool, argv = sides.words(line.replace("{d}", str(folder)))
    return tool, argv, (folder / "base.xml").read_text() if tool == "virt-xml" else ""


def compact(answer: dict[str, Any], folder: Path, base: list[str]) -> Any:
    """The answer as kept: an error's first line, or the document as a difference from a base document."""
    if answer["rc"]:
        return {"rc": answer["rc"]}
    text = sides.canonical(answer["out"]).replace(str(folder), "{d}")
    return [row for row in difflib.unified_diff(base, text.splitlines(), lineterm="", n=0)][2:]


def bases(folder: Path) -> dict[str, list[str]]:
    plain = sides.canonical((GOLDEN / "base.xml").read_text()).replace("@D@", "{d}").splitlines()
    return {"virt-install": [], "virt-xml": plain, "virt-clone": plain}


def every_line() -> list[str]:
    return [*lines.INSTALL, *lines.XML, *lines.CLONE, *lines.WRONG]


def prepare(virsh: Any, folder: Path) -> None:
    """The pool that some lines name."""
    virsh("pool-define-as", "images", "dir", "--target", str(folder))
    virsh("pool-start", "images")


def main() -> None:
    peers = Path(os.environ["KVASIR_PEERS"])
    with tempfile.TemporaryDirectory(prefix="kv-rec-") as name:
        folder, daemon = Path(name) / "media", Path(name) / "d"
        folder.mkdir()
        media(folder)
        peer = str(PROJECT / "scripts/peer")
        subprocess.run([peer, "libvirtd", "--dir", daemon, "--background"], check=True)
        uri = f"qemu+unix:///system?socket={daemon}/libvirt-sock"
        prepare(lambda *a: subprocess.run([peer, "virsh", "-c", uri, *a], check=True, capture_output=True), folder)
        original = sides.Original(peers)
        try:
            base = bases(folder)
            tool, argv, stdin = request(lines.N, folder)
            first = original.run(tool, ["--connect", uri, *argv], stdin)
            base["virt-install"] = sides.canonical(first["out"]).splitlines()
            rows: dict[str, Any] = {"base": base["virt-install"]}
            for line in every_line():
                tool, argv, stdin = request(line, folder)
                rows[line] = compact(original.run(tool, ["--connect", uri, *argv], stdin), folder, base[tool])
                sweep(folder)
        finally:
            original.close()
            subprocess.run([peer, "stop", "--dir", daemon], check=True)
    (GOLDEN / "answers.json").write_text(json.dumps(rows, indent=0) + "\n")


if __name__ == "__main__":
    main()
