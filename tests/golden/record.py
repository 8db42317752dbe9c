"""Record what the real libvirt 9.0 makes of our documents: the completed document and QEMU's command line.

    tests/golden/record.py [--socket PATH] [--virsh COMMAND] [FILE.xml ...]

For each ``NAME.xml`` it writes ``NAME.out.xml`` (define + dumpxml --inactive) and ``NAME.args`` (domxml-to-native), or
``NAME.error`` with the daemon's words where it refuses the document.

With ``--forms`` it also writes, where they differ from ``NAME.out.xml``: ``NAME.plain`` (without --security-info),
``NAME.migratable`` (--migratable) and ``NAME.again`` (what the daemon makes of its own document).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", default=os.environ.get("KVASIR_REAL_SOCKET", "/work/wt/real/libvirt-sock"))
    parser.add_argument("--virsh", default=os.environ.get("KVASIR_REAL_VIRSH", "virsh"))
    parser.add_argument("--forms", action="store_true", help="record the other forms of each document too")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    base = [*options.virsh.split(), "-q", "-c", f"qemu+unix:///system?socket={options.socket}"]
    for path in options.files or sorted((HERE / "argv").glob("*.xml")):
        if not path.name.endswith(".out.xml"):
            print(f"{path.stem}: {record(base, path, options.forms)}")
    return 0


def record(base: list[str], path: Path, forms: bool = False) -> str:
    """Record one document; returns a word for the screen."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*base, *words], capture_output=True, text=True, check=False)

    targets = {
        kind: path.with_name(f"{path.stem}.{kind}")
        for kind in ("out.xml", "args", "error", "plain", "migratable", "again")
    }
    for target in targets.values():
        target.unlink(missing_ok=True)
    defined = run("define", str(path))
    if defined.returncode:
        targets["error"].write_text(_reason(defined.stderr))
        return "refused"
    name = path.stem
    targets["out.xml"].write_text(run("dumpxml", "--inactive", "--security-info", name).stdout)
    if forms:
        _forms(run, targets, name)
    run("undefine", "--nvram", name)
    native = run("domxml-to-native", "qemu-argv", str(path))
    if native.returncode:
        targets["error"].write_text(_reason(native.stderr))
        return "defined, no command line"
    targets["args"].write_text(native.stdout)
    return "recorded"


def _forms(run: Any, targets: dict[str, Path], name: str) -> None:
    first = targets["out.xml"].read_text()
    shown = {
        "plain": run("dumpxml", "--inactive", name).stdout,
        "migratable": run("dumpxml", "--migratable", "--security-info", name).stdout,
    }
    run("define", str(targets["out.xml"]))
    shown["again"] = run("dumpxml", "--inactive", "--security-info", name).stdout
    for kind, text in shown.items():
        if text != first:
            targets[kind].write_text(text)


def _reason(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    return "\n".join(lines[1:] or lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
