"""Snapshots through both virsh on both daemons: words, exit codes, documents and lists are the same byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder
from tests.virsh.diskcells import Play, Row, compare

pytestmark = pytest.mark.timeout(500)

INSIDE = """
!images qcow2
snapshot-list g
snapshot-current g
snapshot-create g --redefine
snapshot-create g --current
snapshot-create g --disk-only --quiesce --redefine
snapshot-create-as g o --quiesce
snapshot-create-as g o --live
snapshot-create-as g o --memspec /tmp/x
snapshot-create-as g o --memspec x
snapshot-create-as g o --memspec file=/x,snapshot=bogus
snapshot-create-as g o --diskspec vda,bogus=1
snapshot-create-as g o --diskspec vdz
snapshot-create-as g o --diskspec vda --diskspec vda
snapshot-create-as g o --diskspec vda,file=/x,snapshot=internal
snapshot-create-as g o --diskspec vda,snapshot=external
snapshot-create-as g o --diskspec vda,snapshot=what
snapshot-create-as g a/b
snapshot-create-as g .a
snapshot-create-as g --name s --description d --print-xml --memspec /m,snapshot=external --diskspec vda,snapshot=external,driver=qcow2,file=/path/to,,new --diskspec vdb,stype=block,file=/dev/x
snapshot-create-as g s --print-xml --no-metadata
snapshot-create-as g s --print-xml --halt
snapshot-create-as g off1 "first text"
snapshot-create-as g off1
snapshot-dumpxml g off1
snapshot-list g
snapshot-info g off1
snapshot-current g --name
start g
snapshot-create-as g run1
snapshot-create-as g run2
snapshot-create-as g bad --diskspec vda,snapshot=external --diskspec vdb,snapshot=internal
snapshot-create-as g bad --disk-only --diskspec vda,snapshot=internal
snapshot-create-as g bad --diskspec vda,snapshot=no --diskspec vdb,snapshot=no
snapshot-create-as g nometa --no-metadata
snapshot-dumpxml g run1
snapshot-dumpxml g run1 --xpath //memory
snapshot-dumpxml g nosuch
snapshot-list g
snapshot-list g --tree
snapshot-list g --parent
snapshot-list g --roots
snapshot-list g --leaves
snapshot-list g --no-leaves
snapshot-list g --metadata
snapshot-list g --no-metadata
snapshot-list g --inactive
snapshot-list g --active
snapshot-list g --disk-only
snapshot-list g --internal
snapshot-list g --external
snapshot-list g --from off1
snapshot-list g --from off1 --descendants
snapshot-list g --from run1 --tree
snapshot-list g --current
snapshot-list g --current --from run1
snapshot-list g --descendants
snapshot-list g --tree --leaves
snapshot-list g --tree --roots
snapshot-list g --tree --parent
snapshot-list g --roots --from off1
snapshot-list g --name
snapshot-list g --name --topological
snapshot-list g --topological
snapshot-list g --from nosuch
snapshot-list nosuch
snapshot-info g run1
snapshot-info g --current
snapshot-info g
snapshot-info g run1 --current
snapshot-parent g run2
snapshot-parent g off1
snapshot-parent g --current
snapshot-parent g
snapshot-current g
snapshot-current g run1
snapshot-current g --name
snapshot-current g nosuch
snapshot-current g --name run1
list --all --with-snapshot
list --all --without-snapshot
snapshot-revert g run1
domstate g --reason
snapshot-current g --name
snapshot-revert g off1
domstate g --reason
snapshot-revert g run2 --paused
domstate g --reason
snapshot-revert g off1 --running
domstate g --reason
snapshot-revert g --current --paused
domstate g --reason
snapshot-revert g run1 --running --paused
snapshot-revert g
snapshot-revert g nosuch
dumpxml g
snapshot-delete g run1 --children --children-only
undefine g
destroy g
undefine g
snapshot-delete g nosuch
snapshot-delete g
snapshot-delete g run1 --children-only
snapshot-list g --tree
snapshot-delete g run1
snapshot-delete g --current --metadata
snapshot-list g --tree
snapshot-create-as g again --halt
snapshot-delete g again
undefine g --snapshots-metadata
"""
OUTSIDE = """
!images
start g
snapshot-create-as g i1
snapshot-create-as g a "text" --disk-only --atomic
dumpxml g
dumpxml g --inactive
snapshot-dumpxml g a
!files
snapshot-create-as g b --disk-only --diskspec vda,file={folder}/vda.b --diskspec vdb,snapshot=no
snapshot-list g --tree
snapshot-list g --external
snapshot-list g --disk-only
snapshot-info g b
snapshot-create-as g c --disk-only --diskspec vda,file={folder}/vda.b
snapshot-create-as g c --disk-only --reuse-external --diskspec vda,file={folder}/nosuch
snapshot-create-as g c --disk-only --diskspec vda,file=relative
snapshot-create-as g c --disk-only --diskspec vda,driver=raw
snapshot-create-as g c --disk-only --diskspec vda,stype=block,file=/dev/nosuch --diskspec vdb,snapshot=no
snapshot-create-as g c --disk-only --quiesce
snapshot-create-as g c --disk-only --no-metadata --diskspec vdb,snapshot=no
snapshot-list g --name
dumpxml g
!make qemu-img create -q -f qcow2 -b {folder}/vda.c -F qcow2 {folder}/ready.qcow2
snapshot-create-as g d --disk-only --reuse-external --diskspec vda,file={folder}/ready.qcow2 --diskspec vdb,snapshot=no
dumpxml g
snapshot-create-as g e --disk-only --halt
domstate g --reason
dumpxml g
snapshot-list g --tree
!images qcow2
start g
snapshot-create-as g m1 --memspec {folder}/m1.mem
domstate g --reason
snapshot-dumpxml g m1
snapshot-create-as g m2 --memspec file={folder}/m2.mem,snapshot=external --live --diskspec vdb,snapshot=no
snapshot-create-as g m3 --memspec {folder}/m3.mem --halt
domstate g --reason
snapshot-list g --tree
snapshot-info g m1
!files
start g
snapshot-delete g m1
dumpxml g
snapshot-delete g m3
dumpxml g
snapshot-delete g m2
dumpxml g
dumpxml g --inactive
destroy g
snapshot-create-as g o1 --disk-only
dumpxml g
snapshot-dumpxml g o1
snapshot-create-as g o2 --disk-only
"""
DOCUMENTS = """
!images qcow2
start g
!write a.xml "<domainsnapshot><name>a</name><description>d</description><disks><disk name='vdb' snapshot='no'/></disks></domainsnapshot>"
snapshot-create g {folder}/a.xml --disk-only --atomic
snapshot-dumpxml g a
snapshot-create g {folder}/a.xml --disk-only
!write b.xml "<domainsnapshot><name>b</name><disks><disk name='vda' snapshot='external'><source file='{folder}/b.over'/></disk><disk name='vdb' snapshot='no'/></disks></domainsnapshot>"
snapshot-create g {folder}/b.xml --disk-only --reuse-external
!make qemu-img create -q -f qcow2 -b {folder}/top.a -F qcow2 {folder}/b.over
snapshot-create g {folder}/b.xml --disk-only
snapshot-create g {folder}/b.xml --disk-only --reuse-external
domblklist g
!write c.xml "<domainsnapshot><name>c</name><disks><disk name='vdb' snapshot='no'/></disks></domainsnapshot>"
snapshot-create g {folder}/c.xml --disk-only --no-metadata
snapshot-list g --name
snapshot-current g --name
domblklist g
!write d.xml "<domainsnapshot><name>d</name><disks><disk name='vda'><source file='{folder}/d.vda'/></disk><disk name='vdb'><source file='{folder}/nosuch/d.vdb'/></disk></disks></domainsnapshot>"
snapshot-create g {folder}/d.xml --disk-only --atomic
domblklist g
!files
snapshot-create g {folder}/c.xml --disk-only --quiesce
snapshot-create g {folder}/c.xml --disk-only --live
snapshot-create g {folder}/c.xml --quiesce
snapshot-create g {folder}/nosuch.xml
snapshot-create g --redefine
snapshot-create g --redefine --no-metadata
snapshot-create g --current
!dump a2.xml snapshot-dumpxml g a
snapshot-create g {folder}/a2.xml --redefine --current
snapshot-current g --name
!write u.xml "<domainsnapshot><name>u</name><creationTime>1700000000</creationTime><state>shutoff</state><domain type='qemu'><name>g</name><memory>32768</memory><os><type arch='x86_64'>hvm</type></os></domain></domainsnapshot>"
snapshot-create g {folder}/u.xml --redefine
snapshot-list g --tree
!editor true
snapshot-edit g a
snapshot-edit g
!editor sed -i s/>d</>changed</
snapshot-edit g a
snapshot-dumpxml g a --xpath //description
snapshot-edit g b
!editor sed -i s/<name>b</<name>b2</
snapshot-edit g b
snapshot-list g --name
snapshot-edit g b --clone
snapshot-list g --tree
!editor sed -i s/<name>b2</<name>b3</
snapshot-edit g b2 --rename
snapshot-list g --tree
snapshot-edit g b3 --rename --clone
!editor sed -i "s|<domainsnapshot>|<domainsnapshot><description>now</description>|"
snapshot-edit g b3 --current
snapshot-current g --name
snapshot-edit g --current
!editor true
snapshot-edit g nosuch
!write e.xml "<domainsnapshot><name>e</name></domainsnapshot>"
snapshot-create g {folder}/e.xml --disk-only --halt
snapshot-create-as g e2 --disk-only --halt --diskspec vdb,snapshot=no
domstate g --reason
!images qcow2
snapshot-create-as g in1
!editor sed -i s/<name>in1</<name>in2</
snapshot-edit g in1 --rename
snapshot-list g --name
snapshot-create-as g z --diskspec vda
!passwd
snapshot-create-as g sec
snapshot-dumpxml g sec --xpath //graphics
snapshot-dumpxml g sec --security-info --xpath //graphics
snapshot-current g --security-info
-r snapshot-dumpxml g sec --xpath //graphics
-r snapshot-dumpxml g sec --security-info
"""
SCRIPTS = {"inside": INSIDE, "outside": OUTSIDE, "documents": DOCUMENTS}
ROWS = {
    "inside": [
        "virsh-snapshot-create-as",
        "virsh-snapshot-create-as-arg-name",
        "virsh-snapshot-create-as-arg-description",
        "virsh-snapshot-create-as-opt-print-xml",
        "virsh-snapshot-create-as-opt-halt",
        "virsh-snapshot-create-as-opt-memspec",
        "virsh-snapshot-create-as-opt-diskspec",
        "virsh-snapshot-create-as-opt-no-metadata",
        "virsh-snapshot-create-as-diskspec-example",
        "virsh-snapshot-create",
        "virsh-snapshot-create-opt-redefine",
        "virsh-snapshot-current",
        "virsh-snapshot-current-opt-name",
        "virsh-snapshot-current-arg-snapshotname",
        "virsh-snapshot-info",
        "virsh-snapshot-info-opt-current",
        "virsh-snapshot-list",
        "virsh-snapshot-list-opt-parent",
        "virsh-snapshot-list-opt-roots",
        "virsh-snapshot-list-opt-tree",
        "virsh-snapshot-list-opt-from",
        "virsh-snapshot-list-opt-current",
        "virsh-snapshot-list-opt-descendants",
        "virsh-snapshot-list-opt-leaves",
        "virsh-snapshot-list-opt-no-leaves",
        "virsh-snapshot-list-opt-metadata",
        "virsh-snapshot-list-opt-no-metadata",
        "virsh-snapshot-list-opt-inactive",
        "virsh-snapshot-list-opt-active",
        "virsh-snapshot-list-opt-internal",
        "virsh-snapshot-list-tree-filter",
        "virsh-snapshot-dumpxml",
        "virsh-snapshot-parent",
        "virsh-snapshot-parent-opt-current",
        "virsh-snapshot-revert",
        "virsh-snapshot-revert-opt-current",
        "virsh-snapshot-revert-opt-running",
        "virsh-snapshot-revert-opt-paused",
        "virsh-snapshot-delete",
        "virsh-snapshot-delete-opt-current",
        "virsh-snapshot-delete-opt-children-only",
        "virsh-snapshot-delete-opt-metadata",
        "error-undefine-snapshot-metadata",
        "snapshot-metadata-prevents-undefine",
        "virsh-undefine-opt-snapshots-metadata",
        "snapshot-concept",
        "virsh-list-opt-with-snapshot",
        "virsh-list-opt-without-snapshot",
        "limit-live-snapshots-unsupported",
    ],
    "outside": [
        "virsh-snapshot-create-as-opt-disk-only",
        "virsh-snapshot-create-as-opt-reuse-external",
        "virsh-snapshot-create-as-opt-atomic",
        "virsh-snapshot-create-as-opt-quiesce",
        "error-snapshot-external-exists",
        "error-snapshot-quiesce-no-agent",
        "virsh-snapshot-list-opt-external",
        "virsh-snapshot-list-opt-disk-only",
        "snapshot-external-recommended",
    ],
    "documents": [
        "virsh-snapshot-create-opt-disk-only",
        "virsh-snapshot-create-opt-halt",
        "virsh-snapshot-create-opt-current",
        "virsh-snapshot-create-opt-no-metadata",
        "virsh-snapshot-create-opt-reuse-external",
        "virsh-snapshot-create-opt-atomic",
        "error-snapshot-redefine-no-xml",
        "virsh-snapshot-current-opt-security-info",
        "virsh-snapshot-edit",
        "virsh-snapshot-edit-opt-current",
        "virsh-snapshot-edit-opt-rename",
        "virsh-snapshot-edit-opt-clone",
        "virsh-snapshot-dumpxml-opt-security-info",
    ],
}
CASES = [pytest.param(name, marks=pytest.mark.guide(*ROWS[name])) for name in SCRIPTS]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The images lie at one path in all cells."""
    with short_folder("kv-snap-") as path:
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


@pytest.mark.parametrize("name", ["outside"])
def test_our_virsh_on_our_daemon(
    expected: dict[str, list[Row]], kvasird: KvasirDaemon, folder: Path, name: str
) -> None:
    compare(Play(kvasird.our_virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.parametrize("name", CASES)
def test_our_virsh_on_the_real_daemon(
    expected: dict[str, list[Row]], real_libvirtd: DaemonHandle, folder: Path, name: str
) -> None:
    compare(Play(real_libvirtd.our_virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.guide("virsh-snapshot-edit-rename-warning")
def test_a_renamed_internal_snapshot_is_never_taken_for_another(kvasird: KvasirDaemon, folder: Path) -> None:
    play = Play(kvasird.our_virsh, folder)
    play.script("!images qcow2\nsnapshot-create-as g in1\n!editor sed -i s/<name>in1</<name>in2</")
    assert kvasird.our_virsh("snapshot-edit", "g", "in1", "--rename").returncode == 0
    done = kvasird.our_virsh("snapshot-revert", "g", "in2")
    assert done.returncode == 1 and "Could not apply snapshot 'in2'" in done.stderr
