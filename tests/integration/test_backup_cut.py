"""A guest that ends under its backup, by destroy or by QEMU's death, can be started again."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, short_folder
from tests.waiting import until

GUEST = """<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/a.qcow2'/><target dev='vda' bus='virtio'/></disk>
<memballoon model='none'/></devices></domain>"""
PULL = """<domainbackup mode='pull'><server transport='unix' socket='{folder}/nbd'/><disks><disk name='vda'>
<scratch file='{folder}/scratch{number}'/></disk></disks></domainbackup>"""


@pytest.mark.timeout(200)
def test_the_job_ends_with_the_guest(kvasird: KvasirDaemon) -> None:
    with short_folder("kv-cut-") as folder:
        folder.chmod(0o777)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/a.qcow2", "8M"], check=True)
        Path(folder / "a.qcow2").chmod(0o666)
        (folder / "g.xml").write_text(GUEST.format(folder=folder))
        assert kvasird.our_virsh("define", str(folder / "g.xml")).returncode == 0
        for number, kill in enumerate((False, True)):
            assert kvasird.our_virsh("start", "g").returncode == 0, kvasird.log()
            (folder / "b.xml").write_text(PULL.format(folder=folder, number=number))
            began = kvasird.our_virsh("backup-begin", "g", str(folder / "b.xml"))
            assert began.returncode == 0, began.stderr
            assert "Backup" in kvasird.our_virsh("domjobinfo", "g").stdout
            if kill:
                os.kill(int((kvasird.folder / "run/libvirt/qemu/g.pid").read_text()), signal.SIGKILL)
                until(lambda: "shut off" in kvasird.our_virsh("domstate", "g").stdout, "its end is not seen")
            else:
                assert kvasird.our_virsh("destroy", "g").returncode == 0
        assert kvasird.our_virsh("start", "g").returncode == 0, kvasird.log()
        assert kvasird.our_virsh("destroy", "g").returncode == 0
