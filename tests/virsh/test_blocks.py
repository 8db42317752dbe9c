"""Block jobs through both virsh on both daemons: words, exit codes and live documents are the same byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon, short_folder
from tests.virsh.diskcells import Play, Row, compare

pytestmark = pytest.mark.timeout(500)

SHORTEN = """
!images
blockpull g vda
start g
dumpxml g
blockjob g vda
blockjob g vda --raw
blockjob g vda --abort
blockjob g nosuch
blockjob g vda --abort --info
blockjob g vda --pivot
blockjob g vda --bandwidth 5
blockjob g vda --bandwidth x
blockpull g nosuch
blockpull g vda --base nosuch
blockpull g vda --base {folder}/nosuch
blockpull g vda --base vda[9]
blockpull g vda --base vdb[5]
blockpull g vda --keep-relative
blockcommit g vda
blockcommit g vda --shallow --top vda[4] --base vda[3]
blockcommit g vda --top {folder}/nosuch
blockcommit g vda --top vda[4] --active
blockcommit g vda --top {folder}/base.qcow2
blockcommit g vda --top vda[4] --base {folder}/top.qcow2
blockcommit g vdb --active
blockcommit g hdc --active
blockcommit g nosuch --active
blockcommit g vda --pivot --keep-overlay
blockcommit g vda --active --keep-relative
!until 30 ready dumpxml g
blockjob g vda --abort
blockcommit g vda --top {folder}/mid.qcow2 --base {folder}/base.qcow2 --keep-relative --delete --wait --verbose
!files
dumpxml g
blockpull g vda --base {folder}/base.qcow2 --wait --verbose
blockpull g vda --wait --verbose
dumpxml g
dumpxml g --inactive
blockcommit g vda --active --wait
!images
start g
blockcommit g vda --active --wait --verbose
dumpxml g
blockjob g vda
blockjob g vda --raw
blockjob g vda --info --bytes
blockpull g vda
blockcommit g vda --active
blockcopy g vda {folder}/x
blockjob g vda --abort
dumpxml g
blockcommit g vda --pivot --verbose --shallow
dumpxml g
dumpxml g --inactive
blockcommit g {folder}/mid.qcow2 --keep-overlay --verbose --base vda[5]
blockcommit g vda --active --pivot --bandwidth 4096 --timeout 50 --delete
!files
dumpxml g
!images
start g
blockpull g vda 1
blockjob g vda
blockjob g vda --raw
blockjob g vda --raw --bytes
blockjob g vda --bandwidth 2M --bytes
blockjob g vda --bytes
blockpull g vda
blockcommit g vda --active
blockjob g vda --pivot
blockjob g vda --abort
blockjob g vda --raw
dumpxml g
blockpull g vda --wait --timeout 1 --bandwidth 1
blockpull g vda --wait --timeout 1 --bandwidth 1 --async
blockpull g vda --wait --timeout 0
blockresize g vda 200M
blockresize g vda 100
blockresize g vdb 20971520B
blockresize g vdb 12345B
blockresize g hdc 1
blockresize g nosuch 1
blockresize g vda 1q
domblkthreshold g vdb 1M
domblkthreshold g vda[5] 1M
domblkthreshold g vda[3] 10M
domblkthreshold g vda[33] 1M
domblkthreshold g nosuch 1M
"""
COPY = """
!images
start g
blockcopy g vda {folder}/copy.qcow2
blockcopy g vda
blockcopy g vda {folder}/copy.qcow2 --transient-job --granularity 1000
blockcopy g vda {folder}/copy.qcow2 --format qcow2 --wait --verbose --bandwidth 100 --granularity 65536 --buf-size 1048576 --transient-job
dumpxml g
blockjob g vda
blockjob g vda --raw --bytes
blockcopy g vda {folder}/other --transient-job
blockjob g vda --pivot
dumpxml g
dumpxml g --inactive
!files
blockjob g vda
blockcopy g vda --dest {folder}/copy.qcow2 --transient-job
blockcopy g vdb {folder}/nosuch --blockdev --transient-job
blockcopy g vdb {folder}/top.qcow2 --blockdev --transient-job --reuse-external
blockcopy g vdb {folder}/nosuch --reuse-external --transient-job
blockcopy g nosuch {folder}/y --transient-job
blockcopy g vda {folder}/p --print-xml --format qcow2
blockcopy g vda {folder}/p --print-xml --blockdev
blockcopy g vda {folder}/p --xml {folder}/g.xml
blockcopy g vda {folder}/p --pivot --finish
!images
start g
blockcopy g vda {folder}/sc.qcow2 --shallow --wait --verbose --transient-job
dumpxml g
blockjob g vda --pivot
dumpxml g
dumpxml g --inactive
!images
start g
!make qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 {folder}/sc.qcow2
blockcopy g vda {folder}/sc.qcow2 --shallow --reuse-external --wait --verbose --synchronous-writes --transient-job
dumpxml g
blockjob g vda --pivot
dumpxml g
!write d.xml "<disk type='file'><source file='{folder}/cp.raw'/><driver type='raw'/></disk>"
blockcopy g vda --xml {folder}/d.xml --finish --transient-job
dumpxml g
!files
blockcopy g vda {folder}/q.qcow2 --format qcow2 --pivot --transient-job --timeout 60
dumpxml g
blockcopy g vda {folder}/slow --transient-job --bandwidth 1 --timeout 1 --verbose
blockjob g vda --raw
blockcopy g vdb {folder}/bb.qcow2 --transient-job --format qcow2 --async --pivot
domblklist g --details
dumpxml g
destroy g
domblklist g
start g
dumpxml g
"""
SCRIPTS = {"shorten": SHORTEN, "copy": COPY}
ROWS = [
    "virsh-blockcommit", "virsh-blockcommit-arg-path", "virsh-blockcommit-arg-bandwidth", "virsh-blockcommit-opt-base",
    "virsh-blockcommit-opt-top", "virsh-blockcommit-opt-shallow", "virsh-blockcommit-opt-active",
    "virsh-blockcommit-opt-delete", "virsh-blockcommit-opt-wait", "virsh-blockcommit-opt-verbose",
    "virsh-blockcommit-opt-timeout", "virsh-blockcommit-opt-pivot", "virsh-blockcommit-opt-keep-overlay",
    "virsh-blockcommit-opt-async", "virsh-blockcommit-opt-keep-relative", "virsh-blockpull", "virsh-blockpull-opt-base",
    "virsh-blockpull-opt-wait", "virsh-blockpull-opt-verbose", "virsh-blockpull-opt-timeout",
    "virsh-blockpull-opt-async", "virsh-blockpull-arg-path", "virsh-blockpull-app-flatten",
    "virsh-blockpull-app-partial", "virsh-blockresize", "virsh-blockresize-arg-path", "virsh-blockresize-arg-size",
    "domxml-disk-mirror",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The images lie at one path in all cells."""
    with short_folder("kv-blk-") as path:
        path.chmod(0o777)
        yield path


@pytest.fixture(scope="module")
def expected(real_libvirtd: DaemonHandle, folder: Path) -> dict[str, list[Row]]:
    """What the real virsh says on the real daemon."""
    found = {name: Play(real_libvirtd.virsh, folder).script(text) for name, text in SCRIPTS.items()}
    real_libvirtd.virsh("destroy", "g")
    return found


@pytest.mark.guide(*ROWS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_real_virsh_on_our_daemon(
    expected: dict[str, list[Row]], kvasird: KvasirDaemon, folder: Path, name: str
) -> None:
    compare(Play(kvasird.virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.guide(*ROWS)
@pytest.mark.parametrize("name", ["copy"])
def test_our_virsh_on_our_daemon(
    expected: dict[str, list[Row]], kvasird: KvasirDaemon, folder: Path, name: str
) -> None:
    compare(Play(kvasird.our_virsh, folder), SCRIPTS[name], expected[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_our_virsh_on_the_real_daemon(
    expected: dict[str, list[Row]], real_libvirtd: DaemonHandle, folder: Path, name: str
) -> None:
    compare(Play(real_libvirtd.our_virsh, folder), SCRIPTS[name], expected[name])
