"""``python -m tests.fuzz PART PACKETS [SEED]``: a part of the run, in a sandbox; prints what was found, and the rows for ``cases.txt``.

Parts: inside (logged in, test driver), unknown (not logged in, SASL), admin, outside (the whole daemon over its socket), tls, documents
(of every class; ``documents:pool,volume``: of these).
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import sandbox
from tests.fuzz.found import Found

PARTS = ("inside", "unknown", "admin", "outside", "tls", "documents")


def run(part: str, packets: int, seed: int, root: Path) -> Found:
    """In the sandbox: the part itself."""
    logging.basicConfig(level=logging.CRITICAL)
    if part in ("inside", "unknown", "admin"):
        from tests.fuzz import inside

        return inside.run(root, packets, seed, part != "unknown", "admin" if part == "admin" else "libvirtd")
    if part.startswith("documents"):
        from tests.fuzz import texts

        return texts.run(root, packets, seed, part.partition(":")[2])
    if part == "tls":
        from tests.fuzz import records

        return records.run(root, packets, seed)
    from tests.fuzz import outside

    return outside.run(root, packets, seed)


def sandboxed(part: str, packets: int, seed: int = 1, timeout: float | None = None) -> Found:
    """The part in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="kv-fuzz-", dir="/tmp") as name:
        root = Path(name)
        words = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz", "--in", name, part, str(packets), str(seed)]
        with open(root / "output", "w") as output, open(root / "errors", "w") as errors:
            done = subprocess.run(
                sandbox.command(root, *words),
                env=sandbox.environment(root),
                stdout=output,
                stderr=errors,
                timeout=timeout,
            )
        lines = (root / "output").read_text().splitlines()
        if done.returncode or not lines:
            said = (root / "errors").read_text()[-6000:]
            raise RuntimeError(f"{part} with seed {seed} ended with {done.returncode}: {said}")
        return Found.load(json.loads(lines[-1]))


def main() -> int:
    words = sys.argv[1:]
    if words[0] == "--in":
        print(json.dumps(run(words[2], int(words[3]), int(words[4]), Path(words[1])).dump()))
        return 0
    seed = int(words[2]) if len(words) > 2 else 1
    found = sandboxed(words[0], int(words[1]), seed)
    print(found.report(f"{words[0]}, seed {seed}"))
    return 1 if found.problems or found.slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
