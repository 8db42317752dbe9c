"""Our lease helper beside libvirt's: the same calls of dnsmasq, the same file, the same answer to ``init``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from kvasir.network import leaseshelper
from tests.conftest import PROJECT, DaemonHandle, short_folder

FAR = str(int(time.time()) + 3600)
V4 = {"DNSMASQ_LEASE_EXPIRES": FAR, "DNSMASQ_CLIENT_ID": "01:52:54:00:00:00:01"}
V6 = {"DNSMASQ_LEASE_EXPIRES": FAR, "DNSMASQ_IAID": "305419896", "DNSMASQ_SERVER_DUID": "00:01:00:01:aa", "DNSMASQ_MAC": "52:54:00:00:00:02"}
CALLS: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    ({}, ("init",)),
    (V4, ("add", "52:54:00:00:00:01", "10.1.1.2", "one")),
    ({"DNSMASQ_LEASE_EXPIRES": FAR}, ("add", "52:54:00:00:00:03", "10.1.1.3")),
    ({}, ("init",)),
    ({"DNSMASQ_LEASE_EXPIRES": str(int(FAR) + 60)}, ("old", "52:54:00:00:00:01", "10.1.1.2", "renamed")),
    (V6, ("add", "00:03:00:01:52:54", "fd00::2", "six")),
    ({}, ("init",)),
    ({"DNSMASQ_LEASE_EXPIRES": "1000"}, ("add", "52:54:00:00:00:09", "10.1.1.9", "gone")),
    ({"DNSMASQ_LEASE_EXPIRES": "0"}, ("add", "52:54:00:00:00:0a", "10.1.1.10", "ever")),
    ({}, ("init",)),
    (V4, ("del", "52:54:00:00:00:01", "10.1.1.2", "renamed")),
    ({}, ("init",)),
    ({}, ("tftp", "100", "10.1.1.2", "/file")),
)


def test_same_file_and_answers(real_libvirtd: DaemonHandle) -> None:
    assert real_libvirtd.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(real_libvirtd.peers.root)}
    peer = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(real_libvirtd.folder), "--", "sh", "-c"]
    with short_folder("kv-lease-") as folder:
        script, mine = [], []
        for number, (environment, words) in enumerate(CALLS):
            shown = " ".join(f"{key}='{value}'" for key, value in {"DNSMASQ_INTERFACE": "brsame", **environment}.items())
            script.append(f"echo '## {number}'; env {shown} VIR_BRIDGE_NAME=brsame /usr/lib/libvirt/libvirt_leaseshelper {' '.join(words)}; "
                          "cat /var/lib/libvirt/dnsmasq/brsame.status")  # fmt: skip
            mine.append(_ours(folder, environment, words))
        theirs = subprocess.run([*peer, "mkdir -p /var/lib/libvirt/dnsmasq; : > /var/lib/libvirt/dnsmasq/brsame.status; " + "\n".join(script)], env=env, capture_output=True,
                                text=True, check=True).stdout  # fmt: skip
        answers = re.split(r"## \d+\n", theirs)[1:]
        for (_, words), ours, real in zip(CALLS, mine, answers, strict=True):
            assert ours == real, words


def _ours(folder: Path, environment: dict[str, str], words: tuple[str, ...]) -> str:
    """The helper as it lies beside dnsmasq's files: a copy that knows its folder."""
    copy = folder / "leaseshelper"
    if not copy.exists():
        copy.write_text(f"#!{sys.executable} -IS\n" + Path(leaseshelper.__file__).read_text())
        copy.chmod(0o755)
        (folder / "brsame.status").write_text("")
    done = subprocess.run([str(copy), *words], capture_output=True, text=True, check=True,
                          env={"DNSMASQ_INTERFACE": "brsame", "VIR_BRIDGE_NAME": "brsame", **environment})  # fmt: skip
    return done.stdout + (folder / "brsame.status").read_text()
