"""Our daemon beside a real iSCSI target (tgt), in namespaces of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, short_folder

IQN = "iqn.2013-06.com.example"


class TargetDaemon(KvasirDaemon):
    """Ours in network and mount namespaces of its own, beside an iSCSI target (tgt) that listens there only."""

    def start(self, *options: str) -> None:
        (self.folder / "run.sh").write_text(
            "set -e\nip link set lo up\nmount -t proc proc /proc\nmount -t tmpfs tmpfs /run\nmkdir -p /run/tgtd\n"
            f"tgtd -f > {self.folder}/tgtd.log 2>&1 &\n"
            f"for n in 1 2 3; do truncate -s ${{n}}6M {self.folder}/lun$n; done\n"
            "for i in $(seq 100); do tgtadm --op show --mode sys >/dev/null 2>&1 && break; sleep 0.1; done\n"
            "tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.2013-06.com.example:pool\n"
            f"for n in 1 2; do tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun $n -b {self.folder}/lun$n; done\n"
            "tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL\n"
            "tgtadm --lld iscsi --op new --mode target --tid 2 -T iqn.2013-06.com.example:locked\n"
            f"tgtadm --lld iscsi --op new --mode logicalunit --tid 2 --lun 1 -b {self.folder}/lun3\n"
            "tgtadm --lld iscsi --op bind --mode target --tid 2 -I ALL\n"
            "tgtadm --lld iscsi --op new --mode account --user me --password secretsecret12\n"
            "tgtadm --lld iscsi --op bind --mode account --tid 2 --user me\n"
            'exec "$@"\n'
        )
        super().start(*options)

    def within(self, *command: str) -> list[str]:
        return ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "sh", str(self.folder / "run.sh"), *command]


@pytest.fixture
def target() -> Iterator[TargetDaemon]:
    for tool in ("/usr/sbin/tgtd", "/usr/bin/iscsi-ls"):
        if not Path(tool).exists():
            pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with short_folder("kvtgt-") as folder:
        daemon = TargetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.kill()
