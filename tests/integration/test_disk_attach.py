"""Disks that are added to and taken from a guest with virsh, as the guest sees them (chapter 13.3.6 and 13.3.7)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Done, KvasirDaemon, TinyGuest
from tests.integration.diskguest import DiskGuest, tool
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
MIB = 1 << 20
FILE = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{path}'/>"
    "<target dev='{target}' bus='virtio'/></disk>"
)


class Bench:
    """The guest, images of different sizes, and what is asked of both."""

    def __init__(self, guest: DiskGuest) -> None:
        self.guest = guest
        self.count = 0

    def image(self, mib: int) -> Path:
        path = self.guest.folder / f"new{mib}.img"
        tool("qemu-img", "create", "-q", "-f", "raw", str(path), f"{mib}M")
        path.chmod(0o666)
        return path

    def document(self, name: str, text: str) -> str:
        path = self.guest.folder / f"{name}.xml"
        path.write_text(text)
        return str(path)

    def ok(self, *words: str) -> str:
        return self.guest.virsh(*words).stdout

    def fails(self, *words: str) -> str:
        done: Done = self.guest.client(*words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr

    def targets(self, *flags: str) -> list[str]:
        return re.findall(r"^ (\w+) ", self.ok("domblklist", "disks", *flags), re.M)[1:]

    def disk(self, target: str, *flags: str) -> str:
        return self.ok("dumpxml", "disks", "--xpath", f"//disk[target/@dev='{target}']", *flags)

    def sizes(self) -> dict[int, str]:
        """The kernel's name of each disk of the guest by its size in MiB."""
        lines = self.guest.run("for d in /sys/block/[sv]d*; do echo $(cat $d/size) ${d##*/}; done").split("\n")
        return {int(size) // 2048: name for size, name in (line.split() for line in lines if " " in line)}

    def nodes(self) -> dict[str, dict[str, bool]]:
        """How QEMU caches each open file."""
        answer = self.ok("qemu-monitor-command", "disks", '{"execute":"query-named-block-nodes"}')
        return {node["file"]: node["cache"] for node in json.loads(answer)["return"]}


@pytest.mark.guide(
    "storage-virsh-attach-disk-cli", "storage-attach-disk-book-typo-xml", "storage-xml-disk-file-attach",
    "storage-virsh-attach-device-config-vs-persistent", "proc-virtual-scsi-controller", "storage-disk-target-sd-scsi",
    "storage-virsh-detach-disk",
)  # fmt: skip
def test_the_guest_sees_what_is_attached(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    guest = DiskGuest(kvasird, tiny_guest, machine="pc")
    bench = Bench(guest)
    guest.start()
    by_command_line(bench)
    by_document(bench)
    scsi(bench)
    guest.virsh("destroy", "disks")
    stopped(bench)
    after_the_next_start(bench)
    taken_away(bench)
    guest.virsh("destroy", "disks")


def by_command_line(bench: Bench) -> None:
    """``--config`` waits for the next start; what cannot be is refused."""
    words = ("attach-disk", "--config", "disks", "--source", str(bench.image(20)), "--target", "vdb")
    assert bench.ok(*words) == "Disk attached successfully\n\n"
    assert (bench.targets("--inactive"), bench.targets()) == (["vda", "vdb"], ["vda"])
    assert 20 not in bench.sizes()
    assert "target vdb already exists" in bench.fails(*words)
    missing = bench.fails("attach-disk", "disks", f"{bench.guest.folder}/nosuch.img", "vdc", "--live")
    assert "Cannot access storage file" in missing
    assert f"{bench.guest.folder}/nosuch.img" in missing
    assert "command 'attach-disk' requires <target> option" in bench.fails("attach-disk", "--config", "disks", "/x.xml")


def by_document(bench: Bench) -> None:
    """``attach-device --config`` and ``--persistent`` of a running guest."""
    later = bench.document("later", FILE.format(path=bench.image(21), target="vdc"))
    assert bench.ok("attach-device", "disks", later, "--config") == "Device attached successfully\n\n"
    written = bench.disk("vdc", "--inactive")
    for piece in (
        'type="file" device="disk"',
        'name="qemu" type="raw" cache="none"',
        'dev="vdc" bus="virtio"',
        "new21.img",
    ):
        assert piece in written
    assert bench.disk("vdc").strip() == ""
    both = bench.document("both", FILE.format(path=bench.image(22), target="vdd"))
    bench.ok("attach-device", "disks", both, "--persistent")
    until(lambda: 22 in bench.sizes(), "the guest sees the disk at once")
    assert 21 not in bench.sizes()
    assert "vdd" in bench.targets("--inactive")


def scsi(bench: Bench) -> None:
    """No SCSI controller, then one from a document, then a disk on it, named by ``sd``."""
    assert "controller type='scsi'" not in bench.ok("dumpxml", "disks")
    controller = bench.document("controller", "<controller type='scsi' model='virtio-scsi'/>")
    bench.ok("attach-device", "disks", controller, "--persistent")
    found = re.search(r"<controller type='scsi'.*>", bench.ok("dumpxml", "disks"))
    assert found is not None
    assert found[0] == "<controller type='scsi' index='0' model='virtio-scsi'>"
    path = bench.image(24)
    assert bench.ok("attach-disk", "disks", str(path), "sdb", "--cache", "none") == "Disk attached successfully\n\n"
    shown = bench.disk("sdb")
    assert 'bus="scsi"' in shown
    assert 'cache="none"' in shown
    assert bench.nodes()[str(path)] == {"no-flush": False, "direct": True, "writeback": True}
    bench.guest.run("modprobe -a virtio_scsi sd_mod; for h in /sys/class/scsi_host/*/scan; do echo '- - -' > $h; done")
    until(lambda: 24 in bench.sizes(), "the guest sees the SCSI disk")
    name = bench.sizes()[24]
    assert name.startswith("sd")
    assert "virtio" in bench.guest.run(f"readlink -f /sys/block/{name}/device")


def stopped(bench: Bench) -> None:
    """Of a stopped guest, both flags change the definition."""
    for mib, target, flag in ((26, "vdf", "--config"), (27, "vdg", "--persistent")):
        document = bench.document(target, FILE.format(path=bench.image(mib), target=target))
        bench.ok("attach-device", "disks", document, flag)
    assert bench.targets() == ["vda", "vdb", "vdc", "vdd", "vdf", "vdg"]


def after_the_next_start(bench: Bench) -> None:
    """What was added for later is there, opened as it was said."""
    bench.guest.boot()
    found = bench.sizes()
    assert {20, 21, 22, 26, 27} <= set(found)
    assert 24 not in found
    assert bench.nodes()[f"{bench.guest.folder}/new21.img"] == {"no-flush": False, "direct": True, "writeback": True}
    log = (bench.guest.daemon.folder / "var/log/libvirt/qemu/disks.log").read_text()
    node = re.search(r'\{"driver":"file","filename":"[^"]*/new21.img"[^\']*', log)
    assert node is not None
    assert '"cache":{"direct":true,"no-flush":false}' in node[0]


def taken_away(bench: Bench) -> None:
    """Each flag of detach-disk; files stay."""
    assert bench.ok("detach-disk", "disks", "vdb") == "Disk detached successfully\n\n"
    until(lambda: 20 not in bench.sizes(), "the disk is gone from the guest")
    assert "vdb" not in bench.targets()
    assert "vdb" in bench.targets("--inactive")
    bench.ok("detach-disk", "disks", "vdb", "--config")
    bench.ok("detach-disk", "disks", "vdc", "--live")
    bench.ok("detach-disk", "disks", "vdd", "--persistent")
    bench.ok("detach-disk", "disks", f"{bench.guest.folder}/new26.img", "--current")
    until(lambda: bench.targets() == ["vda", "vdg"], "the running guest keeps two")
    assert bench.targets("--inactive") == ["vda", "vdc", "vdf", "vdg"]
    assert "No disk found whose source path or target is vdz" in bench.fails("detach-disk", "disks", "vdz")
    assert all((bench.guest.folder / f"new{mib}.img").exists() for mib in (20, 21, 22, 24, 26, 27))
