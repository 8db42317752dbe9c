"""DHCP, DNS, TFTP and their changes while the network runs: dnsmasq asked by hosts on the network; leases in libvirt's files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.conftest import short_folder
from tests.unpacked import libraries, unpacked

from .conftest import Host, NetDaemon

FULL = """<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>full</name><forward mode='nat'/><bridge name='brfull' stp='off'/><mtu size='1400'/>
  <domain name='guests.test' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder domain='other.test' addr='192.0.2.2'/>
    <txt name='note.guests.test' value='a note'/>
    <srv service='ldap' protocol='tcp' domain='guests.test' target='fix.guests.test' port='389' priority='5' weight='7'/>
    <host ip='10.9.20.9'><hostname>printer</hostname><hostname>laser</hostname></host>
  </dns>
  <ip address='10.9.20.1' netmask='255.255.255.0' localPtr='yes'>
    <tftp root='{tftp}'/>
    <dhcp>
      <range start='10.9.20.100' end='10.9.20.120'><lease expiry='1' unit='hours'/></range>
      <host mac='52:54:00:20:00:03' name='fix' ip='10.9.20.33'/>
      <bootp file='pxe.0'/>
    </dhcp>
  </ip>
  <dnsmasq:options><dnsmasq:option value='dhcp-option=42,10.9.20.77'/></dnsmasq:options>
</network>"""
SERVER = "10.9.20.1"


@pytest.fixture(scope="module")
def full(netd: NetDaemon) -> Iterator[NetDaemon]:
    with short_folder("kv-tftp-") as folder:
        folder.chmod(0o755)
        (folder / "pxe.0").write_text("boot me " * 200)
        (folder / "pxe.0").chmod(0o644)
        netd.define(FULL.replace("{tftp}", str(folder)))
        yield netd
        netd.say("net-destroy", "full")


@pytest.fixture(scope="module")
def client(full: NetDaemon) -> tuple[Host, dict[str, object]]:
    """A host that got its address by DHCP."""
    host = full.guest("brfull", "52:54:00:20:00:02")
    full.forwards("brfull")
    return host, json.loads(host.probe("dhcp", "eth0", "web"))


@pytest.mark.guide("net-dns-dhcp-dnsmasq", "xml-network-bootp", "net-default-network")
def test_dhcp_gives_what_the_document_says(client: tuple[Host, dict[str, object]]) -> None:
    _, lease = client
    assert 100 <= int(str(lease["address"]).split(".")[3]) <= 120 and lease["prefix"] == 24
    assert lease["router"] == SERVER and lease["dns"] == SERVER and lease["domain"] == "guests.test"
    assert lease["mtu"] == 1400 and lease["ntp"] == "10.9.20.77" and lease["lease"] == 3600
    assert lease["boot"] == "pxe.0" and lease["next"] == SERVER


@pytest.mark.guide("proc-static-ip", "proc-static-ip-step2", "limit-static-ip-forward-mode")
def test_fixed_address(full: NetDaemon, client: tuple[Host, dict[str, object]]) -> None:
    """The MAC address of ``<host>`` gets its address; others do not."""
    fixed = full.guest("brfull", "52:54:00:20:00:03")
    full.forwards("brfull")
    lease = json.loads(fixed.probe("dhcp", "eth0"))
    assert lease["address"] == "10.9.20.33" and lease["name"] == "fix"
    assert client[1]["address"] != "10.9.20.33"
    assert fixed.probe("dns", SERVER, "fix.guests.test", "A") == "10.9.20.33"


def test_leases(full: NetDaemon, client: tuple[Host, dict[str, object]]) -> None:
    """``net-dhcp-leases`` and the file that libvirt's own tools read."""
    address = str(client[1]["address"])
    shown = full.say("net-dhcp-leases", "full", "--mac", "52:54:00:20:00:02")
    assert f"52:54:00:20:00:02   ipv4       {address}/24" in shown and " web " in shown
    assert full.say("-q", "net-dhcp-leases", "full", "--mac", "52:54:00:99:00:02").strip() == ""
    stored = json.loads((full.folder / "var/lib/libvirt/dnsmasq/brfull.status").read_text())
    mine = next(one for one in stored if one["ip-address"] == address)
    assert list(mine) == ["ip-address", "mac-address", "hostname", "expiry-time"]
    assert mine["hostname"] == "web" and 3000 < mine["expiry-time"] - time.time() < 3700


def test_names(client: tuple[Host, dict[str, object]]) -> None:
    """Addresses, both ways, texts, services; what is not known in the own domain is asked nowhere else."""
    host, lease = client
    assert host.probe("dns", SERVER, "web.guests.test", "A") == lease["address"]
    assert (
        host.probe("dns", SERVER, "printer", "A") == "10.9.20.9"
        and host.probe("dns", SERVER, "laser.guests.test", "A") == "10.9.20.9"
    )
    assert host.probe("dns", SERVER, "9.20.9.10.in-addr.arpa", "PTR") == "printer.guests.test"
    assert host.probe("dns", SERVER, "note.guests.test", "TXT") == "a note"
    assert host.probe("dns", SERVER, "_ldap._tcp.guests.test", "SRV") == "5 7 389 fix.guests.test"
    assert host.probe("dns", SERVER, "nobody.guests.test", "A") == "NXDOMAIN"
    assert host.probe("dns", SERVER, "plainname", "A") == "NXDOMAIN"


@pytest.mark.guide("xml-network-tftp")
def test_tftp(client: tuple[Host, dict[str, object]]) -> None:
    host, _ = client
    assert host.probe("tftp", SERVER, "pxe.0") == ("boot me " * 200).strip()
    assert host.probe("tftp", SERVER, "nothing").startswith("error")


# --- changes of the running network


def update(daemon: NetDaemon, *words: str) -> None:
    daemon.say("net-update", "full", *words, "--live")


@pytest.mark.guide("proc-static-ip-step3", "virsh-net-update-sec-ip-dhcp-host", "virsh-net-update-opt-live")
def test_update_of_fixed_addresses_is_live(full: NetDaemon) -> None:
    """Procedure 20.5: a host entry is added to the running network; the guest gets that address at its next question."""
    guest = full.guest("brfull", "52:54:00:20:00:04")
    update(full, "add", "ip-dhcp-host", "<host mac='52:54:00:20:00:04' name='later' ip='10.9.20.44'/>")
    full.forwards("brfull")
    assert json.loads(guest.probe("dhcp", "eth0"))["address"] == "10.9.20.44"
    update(full, "modify", "ip-dhcp-host", "<host mac='52:54:00:20:00:04' name='later' ip='10.9.20.45'/>")
    guest.run("ip", "address", "flush", "dev", "eth0")
    assert json.loads(guest.probe("dhcp", "eth0"))["address"] == "10.9.20.45"
    update(full, "delete", "ip-dhcp-host", "<host mac='52:54:00:20:00:04'/>")
    assert "10.9.20.45" not in full.say("net-dumpxml", "full")


@pytest.mark.guide("virsh-net-update-sec-dns-host", "virsh-net-update-sec-dns-txt", "virsh-net-update-sec-dns-srv",
                   "virsh-net-update-dir-delete", "virsh-net-update-dir-add-last")  # fmt: skip
def test_update_of_names_is_live(full: NetDaemon, client: tuple[Host, dict[str, object]]) -> None:
    host, _ = client
    update(full, "add", "dns-host", "<host ip='10.9.20.66'><hostname>scanner</hostname></host>")
    update(full, "add", "dns-txt", "<txt name='more.guests.test' value='more'/>")
    update(
        full, "add", "dns-srv", "<srv service='x' protocol='udp' domain='guests.test' target='t.guests.test' port='9'/>"
    )
    assert host.probe("dns", SERVER, "scanner", "A") == "10.9.20.66"
    assert host.probe("dns", SERVER, "more.guests.test", "TXT") == "more"
    assert host.probe("dns", SERVER, "_x._udp.guests.test", "SRV") == "0 0 9 t.guests.test"
    update(full, "delete", "dns-host", "<host ip='10.9.20.66'/>")
    update(full, "delete", "dns-txt", "<txt name='more.guests.test'/>")
    assert host.probe("dns", SERVER, "scanner", "A") == "NXDOMAIN"
    assert host.probe("dns", SERVER, "more.guests.test", "TXT") == "NXDOMAIN"
    assert host.probe("dns", SERVER, "web.guests.test", "A") == client[1]["address"], "leases outlive a new dnsmasq"


@pytest.mark.guide("virsh-net-update-sec-ip-dhcp-range")
def test_update_of_ranges_is_live(full: NetDaemon) -> None:
    update(full, "add", "ip-dhcp-range", "<range start='10.9.20.200' end='10.9.20.220'/>")
    update(full, "delete", "ip-dhcp-range", "<range start='10.9.20.100' end='10.9.20.120'/>")
    guest = full.guest("brfull", "52:54:00:20:00:05")
    full.forwards("brfull")
    assert json.loads(guest.probe("dhcp", "eth0"))["address"].startswith("10.9.20.2")


def test_update_that_dnsmasq_refuses_changes_nothing(full: NetDaemon, client: tuple[Host, dict[str, object]]) -> None:
    before = full.say("net-dumpxml", "full")
    done = full.virsh("net-update", "full", "add", "dns-srv", f"<srv service='{'x' * 64}' protocol='tcp'/>", "--live")
    assert done.returncode == 1 and "bad SRV record" in done.stderr
    assert full.say("net-dumpxml", "full") == before
    assert client[0].probe("dns", SERVER, "printer", "A") == "10.9.20.9"


def test_leases_outlive_a_restart_of_the_network(netd: NetDaemon) -> None:
    """As with libvirt: stop and start keep who has which address; the files go with the definition."""
    netd.define("""<network><name>again</name><bridge name='bragain' stp='off'/><ip address='10.9.21.1' prefix='24'>
      <dhcp><range start='10.9.21.2' end='10.9.21.250'/></dhcp></ip></network>""")
    guest = netd.guest("bragain", "52:54:00:21:00:02")
    netd.forwards("bragain")
    address = json.loads(guest.probe("dhcp", "eth0", "again"))["address"]
    netd.say("net-destroy", "again")
    netd.say("net-start", "again")
    assert address in netd.say("net-dhcp-leases", "again")
    netd.inside("ip", "link", "set", netd.port_of(guest), "master", "bragain")
    netd.forwards("bragain")
    guest.run("ip", "address", "flush", "dev", "eth0")
    assert json.loads(guest.probe("dhcp", "eth0"))["address"] == address
    netd.say("net-destroy", "again")
    netd.say("net-undefine", "again")
    assert not [path for path in (netd.folder / "var/lib/libvirt/dnsmasq").iterdir() if "again" in path.name]


def nss() -> str:
    """Where libvirt's NSS modules and what they need are unpacked, for LD_LIBRARY_PATH."""
    return libraries(unpacked("libnss-libvirt", "libyajl2"))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("apt-get"), reason="root and Debian's packages")
def test_libvirts_nss_modules_read_our_files(full: NetDaemon, client: tuple[Host, dict[str, object]]) -> None:
    """``getent hosts`` through libnss_libvirt (by the name that the guest gave) in a mount namespace where ours are libvirt's."""
    modules = nss()
    script = f"""set -e
mount -t tmpfs tmpfs /mnt && echo 'hosts: libvirt libvirt_guest' > /mnt/nsswitch.conf
mount --bind /mnt/nsswitch.conf /etc/nsswitch.conf
mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/libvirt/dnsmasq
mount --bind {full.folder}/var/lib/libvirt/dnsmasq /var/lib/libvirt/dnsmasq
export LD_LIBRARY_PATH={modules}
getent ahostsv4 web"""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script], capture_output=True, text=True
    )
    assert done.stdout.split()[:1] == [client[1]["address"]], done.stderr + done.stdout


def test_dhcp_of_ipv6_and_router_advertisements(netd: NetDaemon) -> None:
    """A network with IPv6 announces itself: a host makes itself an address and finds the way out."""
    netd.define("""<network><name>six</name><forward mode='route'/><bridge name='brsix' stp='off'/>
      <ip family='ipv6' address='fd00:9:30::1' prefix='64'/></network>""")
    guest = netd.guest("brsix", "52:54:00:30:00:02")
    netd.forwards("brsix")
    end = time.monotonic() + 60
    while "fd00:9:30:" not in (shown := guest.run("ip", "-6", "address", "show", "eth0")) and time.monotonic() < end:
        time.sleep(0.2)
    assert "fd00:9:30:0:5054:ff:fe30:2/64" in shown
    assert "default via fe80::" in guest.run("ip", "-6", "route")
