#!/usr/bin/env python3
"""Record what the real virsh on the real libvirt 9.0 says to the cases of the storage corpus, and which tools it runs.

    tests/golden/storage/record.py [CASE ...]     writes recorded/NAME.txt

It copies the peers (KVASIR_PEERS, see scripts/peers; with the packages libvirt-daemon-driver-storage-* unpacked over them
where gluster, rbd, zfs and iscsi-direct are to answer) and lays the stand-ins for the tools over the copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden.storage import lab  # noqa: E402


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="kvlab-", dir="/tmp") as top:
        folder = Path(top)
        folder.chmod(0o755)
        peers = equip(folder)
        env = {**os.environ, "KVASIR_PEERS": str(peers)}
        script = str(ROOT / "scripts/peer")
        subprocess.run([script, "libvirtd", "--dir", str(folder / "s"), "--background"], env=env, check=True)
        try:
            uri = f"qemu+unix:///system?socket={folder}/s/libvirt-sock"
            libraries = ":".join(str(p.parent) for p in (peers / "usr/lib").glob("*/libvirt.so.0"))
            client = {
                **os.environ,
                "LD_LIBRARY_PATH": libraries,
                "LC_ALL": "C",
                "VISUAL": lab.EDITOR,
                "COLUMNS": "4000",
                "HOME": str(folder),
            }

            def virsh(text: str) -> str:
                command = [str(peers / "usr/bin/virsh"), "-q", "-c", uri]
                done = subprocess.run(
                    command, input=text, env=client, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
                return done.stdout

            def enter(command: list[str]) -> None:
                real = [f"/usr/real/{command[0]}", *command[1:]]
                subprocess.run([script, "exec", "--dir", str(folder / "s"), "--", *real], env=env, check=True)

            for path in lab.cases():
                if names and path.stem not in names:
                    continue
                (HERE / "recorded").mkdir(exist_ok=True)
                (HERE / "recorded" / f"{path.stem}.txt").write_text(
                    lab.play(lab.read(path), folder / "lab", virsh, enter)
                )
                print(path.stem)
        finally:
            subprocess.run([script, "stop", "--dir", str(folder / "s")], env=env)
    return 0


def equip(folder: Path) -> Path:
    """A copy of the peers with the stand-ins."""
    source = Path(os.environ.get("KVASIR_PEERS") or ROOT / ".cache/peers")
    peers = folder / "peers"
    subprocess.run(["cp", "-al", str(source), str(peers)], check=True)
    real = peers / "usr/real"
    real.mkdir(parents=True)
    for name in lab.TOOLS:
        found = shutil.which(name) or str(peers / "usr/lib/libvirt" / name)
        if Path(found).exists():
            shutil.copy(found, real / name)
        for place in ("usr/bin", "usr/sbin", "usr/lib/libvirt"):
            (peers / place).mkdir(parents=True, exist_ok=True)
            (peers / place / name).unlink(missing_ok=True)
            shutil.copy(HERE / "faketool", peers / place / name)
    (folder / "lab").mkdir()
    (real / "lab").write_text(str(folder / "lab"))
    (folder / "lab/answers").write_text("$ *\nrun\n")
    return peers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
