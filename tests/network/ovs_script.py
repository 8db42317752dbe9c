"""What a guest on a switch goes through: the same for both daemons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

UUID = "7b0a57c5-9a0e-4d0c-8f6e-3c1d5a2b9e33"
NETWORK = """<network><name>ovs</name><forward mode='bridge'/><bridge name='ovsbr'/>
  <virtualport type='openvswitch'/>
  <portgroup name='trunk'><vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan></portgroup>
  <portgroup name='native'><vlan trunk='yes'><tag id='123' nativeMode='tagged'/><tag id='444'/></vlan></portgroup>
  <portgroup name='one' default='yes'><vlan><tag id='9'/></vlan></portgroup>
  <portgroup name='known'><virtualport><parameters profileid='finance'/></virtualport>
    <bandwidth><inbound average='1000' peak='5000' burst='5120'/><outbound average='128' peak='256' burst='256'/></bandwidth></portgroup>
</network>"""
NET = "<interface type='network'><mac address='52:54:00:80:03:0{n}'/><source network='ovs'{more}/><target dev='ovs{n}'/>{rest}<model type='virtio'/></interface>"
BRIDGE = """<interface type='bridge'><mac address='52:54:00:80:03:0{n}'/><source bridge='ovsbr'/>
<virtualport type='openvswitch'><parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' profileid='menial'/></virtualport>
<target dev='ovs{n}'/>{rest}<model type='virtio'/></interface>"""
LIMITS = "<bandwidth><inbound average='1000' peak='5000' burst='5120'/><outbound average='128' burst='256'/></bandwidth>"
CARDS = (
    NET.format(n=1, more=" portgroup='trunk'", rest="")
    + NET.format(n=2, more="", rest="")
    + NET.format(n=3, more=" portgroup='native'", rest="")
    + NET.format(n=4, more=" portgroup='known'", rest="")
    + BRIDGE.format(n=5, rest="<vlan trunk='yes'><tag id='3'/><tag id='4'/></vlan>" + LIMITS)
)
DOMAIN = (
    f"<domain type='qemu'><name>ovs</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory><os><type arch='x86_64' "
    "machine='pc'>hvm</type></os><features><acpi/></features><devices>{}</devices></domain>"
)
FILES = {
    "net": NETWORK,
    "guest": DOMAIN.format(CARDS),
    "six": BRIDGE.format(n=6, rest=LIMITS),
    "five": BRIDGE.format(n=5, rest="<vlan><tag id='7'/></vlan>"),
    "bare": BRIDGE.format(n=5, rest=""),
    "two": NET.format(n=2, more=" portgroup='trunk'", rest=""),
    "wrong": DOMAIN.format(BRIDGE.format(n=7, rest="").replace("'ovsbr'", "'nosuch'")).replace(">ovs<", ">wrong<").replace(UUID, UUID[:-1] + "4"),
    "merge": DOMAIN.format(NET.format(n=8, more="", rest="<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>"))
    .replace(">ovs<", ">merge<").replace(UUID, UUID[:-1] + "5"),
}  # fmt: skip
STEPS = (
    "net-create {f}/ovs-net.xml",
    "create --paused {f}/ovs-guest.xml",
    "domiftune ovs ovs5 --inbound 2000,4000,100 --outbound 64,0,32 --live",
    "domiftune ovs ovs2 --inbound 500 --live",
    "domiftune ovs ovs2 --inbound 0 --live",
    "domiftune ovs ovs5 --inbound 0 --outbound 0 --live",
    "attach-device ovs {f}/ovs-six.xml --live",
    "detach-interface ovs bridge 52:54:00:80:03:06 --live",
    "update-device ovs {f}/ovs-two.xml --live",
    "update-device ovs {f}/ovs-five.xml --live",
    "update-device ovs {f}/ovs-bare.xml --live",
    "!restart",
    "!lose ovs2",
    "!restart",
    "create --paused {f}/ovs-wrong.xml",
    "create --paused {f}/ovs-merge.xml",
    "destroy ovs",
    "net-destroy ovs",
)


def play(virsh: Callable[..., tuple[int, str]], folder: Path, asked: Callable[[], list[str]],
         act: Callable[[list[str]], None]) -> list[tuple[str, int, str, list[str]]]:  # fmt: skip
    """Each step with its exit status, virsh's complaint, and what the switch's tool was asked meanwhile. Steps with ! are for ``act``."""
    for name, text in FILES.items():
        (folder / f"ovs-{name}.xml").write_text(text)
    found = []
    asked()
    for step in STEPS:
        code, said = 0, ""
        if step.startswith("!"):
            act(step[1:].split())
        else:
            code, said = virsh(*step.format(f=folder).split())
        found.append((step, code, said.replace(str(folder), "F"), asked()))
    return found
