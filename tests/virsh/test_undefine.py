"""``undefine`` with the guest's storage and its firmware's variables: the same words in all four cells, and what is left on the disk."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.virsh.cells import four

OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARS = OVMF.with_name("OVMF_VARS_4M.fd")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"),
    pytest.mark.skipif(not OVMF.exists(), reason="OVMF is not installed"),
]
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='{machine}'>hvm</type>{firmware}</os><features><acpi/></features><devices>{disks}<memballoon model='none'/></devices></domain>"""
DISK = "<disk type='file'><driver name='qemu' type='{kind}'/><source file='{path}'/><target dev='{dev}' bus='virtio'/></disk>"
FIRMWARE = (
    "<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{vars}'>{folder}/out/{name}_VARS.fd</nvram>"
)
SECRET = b"what nobody is to find again ...\n"
SCRIPT = """
pool-define-as pp dir --target {folder}/pp
pool-start pp
define {folder}/one.xml
define {folder}/two.xml
define {folder}/uefi.xml
define {folder}/efi.xml
start one --paused
undefine one --storage vda
undefine one --remove-all-storage
undefine one
domstate one
list --all --name --transient
list --all --name --persistent
destroy one
domstate one
define {folder}/one.xml
undefine one --storage vda,nosuch
undefine one --storage vda --remove-all-storage
undefine one --wipe-storage
undefine one --storage vda,{folder}/pp/b.qcow2,vdd
domstate one
pool-refresh pp
vol-list pp
undefine two --remove-all-storage --wipe-storage
domstate two
pool-refresh pp
vol-list pp
start uefi --paused
undefine uefi
undefine uefi --nvram --keep-nvram
undefine uefi --nvram
list --all --name --transient
destroy uefi
start efi --paused
destroy efi
undefine efi
undefine efi --keep-nvram
define {folder}/efi.xml
undefine efi --nvram
list --all --name
pool-destroy pp
pool-undefine pp
"""


def prepare(daemon: DaemonHandle) -> None:
    """Four images in a folder that becomes a pool, one beside it, two guests with disks and two with UEFI."""
    folder = daemon.folder
    for name in ("pp", "out"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o777)
    for name in ("pp/a.raw", "pp/c.raw", "pp/other.raw", "out/outside.raw"):
        (folder / name).write_bytes(SECRET * 4096)
        (folder / name).chmod(0o666)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/pp/b.qcow2", "1M"], check=True)
    for name, images in (
        ("one", ("pp/a.raw", "pp/b.qcow2", "pp/c.raw", "out/outside.raw")),
        ("two", ("pp/c.raw", "out/outside.raw")),
        ("uefi", ()),
        ("efi", ()),
    ):
        disks = "".join(
            DISK.format(kind=path.rpartition(".")[2], path=folder / path, dev=f"vd{'abcd'[at]}")
            for at, path in enumerate(images)
        )
        firmware = "" if images else FIRMWARE.format(code=OVMF, vars=VARS, folder=folder, name=name)
        machine = "pc" if images else "q35"
        (folder / f"{name}.xml").write_text(GUEST.format(name=name, machine=machine, disks=disks, firmware=firmware))


def masked(text: str) -> str:
    """Tables are as wide as the daemon's folder."""
    return re.sub(r" {2,}|-{3,}", " ", text)


@pytest.mark.guide(
    "virsh-undefine",
    "virsh-undefine-opt-storage",
    "virsh-undefine-opt-remove-all-storage",
    "virsh-undefine-opt-wipe-storage",
    "virsh-undefine-opt-nvram",
    "virsh-undefine-example-note",
)
def test_undefine_with_storage(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    held: list[int] = []

    def prepared(daemon: DaemonHandle) -> None:
        prepare(daemon)
        if daemon is kvasird:
            held.append(os.open(daemon.folder / "pp/c.raw", os.O_RDONLY))

    both = (("libvirtd", real_libvirtd), ("kvasird", kvasird))
    said = dict(four(both, SCRIPT, masked, prepared, prepare_each=True))
    assert "Volume 'vda'(FOLDER/pp/a.raw) removed." in said["undefine one --storage vda,FOLDER/pp/b.qcow2,vdd"]
    for held_open in held:
        assert os.pread(held_open, 1 << 20, 0) == bytes(len(SECRET) * 4096), "wiped before it was removed"
        os.close(held_open)
    left = sorted(path.name for name in ("pp", "out") for path in (kvasird.folder / name).iterdir())
    assert left == ["other.raw", "outside.raw"]
    assert (kvasird.folder / "out/outside.raw").read_bytes() == SECRET * 4096
