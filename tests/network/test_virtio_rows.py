"""Virtio devices as the guest sees them (guide, chapter 5): a disk, a card, and a card that comes while it runs."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import TinyGuest
from tests.waiting import until

from .conftest import NetDaemon
from .test_guests import GUEST, direct, inside

NETWORK = """<network><name>five</name><bridge name='brfive' stp='on' delay='0'/>
  <ip address='10.9.55.1' netmask='255.255.255.0'><dhcp><range start='10.9.55.2' end='10.9.55.254'/></dhcp></ip></network>"""


@pytest.mark.guide("concept-virtio-drivers", "virsh-attach-interface-model-virtio")
def test_disk_and_cards(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    netd.define(NETWORK)
    image = netd.folder / "five.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(image), "8M"], check=True)
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>"
        "<interface type='network'><source network='five'/><model type='virtio'/></interface>"
    )
    path = netd.folder / "five.xml"
    text = GUEST.format(name="five", devices=devices, os=direct(tiny_guest), folder=netd.folder, memory=160)
    path.write_text(text.replace("<devices>", "<features><acpi/></features><devices>"))
    netd.say("define", str(path))
    netd.say("start", "five")
    try:
        seen = inside(
            netd,
            "five",
            "ls /sys/block; for one in class/net/eth0 block/vda; do readlink /sys/$one/device/driver; done",
        ).split()
        assert (
            "vda" in seen
            and any(word.endswith("/virtio_net") for word in seen)
            and any(word.endswith("/virtio_blk") for word in seen)
        ), seen
        netd.say("attach-interface", "five", "network", "five", "--model", "virtio", "--live", "--config")
        until(lambda: inside(netd, "five", "ls -d /sys/class/net/eth1 2>/dev/null").strip() == "/sys/class/net/eth1")
        assert inside(netd, "five", "readlink /sys/class/net/eth1/device/driver").strip().endswith("/virtio_net")
        for words in (("domiflist", "five"), ("domiflist", "five", "--inactive")):
            rows = [line.split() for line in netd.say(*words).splitlines() if " five " in line]
            assert len(rows) == 2 and {row[3] for row in rows} == {"virtio"}
    finally:
        netd.virsh("destroy", "five")
        netd.virsh("undefine", "five")
        netd.virsh("net-destroy", "five")
        netd.virsh("net-undefine", "five")
