"""PCI and USB devices of the host given to guests, up to the kernel's door: a sysfs tree of our own with a kernel of our own
making behind it, which binds and unbinds as the real one does. QEMU itself then finds no such device, and all is undone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import KvasirDaemon, Peers, _script, short_folder
from tests.nodedev import fake
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root")
VF, PF = "0000:03:10.0", "0000:03:00.0"
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<devices><controller type='usb' model='qemu-xhci'/>{devices}</devices></domain>"""
ROOT, PORT = "<controller type='pci' model='pcie-root'/>", "<controller type='pci' model='pcie-root-port'/>"
HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='{managed}'><driver name='vfio'/>
<source><address domain='0x0000' bus='0x03' slot='0x10' function='0x0'/></source></hostdev>"""
CARD = """<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='3' slot='{slot}' function='0'/>
</source><mac address='52:54:00:6d:90:02'/>{more}</interface>"""
USB = """<hostdev mode='subsystem' type='usb' managed='yes'><source><vendor id='0x17ef'/><product id='{product}'/></source>
</hostdev>"""


class Kernel(threading.Thread):
    """Does what the kernel does when driver_override, unbind and drivers_probe are written."""

    def __init__(self, host: fake.Host) -> None:
        super().__init__(daemon=True)
        self.host, self.ended = host, threading.Event()
        self.bound: list[str | None] = []
        self.device = host.sys / f"devices/pci0000:00/0000:00:01.0/{VF}"
        (self.device / "driver_override").write_text("")
        self.probe = host.sys / "bus/pci/drivers_probe"
        self.probe.write_text("")
        for driver in ("vfio-pci", "igbvf"):
            (host.sys / f"bus/pci/drivers/{driver}").mkdir(parents=True, exist_ok=True)
            (host.sys / f"bus/pci/drivers/{driver}/unbind").write_text("")

    def run(self) -> None:
        while not self.ended.wait(0.005):
            for driver in ("vfio-pci", "igbvf"):
                door = self.host.sys / f"bus/pci/drivers/{driver}/unbind"
                if door.read_text().strip() == VF:
                    door.write_text("")
                    with contextlib.suppress(OSError):
                        (self.device / "driver").unlink()
                    self.bound.append(None)
            if self.probe.read_text().strip() == VF:
                self.probe.write_text("")
                chosen = (self.device / "driver_override").read_text().split("\n")[0].strip() or "igbvf"
                self.host.link(f"devices/pci0000:00/0000:00:01.0/{VF}/driver", f"bus/pci/drivers/{chosen}")
                self.bound.append(chosen)

    @property
    def driver(self) -> str | None:
        link = self.device / "driver"
        return os.path.basename(os.readlink(link)) if link.is_symlink() else None


@pytest.fixture
def faked() -> Iterator[tuple[KvasirDaemon, fake.Host, Kernel]]:
    available = _script("peers")[0]
    with short_folder("kv-pci-") as folder:
        host = fake.build(folder)
        for number, product in enumerate(("480f", "480f", "1234"), 2):
            host.put(f"bus/usb/devices/1-{number}", busnum=1, devnum=number, idVendor="17ef", idProduct=product)
        kernel = Kernel(host)
        kernel.start()
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        daemon = KvasirDaemon(uri, folder, Peers(available) if available else None)
        daemon.start()
        try:
            yield daemon, host, kernel
            assert daemon.stop() == 0, daemon.log()
        finally:
            kernel.ended.set()
            kernel.join()
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            daemon.end_guests()


def refused(daemon: KvasirDaemon, name: str, devices: str) -> str:
    """Why a guest with these devices does not start."""
    path = daemon.folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name, devices=devices))
    done = daemon.virsh("create", str(path))
    assert done.returncode == 1, done.stdout
    return done.stderr


@pytest.mark.guide("hostdev-managed-semantics", "domxml-hostdev-managed")
def test_managed_is_bound_and_given_back(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    daemon, _, kernel = faked
    said = refused(daemon, "managed", HOSTDEV.format(managed="yes"))
    assert "vfio" in said, said
    until(lambda: kernel.driver == "igbvf")
    assert [word for word in kernel.bound if word] == ["vfio-pci", "igbvf"], (
        "taken for QEMU, given back after its refusal"
    )
    said = refused(daemon, "unmanaged", HOSTDEV.format(managed="no"))
    assert f"Unmanaged PCI device {VF} must be manually detached from the host" in said
    assert len(kernel.bound) == 4, "nothing was bound or unbound for it"
    assert daemon.virsh("nodedev-detach", "pci_0000_03_10_0").returncode == 0
    until(lambda: kernel.driver == "vfio-pci")
    assert "vfio" in refused(daemon, "unmanaged", HOSTDEV.format(managed="no"))
    assert kernel.driver == "vfio-pci", "what is not managed stays as it is"
    assert daemon.virsh("nodedev-reattach", "pci_0000_03_10_0").returncode == 0
    until(lambda: kernel.driver == "igbvf")


@pytest.mark.guide(
    "virsh-attach-device-hostdev",
    "error-interface-hostdev-not-vf",
    "limit-virtualport-8021qbh-only",
    "sriov-requirements",
)
def test_plugged_into_a_running_guest(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    daemon, host, kernel = faked
    (daemon.folder / "plain.xml").write_text(GUEST.format(name="plain", devices=ROOT + PORT * 6))
    assert daemon.virsh("create", str(daemon.folder / "plain.xml"), "--paused").returncode == 0
    path = daemon.folder / "dev.xml"
    path.write_text(HOSTDEV.format(managed="yes"))
    done = daemon.virsh("attach-device", "plain", str(path), "--live")
    assert done.returncode == 1 and "vfio" in done.stderr
    until(lambda: kernel.driver == "igbvf")
    assert "hostdev" not in daemon.virsh("dumpxml", "plain").stdout, "nothing of it is left in the guest"
    path.write_text(CARD.format(slot="0", more=""))
    before = list(kernel.bound)
    done = daemon.virsh("attach-device", "plain", str(path), "--live")
    assert "Interface type hostdev is currently supported on SR-IOV Virtual Functions only" in done.stderr
    qbg = "<virtualport type='802.1Qbg'><parameters managerid='1' typeid='1' typeidversion='1'/></virtualport>"
    path.write_text(CARD.format(slot="0x10", more=qbg))
    done = daemon.virsh("attach-device", "plain", str(path), "--live")
    assert "virtualport type '802.1Qbg' is currently not supported on interfaces of type hostdev" in done.stderr
    assert kernel.bound == before, "nothing was detached for what was refused"
    for entry in (host.sys / "kernel/iommu_groups").iterdir():
        entry.rename(daemon.folder / f"group-{entry.name}")
    path.write_text(HOSTDEV.format(managed="yes"))
    done = daemon.virsh("attach-device", "plain", str(path), "--live")
    assert "host doesn't support passthrough of host PCI devices" in done.stderr
    assert daemon.virsh("destroy", "plain").returncode == 0


@pytest.mark.guide("limit-pci-assignment-host-support")
def test_a_host_without_iommu(
    faked: tuple[KvasirDaemon, fake.Host, Kernel], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same card on a host without IOMMU groups: no guest starts with it, nothing is bound, and virt-host-validate says what is missing."""
    from kvasir.cli import virt_host_validate

    daemon, host, kernel = faked
    for entry in (host.sys / "kernel/iommu_groups").iterdir():
        entry.rename(daemon.folder / f"group-{entry.name}")
    said = refused(daemon, "none", HOSTDEV.format(managed="yes"))
    assert "host doesn't support passthrough of host PCI devices" in said and kernel.bound == []
    virt_host_validate.main(["qemu"], str(daemon.folder))
    rows = [line for line in capsys.readouterr().out.splitlines() if "IOMMU" in line]
    assert len(rows) == 1 and ": WARN" in rows[0], rows


@pytest.mark.guide("proc-assign-pci-virsh", "virsh-detach-device-hostdev", "virsh-edit-add-hostdev")
def test_in_the_definition(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    daemon, _, _ = faked
    (daemon.folder / "def.xml").write_text(GUEST.format(name="def", devices=""))
    path = daemon.folder / "dev.xml"
    path.write_text(HOSTDEV.format(managed="yes"))
    assert daemon.virsh("define", str(daemon.folder / "def.xml")).returncode == 0
    assert "attached successfully" in daemon.virsh("attach-device", "def", str(path), "--config").stdout
    shown = daemon.virsh("dumpxml", "def").stdout
    assert "<hostdev mode='subsystem' type='pci' managed='yes'>" in shown and "slot='0x10'" in shown
    again = daemon.virsh("attach-device", "def", str(path), "--config").stderr
    assert "device is already in the domain configuration" in again
    assert "vfio" in daemon.virsh("start", "def").stderr
    assert "detached successfully" in daemon.virsh("detach-device", "def", str(path), "--config").stdout
    assert "hostdev" not in daemon.virsh("dumpxml", "def").stdout
    assert daemon.virsh("undefine", "def").returncode == 0


def test_usb_devices_are_found_by_their_numbers(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    daemon, _, _ = faked
    several = "Multiple USB devices for 17ef:480f were found, please use <address> to specify one"
    assert several in refused(daemon, "usb", USB.format(product="0x480f"))
    assert "Did not find USB device 17ef:9999" in refused(daemon, "usb", USB.format(product="0x9999"))
    assert "/dev/bus/usb/001/004" in refused(daemon, "usb", USB.format(product="0x1234"))


@pytest.mark.guide("proc-usb-hotplug")
def test_a_usb_device_for_the_next_start(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    """The webcam of the guide by vendor and product, from the file to QEMU's -device; there is no such device behind the made-up tree."""
    daemon, host, _ = faked
    shutil.rmtree(host.sys / "bus/usb/devices/1-3")
    (daemon.folder / "def.xml").write_text(GUEST.format(name="def", devices=""))
    path = daemon.folder / "usb_device.xml"
    path.write_text(USB.format(product="0x480f"))
    assert daemon.virsh("define", str(daemon.folder / "def.xml")).returncode == 0
    assert "attached successfully" in daemon.virsh("attach-device", "def", "--file", str(path), "--config").stdout
    shown = daemon.virsh("dumpxml", "def").stdout
    assert "<vendor id='0x17ef'/>" in shown and "<product id='0x480f'/>" in shown
    assert "/dev/bus/usb/001/002" in daemon.virsh("start", "def").stderr
    assert daemon.virsh("undefine", "def").returncode == 0


@pytest.mark.guide("domxml-hostdev-source-startuppolicy")
def test_a_usb_device_that_is_not_there(faked: tuple[KvasirDaemon, fake.Host, Kernel]) -> None:
    daemon, _, _ = faked
    device = USB.format(product="0x9999")
    for policy in ("", " startupPolicy='mandatory'", " startupPolicy='requisite'"):
        said = refused(daemon, "absent", device.replace("<source>", f"<source{policy}>"))
        assert "Did not find USB device 17ef:9999" in said, policy
    path = daemon.folder / "absent.xml"
    optional = device.replace("<source>", "<source startupPolicy='optional'>")
    path.write_text(GUEST.format(name="absent", devices=optional))
    assert daemon.virsh("create", str(path), "--paused").returncode == 0
    assert "<source startupPolicy='optional' missing='yes'>" in daemon.virsh("dumpxml", "absent").stdout
    query = '{"execute":"qom-get","arguments":{"path":"/machine/peripheral/hostdev0","property":"hostaddr"}}'
    assert '"return":0' in daemon.virsh("qemu-monitor-command", "absent", query).stdout, (
        "no device of the host behind it"
    )
    for line in (("dump", "--memory-only"), ("dump",)):
        done = daemon.virsh(line[0], "absent", str(daemon.folder / "core"), *line[1:])
        assert done.returncode == 0, done.stderr
    assert daemon.virsh("destroy", "absent").returncode == 0
    path.write_text(
        GUEST.format(
            name="absent",
            devices=HOSTDEV.format(managed="yes").replace("<source>", "<source startupPolicy='optional'>"),
        )
    )
    assert "Setting startupPolicy is only allowed for USB devices" in daemon.virsh("define", str(path)).stderr


@pytest.mark.guide("trouble-sriov-migrate-dump", "trouble-sriov-memory-only")
def test_what_cannot_leave_the_host(kvasird: KvasirDaemon) -> None:
    """A running guest whose daemon is told, while it is away, that the guest has a PCI device: its state stays here, its memory does not."""
    path = kvasird.folder / "plain.xml"
    path.write_text(GUEST.format(name="plain", devices=""))
    assert kvasird.virsh("create", str(path), "--paused").returncode == 0
    kvasird.kill()
    status = kvasird.folder / "run/libvirt/qemu/plain.xml"
    status.write_text(status.read_text().replace("</devices>", f"{HOSTDEV.format(managed='yes')}</devices>"))
    kvasird.start()
    assert "type='pci'" in kvasird.virsh("dumpxml", "plain").stdout
    core = kvasird.folder / "core"
    for line in (("dump", "plain", str(core)), ("save", "plain", str(core))):
        done = kvasird.virsh(*line)
        assert done.returncode == 1 and "with <hostdev mode='subsystem' type='pci'>" in done.stderr, done.stderr
        assert not core.exists()
    done = kvasird.virsh("dump", "plain", str(core), "--memory-only")
    assert done.returncode == 0, done.stderr
    assert core.read_bytes()[:4] == b"\x7fELF"
    assert kvasird.virsh("destroy", "plain").returncode == 0
