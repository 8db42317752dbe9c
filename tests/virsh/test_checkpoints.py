"""Checkpoints and backups through both virsh on both daemons: the same byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder
from tests.virsh.diskcells import Play, Row, compare

pytestmark = pytest.mark.timeout(500)

SCRIPTS = {
    "backups": """
!images qcow2
checkpoint-create-as g c0
checkpoint-list g
start g
checkpoint-create-as g c1 "a desc"
checkpoint-create-as g c1
checkpoint-create-as g x --diskspec vdz
checkpoint-create-as g x --diskspec hdc
checkpoint-create-as g x --diskspec vda,bogus=1
checkpoint-create-as g x --print-xml --diskspec vda,checkpoint=bitmap,bitmap=b1 --description d
checkpoint-create-as g c2 --diskspec vda --diskspec vdb,checkpoint=no
checkpoint-dumpxml g c1
checkpoint-dumpxml g c2 --no-domain --size
checkpoint-dumpxml g nosuch
checkpoint-list g
checkpoint-list g --tree
checkpoint-list g --parent
checkpoint-list g --roots
checkpoint-list g --leaves
checkpoint-list g --no-leaves
checkpoint-list g --name --topological
checkpoint-list g --from c1
checkpoint-list g --from c1 --descendants --name
checkpoint-list g --descendants
checkpoint-list g --tree --leaves
checkpoint-info g c1
checkpoint-info g c2
checkpoint-info g
checkpoint-parent g c2
checkpoint-parent g c1
list --all --with-checkpoint
!write bk.xml "<domainbackup><disks><disk name='vda' type='file'><driver type='qcow2'/><target file='{folder}/bk.vda'/></disk><disk name='vdb' backup='no'/></disks></domainbackup>"
backup-dumpxml g
backup-begin g {folder}/bk.xml
!until 30 Completed domjobinfo g --completed --keep-completed
domjobinfo g --completed
!write bk2.xml "<domainbackup><incremental>c1</incremental><disks><disk name='vda' type='file'><driver type='qcow2'/><target file='{folder}/bk2.vda'/></disk></disks></domainbackup>"
!write ck.xml "<domaincheckpoint><name>c3</name></domaincheckpoint>"
backup-begin g {folder}/bk2.xml {folder}/ck.xml
!until 30 Completed domjobinfo g --completed --keep-completed
checkpoint-list g --parent
checkpoint-delete g c2
checkpoint-list g --parent
!write pull.xml "<domainbackup mode='pull'><server transport='unix' socket='{folder}/nbd.sock'/><disks><disk name='vda' type='file' exportname='ex'><scratch file='{folder}/scratch'/></disk></disks></domainbackup>"
backup-begin g {folder}/pull.xml
backup-dumpxml g
domjobinfo g
domjobabort g
!until 30 None domjobinfo g
domjobinfo g --completed
!files
!write pull2.xml "<domainbackup mode='pull'><incremental>c1</incremental><server transport='tcp' name='127.0.0.1' port='10817'/><disks><disk name='vda' type='file' exportname='ex' exportbitmap='chg'><scratch file='{folder}/scratch'/></disk><disk name='vdb' backupmode='full' type='file'><scratch file='{folder}/scratch.b'/></disk></disks></domainbackup>"
backup-begin g {folder}/pull2.xml
backup-dumpxml g --xpath //server
backup-dumpxml g --xpath "//disk[@name='vda']"
domjobabort g
!until 30 None domjobinfo g
!write u.xml "<domaincheckpoint><name>u</name><creationTime>1700000000</creationTime><domain type='qemu'><name>g</name><memory>32768</memory><os><type arch='x86_64'>hvm</type></os></domain></domaincheckpoint>"
checkpoint-create g {folder}/u.xml --redefine
backup-begin g {folder}/bk.xml
!write bad.xml "<domainbackup><incremental>nosuch</incremental></domainbackup>"
backup-begin g {folder}/bad.xml
checkpoint-delete g nosuch
checkpoint-delete g
!write old.xml "<domaincheckpoint><name>old</name><creationTime>1</creationTime></domaincheckpoint>"
checkpoint-create g {folder}/old.xml --redefine
checkpoint-dumpxml g old
checkpoint-delete g old --metadata
!write bare.xml "<domain type='qemu'><name>bare</name><memory>65536</memory><os><type>hvm</type></os></domain>"
create {folder}/bare.xml --paused
checkpoint-create-as bare c1
destroy bare
destroy g
undefine g
checkpoint-delete g c1
checkpoint-delete g c1 --children --metadata
undefine g
""",
}
CASES = list(SCRIPTS)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The images lie at one path in all cells."""
    with short_folder("kv-ckp-") as path:
        path.chmod(0o777)
        yield path


@pytest.fixture(scope="module")
def expected(real_libvirtd: DaemonHandle, folder: Path) -> dict[str, list[Row]]:
    """What the real virsh says on the real daemon."""
    found = {name: Play(real_libvirtd.virsh, folder).script(text) for name, text in SCRIPTS.items()}
    real_libvirtd.virsh("destroy", "g")
    return found


@pytest.mark.parametrize("name", CASES)
def test_real_virsh_on_our_daemon(
    expected: dict[str, list[Row]], kvasird: KvasirDaemon, folder: Path, name: str
) -> None:
    compare(Play(kvasird.virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.parametrize("name", CASES)
def test_our_virsh_on_our_daemon(
    expected: dict[str, list[Row]], kvasird: KvasirDaemon, folder: Path, name: str
) -> None:
    compare(Play(kvasird.our_virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.parametrize("name", CASES)
def test_our_virsh_on_the_real_daemon(
    expected: dict[str, list[Row]], real_libvirtd: DaemonHandle, folder: Path, name: str
) -> None:
    compare(Play(real_libvirtd.our_virsh, folder), SCRIPTS[name], expected[name])
