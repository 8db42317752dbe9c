"""Real guests (TCG) on virtual networks: addresses, names, the host; booting by PXE; lost networks and daemons."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TinyGuest
from tests.waiting import until

from .conftest import NetDaemon
from .test_services import nss

DEFAULT = """<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/>
  <domain name='guests.test'/><dns><host ip='192.168.122.77'><hostname>printer</hostname></host></dns>
  <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network>"""
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{os}</os>
  <devices>{devices}
    <serial type='file'><source path='{folder}/{name}.serial'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices></domain>"""
CARD = "<interface type='network'><mac address='52:54:00:50:00:0{n}'/><source network='default'/><model type='{model}'/></interface>"


def direct(tiny: TinyGuest) -> str:
    return f"<kernel>{tiny.kernel}</kernel><initrd>{tiny.initramfs}</initrd><cmdline>{tiny.cmdline}</cmdline>"


def start(daemon: NetDaemon, name: str, devices: str, os: str, memory: int = 160) -> None:
    path = daemon.folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name, devices=devices, os=os, folder=daemon.folder, memory=memory))
    daemon.say("create", str(path))


def inside(daemon: NetDaemon, guest: str, command: str) -> str:
    """What a command in the guest prints, by its agent."""

    def agent(**call: object) -> object:
        done = daemon.virsh("qemu-agent-command", guest, json.dumps(call))
        return json.loads(done.stdout)["return"] if done.returncode == 0 else None

    until(lambda: agent(execute="guest-ping") is not None)
    words = {"path": "/bin/sh", "arg": ["-c", command], "capture-output": True}
    started = agent(execute="guest-exec", arguments=words)
    assert isinstance(started, dict)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = agent(execute="guest-exec-status", arguments={"pid": started["pid"]})
        if isinstance(state, dict) and state["exited"]:
            return base64.b64decode(state.get("out-data", "")).decode()
        time.sleep(0.2)
    raise AssertionError(command)


@pytest.fixture(scope="module")
def net(netd: NetDaemon) -> NetDaemon:
    netd.define(
        DEFAULT.replace(
            "<name>default</name>", f"<name>default</name><uuid>{netd.say('net-uuid', 'default').strip()}</uuid>"
        )
    )
    netd.ground.listen()
    return netd


@pytest.fixture(scope="module")
def guest(net: NetDaemon, tiny_guest: TinyGuest) -> Iterator[NetDaemon]:
    start(net, "one", CARD.format(n=1, model="virtio"), direct(tiny_guest))
    until(lambda: "ipv4" in net.virsh("domifaddr", "one").stdout)
    yield net
    net.virsh("destroy", "one")


@pytest.mark.guide("xml-interface-network", "domxml-interface-network", "proc-static-ip-step1", "virsh-domiflist",
                   "domxml-net-default-network", "net-default-network", "trouble-dhcp-dhclient")  # fmt: skip
def test_guest_gets_an_address_and_all_three_sources_show_it(guest: NetDaemon) -> None:
    """The first hour of every user: a guest on ``default`` has an address; lease, agent and ARP table tell the same."""
    lease = guest.say("domifaddr", "one")
    address = lease.split("ipv4")[1].split("/")[0].strip()
    assert "vnet0" in lease and address.startswith("192.168.122.")
    assert f"{address}/24" in guest.say("domifaddr", "one", "--source", "lease")
    until(lambda: address in guest.virsh("domifaddr", "one", "--source", "agent").stdout)
    assert inside(guest, "one", "echo hello | nc 192.168.122.1 7000").split()[0] == address
    assert f"vnet0      52:54:00:50:00:01    ipv4         {address}" in guest.say("domifaddr", "one", "--source", "arp")
    assert "printer" in inside(guest, "one", "nslookup printer.guests.test 192.168.122.1")
    assert " vnet0       network   default   virtio   52:54:00:50:00:01" in guest.say("domiflist", "one")
    assert inside(guest, "one", "ip route").startswith("default via 192.168.122.1")


@pytest.mark.guide("virsh-domifstat")
def test_counters(guest: NetDaemon) -> None:
    before = int(guest.say("domifstat", "one", "vnet0").split("rx_packets")[1].split()[0])
    inside(guest, "one", "ping -c 3 192.168.122.1")
    after = int(guest.say("domifstat", "one", "vnet0").split("rx_packets")[1].split()[0])
    assert after >= before + 3


@pytest.mark.guide(
    "virsh-domif-setlink", "virsh-domif-getlink", "proc-static-ip-step4", "virsh-domif-setlink-arg-interface"
)
def test_link(guest: NetDaemon) -> None:
    """The plug is pulled: the guest sees it; and put back."""
    assert guest.say("domif-setlink", "one", "vnet0", "down").strip() == "Device updated successfully"
    until(lambda: inside(guest, "one", "cat /sys/class/net/eth0/carrier 2>/dev/null").strip() != "1")
    assert guest.say("domif-getlink", "one", "vnet0").split() == ["vnet0", "down"]
    guest.say("domif-setlink", "one", "vnet0", "up")
    until(lambda: inside(guest, "one", "cat /sys/class/net/eth0/carrier").strip() == "1")


def test_port_of_the_guest(guest: NetDaemon) -> None:
    """The network knows its guest, the live document its port, libvirt's file its MAC."""
    live = guest.say("dumpxml", "one")
    port = live.split("portid='")[1].split("'")[0]
    assert f"<source network='default' portid='{port}' bridge='virbr0'/>" in live
    assert "<network connections='1'>" in guest.say("net-dumpxml", "default")
    assert "<name>one</name>" in guest.say("net-port-dumpxml", "default", port)
    macs = json.loads((guest.folder / "var/lib/libvirt/dnsmasq/virbr0.macs").read_text())
    assert macs == [{"domain": "one", "macs": ["52:54:00:50:00:01"]}]


PING = """import socket, struct, sys
line = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
line.settimeout(30)
line.sendto(struct.pack(">BBHHH", 8, 0, 0xFFFF - 0x0800 - 7 - 1, 7, 1), (sys.argv[1], 0))
print(line.recvfrom(2000)[1][0])
"""
NAMES = """set -e
mount -t tmpfs tmpfs /mnt && echo 'hosts: {order}' > /mnt/nsswitch.conf && echo 'nameserver 192.168.122.1' > /mnt/resolv.conf
mount --bind /mnt/nsswitch.conf /etc/nsswitch.conf
mount --bind /mnt/resolv.conf /etc/resolv.conf
mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/libvirt/dnsmasq
mount --bind {folder}/var/lib/libvirt/dnsmasq /var/lib/libvirt/dnsmasq
export LD_LIBRARY_PATH={modules}
{command}"""


@pytest.mark.guide("nss-libvirt-module", "nss-nsswitch-conf", "nss-ssh-guestname")
def test_the_host_knows_guests_by_their_names(guest: NetDaemon) -> None:
    """libvirt's own NSS modules read our files: the domain's name by libvirt_guest, in the order of nsswitch.conf.

    The guest has no ssh daemon: what ssh meets there is a greeting on port 22.
    """
    modules = nss()
    address = guest.say("domifaddr", "one").split("ipv4")[1].split("/")[0].strip()

    def ask(order: str, command: str) -> str:
        text = NAMES.format(order=order, folder=guest.folder, modules=modules, command=command)
        return guest.inside("unshare", "--mount", "--propagation", "private", "sh", "-c", text)

    book = "files libvirt_guest dns"
    assert ask(book, "getent hosts one").split()[0] == address
    (guest.folder / "ping.py").write_text(PING)
    assert ask(book, f"/usr/bin/python3 {guest.folder}/ping.py one").strip() == address
    entry = "<host ip='192.168.122.88'><hostname>one</hostname></host>"
    guest.say("net-update", "default", "add", "dns-host", entry, "--live")
    try:
        until(lambda: ask("files dns libvirt_guest", "getent ahostsv4 one || true").split()[:1] == ["192.168.122.88"])
        assert ask(book, "getent ahostsv4 one").split()[0] == address
    finally:
        guest.say("net-update", "default", "delete", "dns-host", entry, "--live")
    inside(guest, "one", "(while true; do echo SSH-2.0-tiny | nc -l -p 22; done) >/dev/null 2>&1 &")
    ssh = "timeout 60 ssh -v -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@one true 2>&1 || true"
    said = ask(book, ssh)
    assert f"Connecting to one [{address}] port 22" in said and "remote software version tiny" in said


def test_guest_keeps_its_tap(guest: NetDaemon) -> None:
    """kill -9 of the daemon, then the network stopped and started under the running guest: the same port, the tap is on it."""
    port = guest.say("net-port-list", "default", "--uuid")
    guest.kill()
    guest.start()
    assert guest.say("net-port-list", "default", "--uuid") == port
    guest.say("net-destroy", "default")
    assert "virbr0" not in guest.inside("ip", "-o", "link", "show", "vnet0")
    guest.say("net-start", "default")
    assert "master virbr0" in guest.inside("ip", "-o", "link", "show", "vnet0")
    assert guest.say("net-port-list", "default", "--uuid") == port
    guest.forwards("virbr0")
    assert inside(guest, "one", "ping -c 1 -W 5 192.168.122.1 >/dev/null && echo reached").strip() == "reached"


SAMPLE = """<interface type='network'><mac address='52:54:00:65:29:21'/><source network='default'/><model type='rtl8139'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></interface>"""


@pytest.mark.guide("sample-interface")
def test_end_gives_everything_back(net: NetDaemon, tiny_guest: TinyGuest) -> None:
    """The sample card of chapter 23 beside another: at its place, with its MAC and a lease; all of it goes with the guest."""
    start(net, "brief", SAMPLE, direct(tiny_guest))
    until(lambda: "192.168.122." in net.virsh("domifaddr", "brief").stdout)
    card = "cat $d/vendor $d/device $d/net/*/address"
    assert inside(net, "brief", f"d=/sys/bus/pci/devices/0000:00:03.0; {card}").split() == ["0x10ec", "0x8139", "52:54:00:65:29:21"]
    before = net.say("net-port-list", "default", "--uuid").split()
    net.say("destroy", "brief")
    assert len(net.say("net-port-list", "default", "--uuid").split()) == len(before) - 1
    assert "52:54:00:65:29:21" not in net.inside("ip", "link")


LISTENING = """<domain type='qemu'><name>shown</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><graphics type='vnc' autoport='yes'><listen type='network' network='{name}'/></graphics></devices></domain>"""


@pytest.mark.guide("domxml-graphics-listen-network-resolution")
def test_displays_listen_where_their_network_is(net: NetDaemon) -> None:
    """The address of the network, of the bridge that it names, of the first card of a direct one."""
    net.inside("sh", "-c", "ip link add brl type bridge && ip address add 10.9.9.1/24 dev brl && ip link set brl up")
    net.inside("sh", "-c", "ip link add nicl type veth peer nicm && ip address add 10.8.8.1/24 dev nicl && ip link set nicl up")
    net.define("""<network><name>natted</name><forward mode='nat'/><bridge name='virbrl'/>
      <ip family='ipv6' address='2001:db8:9::1' prefix='64'/><ip address='192.168.100.1' netmask='255.255.255.0'/></network>""")
    net.define("<network><name>bridged</name><forward mode='bridge'/><bridge name='brl'/></network>")
    net.define("<network><name>directed</name><forward mode='bridge'><interface dev='nicl'/></forward></network>")
    path = net.folder / "shown.xml"
    for name, address in (("natted", "192.168.100.1"), ("bridged", "10.9.9.1"), ("directed", "10.8.8.1")):
        path.write_text(LISTENING.format(name=name))
        net.say("create", str(path), "--paused")
        live = net.say("dumpxml", "shown")
        assert f"<listen type='network' address='{address}' network='{name}'/>" in live, live
        port = live.split("type='vnc' port='")[1].split("'")[0]
        assert f"{address}:{port}" in net.inside("ss", "-ltn")
        net.say("destroy", "shown")
        net.say("net-destroy", name)


PXE = """<network><name>pxe</name><bridge name='brpxe' stp='on' delay='0'/>
  <ip address='10.9.50.1' netmask='255.255.255.0'><tftp root='{root}'/>
  <dhcp><range start='10.9.50.2' end='10.9.50.254'/><bootp file='boot.ipxe'/></dhcp></ip></network>"""


@pytest.mark.guide("concept-pxe-boot", "proc-pxe-private-network", "xml-network-tftp", "xml-network-bootp", "xml-os-boot-network",
                   "proc-pxe-private-guest", "trouble-pxe-forward-delay-fix")  # fmt: skip
def test_guest_boots_from_the_network(netd: NetDaemon, tiny_guest: TinyGuest) -> None:
    """Chapter 9: no disk; the card's ROM asks DHCP, gets its file by TFTP, and a whole system comes up."""
    root = netd.folder / "tftp"
    (root / "system/bin").mkdir(parents=True)
    netd.folder.chmod(0o755)
    small_system(root, tiny_guest)
    (root / "boot.ipxe").write_text(f"#!ipxe\nkernel bzimage {tiny_guest.cmdline} pxe=yes initrd=small\ninitrd small\nboot\n")
    (root / "bzimage").symlink_to(tiny_guest.bzimage)
    netd.define(PXE.replace("{root}", str(root)))
    card = CARD.format(n=3, model="virtio").replace("'default'", "'pxe'")
    start(netd, "pxe", card, "<boot dev='network'/>", 256)
    serial = netd.folder / "pxe.serial"
    until(lambda: serial.exists() and b"system from the network:" in serial.read_bytes(), seconds=240)
    assert b"pxe=yes" in serial.read_bytes()
    netd.say("destroy", "pxe")


INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
echo "system from the network: $(/bin/busybox cat /proc/cmdline)" > /dev/ttyS0
exec /bin/busybox sleep 3600
"""


def small_system(root: Path, tiny: TinyGuest) -> None:
    """The tiny guest's busybox and an init that says hello: a megabyte or two, for TFTP under TCG."""
    system = root / "system"
    with open(tiny.initramfs, "rb") as archive:
        subprocess.run(["cpio", "-id", "--quiet", "bin/busybox"], cwd=system, stdin=archive, check=True)
    (system / "init").write_text(INIT)
    (system / "init").chmod(0o755)
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=system, input=b"init\nbin\nbin/busybox\n", capture_output=True, check=True)
    (root / "small").write_bytes(packed.stdout)
