"""Devices of the host: this host beside the real daemon, all kinds from a sysfs of our own, forms beside the real test driver."""

from __future__ import annotations

import difflib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from kvasir.model.nodedev import NodeDevice
from kvasir.nodedev import kinds
from kvasir.nodedev.sysfs import Tree
from tests.conftest import DaemonHandle, KvasirDaemon, Peers
from tests.nodedev import fake
from tests.nodedev.conftest import ok
from tests.virsh.cells import four
from tests.waiting import listening, until

HOST = """
nodedev-list --cap pci
nodedev-list --cap system,storage
nodedev-list --cap usb_device
nodedev-list --inactive
nodedev-list --cap foo
nodedev-list --tree --cap pci
nodedev-list --inactive --all
nodedev-info computer
nodedev-dumpxml computer
nodedev-dumpxml net_lo_00_00_00_00_00_00
nodedev-dumpxml {pci}
nodedev-info {pci}
nodedev-dumpxml {pci} --xpath //class
nodedev-dumpxml nosuch
nodedev-dumpxml 5001,5002
nodedev-dumpxml 2001001b32a9da4e,2101001b32a9da4e
nodedev-detach computer
nodedev-detach computer --driver foo
nodedev-detach nosuch
nodedev-reattach computer
nodedev-reset computer
nodedev-reset nosuch
nodedev-destroy computer
nodedev-undefine computer
nodedev-start computer
nodedev-autostart computer
nodedev-autostart computer --disable
nodedev-create {folder}/n1
nodedev-define {folder}/n1
nodedev-create {folder}/n2
nodedev-define {folder}/n2
nodedev-create {folder}/n3
nodedev-define {folder}/n3
nodedev-create {folder}/n4
nodedev-define {folder}/n4
nodedev-create {folder}/n5
nodedev-define {folder}/n5
nodedev-create {folder}/n6
nodedev-create {folder}/n7
nodedev-create {folder}/n8
nodedev-create {folder}/nosuch
!nodedev-event --list
nodedev-event
nodedev-event --event foo
nodedev-event --event lifecycle --timeout 1
"""
BAD = {
    "n1": "<device><parent>scsi_host9</parent><capability type='scsi_host'><capability type='fc_host'/></capability></device>",
    "n2": "<device><parent>computer</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>2001001b32a9da4e</wwnn>"
    "<wwpn>2101001b32a9da4e</wwpn></capability></capability></device>",
    "n3": "<device><parent>{pci}</parent><capability type='mdev'><type id='i915'/></capability></device>",
    "n4": "<device><capability type='mdev'><type id='i915'/></capability></device>",
    "n5": "<device><parent>computer</parent><capability type='net'><interface>x</interface></capability></device>",
    "n6": "<devic/>",
    "n7": "<device/>",
    "n8": "<device><capability type='foo'/></device>",
}


@pytest.mark.guide(
    "virsh-nodedev-list", "virsh-nodedev-list-opt-cap", "virsh-nodedev-list-cap-pci", "virsh-nodedev-dumpxml",
    "virsh-nodedev-dumpxml-pci",
)  # fmt: skip
def test_this_host(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    listed = real_libvirtd.virsh("nodedev-list", "--cap", "pci").stdout.split()
    if not listed:
        pytest.skip("the host has no PCI")
    for daemon in (kvasird, real_libvirtd):
        for name, text in BAD.items():
            (daemon.folder / name).write_text(text.replace("{pci}", listed[-1]))

    def mask(text: str) -> str:
        """The peer has a database of PCI names, the host may have none."""
        return re.sub(r"(<(product|vendor) id='\w+')(/>|>.*)", r"\1", text)

    four((("libvirtd", real_libvirtd), ("kvasird", kvasird)), HOST.replace("{pci}", listed[-1]), mask)


def test_tree_of_this_host(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Both virsh draw the same tree of either daemon; the daemons differ in network cards, which namespaces hide."""
    for daemon in (kvasird, real_libvirtd):
        for words in (("nodedev-list", "--tree"), ("nodedev-list", "--tree", "--all"), ("nodedev-list",)):
            assert daemon.virsh(*words).stdout == daemon.our_virsh(*words).stdout


OWN = r" *<(path|devnode|max_vports|vports|parent_addr|logical_block_size|num_blocks)>.*\n| *<devnode .*\n|  <driver>\n.*\n  </driver>\n"
"""What the test driver does not read."""


@pytest.mark.guide(
    "virsh-nodedev-list-opt-tree", "storage-virsh-nodedev-list-cap-vports", "storage-virsh-nodedev-dumpxml-hba",
    "virsh-nodedev-list-grep-vf", "virsh-nodedev-dumpxml-pf", "virsh-nodedev-dumpxml-vf", "nodedev-xml-pci-express-link",
    "virsh-nodedev-mdev-types", "gpu-nodedev-name-conversion", "iommu-nodedev-xml",
)  # fmt: skip
def test_every_kind(faked: tuple[KvasirDaemon, fake.Host]) -> None:
    """On a tree of our own: names, filters, parents and the parts of each document."""
    daemon, _ = faked
    wanted = {
        "system": "computer", "usb_device": "usb_1_4 usb_usb1", "usb": "usb_1_4_1_0",
        "net": "net_eth9_52_54_00_11_22_33", "scsi_host": "scsi_host5", "fc_host": "scsi_host5", "vports": "scsi_host5",
        "scsi_target": "scsi_target5_0_0", "scsi": "scsi_5_0_0_4", "storage": "block_sdb_3600a0b80 block_sr0_DVD_1",
        "scsi_generic": "scsi_generic_sg1", "drm": "drm_card0 drm_renderD128", "mdev_types": "ap_matrix pci_0000_00_02_0",
        "mdev": "mdev_c5b7a9d0_1111_4222_8333_444455556666_0000_00_02_0", "ccw": "ccw_0_0_10ac", "css": "css_0_0_0033",
        "vdpa": "vdpa_vdpa0", "ap_card": "ap_card07", "ap_queue": "ap_07_0038", "ap_matrix": "ap_matrix",
        "vpd": "pci_0000_03_00_0",
    }  # fmt: skip
    lines = "\n".join(f"echo '### {cap}'\nnodedev-list --cap {cap}" for cap in wanted)
    said = ok(daemon, lines)
    assert said == daemon.our_virsh(lines).stdout
    found = {part.partition("\n")[0]: part.split()[1:] for part in said.split("### ")[1:]}
    assert found == {cap: names.split() for cap, names in wanted.items()}
    assert "pci_0000_03_10_2" in ok(daemon, "nodedev-list", "--cap", "pci")
    assert "|   |   +- net_eth9_52_54_00_11_22_33\n" in ok(daemon, "nodedev-list", "--tree")
    assert ok(daemon, "nodedev-list", "--tree") == daemon.our_virsh("nodedev-list", "--tree").stdout
    physical = ok(daemon, "nodedev-dumpxml", "pci_0000_03_00_0")
    assert "<parent>pci_0000_00_01_0</parent>" in physical and "<name>igb</name>" in physical
    assert (
        "<capability type='virt_functions' maxCount='7'>\n      <address domain='0x0000' bus='0x03' slot='0x10' function='0x0'/>"
        in physical
    )
    assert "<iommuGroup number='7'>" in physical and "<numa node='0'/>" in physical
    assert (
        "<link validity='cap' port='5' speed='8' width='16'/>\n      <link validity='sta' speed='2.5' width='8'/>"
        in physical
    )
    assert "<part_number>123</part_number>" in physical and "<vendor_field index='0'>x</vendor_field>" in physical
    virtual = ok(daemon, "nodedev-dumpxml", "pci_0000_03_10_0")
    assert (
        "<capability type='phys_function'>\n      <address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>"
        in virtual
    )
    assert "<capability type='pci-bridge'/>" in ok(daemon, "nodedev-dumpxml", "pci_0000_00_01_0")
    card = ok(daemon, "nodedev-dumpxml", "pci_0000_00_02_0")
    assert "<type id='i915-GVTg_V5_4'>\n        <name>GVTg_V5_4</name>\n        <deviceAPI>vfio-pci</deviceAPI>" in card
    assert "<availableInstances>2</availableInstances>" in card and "<pci-express/>" in card
    hba = ok(daemon, "nodedev-dumpxml", "scsi_host5")
    assert "<wwnn>2001001b32a9da4e</wwnn>" in hba and "<max_vports>164</max_vports>\n      <vports>5</vports>" in hba
    assert ok(daemon, "nodedev-dumpxml", "2001001b32a9da4e,2101001b32a9da4e") == hba
    assert "<capability type='fc_remote_port'>" in ok(daemon, "nodedev-dumpxml", "scsi_target5_0_0")
    disc = ok(daemon, "nodedev-dumpxml", "block_sr0_DVD_1")
    assert "<media_available>1</media_available>" in disc and "<media_label>ISO</media_label>" in disc
    assert "<devnode type='link'>/dev/disk/by-id/wwn-0x1</devnode>" in ok(
        daemon, "nodedev-dumpxml", "block_sdb_3600a0b80"
    )
    assert "<channel_dev_addr>" in ok(daemon, "nodedev-dumpxml", "css_0_0_0033")
    assert "<link speed='10000' state='up'/>" in ok(daemon, "nodedev-dumpxml", "net_eth9_52_54_00_11_22_33")
    assert "<vendor>Nobody</vendor>" in ok(daemon, "nodedev-dumpxml", "computer")


@pytest.mark.guide(
    "virsh-nodedev-create", "virsh-nodedev-destroy", "xml-nodedev-scsi-host", "storage-virsh-nodedev-create-vhba",
    "storage-xml-nodedev-vhba-parent-host", "storage-xml-nodedev-vhba-parent-wwn", "storage-virsh-nodedev-dumpxml-vhba",
)  # fmt: skip
def test_virtual_adapters(faked: tuple[KvasirDaemon, fake.Host]) -> None:
    """Up to the kernel's door: the right words reach vport_create and vport_delete; the test plays the kernel."""
    daemon, host = faked
    names = "<wwnn>2001001b32a90001</wwnn><wwpn>2101001b32a90001</wwpn>"
    inside = f"<capability type='scsi_host'><capability type='fc_host'>{names}</capability></capability></device>"
    for number, parent in enumerate(("<parent>scsi_host5</parent>", "<parent wwnn='2001001b32a9da4e' wwpn='2101001b32a9da4e'/>",
                                     "<parent fabric_wwn='2001000dec9877c1'/>", "")):  # fmt: skip
        (daemon.folder / "v.xml").write_text(f"<device>{parent}{inside}")
        door = host.sys / "class/fc_host/host5/vport_create"
        door.write_text("")
        asking = subprocess.Popen(
            [*_virsh(daemon), "nodedev-create", str(daemon.folder / "v.xml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(door.read_text)
        assert door.read_text() == "2101001b32a90001:2001001b32a90001"
        name = f"host{6 + number}"
        path = f"devices/pci0000:00/0000:00:05.0/host5/vport-5:0-{number}/{name}"
        host.put(path)
        host.put(f"class/fc_host/{name}", node_name="0x2001001b32a90001", port_name="0x2101001b32a90001")
        host.link(f"bus/scsi/devices/{name}", path)
        said = asking.communicate(timeout=60)[0]
        assert f"Node device scsi_{name} created from" in said, said
        assert "<parent>scsi_host5</parent>" in ok(daemon, "nodedev-dumpxml", f"scsi_{name}")
        ok(daemon, "nodedev-destroy", f"scsi_{name}")
        assert (
            host.sys / "class/fc_host/host5/vport_delete"
        ).read_text().strip() == "2101001b32a90001:2001001b32a90001"
        (host.sys / f"bus/scsi/devices/{name}").unlink()


def _virsh(daemon: KvasirDaemon) -> list[str]:
    import sys

    return [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", daemon.uri]


@pytest.mark.guide(
    "virsh-nodedev-detach",
    "virsh-nodedev-reattach",
    "virsh-nodedev-reset",
    "virsh-nodedev-opt-driver",
    "cmd-xml-nodedev-detach-reattach",
    "api-xml-nodedevice-detach",
)
def test_detach_and_back(faked: tuple[KvasirDaemon, fake.Host]) -> None:
    """Up to the kernel's door: what is written where, in a tree that takes writes but does nothing by itself."""
    daemon, host = faked
    device = host.sys / "devices/pci0000:00/0000:00:01.0/0000:03:10.0"
    (device / "driver_override").write_text("")
    (host.sys / "bus/pci/drivers_probe").write_text("")
    (host.sys / "bus/pci/drivers/igbvf/unbind").write_text("")
    (host.sys / "bus/pci/drivers/vfio-pci").mkdir()
    (host.sys / "bus/pci/drivers/vfio-pci/unbind").write_text("")
    ok(daemon, "nodedev-detach", "pci_0000_03_10_0", "--driver", "vfio")
    assert (device / "driver_override").read_text().strip() == "vfio-pci"
    assert (host.sys / "bus/pci/drivers/igbvf/unbind").read_text() == "0000:03:10.0"
    assert (host.sys / "bus/pci/drivers_probe").read_text() == "0000:03:10.0"
    host.link("devices/pci0000:00/0000:00:01.0/0000:03:10.0/driver", "bus/pci/drivers/vfio-pci")
    assert "<name>vfio-pci</name>" in ok(daemon, "nodedev-dumpxml", "pci_0000_03_10_0")
    ok(daemon, "nodedev-detach", "pci_0000_03_10_0")
    ok(daemon, "nodedev-reset", "pci_0000_03_10_0")
    (host.sys / "bus/pci/drivers_probe").write_text("")
    ok(daemon, "nodedev-reattach", "pci_0000_03_10_0")
    assert (
        (device / "driver_override").read_text().startswith("\n")
    )  # a file, not sysfs: what was there stays behind it
    assert (host.sys / "bus/pci/drivers/vfio-pci/unbind").read_text() == "0000:03:10.0"
    assert (host.sys / "bus/pci/drivers_probe").read_text() == "0000:03:10.0"
    host.link("devices/pci0000:00/0000:00:01.0/0000:03:10.0/driver", "bus/pci/drivers/igbvf")
    (device / "reset").write_text("")
    ok(daemon, "nodedev-reset", "pci_0000_03_10_0")
    assert (device / "reset").read_text() == "1"
    assert "no FLR" in daemon.virsh("nodedev-reset", "pci_0000_03_10_2").stderr


@pytest.mark.guide("vgpu-concept")
def test_mediated_devices(faked: tuple[KvasirDaemon, fake.Host]) -> None:
    """With a mdevctl of our own: define, start, autostart, stop, undefine, create; events tell of each."""
    daemon, _ = faked
    name = "mdev_99999999_1111_4222_8333_444455556666_0000_00_02_0"
    inside = "<capability type='mdev'><type id='i915-GVTg_V5_4'/><attr name='a' value='b'/></capability></device>"
    (daemon.folder / "m.xml").write_text(f"<device><parent>pci_0000_00_02_0</parent>{inside}")
    watching = subprocess.Popen([*_virsh(daemon), "nodedev-event", "--event", "lifecycle", "--loop", "--timeout", "300"],
                                stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    listening(watching.pid)
    assert f"Node device '{name}' defined from" in ok(daemon, "nodedev-define", str(daemon.folder / "m.xml"))
    assert ok(daemon, "nodedev-list", "--inactive").split() == [name]
    assert ok(daemon, "nodedev-info", name).split()[-6:] == ["Active:", "no", "Persistent:", "yes", "Autostart:", "no"]
    ok(daemon, "nodedev-autostart", name)
    assert "Autostart:      yes" in ok(daemon, "nodedev-info", name)
    ok(daemon, "nodedev-autostart", name, "--disable")
    ok(daemon, "nodedev-start", name)
    assert "Device is already active" in daemon.virsh("nodedev-start", name).stderr
    assert name in ok(daemon, "nodedev-list", "--cap", "mdev").split()
    for command in ("nodedev-destroy", "nodedev-undefine"):
        ok(daemon, command, name)
    assert daemon.virsh("nodedev-info", name).returncode == 1
    assert f"Node device {name} created from" in ok(daemon, "nodedev-create", str(daemon.folder / "m.xml"))
    assert ok(daemon, "nodedev-info", name).split()[-6:] == ["Active:", "yes", "Persistent:", "no", "Autostart:", "no"]
    ok(daemon, "nodedev-destroy", name)
    watching.send_signal(signal.SIGINT)
    said = [line.rpartition(": ")[2] for line in watching.communicate(timeout=30)[0].splitlines() if name in line]
    assert said == ["Defined", "Created", "Deleted", "Undefined", "Created", "Deleted"]
    calls = (daemon.folder / "mdevctl.log").read_text()
    assert "define --parent=0000:00:02.0 --jsonfile=/dev/stdin\n" in calls


def test_forms_beside_the_real_test_driver(peers: Peers, tmp_path: Path) -> None:
    """Each document that the fake host gives, read and written again by libvirt's own test driver, is the same byte for byte."""
    fake.build(tmp_path)
    found = kinds.scan(Tree(str(tmp_path)))
    lacking = {"scsi_generic", "vdpa"}  # its parser does not know them
    kept = {name: device.xml() for name, device in found.items() if not device.words() & lacking}
    body = "".join(re.sub(OWN, "", text) for text in kept.values())
    path = tmp_path / "node.xml"
    path.write_text(f"<node>{body}</node>")
    differences: list[str] = []
    for name, text in kept.items():
        done = peers.virsh(f"test://{path}", "-q", "nodedev-dumpxml", name)
        assert done.returncode == 0, done.stderr
        theirs = re.sub(OWN, "", done.stdout)
        differences += list(
            difflib.unified_diff(theirs.splitlines(), re.sub(OWN, "", text).splitlines(), name, lineterm="")
        )
        assert NodeDevice.from_xml(text).xml() == text
    assert not differences, "\n".join(differences)


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_the_kernels_notices(tmp_path: Path) -> None:
    """In a network namespace with its own sysfs: a card that comes and goes is told of, without anybody asking."""
    import shutil
    import sys

    from tests.conftest import PROJECT, short_folder

    if not shutil.which("ip"):
        pytest.skip("ip is not installed")
    with short_folder("kv-nd-") as folder:
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        python, virsh = sys.executable, f"{sys.executable} -m kvasir.cli.virsh.main -c '{uri}'"
        script = f"""
mount -t sysfs none /sys || exit 77
{python} -m kvasir.daemon --root {folder} & daemon=$!
for i in $(seq 200); do [ -S {folder}/run/libvirt/libvirt-sock ] && break; sleep 0.1; done
{virsh} nodedev-list --cap net
{virsh} nodedev-event --event lifecycle --loop --timeout 60 > {folder}/events & watch=$!
add() {{ ip link add kvtest0 address 52:54:00:01:02:03 type veth peer name kvpeer0; }}
add || exit 77
for i in $(seq 200); do grep -q Created {folder}/events && break; sleep 0.1
    [ $i = 60 ] && {{ ip link del kvtest0; add; }}; done
{virsh} nodedev-dumpxml net_kvtest0_52_54_00_01_02_03 | grep -c '<interface>kvtest0'
ip link del kvtest0
for i in $(seq 200); do grep -q Deleted {folder}/events && break; sleep 0.1; done
kill -TERM $watch $daemon; wait; cat {folder}/events
"""
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PYTHONUNBUFFERED": "1"}
        done = subprocess.run(
            ["unshare", "-nm", "sh", "-c", script], env=env, capture_output=True, text=True, timeout=200
        )
        if done.returncode == 77:
            pytest.skip("no sysfs or no pair of network cards can be made here")
        assert "event 'lifecycle' for node device net_kvtest0_52_54_00_01_02_03: Created" in done.stdout, (
            done.stdout + done.stderr
        )
        assert "event 'lifecycle' for node device net_kvtest0_52_54_00_01_02_03: Deleted" in done.stdout
        assert "\n1\n" in done.stdout
