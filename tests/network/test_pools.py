"""Pools of virtual functions with a sysfs tree of the test's own making: up to the kernel's door, which has no such card."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conftest import Peers, short_folder

from .conftest import NetDaemon

GUEST = """<domain type='qemu'><name>vf</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices>{card}</devices></domain>"""


@pytest.fixture(scope="module")
def daemon(peers: Peers) -> Iterator[NetDaemon]:
    """A card ``pf0`` (0000:04:00.0) with two functions; its network device does not exist for the kernel."""
    with short_folder("kv-vf-") as folder:
        devices = folder / "sys/bus/pci/devices"
        pf = devices / "0000:04:00.0"
        (pf / "net/pf0").mkdir(parents=True)
        for number in (0, 1):
            vf = devices / f"0000:04:10.{number}"
            (vf / f"net/vf{number}").mkdir(parents=True)
            (vf / "physfn").symlink_to(pf)
            (pf / f"virtfn{number}").symlink_to(vf)
        (folder / "sys/class/net/pf0").mkdir(parents=True)
        (folder / "sys/class/net/pf0/device").symlink_to(pf)
        made = NetDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        try:
            made.start()
            yield made
        finally:
            made.finish()


def port(number: int) -> str:
    return f"""<networkport><uuid>{number}1111111-2222-3333-4444-555555555555</uuid><owner><name>own</name>
      <uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:aa:bb:c{number}'/></networkport>"""


@pytest.mark.guide("virsh-net-define-pool", "virsh-net-autostart-start-pool")
def test_pool_is_defined_and_comes_with_the_daemon(daemon: NetDaemon) -> None:
    """The guide's passthrough.xml, from its file to the network that is there again after a kill of the daemon; both virsh say the same."""
    path = daemon.folder / "passthrough.xml"
    path.write_text("<network><name>passthrough</name><forward mode='hostdev' managed='yes'><pf dev='pf0'/></forward></network>")
    for virsh in (daemon.virsh, daemon.our_virsh):
        assert virsh("net-define", str(path)).stdout == f"Network passthrough defined from {path}\n\n"
        assert re.search(r"(?m)^ passthrough +inactive +no +yes$", virsh("net-list", "--all").stdout)
        assert virsh("net-autostart", "passthrough").stdout == "Network passthrough marked as autostarted\n\n"
        assert virsh("net-start", "passthrough").stdout == "Network passthrough started\n\n"
        assert re.search(r"(?m)^ passthrough +active +yes +yes$", virsh("net-list").stdout)
        if virsh == daemon.virsh:
            for words in (("net-destroy", "passthrough"), ("net-undefine", "passthrough")):
                assert virsh(*words).returncode == 0
    daemon.kill()
    daemon.start()
    assert re.search(r"(?m)^ passthrough +active +yes +yes$", daemon.say("net-list"))
    for words in (("net-destroy", "passthrough"), ("net-undefine", "passthrough")):
        daemon.say(*words)


@pytest.mark.guide("domxml-net-forward-mode-host-setup")
def test_pool_of_functions(daemon: NetDaemon) -> None:
    """``<pf>`` becomes the list of its functions at the start; each port gets one; the third finds none."""
    daemon.define("""<network><name>vfs</name><forward mode='hostdev' managed='yes'><driver name='vfio'/><pf dev='pf0'/></forward>
      <vlan><tag id='77'/></vlan></network>""")
    live = daemon.say("net-dumpxml", "vfs")
    assert re.findall(r"slot='0x10' function='0x(\d)'", live) == ["0", "1"]
    assert "<address" not in daemon.say("net-dumpxml", "vfs", "--inactive")
    path = daemon.folder / "port.xml"
    for number in (1, 2):
        path.write_text(port(number))
        daemon.say("net-port-create", "vfs", str(path))
    shown = daemon.say("net-port-dumpxml", "vfs", "21111111-2222-3333-4444-555555555555")
    assert "<plug type='hostdev-pci' managed='yes'>" in shown and "<driver name='vfio'/>" in shown
    assert "<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x1'/>" in shown and "<tag id='77'/>" in shown
    path.write_text(port(3))
    done = daemon.virsh("net-port-create", "vfs", str(path))
    assert done.returncode == 1 and "requires exclusive access to interfaces, but none are available" in done.stderr
    for number in (1, 2):
        daemon.say("net-port-delete", "vfs", f"{number}1111111-2222-3333-4444-555555555555")


def test_pool_of_cards_by_pf(daemon: NetDaemon) -> None:
    """A macvtap pool takes the network devices of the functions."""
    daemon.define("<network><name>cards</name><forward mode='passthrough'><pf dev='pf0'/></forward></network>")
    assert re.findall(r"<interface dev='(\w+)'", daemon.say("net-dumpxml", "cards")) == ["vf0", "vf1"]


def test_addresses_must_be_functions(daemon: NetDaemon) -> None:
    ok = "<network><name>list</name><forward mode='hostdev'><address type='pci' bus='4' slot='16' function='1'/></forward></network>"
    daemon.define(ok)
    path = daemon.folder / "bad.xml"
    path.write_text(ok.replace("slot='16' function='1'", "slot='0' function='0'").replace(">list<", ">bad<"))
    done = daemon.virsh("net-define", str(path))
    assert done.returncode == 1 and "'/sys/bus/pci/devices/0000:04:00.0' in network 'bad' is not an SR-IOV Virtual Function" in done.stderr


@pytest.mark.parametrize("kind", ["network", "hostdev"])
@pytest.mark.guide("domxml-interface-hostdev")
def test_guest_gets_as_far_as_the_kernel(daemon: NetDaemon, kind: str) -> None:
    """The function's MAC address and VLAN are set through its card: the kernel is asked, has no such card, and the port is given
    back. A card that is no function is refused before."""
    source = ("<source network='vfs'/>" if kind == "network" else
              "<source><address type='pci' domain='0' bus='4' slot='0x10' function='0'/></source>")  # fmt: skip
    path = daemon.folder / "vf.xml"
    path.write_text(GUEST.format(card=f"<interface type='{kind}' managed='yes'><mac address='52:54:00:aa:00:01'/>{source}</interface>"))
    done = daemon.virsh("create", str(path))
    wanted = "Cannot set interface MAC/vlanid to 52:54:00:aa:00:01, vlanid 77" if kind == "network" else "Cannot set interface MAC"
    assert done.returncode == 1 and wanted in done.stderr and "for ifname pf0 vf 0" in done.stderr
    assert "connections" not in daemon.say("net-dumpxml", "vfs")
    if kind == "hostdev":
        path.write_text(path.read_text().replace("slot='0x10'", "slot='0x00'"))
        done = daemon.virsh("create", str(path))
        assert done.returncode == 1 and "Virtual Functions only" in done.stderr


@pytest.mark.guide("limit-virtualport-8021qbh-only")
def test_only_one_kind_of_port_profile(daemon: NetDaemon) -> None:
    """A function may be known to a switch by 802.1Qbh (the kernel is asked, which has no such card), not by 802.1Qbg."""
    place = "<source><address type='pci' domain='0' bus='4' slot='0x10' function='0'/></source>"
    profiles = {
        "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>": "sending of PortProfileRequest failed.",
        "<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2'/></virtualport>":
            "virtualport type '802.1Qbg' is currently not supported on interfaces of type hostdev",
    }  # fmt: skip
    path = daemon.folder / "profile.xml"
    for profile, words in profiles.items():
        path.write_text(GUEST.format(card=f"<interface type='hostdev' managed='yes'>{place}{profile}</interface>"))
        done = daemon.virsh("create", str(path))
        assert done.returncode == 1 and words in done.stderr, done.stderr
