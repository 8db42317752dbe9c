"""What a guest's document does while the guest runs: ids, names, labels, memory, pins; small guests that boot nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import KvasirDaemon

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
GUEST = """\
<domain type='qemu'>
  <name>{name}</name>
  {uuid}
  <memory unit='MiB'>64</memory>
  {more}
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>{devices}</devices>
  {label}
</domain>
"""
UUID = "<uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>"
DISK = "<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'>{label}</source><target dev='{dev}' bus='virtio'/></disk>"


class Guests:
    """Defines, starts and destroys guests of one daemon."""

    def __init__(self, daemon: KvasirDaemon, folder: Path) -> None:
        self.daemon, self.folder = daemon, folder

    def say(self, *words: str) -> str:
        done = self.daemon.virsh(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *words: str) -> str:
        done = self.daemon.virsh(*words)
        assert done.returncode == 1
        return done.stderr

    def document(self, name: str, uuid: str = "", more: str = "", devices: str = "", label: str = "") -> str:
        path = self.folder / f"{name}.xml"
        path.write_text(GUEST.format(name=name, uuid=uuid, more=more, devices=devices, label=label))
        return str(path)

    def image(self, name: str, owner: int = 12345) -> Path:
        path = self.daemon.folder / name
        path.write_bytes(bytes(1 << 20))
        os.chown(path, owner, owner)
        return path

    def live(self, name: str) -> ElementTree.Element:
        return ElementTree.fromstring(self.say("dumpxml", name))

    def ids(self, name: str) -> tuple[int, int]:
        """(uid, gid) that the guest's process has."""
        pid = (self.daemon.folder / f"run/libvirt/qemu/{name}.pid").read_text().strip()
        status = Path(f"/proc/{pid}/status").read_text()
        found = re.search(r"^Uid:\t(\d+).*\nGid:\t(\d+)", status, re.M)
        assert found
        return int(found[1]), int(found[2])


@pytest.fixture
def guests(kvasird: KvasirDaemon, tmp_path: Path) -> Guests:
    return Guests(kvasird, tmp_path)


@pytest.mark.guide("domxml-domain-id-only-when-running", "domxml-general-name-unique")
def test_ids_and_names(guests: Guests) -> None:
    guests.say("define", guests.document("fv0", UUID))
    other = guests.refused("define", guests.document("fv0", UUID.replace("4d", "5d")))
    assert "domain 'fv0' already exists with uuid 4dea22b3-1d52-d8f3-2516-782e98ab3fa0" in other
    assert "4dea22b3" in guests.say("domuuid", "fv0")
    assert guests.live("fv0").get("id") is None
    guests.say("start", "fv0")
    guests.say("create", guests.document("fv1"))
    first, second = guests.live("fv0").get("id"), guests.live("fv1").get("id")
    assert first == guests.say("domid", "fv0") and second == guests.say("domid", "fv1") and first != second
    assert ElementTree.fromstring(guests.say("dumpxml", "--inactive", "fv0")).get("id") is None
    guests.say("destroy", "fv1")
    guests.say("destroy", "fv0")
    assert guests.live("fv0").get("id") is None
    assert " -    fv0" in guests.say("list", "--all")


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


@pytest.mark.guide(
    "seclabel-type-static", "seclabel-label", "seclabel-type-none", "seclabel-type-dynamic", "seclabel-imagelabel",
    "seclabel-model",
)  # fmt: skip
def test_labels(guests: Guests) -> None:
    """The DAC model: as whom QEMU runs and whose the image is meanwhile."""
    image = guests.image("a.img")
    disk = DISK.format(path=image, dev="vda", label="")
    static = "<seclabel type='static' model='dac' relabel='{}'><label>{}</label></seclabel>"
    default = None
    for label, runs, has in (
        ("", None, None),
        (static.format("no", "+107:+108"), (107, 108), (12345, 12345)),
        (static.format("yes", "+107:+108"), (107, 108), (107, 108)),
        (static.format("yes", "107:108"), (107, 108), (107, 108)),
        (static.format("yes", "daemon:daemon"), (1, 1), (1, 1)),
        ("<seclabel type='none' model='dac'/>", None, (12345, 12345)),
    ):
        if runs is not None and runs == (107, 108) and "no" in label:
            image.chmod(0o666)
        guests.say("create", guests.document("labelled", devices=disk, label=label))
        ids = guests.ids("labelled")
        default = default or ids
        assert ids == (runs or default)
        assert owner(image) == (has or default)
        shown = guests.live("labelled").find("seclabel[@model='dac']")
        if shown is not None and has not in ((12345, 12345),):
            assert shown.findtext("imagelabel") == shown.findtext("label")
        guests.say("destroy", "labelled")
        assert owner(image) == (12345, 12345), label
    for label, words in (
        (static.format("yes", "nosuchuser:nosuchgroup"), "Failed to parse user 'nosuchuser'"),
        ("<seclabel type='static' model='dac'/>", "security label is missing"),
        ("<seclabel type='dynamic' model='dac' relabel='no'/>", "dynamic label type must use resource relabeling"),
    ):
        assert words in guests.refused("create", guests.document("labelled", devices=disk, label=label))
    assert owner(image) == (12345, 12345)


@pytest.mark.guide("seclabel-per-device")
def test_label_of_one_disk(guests: Guests) -> None:
    kept, given = guests.image("kept.img"), guests.image("given.img")
    kept.chmod(0o666)
    devices = DISK.format(path=kept, dev="vda", label="<seclabel model='dac' relabel='no'/>")
    devices += DISK.format(path=given, dev="vdb", label="")
    guests.say("create", guests.document("two", devices=devices))
    assert owner(kept) == (12345, 12345) and owner(given) == guests.ids("two")
    guests.say("destroy", "two")
    assert owner(kept) == owner(given) == (12345, 12345)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="pins to two processors")
@pytest.mark.guide("domxml-vcpu-cpuset-precedence")
def test_pins_before_the_set_of_the_guest(guests: Guests) -> None:
    """Without control groups too: the kernel's lists of allowed processors."""
    more = "<vcpu cpuset='0'>3</vcpu><cputune><vcpupin vcpu='0' cpuset='1'/><emulatorpin cpuset='0-1'/></cputune>"
    guests.say("create", guests.document("pinned", more=more))
    shown = guests.say("vcpupin", "pinned")
    assert re.findall(r"^ (\d) +(\S+)$", shown, re.M) == [("0", "1"), ("1", "0"), ("2", "0")]
    assert guests.say("emulatorpin", "pinned").endswith("*: 0-1")
    pid = (guests.daemon.folder / "run/libvirt/qemu/pinned.pid").read_text().strip()
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        allowed = re.search(r"Cpus_allowed_list:\t(\S+)", (task / "status").read_text())
        assert allowed
        found[(task / "comm").read_text().strip()] = allowed[1]
    assert {name: cpus for name, cpus in found.items() if name.startswith("CPU ")} == {
        "CPU 0/TCG": "1", "CPU 1/TCG": "0", "CPU 2/TCG": "0",
    }  # fmt: skip
    assert os.sched_getaffinity(int(pid)) == {0, 1}
    guests.say("destroy", "pinned")


@pytest.mark.guide("domxml-devices-supported-virtio")
def test_virtio_devices_are_in_the_machine(guests: Guests) -> None:
    image = guests.image("v.img")
    devices = (
        "<controller type='scsi' model='virtio-scsi'/><controller type='virtio-serial'/><interface type='user'>"
        "<model type='virtio'/></interface><memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom"
        "</backend></rng>" + DISK.format(path=image, dev="vda", label="")
    )
    guests.say("create", guests.document("virtio", devices=devices))
    tree = guests.say("qemu-monitor-command", "virtio", "--hmp", "info qtree")
    names = ("scsi", "blk", "net", "serial", "balloon", "rng")
    assert [name for name in names if f"dev: virtio-{name}-pci" not in tree] == []
    guests.say("destroy", "virtio")


SAMPLE = """\
<domain type='qemu'>
  <name>Testguest1</name><uuid>b7fe6a5b-7d3d-4a4b-9d5a-2b9f3c6c1a01</uuid>
  <memory unit='KiB'>1048576</memory><currentMemory unit='KiB'>1048576</currentMemory><vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-2.9'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/><vmport state='off'/></features>
  <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit' tickpolicy='delay'/>
    <timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <pm><suspend-to-mem enabled='no'/><suspend-to-disk enabled='no'/></pm>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='hda' bus='ide'/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='hdb' bus='ide'/><readonly/>
      <address type='drive' controller='0' bus='0' target='0' unit='1'/></disk>
    <controller type='usb' index='0' model='ich9-ehci1'><address type='pci' slot='0x05' function='0x7'/></controller>
    <controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/>
      <address type='pci' slot='0x05' function='0x0' multifunction='on'/></controller>
    <controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/><address type='pci' slot='0x05' function='0x1'/></controller>
    <controller type='usb' index='0' model='ich9-uhci3'><master startport='4'/><address type='pci' slot='0x05' function='0x2'/></controller>
    <controller type='pci' index='0' model='pci-root'/>
    <controller type='ide' index='0'><address type='pci' slot='0x01' function='0x1'/></controller>
    <controller type='virtio-serial' index='0'><address type='pci' slot='0x06'/></controller>
    <interface type='user'><mac address='52:54:00:65:29:21'/><model type='rtl8139'/><address type='pci' slot='0x03'/></interface>
    <serial type='pty'><target port='0'/></serial><console type='pty'><target type='serial' port='0'/></console>
    <channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/></channel>
    <input type='mouse' bus='ps2'/><input type='keyboard' bus='ps2'/>
    <graphics type='spice' autoport='yes'><listen type='address'/><image compression='off'/></graphics>
    <sound model='ich6'><address type='pci' slot='0x04'/></sound>
    <video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' primary='yes'/><address type='pci' slot='0x02'/></video>
    <redirdev bus='usb' type='spicevmc'><address type='usb' bus='0' port='1'/></redirdev>
    <redirdev bus='usb' type='spicevmc'><address type='usb' bus='0' port='2'/></redirdev>
    <memballoon model='virtio'><address type='pci' slot='0x07'/></memballoon>
  </devices>
</domain>
"""


def values(node: ElementTree.Element, path: str = "") -> set[str]:
    """Every attribute and text of a document; numbers of PCI addresses without their leading zeros."""
    here = f"{path}/{node.tag}"
    found = {f"{here}@{key}={re.sub('^0x0+(?=.)', '0x', value)}" for key, value in node.attrib.items()}
    if (node.text or "").strip():
        found.add(f"{here}={(node.text or '').strip()}")
    for child in node:
        found |= values(child, here)
    return found


@pytest.mark.guide("sample-vm-config", "sample-chardevs", "sample-graphics")
def test_the_sample_guest(guests: Guests) -> None:
    """Table 23.33 as one document, without KVM and the default network: all of it is in the live document."""
    text = SAMPLE.format(image=guests.image("sample.img"))
    path = guests.folder / "sample.xml"
    path.write_text(text)
    guests.say("define", str(path))
    guests.say("start", "Testguest1")
    live = guests.live("Testguest1")
    assert values(ElementTree.fromstring(text)) - values(live) == set()
    info = guests.say("dominfo", "Testguest1")
    assert re.search(r"CPU\(s\): +1$", info, re.M) and re.search(r"Max memory: +1048576 KiB", info)
    assert re.fullmatch(r"spice://127\.0\.0\.1:59\d\d", guests.say("domdisplay", "Testguest1"))
    listen = live.find("devices/graphics/listen")
    assert listen is not None and listen.get("address") == "127.0.0.1"
    blocks = guests.say("domblklist", "Testguest1")
    assert re.search(r"^ ?hda +/.*sample\.img$", blocks, re.M) and re.search(r"^ ?hdb +-$", blocks, re.M)
    guests.say("destroy", "Testguest1")
    guests.say("undefine", "Testguest1")
