"""Data proof: a guest writes known bytes while every block job and snapshot runs; each byte is compared afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.integration.diskguest import DiskGuest, check, raw_of, tool
from tests.waiting import until

pytestmark = pytest.mark.timeout(400)


def top_of(guest: DiskGuest) -> Path:
    """The image that the guest writes to."""
    lines = guest.virsh("domblklist", "disks").stdout.splitlines()
    return Path(next(line.split()[1] for line in lines if line.split()[:1] == ["vda"]))


@pytest.mark.guide(
    "proc-blockcommit-shorten", "proc-blockpull-shorten", "proc-blockpull-move-image", "virsh-blockpull-app-flatten",
    "virsh-blockpull-app-partial", "virsh-blockpull-app-move", "virsh-blockcommit-warning",
    "virsh-snapshot-create-as-opt-disk-only",
)  # fmt: skip
def test_every_job_under_writes(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest)
    guest.start()
    guest.write()
    frozen: dict[str, tuple[int, int]] = {}
    for name in ("s1", "s2", "s3"):
        before = guest.flushed()
        guest.virsh("snapshot-create-as", "disks", name, "--disk-only", "--atomic", "--no-metadata")
        frozen[name] = (before, guest.flushed() + 1)
        guest.more_rounds()
    check(raw_of(guest.top), frozen["s1"][0], latest=frozen["s1"][1])
    check(raw_of(guest.folder / "top.s1"), frozen["s2"][0], latest=frozen["s2"][1])
    guest.virsh(
        "blockcommit", "disks", "vda", "--top", str(guest.folder / "top.s2"), "--base", str(guest.top), "--wait"
    )
    guest.more_rounds()
    check(raw_of(guest.top), frozen["s3"][0], latest=frozen["s3"][1])
    guest.virsh("blockpull", "disks", "vda", "--base", str(guest.base), "--wait", "--verbose")
    guest.more_rounds()
    assert "top.qcow2" not in tool("qemu-img", "info", "-U", "--backing-chain", str(top_of(guest)))
    guest.virsh("snapshot-create-as", "disks", "s4", "--disk-only", "--no-metadata")
    guest.more_rounds()
    guest.virsh("blockcommit", "disks", "vda", "--shallow", "--active", "--pivot", "--delete")
    guest.more_rounds()
    assert top_of(guest) == guest.folder / "top.s3"
    elsewhere = guest.folder / "moved.qcow2"
    guest.virsh(
        "blockcopy", "disks", "vda", str(elsewhere), "--format", "qcow2", "--transient-job", "--pivot", "--verbose"
    )
    guest.more_rounds()
    assert top_of(guest) == elsewhere
    before_copy = guest.flushed()
    guest.virsh("blockcopy", "disks", "vda", str(guest.folder / "copy.raw"), "--transient-job", "--finish", "--format",
                "raw", "--synchronous-writes")  # fmt: skip
    copied = guest.flushed()
    guest.virsh("blockpull", "disks", "vda", "--wait")
    guest.more_rounds()
    guest.virsh("destroy", "disks")
    check(raw_of(elsewhere), guest.flushed(), latest=guest.flushed() + 1)
    check(raw_of(guest.folder / "copy.raw", "raw"), before_copy, latest=copied + 1)
    assert "backing file" not in tool("qemu-img", "info", str(elsewhere))
    tool("qemu-img", "check", "-q", str(elsewhere))
    guest.boot()
    guest.virsh("destroy", "disks")


@pytest.mark.guide("virsh-snapshot-revert", "virsh-snapshot-revert-destructive", "virsh-snapshot-revert-opt-paused",
                   "virsh-snapshot-create", "virsh-snapshot-create-no-xml", "snapshot-concept",
                   "virsh-snapshot-delete-opt-children", "virsh-snapshot-revert-opt-force",
                   "error-snapshot-revert-needs-force")  # fmt: skip
def test_snapshots_and_reverts_under_writes(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest)
    guest.start()
    guest.write()
    before = guest.flushed()
    guest.virsh("snapshot-create", "disks")
    inner = guest.virsh("snapshot-current", "disks", "--name").stdout.strip()
    at_inner = (before, guest.flushed() + 1)
    guest.more_rounds(2)
    before = guest.flushed()
    memory = guest.folder / "outer.mem"
    guest.virsh("snapshot-create-as", "disks", "outer", "--memspec", str(memory))
    at_outer = (before, guest.flushed() + 1)
    guest.more_rounds(2)
    before = guest.flushed()
    guest.virsh("snapshot-create-as", "disks", "flat", "--disk-only")
    at_flat = (before, guest.flushed() + 1)
    guest.more_rounds(2)
    check(raw_of(guest.top), at_outer[0], latest=at_outer[1])

    guest.virsh("snapshot-revert", "disks", "outer", "--paused")
    assert guest.virsh("domstate", "disks", "--reason").stdout.strip() == "paused (from snapshot)"
    check(raw_of(top_of(guest)), at_outer[0], latest=at_outer[1])
    guest.virsh("resume", "disks")
    guest.more_rounds(2)
    check(raw_of(guest.top), at_outer[0], latest=at_outer[1])
    check(raw_of(guest.folder / "top.outer"), at_flat[0], latest=at_flat[1])

    guest.virsh("snapshot-revert", "disks", "flat")
    assert guest.virsh("domstate", "disks").stdout.strip() == "shut off"
    check(raw_of(top_of(guest)), at_flat[0], latest=at_flat[1])
    assert guest.virsh("snapshot-current", "disks", "--name").stdout.strip() == "flat"
    guest.virsh("snapshot-delete", "disks", "flat")
    check(raw_of(top_of(guest)), at_flat[0], latest=at_flat[1])
    guest.boot()
    guest.virsh("destroy", "disks")

    refused = guest.virsh("snapshot-revert", "disks", inner, "--paused", ok=False)
    assert "revert requires force: external snapshots stand on image" in refused.stderr
    guest.virsh("snapshot-revert", "disks", inner, "--paused", "--force")
    check(raw_of(guest.top), at_inner[0], latest=at_inner[1])
    guest.virsh("resume", "disks")
    guest.more_rounds(2)
    guest.virsh("snapshot-delete", "disks", inner, "--children")
    assert guest.virsh("snapshot-list", "disks", "--name").stdout.strip() == ""
    assert sorted(path.name for path in guest.folder.glob("top.*")) == ["top.qcow2"], (
        "images that nobody needs are gone"
    )
    assert not memory.exists()
    guest.more_rounds()
    last = guest.flushed()
    guest.virsh("destroy", "disks")
    check(raw_of(guest.top), last)


def backup(guest: DiskGuest, name: str, body: str, *more: str) -> None:
    """Begin a backup of vda."""
    path = guest.folder / f"{name}.xml"
    path.write_text(body)
    guest.virsh("backup-begin", "disks", str(path), *more)


def until_no_job(guest: DiskGuest) -> None:
    until(lambda: "None" in guest.virsh("domjobinfo", "disks").stdout, "the backup does not end")


PUSH = "<domainbackup>{since}<disks><disk name='vda'><target file='{path}'/></disk></disks></domainbackup>"
PULL = (
    "<domainbackup mode='pull'>{since}<server transport='unix' socket='{folder}/nbd'/><disks><disk name='vda' exportname='ex'>"
    "<scratch file='{folder}/scratch'/></disk></disks></domainbackup>"
)


def on_full(full: Path, part: Path) -> bytes:
    """An incremental backup laid over the whole one."""
    tool("qemu-img", "rebase", "-u", "-F", "qcow2", "-b", str(full), "-f", "qcow2", str(part))
    return raw_of(part)


def test_backups_under_writes(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest)
    guest.start()
    guest.write()
    (guest.folder / "c1.xml").write_text("<domaincheckpoint><name>c1</name></domaincheckpoint>")
    full = guest.folder / "full"
    before = guest.flushed()
    backup(guest, "full", PUSH.format(since="", path=full), str(guest.folder / "c1.xml"))
    after = guest.flushed() + 1
    until_no_job(guest)
    check(raw_of(full), before, latest=after)
    guest.more_rounds(2)
    guest.virsh("snapshot-create-as", "disks", "above", "--disk-only", "--no-metadata")
    guest.more_rounds(2)
    since = "<incremental>c1</incremental>"
    for name in ("inc1", "inc2"):
        path = guest.folder / name
        before = guest.flushed()
        backup(guest, name, PUSH.format(since=since, path=path))
        after = guest.flushed() + 1
        until_no_job(guest)
        check(on_full(full, path), before, latest=after)
        if name == "inc1":
            guest.virsh("blockcommit", "disks", "vda", "--shallow", "--active", "--pivot")
        guest.more_rounds(2)
    before = guest.flushed()
    backup(guest, "pull", PULL.format(since=since, folder=guest.folder))
    after = guest.flushed() + 1
    guest.more_rounds(2)
    pid = (kvasird.folder / "run/libvirt/qemu/disks.pid").read_text()
    kvasird.kill()
    kvasird.start()
    assert (kvasird.folder / "run/libvirt/qemu/disks.pid").read_text() == pid
    assert "Backup" in guest.virsh("domjobinfo", "disks").stdout
    assert "exportname='ex'" in guest.virsh("backup-dumpxml", "disks").stdout
    guest.more_rounds(2)
    out = guest.folder / "pulled.raw"
    where = f"nbd+unix:///ex?socket={guest.folder}/nbd"
    tool("qemu-img", "convert", "-f", "raw", "-O", "raw", where, str(out))
    check(out.read_bytes(), before, latest=after)
    tool("qemu-img", "map", "--output=json", "--image-opts", f"driver=nbd,server.type=unix,server.path={guest.folder}/nbd,"
         "export=ex,x-dirty-bitmap=qemu:dirty-bitmap:backup-vda")  # fmt: skip
    guest.virsh("domjobabort", "disks")
    until_no_job(guest)
    assert not (guest.folder / "scratch").exists()
    guest.more_rounds()
    last = guest.flushed()
    guest.virsh("destroy", "disks")
    check(raw_of(top_of(guest)), last)
