"""Snapshots that either daemon made are known to the other; copies go to network destinations too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, short_folder
from tests.virsh.diskcells import Play, differences
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
MAKE = """
!images qcow2
snapshot-create-as g off
start g
snapshot-create-as g inside "with memory"
snapshot-create-as g outside --disk-only --diskspec vdb,snapshot=no
checkpoint-create-as g point --diskspec vda
destroy g
"""
LOOK = """
snapshot-list g --tree
snapshot-list g --parent
snapshot-current g --name
snapshot-info g outside
snapshot-dumpxml g off
snapshot-dumpxml g inside
snapshot-dumpxml g outside
checkpoint-list g
checkpoint-dumpxml g point
"""
SNAPSHOTS, CHECKPOINTS = "var/lib/libvirt/qemu/snapshot", "var/lib/libvirt/qemu/checkpoint"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder("kv-meta-") as path:
        path.chmod(0o777)
        yield path


def peer(daemon: DaemonHandle, *words: str) -> None:
    assert daemon.peers is not None
    env = {**os.environ, "KVASIR_PEERS": str(daemon.peers.root)}
    subprocess.run([str(PROJECT / "scripts/peer"), *words], check=True, env=env, capture_output=True)


def inside(daemon: DaemonHandle, script: str) -> None:
    peer(daemon, "exec", "--dir", str(daemon.folder), "--", "sh", "-c", script)


def again(daemon: DaemonHandle) -> None:
    peer(daemon, "restart", "--dir", str(daemon.folder))
    until(lambda: daemon.virsh("list").returncode == 0)


def test_each_daemon_reads_what_the_other_wrote(
    kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, folder: Path
) -> None:
    ours = Play(kvasird.virsh, folder)
    assert all(code == 0 for _, code, _, _ in ours.script(MAKE)), ours.rows
    ours.rows.clear()
    said = ours.script(LOOK)
    assert all(code == 0 for _, code, _, _ in said), said
    assert real_libvirtd.virsh("define", str(folder / "g.xml")).returncode == 0
    for part in (SNAPSHOTS, CHECKPOINTS):
        inside(real_libvirtd, f"rm -rf /{part}/g; cp -r {kvasird.folder}/{part}/g /{part}/")
    again(real_libvirtd)
    found = differences(Play(real_libvirtd.virsh, folder).script(LOOK), said)
    assert not found, found
    reverted = real_libvirtd.virsh("snapshot-revert", "g", "inside")
    assert reverted.returncode == 0, reverted.stderr
    assert real_libvirtd.virsh("domstate", "g", "--reason").stdout.strip() == "running (from snapshot)"

    real = Play(real_libvirtd.virsh, folder)
    assert all(code == 0 for _, code, _, _ in real.script(MAKE)), real.rows
    real.rows.clear()
    said = real.script(LOOK)
    for part in (SNAPSHOTS, CHECKPOINTS):
        target = kvasird.folder / part / "g"
        for entry in target.glob("*.xml"):
            entry.unlink()
        inside(real_libvirtd, f"mkdir -p {target}; cp /{part}/g/*.xml {target}/")
    kvasird.kill()
    kvasird.start()
    found = differences(Play(kvasird.virsh, folder).script(LOOK), said)
    assert not found, found
    reverted = kvasird.virsh("snapshot-revert", "g", "inside", "--force")
    assert reverted.returncode == 0, reverted.stderr
    assert kvasird.virsh("domstate", "g", "--reason").stdout.strip() == "running (from snapshot)"
    kvasird.virsh("destroy", "g")
    kept = kvasird.virsh("snapshot-list", "g", "--name").stdout
    assert kvasird.virsh("domrename", "g", "h").returncode == 0
    kvasird.kill()
    kvasird.start()
    assert "inside" in kept and kvasird.virsh("snapshot-list", "h", "--name").stdout == kept


def test_copy_to_a_network_destination(kvasird: KvasirDaemon, folder: Path) -> None:
    play = Play(kvasird.virsh, folder)
    play.script("!images\nstart g")
    target, sock = folder / "remote.img", folder / "nbd.sock"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(target), "100M"], check=True)
    server = subprocess.Popen(["qemu-nbd", "-t", "-f", "raw", "-k", str(sock), "-x", "ex", str(target)])
    try:
        document = folder / "net.xml"
        document.write_text(
            "<disk type='network'><driver type='raw'/><source protocol='nbd' name='ex'>"
            f"<host transport='unix' socket='{sock}'/></source></disk>"
        )
        until(sock.exists)
        sock.chmod(0o666)
        words = ("blockcopy", "g", "vda", "--xml", str(document), "--transient-job")
        done = kvasird.virsh(*words, "--reuse-external", "--wait", "--verbose")
        assert done.returncode == 0, done.stderr
        assert "<mirror type='network' job='copy' ready='yes'>" in kvasird.virsh("dumpxml", "g").stdout
        assert kvasird.virsh("blockjob", "g", "vda", "--pivot").returncode == 0
        assert "protocol='nbd'" in kvasird.virsh("dumpxml", "g").stdout
        kvasird.virsh("destroy", "g")
    finally:
        server.terminate()
        server.wait(10)
    compared = subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(target), str(folder / "top.qcow2")]
    )
    assert compared.returncode == 0
