"""Real clients on kvasird: Perl's Sys::Virt, libvirt-dbus, and libvirt-python over every class of objects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bus as dbus
from tests.conftest import KvasirDaemon, Peers, _script

PERL = r"""
use strict; use warnings; use Sys::Virt; use Sys::Virt::Domain;
my ($uri, $folder) = @ARGV;
my $conn = Sys::Virt->new(uri => $uri);
printf "%s %s\n", $conn->get_type, $conn->get_uri =~ s/\?.*//r;
print join(",", map { $_->get_name } $conn->list_all_domains), "\n";
my $xml = do { local $/; open my $f, "<", "$folder/web.xml"; <$f> };
my $dom = $conn->define_domain($xml);
print join(" ", $dom->get_name, $dom->get_uuid_string, $dom->is_active, $dom->is_persistent), "\n";
my $info = $dom->get_info; print "$info->{state} $info->{maxMem} $info->{memory} $info->{nrVirtCpu}\n";
my ($state, $reason) = $dom->get_state; print "$state $reason\n";
$dom->create; print $dom->is_active, "\n";
$dom->suspend; $dom->resume; $dom->set_autostart(1); print $dom->get_autostart, "\n";
my $snap = $dom->create_snapshot("<domainsnapshot><name>one</name></domainsnapshot>");
print join(",", map { $_->get_name } $dom->list_all_snapshots), "\n"; $snap->delete;
$dom->destroy; $dom->undefine;
eval { $conn->get_domain_by_name("nosuch") }; print ref($@), " ", $@->code, "\n";
for my $net ($conn->list_all_networks) { print $net->get_name, " ", $net->get_bridge_name, " ", $net->is_active, "\n" }
for my $pool ($conn->list_all_storage_pools) { my $i = $pool->get_info; print $pool->get_name, " $i->{state} $i->{capacity}\n" }
for my $card ($conn->list_all_interfaces) { print $card->get_name, " ", $card->get_mac, "\n" }
print join(",", sort map { $_->get_name } $conn->list_all_node_devices), "\n";
my $node = $conn->get_node_info; print "$node->{cpus} $node->{nodes}\n";
"""
PYTHON = r"""
import libvirt, sys
libvirt.registerErrorHandler(lambda *a: None, None)
libvirt.virEventRegisterDefaultImpl()
conn, folder = libvirt.open(sys.argv[1]), sys.argv[2]
seen = []
for number in range(27):
    conn.domainEventRegisterAny(None, number, lambda c, d, *rest: seen.append((d.name(), rest[:-1])), None)
print(conn.getType(), conn.getURI().split("?")[0], conn.getLibVersion(), conn.isAlive(), conn.isEncrypted(), conn.isSecure())
print(conn.getInfo(), conn.getMaxVcpus(None), conn.getFreeMemory(), conn.getCPUMap(), conn.getCellsFreeMemory(0, 2))
print(conn.numOfDomains(), conn.listDomainsID(), conn.numOfDefinedDomains(), conn.listDefinedDomains())
def say(function, *arguments):
    try: print(function.__name__, function(*arguments))
    except libvirt.libvirtError as error: print(function.__name__, error.get_error_code(), error.get_error_message())
dom = conn.defineXML(open(folder + "/web.xml").read())
for name in ("ID", "name", "UUIDString", "OSType", "isActive", "isPersistent", "isUpdated", "maxMemory", "autostart", "hasManagedSaveImage",
             "schedulerType", "info", "state", "vcpusFlags", "maxVcpus", "hostname", "memoryStats", "jobInfo", "securityLabel"):
    if name != "info": say(getattr(dom, name))
dom.create()
for name in ("vcpus", "vcpuPinInfo", "emulatorPinInfo", "schedulerParameters", "memoryParameters", "blkioParameters", "numaParameters",
             "hostname", "getTime", "fsInfo", "perfEvents", "controlInfo", "diskErrors", "maxVcpus"):
    if name != "vcpus": say(getattr(dom, name))
say(dom.blockInfo, "vda"); say(dom.interfaceAddresses, 0); say(dom.fsFreeze); say(dom.fsThaw); say(dom.metadata, 0, None)
say(dom.setMetadata, 1, "t", None, None, 0); say(dom.blockIoTune, "vda"); say(dom.setMemory, 200000); say(dom.setVcpus, 2)
snap = dom.snapshotCreateXML("<domainsnapshot><name>s1</name></domainsnapshot>")
second = dom.snapshotCreateXML("<domainsnapshot><name>s2</name></domainsnapshot>")
print(sorted(s.getName() for s in dom.listAllSnapshots()), snap.isCurrent(), second.getParent().getName(), snap.numChildren(), snap.listChildrenNames())
print(sorted(dom.snapshotListNames()), dom.snapshotCurrent().getName(), dom.hasCurrentSnapshot())
dom.revertToSnapshot(snap); second.delete(); snap.delete()
point = dom.checkpointCreateXML("<domaincheckpoint><name>c1</name></domaincheckpoint>")
print(sorted(c.getName() for c in dom.listAllCheckpoints()), point.getName()); point.delete()
net = conn.networkDefineXML(open(folder + "/net.xml").read()); net.create()
print(net.name(), net.bridgeName(), net.isActive(), net.isPersistent(), net.autostart(), sorted(conn.listNetworks()), conn.numOfDefinedNetworks())
net.destroy(); net.undefine()
pool = conn.storagePoolDefineXML(open(folder + "/pool.xml").read()); pool.create()
vol = pool.createXML(open(folder + "/vol.xml").read())
print(pool.info(), pool.listVolumes(), pool.numOfVolumes(), vol.info(), vol.path(), vol.key(), vol.storagePoolLookupByVolume().name())
print(conn.storageVolLookupByPath("/images/a.img").name(), conn.storageVolLookupByKey("/images/a.img").name())
vol.delete(); pool.destroy(); pool.undefine()
card = conn.interfaceDefineXML(open(folder + "/iface.xml").read()); card.create(0)
print(card.name(), card.MACString(), card.isActive(), sorted(conn.listInterfaces()), conn.interfaceLookupByMACString("aa:bb:cc:00:11:22").name())
card.destroy(0); card.undefine()
device = conn.nodeDeviceLookupByName("scsi_host1")
print(device.name(), device.parent(), device.numOfCaps(), sorted(device.listCaps()), conn.numOfDevices(None), sorted(conn.listDevices("scsi_host")))
say(conn.listAllSecrets); say(conn.listAllNWFilters); say(conn.lookupByName, "nosuch"); say(conn.lookupByID, 77)
dom.destroy(); dom.undefine()
for _ in range(20): libvirt.virEventRunDefaultImpl() if False else None
conn.setKeepAlive(0, 0) if False else None
print(conn.close() >= 0)
"""


@pytest.fixture(scope="module")
def clients() -> Path:
    found, why = _script("peers-clients")
    if found is None:
        pytest.skip(why)
    return found


def files(folder: Path) -> None:
    from tests.testdriver.script import FILES

    for name, text in FILES.items():
        (folder / name).write_text(text)


def libraries(peers: Peers, *more: Path) -> str:
    found = [path.parent for path in (peers.root / "usr/lib").glob("*/libvirt.so.0")]
    return ":".join(
        str(path) for path in [*found, *(place for one in more for place in (one / "usr/lib").glob("*-linux-gnu"))]
    )


def test_perl(kvasird: KvasirDaemon, peers: Peers, clients: Path, tmp_path: Path) -> None:
    """The same program on kvasird's test driver and on libvirt's own says the same."""
    files(tmp_path)
    (tmp_path / "look.pl").write_text(PERL)
    modules = next((clients / "usr/lib").glob("*/perl5/*"))
    env = {**os.environ, "PERL5LIB": str(modules), "LD_LIBRARY_PATH": libraries(peers, clients), "LC_ALL": "C"}
    said = []
    for uri in ("test:///default", kvasird.uri.replace("qemu+unix:///system", "test+unix:///default")):
        command = ["perl", str(tmp_path / "look.pl"), uri, str(tmp_path)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        said.append(re.sub(r"test\S*:///default", "URI", done.stdout))
    assert said[0] == said[1]
    assert "Sys::Virt::Error 42" in said[1]


def test_perl_on_qemu(kvasird: KvasirDaemon, peers: Peers, clients: Path) -> None:
    program = "use Sys::Virt; my $c = Sys::Virt->new(uri => $ARGV[0]); print $c->get_type, ' ', scalar(@{[$c->list_all_domains]}), ' ', scalar(@{[$c->list_all_node_devices]}) > 0, ' ', $c->get_capabilities =~ /<host>/ ? 1 : 0"
    modules = next((clients / "usr/lib").glob("*/perl5/*"))
    env = {**os.environ, "PERL5LIB": str(modules), "LD_LIBRARY_PATH": libraries(peers, clients), "LC_ALL": "C"}
    done = subprocess.run(["perl", "-e", program, kvasird.uri], env=env, capture_output=True, text=True, timeout=100)
    assert done.stdout == "QEMU 0 1 1", done.stderr


def test_python_over_every_class(kvasird: KvasirDaemon, peers: Peers) -> None:
    """The same program on kvasird's test driver and on libvirt's own (behind the real library) says the same."""
    files(kvasird.folder)
    (kvasird.folder / "look.py").write_text(PYTHON)
    said = []
    for uri in ("test:///default", kvasird.uri.replace("qemu+unix:///system", "test+unix:///default")):
        done = peers.run("python3", str(kvasird.folder / "look.py"), uri, str(kvasird.folder))
        assert done.returncode == 0, done.stderr
        text = re.sub(r"test\S*:///default", "URI", done.stdout)
        said.append(text.splitlines())
    assert said[1] == said[0]
    assert len(said[1]) > 50


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    if not shutil.which("gdbus"):
        pytest.skip("gdbus is not installed")
    if not Path("/usr/share/dbus-1/interfaces").is_dir():
        pytest.skip("the host has no folder of D-Bus interfaces to lay them over")
    with dbus.running(tmp_path) as address:
        yield address


def test_libvirt_dbus(kvasird: KvasirDaemon, bus: str, peers: Peers, clients: Path) -> None:
    """libvirt-dbus on kvasird: guests are defined, listed and read over D-Bus.

    It reads its interfaces, and finds the daemon's socket, at places of the host: ours are laid over them in a mount
    namespace of its own.
    """
    from tests.testdriver.script import GUEST

    env = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": bus}
    over = (
        f"mount --bind {clients}/usr/share/dbus-1/interfaces /usr/share/dbus-1/interfaces && mount -t tmpfs none /run"
    )
    over += f" && mkdir /run/libvirt && mount --bind {kvasird.folder}/run/libvirt /run/libvirt"
    program = f"{over} && exec {clients}/usr/sbin/libvirt-dbus --session"
    own = {**env, "LD_LIBRARY_PATH": libraries(peers, clients), "LC_ALL": "C"}
    service = subprocess.Popen(["unshare", "-m", "sh", "-c", program], env=own)

    def call(path: str, method: str, *arguments: str) -> str:
        command = ["gdbus", "call", "--session", "--dest", "org.libvirt", "--object-path", path, "--method", method]
        done = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() or done.stderr.strip()

    connect, qemu = "org.libvirt.Connect", "/org/libvirt/QEMU"
    try:
        end = time.monotonic() + 60
        while call(qemu, f"{connect}.ListDomains", "0") != "(@ao [],)":
            assert time.monotonic() < end, call(qemu, f"{connect}.ListDomains", "0")
            time.sleep(0.2)
        text = re.sub(r"<disk.*?</disk>|<interface.*?</interface>|<graphics.*?/>", "", GUEST, flags=re.S)
        text = text.replace("type='test'", "type='qemu'").replace("i686", "x86_64")
        made = call(qemu, f"{connect}.DomainDefineXML", text)
        path = re.search(r"/org/libvirt/QEMU/domain/\w+", made)
        assert path is not None, made
        assert path[0] in call(qemu, f"{connect}.ListDomains", "0")
        assert "<name>web</name>" in call(path[0], "org.libvirt.Domain.GetXMLDesc", "0")
        assert "'web'" in call(path[0], "org.freedesktop.DBus.Properties.Get", "org.libvirt.Domain", "Name")
        assert "5, 0" in call(path[0], "org.libvirt.Domain.GetState", "0")
        call(path[0], "org.libvirt.Domain.Undefine", "0")
        assert call(qemu, f"{connect}.ListDomains", "0") == "(@ao [],)"
    finally:
        service.terminate()
        service.wait(timeout=30)
