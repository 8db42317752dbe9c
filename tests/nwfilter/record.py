"""Record what the real daemon makes of ``filters/*.xml``:  tests/nwfilter/record.py  (needs the peers; a minute or two)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.nwfilter import corpus  # noqa: E402  # the path comes first

PEER = str(PROJECT / "scripts/peer")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="kv-record-") as name:
        folder = Path(name)
        inside = [PEER, "exec", "--dir", f"{folder}/d", "--"]
        subprocess.run(
            [PEER, "libvirtd", "--dir", f"{folder}/d", "--background"], check=True, stdout=subprocess.DEVNULL
        )
        virsh = [PEER, "virsh", "-q", "-c", f"qemu+unix:///system?socket={folder}/d/libvirt-sock"]

        def run(command: str) -> str:
            done = subprocess.run([*virsh, command], capture_output=True, text=True, check=False)
            return done.stdout + done.stderr

        def save() -> str:
            return subprocess.run([*inside, "sh", "-c", corpus.SAVE], capture_output=True, text=True, check=True).stdout

        try:
            subprocess.run([*inside, "ip", "tuntap", "add", "dev", corpus.PORT, "mode", "tap"], check=True)
            shipped = subprocess.run(
                [*inside, "sh", "-c", "ls /usr/share/libvirt/nwfilter/*.xml"],
                capture_output=True,
                text=True,
                check=True,
            )
            for path in shipped.stdout.split():
                run(f"nwfilter-define {path.replace('/usr', _cache() + '/usr')}")
            for one in corpus.needed():
                print(one, run(f"nwfilter-define {corpus.FILTERS}/{one}.xml").strip(), file=sys.stderr)
            for one in corpus.names():
                shown, rules = corpus.rules(run, save, folder, one)
                (corpus.FILTERS / f"{one}.shown").write_text(shown)
                (corpus.FILTERS / f"{one}.rules").write_text("\n".join(rules) + "\n")
        finally:
            subprocess.run([PEER, "stop", "--dir", f"{folder}/d"], check=False, stdout=subprocess.DEVNULL)
    return 0


def _cache() -> str:
    return subprocess.run([str(PROJECT / "scripts/peers")], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
