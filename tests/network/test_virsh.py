"""net-* of both virsh on both daemons: one script in four cells, the same bytes in each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle
from tests.virsh.cells import four

from .conftest import NetDaemon

A = """<network><name>aa</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b899</uuid><forward mode='nat'/>
<bridge name='brx0' stp='on' delay='0'/><mac address='52:54:00:01:02:03'/><domain name='a.test'/>
<ip address='10.88.1.1' prefix='24'><dhcp><range start='10.88.1.2' end='10.88.1.99'/></dhcp></ip>
<ip address='10.88.3.1' prefix='24'/>
<portgroup name='pg' default='yes'/><portgroup name='iso'/></network>
"""
M = """<network><name>mm</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b8aa</uuid><forward mode='private'>
<interface dev='lo'/><interface dev='hostb'/></forward></network>
"""
PORT = """<networkport><uuid>{number}1111111-2222-3333-4444-555555555555</uuid><owner><name>own</name>
<uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:aa:bb:c{number}'/>{more}</networkport>
"""


def prepare(daemon: DaemonHandle) -> None:
    """Documents in the daemon's folder; no networks."""
    folder = Path(daemon.folder)
    for name in daemon.virsh("-q", "net-list", "--name").stdout.split():
        daemon.virsh("net-destroy", name)
    for name in daemon.virsh("-q", "net-list", "--all", "--name").stdout.split():
        daemon.virsh("net-undefine", name)
    second = A.replace(">aa<", ">bb<").replace("brx0", "brx1").replace("b899", "b900").replace("10.88.1", "10.88.2")
    second = second.replace("10.88.3", "10.88.4")
    documents = {
        "a": A, "b": second, "m": M, "same-name": second.replace("b900", "b901"), "same-uuid": second.replace(">bb<", ">cc<"),
        "same-bridge": second.replace(">bb<", ">cc<").replace("b900", "b902"), "bad": A.replace("10.88.1.99", "10.99.1.99"),
        "broken": "<network><name>x</nam></network>", "domain": "<domain/>", "p1": PORT.format(number=1, more=""),
        "p2": PORT.format(number=2, more="<group>iso</group><port isolated='yes'/><rxfilters trustGuest='yes'/>"),
        "p3": PORT.format(number=3, more="<plug type='bridge' bridge='x'/>"), "nouuid": "<networkport/>",
        "host": "<host mac='52:54:00:00:00:0f' name='fromfile' ip='10.88.1.15'/>",
    }  # fmt: skip
    for name, text in documents.items():
        (folder / f"{name}.xml").write_text(text)


LIFE = """
net-list --all
net-define {folder}/a.xml
net-define {folder}/b.xml
net-list --all
net-list
net-info aa
net-dumpxml aa
net-dumpxml --inactive aa
net-dumpxml aa --xpath //ip
net-uuid aa
net-name 3e3fce45-4f53-4fa7-bb32-11f34168b899
net-name aa
net-uuid 3e3fce45-4f53-4fa7-bb32-11f34168b899
net-start aa
net-start aa
net-info aa
net-info 3e3fce45-4f53-4fa7-bb32-11f34168b899
net-list
net-list --inactive
net-list --all --persistent
net-list --all --transient
net-list --all --name
net-list --all --uuid
net-list --uuid --name
net-dumpxml aa
net-dumpxml --inactive aa
net-dhcp-leases aa
net-dhcp-leases bb
net-dhcp-leases aa --mac 52:54:00:00:00:01
net-autostart bb
net-list --all --autostart
net-list --all --no-autostart
net-autostart --disable bb
net-autostart nope
net-undefine aa
net-info aa
net-list --all --transient
net-autostart aa
net-undefine aa
net-define {folder}/a.xml
net-destroy aa
net-destroy aa
net-create {folder}/a.xml
net-undefine aa
net-destroy aa
net-dumpxml aa
net-create {folder}/a.xml
net-create {folder}/a.xml
net-define {folder}/same-name.xml
net-define {folder}/same-uuid.xml
net-define {folder}/same-bridge.xml
net-define {folder}/bad.xml
net-define {folder}/broken.xml
net-define {folder}/domain.xml
net-define {folder}/nothing.xml
net-create {folder}/bad.xml
net-start nope
net-destroy bb
net-destroy aa
net-undefine bb
net-event --list
net-event
net-event --event nothing
net-list --all
!net-dumpxml nope
!net-start
"""

PORTS = """
net-create {folder}/a.xml
net-define {folder}/m.xml
net-start mm
net-port-list aa
net-port-create aa {folder}/p1.xml
net-port-create aa {folder}/p2.xml
net-port-create aa {folder}/p1.xml
net-port-create aa {folder}/p3.xml
net-port-create aa {folder}/nouuid.xml
net-port-create aa {folder}/broken.xml
net-port-list aa
net-port-list aa --uuid
net-port-dumpxml aa 11111111-2222-3333-4444-555555555555
net-port-dumpxml aa 21111111-2222-3333-4444-555555555555
net-port-dumpxml aa 91111111-2222-3333-4444-555555555555
net-port-dumpxml aa word
net-dumpxml aa
net-port-create mm {folder}/p1.xml
net-port-create mm {folder}/p2.xml
net-port-dumpxml mm 11111111-2222-3333-4444-555555555555
net-dumpxml mm
net-port-delete mm 11111111-2222-3333-4444-555555555555
net-port-delete mm 11111111-2222-3333-4444-555555555555
net-port-list mm
net-destroy mm
net-port-create mm {folder}/p1.xml
net-undefine mm
net-destroy aa
"""

UPDATES = r"""
net-define {folder}/a.xml
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:01' name='one' ip='10.88.1.11'/>" --live
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:01' name='one' ip='10.88.1.11'/>"
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:01' name='two' ip='10.88.1.12'/>"
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:02' name='one' ip='10.88.1.12'/>"
net-update aa add-first ip-dhcp-host "<host mac='52:54:00:00:00:02' name='zero' ip='10.88.1.10'/>"
net-update aa add ip-dhcp-host {folder}/host.xml
net-update aa modify ip-dhcp-host "<host mac='52:54:00:00:00:02' name='null' ip='10.88.1.20'/>"
net-update aa modify ip-dhcp-host "<host mac='52:54:00:00:00:07' name='null' ip='10.88.1.20'/>"
net-update aa delete ip-dhcp-host "<host mac='52:54:00:00:00:07'/>"
net-update aa delete ip-dhcp-host "<host/>"
net-update aa delete ip-dhcp-host "<host mac='52:54:00:00:00:02'/>"
net-update aa add ip-dhcp-host "<host mac='53:54:00:00:00:02' ip='10.88.1.21'/>"
net-update aa add ip-dhcp-host "<range start='10.88.1.2' end='10.88.1.3'/>"
net-update aa add ip-dhcp-host "<host"
net-update aa add ip-dhcp-range "<range start='10.88.1.100' end='10.88.1.110'/>"
net-update aa add ip-dhcp-range "<range start='10.88.1.100' end='10.88.1.110'/>"
net-update aa modify ip-dhcp-range "<range start='10.88.1.100' end='10.88.1.110'/>"
net-update aa delete ip-dhcp-range "<range start='10.88.1.100' end='10.88.1.120'/>"
net-update aa delete ip-dhcp-range "<range start='10.88.1.100' end='10.88.1.110'/>"
net-update aa add ip-dhcp-range "<range start='10.88.9.100' end='10.88.9.110'/>"
net-update aa add ip-dhcp-range "<range start='10.88.3.100' end='10.88.3.110'/>" --parent-index 1
net-update aa add ip-dhcp-range "<range start='10.88.3.100' end='10.88.3.110'/>" --parent-index 7
net-update aa add portgroup "<portgroup name='new'><bandwidth><inbound average='10'/></bandwidth></portgroup>"
net-update aa add portgroup "<portgroup name='new'/>"
net-update aa add portgroup "<portgroup name='other' default='yes'/>"
net-update aa modify portgroup "<portgroup name='nope'/>"
net-update aa modify portgroup "<portgroup name='iso' trustGuestRxFilters='yes'/>"
net-update aa delete portgroup "<portgroup name='new'/>"
net-update aa delete portgroup "<portgroup name='new'/>"
net-update aa add dns-host "<host ip='10.88.1.50'><hostname>h1</hostname></host>"
net-update aa add dns-host "<host ip='10.88.1.50'><hostname>h2</hostname></host>"
net-update aa add dns-host "<host ip='10.88.1.51'><hostname>h1</hostname></host>"
net-update aa add-first dns-host "<host ip='10.88.1.52'><hostname>h3</hostname></host>"
net-update aa modify dns-host "<host ip='10.88.1.52'><hostname>h4</hostname></host>"
net-update aa delete dns-host "<host ip='10.88.1.99'/>"
net-update aa delete dns-host "<host ip='10.88.1.50'/>"
net-update aa add dns-txt "<txt name='t' value='v'/>"
net-update aa add dns-txt "<txt name='t' value='w'/>"
net-update aa modify dns-txt "<txt name='t' value='w'/>"
net-update aa delete dns-txt "<txt name='u' value='w'/>"
net-update aa delete dns-txt "<txt name='t' value='v'/>"
net-update aa add dns-srv "<srv service='s' protocol='tcp' domain='d' target='t' port='1'/>"
net-update aa add dns-srv "<srv service='s' protocol='tcp' domain='d' target='t' port='1'/>"
net-update aa modify dns-srv "<srv service='s' protocol='tcp' domain='d' target='t' port='1'/>"
net-update aa delete dns-srv "<srv service='q' protocol='tcp'/>"
net-update aa delete dns-srv "<srv service='s' protocol='tcp'/>"
net-update aa add forward-interface "<interface dev='eth7'/>"
net-update aa modify bridge "<bridge name='z'/>"
net-update aa modify domain "<domain name='z'/>"
net-update aa modify ip "<ip address='1.2.3.4'/>"
net-update aa modify forward "<forward mode='nat'/>"
net-update aa add forward-pf "<pf dev='z'/>"
net-update aa swap dns-txt "<txt name='t' value='w'/>"
net-update aa add nothing "<txt name='t' value='w'/>"
net-update aa add dns-txt {folder}/nothing.xml
net-update nope add dns-txt "<txt name='t' value='w'/>"
net-dumpxml aa
net-start aa
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:08' name='live' ip='10.88.1.18'/>" --live
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:09' name='kept' ip='10.88.1.19'/>" --config
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:0a' name='both' ip='10.88.1.21'/>" --live --config
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:0b' name='now' ip='10.88.1.22'/>" --current
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:0c' name='now' ip='10.88.1.23'/>" --current --live
net-dumpxml aa
net-dumpxml aa --inactive
net-undefine aa
net-update aa add ip-dhcp-host "<host mac='52:54:00:00:00:0c' name='gone' ip='10.88.1.23'/>" --config
net-destroy aa
net-define {folder}/m.xml
net-update mm add forward-interface "<interface dev='hostc'/>"
net-update mm add forward-interface "<interface dev='hostc'/>"
net-update mm add-first forward-interface "<interface dev='hostd'/>"
net-update mm modify forward-interface "<interface dev='hostd'/>"
net-update mm delete forward-interface "<interface dev='hostz'/>"
net-update mm delete forward-interface "<interface dev='hostb'/>"
net-update mm add ip-dhcp-host "<host mac='52:54:00:00:00:01' name='one' ip='10.88.1.11'/>"
net-dumpxml mm
net-undefine mm
"""


def mask(text: str) -> str:
    """Files in messages, and how a line of XML is quoted."""
    return re.sub(r"pid-file=\S+", "", text)


def cells(netd: NetDaemon, real: DaemonHandle, script: str) -> list[tuple[str, str]]:
    return four((("libvirtd", real), ("kvasird", netd)), script, mask, prepare)


@pytest.mark.guide(
    *(
        "virsh-net-list",
        "virsh-net-dumpxml",
        "virsh-net-autostart",
        "virsh-net-autostart-opt-disable",
        "virsh-net-create",
    ),
    *(
        "virsh-net-destroy",
        "virsh-net-name",
        "virsh-net-uuid",
        "virsh-net-start",
        "virsh-net-undefine",
        "virsh-net-info",
    ),
    *("virsh-net-dumpxml-opt-inactive", "virsh-net-list-opt-all", "virsh-net-list-opt-inactive", "xml-network-example"),
    *("virsh-net-list-opt-persistent", "virsh-net-list-opt-transient", "virsh-net-list-opt-autostart", "net-concept"),
    *("virsh-net-list-opt-no-autostart", "virsh-net-define", "virsh-net-start-default", "virsh-net-autostart-default"),
)
def test_life_of_networks(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    said = dict(cells(netd, real_libvirtd, LIFE))
    assert "already in use" in said["net-define FOLDER/same-bridge.xml"]


def test_ports(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    cells(netd, real_libvirtd, PORTS)


@pytest.mark.guide(
    *(
        "virsh-net-update",
        "virsh-net-update-dir-add-first",
        "virsh-net-update-dir-add-last",
        "virsh-net-update-dir-delete",
    ),
    *(
        "virsh-net-update-dir-modify",
        "virsh-net-update-sec-bridge",
        "virsh-net-update-sec-domain",
        "virsh-net-update-sec-ip",
    ),
    *("virsh-net-update-sec-ip-dhcp-host", "virsh-net-update-sec-ip-dhcp-range", "virsh-net-update-sec-forward"),
    *("virsh-net-update-sec-forward-interface", "virsh-net-update-sec-forward-pf", "virsh-net-update-sec-portgroup"),
    *("virsh-net-update-sec-dns-host", "virsh-net-update-sec-dns-txt", "virsh-net-update-sec-dns-srv"),
    *(
        "virsh-net-update-arg-xml",
        "virsh-net-update-opt-parent-index",
        "virsh-net-update-opt-live",
        "limit-mac-unicast",
    ),
    *("virsh-net-update-opt-config", "virsh-net-update-opt-current", "limit-static-ip-in-range"),
)
def test_updates(netd: NetDaemon, real_libvirtd: DaemonHandle) -> None:
    cells(netd, real_libvirtd, UPDATES)
