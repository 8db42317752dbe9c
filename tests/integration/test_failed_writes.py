"""Files of the daemon that cannot be written: the call says which and why, nothing changed, nothing is left over, and it works afterwards.

The daemon's folders are small file systems of their own, which are filled, made read-only, or get a folder where a file belongs.
Calls go through our client library; what the real daemon answers to the same was compared by hand, its words are ours.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kvasir.client as libvirt
from tests.conftest import Peers, all_ended, processes_under, short_folder
from tests.network.conftest import Host, NetDaemon

OWNER = "11111111-1111-4111-8111-111111111111"
PORT = "77777777-7777-4777-8777-777777777777"
ALL, UNLINK, FILE = ("full", "read-only", "folder"), ("read-only", "folder"), ("full", "read-only")
"""A full disk still takes links, and gives files back."""
OWN = ("leaseshelper", ".leases.lock", "filler", "autostarted", "secrets-encryption-key")


def content(path: Path) -> str:
    """A document; the job of a guest, and why it runs, may change (a save that failed)."""
    if path.suffix != ".xml" or path.is_symlink():
        return ""
    return re.sub(r" reason='[^']*'|\n *<job .*/>", "", path.read_text())


def uuid(number: int) -> str:
    return f"22222222-2222-4222-8222-{number:012}"


class Cramped(NetDaemon):
    """Ours, its folders on file systems of their own."""

    FOLDERS = ("etc/libvirt", "run/libvirt", "var/lib/libvirt", "var/log/libvirt")
    seen: Path
    """The root as it looks from here."""

    @classmethod
    def make(cls, folder: Path, peers: Peers) -> Cramped:
        ground = Host("ground")
        seen = Path(f"/proc/{ground.process.pid}/root{folder}")
        daemon = cls(f"qemu+unix:///system?socket={seen}/run/libvirt/libvirt-sock", folder, peers)
        daemon.hosts, daemon.ground, daemon.seen = [], ground, seen
        for name in cls.FOLDERS:
            daemon.inside("mkdir", "-p", f"{folder}/{name}")
            daemon.inside("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", f"{folder}/{name}")
        daemon.start()
        return daemon

    @property
    def socket(self) -> Path:
        return self.seen / "run/libvirt/libvirt-sock"

    @contextlib.contextmanager
    def trouble(self, kind: str, place: str) -> Iterator[str]:
        """A full or read-only file system, or a folder at the place of a file; the reason as an error says it."""
        path = self.seen / place
        system = next(name for name in self.FOLDERS if place.startswith(name))
        if kind == "folder":
            if there := path.exists():
                path.rename(f"{path}~")
            (path / "kept").mkdir(parents=True)
            try:
                yield ""  # it is a folder, or it exists
            finally:
                (path / "kept").rmdir()
                path.rmdir()
                if there:
                    Path(f"{path}~").rename(path)
        elif kind == "full":
            with open(self.seen / system / "filler", "wb") as stream, contextlib.suppress(OSError):
                while True:
                    os.write(stream.fileno(), bytes(4096))
            try:
                yield "No space left on device"
            finally:
                (self.seen / system / "filler").unlink()
        else:
            self.inside("mount", "-o", "remount,ro", f"{self.folder}/{system}")
            try:
                yield "Read-only file system"
            finally:
                self.inside("mount", "-o", "remount,rw", f"{self.folder}/{system}")

    def files(self) -> list[str]:
        """What lies in the daemon's folders but for logs, and the processes that it started."""
        found = [path for name in self.FOLDERS[:3] for path in (self.seen / name).rglob("*") if path.name not in OWN]
        rows = [f"{path.relative_to(self.seen)} {content(path)}"
                for path in found if path.is_symlink() or path.is_file()]  # fmt: skip
        return sorted(rows) + sorted(line.split(" ", 1)[1] for line in processes_under(self.folder))

    def state(self, conn: Any) -> list[str]:
        """All that a client can see, and all that there is."""
        rows = []
        for domain in conn.listAllDomains():
            rows += [
                domain.XMLDesc(0),
                domain.XMLDesc(2),
                str((domain.isActive(), domain.autostart(), domain.isPersistent())),
            ]
            rows += [one.getXMLDesc() for one in domain.listAllSnapshots()]
        for net in conn.listAllNetworks():
            rows += [net.XMLDesc(0), net.XMLDesc(1), str((net.isActive(), net.autostart(), net.isPersistent()))]
            rows += [port.XMLDesc() for port in (net.listAllPorts() if net.isActive() else [])]
        for pool in conn.listAllStoragePools():
            rows += [pool.XMLDesc(1), str((pool.isActive(), pool.autostart(), pool.isPersistent()))]
        rows += [one.XMLDesc() for one in conn.listAllNWFilters()] + [
            one.XMLDesc() for one in conn.listAllNWFilterBindings()
        ]
        for secret in conn.listAllSecrets():
            rows += [secret.XMLDesc()]
            with contextlib.suppress(libvirt.libvirtError):
                rows += [secret.value().hex()]
        disk = self.folder / "disk"
        rows += [f"{disk.stat().st_uid} {os.listxattr(disk)}", qemu_img(disk)]
        return [*sorted(rows), self.inside("ls", "/sys/class/net"), *self.files()]


@dataclass
class Case:
    """A call, the file that it writes, what can be wrong with that, and what takes it back once it worked."""

    place: str
    kinds: tuple[str, ...]
    call: Callable[[Any], Any]
    back: Callable[[Any], Any] | None = None


def network(name: str, number: int = 0, more: str = "") -> str:
    return (
        f"<network><name>{name}</name><uuid>{uuid(number)}</uuid><bridge name='wrbr{number}'/>"
        f"<ip address='10.99.{number}.1' netmask='255.255.255.0'><dhcp><range start='10.99.{number}.2' end='10.99.{number}.9'/>{more}"
        "</dhcp></ip></network>"
    )


def domain(name: str, number: int, more: str = "", devices: str = "") -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid(number)}</uuid><memory>32768</memory>{more}"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='usb' model='none'/>"
        f"<memballoon model='none'/>{devices}</devices></domain>"
    )


def kept_domain(folder: Path, more: str = "") -> str:
    disk = f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/disk'/><target dev='vda'/></disk>"
    return domain("kept", 11, more, disk)


def pool(folder: Path, name: str, number: int, mode: str = "0755") -> str:
    (folder / name).mkdir(exist_ok=True)
    return (
        f"<pool type='dir'><name>{name}</name><uuid>{uuid(number)}</uuid><target><path>{folder}/{name}</path>"
        f"<permissions><mode>{mode}</mode></permissions></target></pool>"
    )


def nwfilter(name: str, number: int, rule: str = "") -> str:
    return f"<filter name='{name}' chain='root'><uuid>{uuid(number)}</uuid>{rule}</filter>"


def secret(number: int, text: str = "x") -> str:
    return f"<secret ephemeral='no' private='no'><uuid>{uuid(number)}</uuid><description>{text}</description></secret>"


def qemu_img(path: Path) -> str:
    """The snapshots in an image."""
    words = ["qemu-img", "snapshot", "-U", "-l", str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


SNAPSHOT = "<domainsnapshot><name>{}</name></domainsnapshot>"
BINDING = (
    f"<filterbinding><owner><name>x</name><uuid>{OWNER}</uuid></owner><portdev name='wrdev'/><mac address='52:54:00:00:00:01'/>"
    "<filterref filter='clean-traffic'/></filterbinding>"
)


def same(now: list[str], before: list[str], where: Any) -> None:
    """The difference, line by line."""
    lines = [*difflib.unified_diff("\n".join(before).split("\n"), "\n".join(now).split("\n"), n=1, lineterm="")]
    assert not lines, f"{where}:\n" + "\n".join(lines[:40])


@pytest.fixture(scope="module")
def daemon(peers: Peers) -> Iterator[Cramped]:
    with short_folder("kvw-") as folder:
        daemon = Cramped.make(folder, peers)
        try:
            yield daemon
        finally:
            daemon.virsh("destroy", "runs")
            daemon.finish()
        all_ended(folder)


@pytest.fixture(scope="module")
def conn(daemon: Cramped) -> Iterator[Any]:
    """A client; what the cases are about is there."""
    conn = libvirt.open(daemon.uri)
    for name, number in (("kept", 1), ("runs", 2)):
        net = conn.networkDefineXML(network(name, number))
        net.create()
        net.portCreateXML(port(PORT)).delete()  # its files outlive it
    conn.networkLookupByName("kept").destroy()
    guest = conn.defineXML(kept_domain(daemon.folder))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(daemon.folder / "disk"), "1M"], check=True)
    guest.snapshotCreateXML(SNAPSHOT.format("s0"), 0)
    guest.create()
    guest.destroy()
    conn.defineXML(domain("runs", 12)).create()
    conn.storagePoolDefineXML(pool(daemon.folder, "kept", 21))
    conn.nwfilterDefineXML(nwfilter("kept", 31))
    conn.secretDefineXML(secret(41)).setValue(b"value")
    yield conn
    conn.close()


def port(name: str) -> str:
    return (
        f"<networkport><uuid>{name}</uuid><owner><name>x</name><uuid>{OWNER}</uuid></owner>"
        "<mac address='52:54:00:00:00:01'/></networkport>"
    )


def networks(folder: Path) -> list[Case]:
    etc, run, lib = "etc/libvirt/qemu/networks", "run/libvirt/network", "var/lib/libvirt/dnsmasq"
    host = "<host mac='52:54:00:00:00:01' ip='10.99.{}.3'/>"

    def kept(c: Any) -> Any:
        return c.networkLookupByName("kept")

    def update(c: Any) -> None:
        c.networkLookupByName("runs").update(3, 4, -1, host.format(2), 3)

    def downdate(c: Any) -> None:
        c.networkLookupByName("runs").update(2, 4, -1, host.format(2), 3)

    def plug(c: Any) -> None:
        c.networkLookupByName("runs").portCreateXML(port(PORT))

    return [
        Case(f"{etc}/new.xml", ALL, lambda c: c.networkDefineXML(network("new", 3)), lambda c: c.networkLookupByName("new").undefine()),
        Case(f"{run}/new.xml", ALL, lambda c: c.networkCreateXML(network("new", 3)), lambda c: c.networkLookupByName("new").destroy()),
        Case(f"{lib}/new.conf", ALL, lambda c: c.networkCreateXML(network("new", 3)), lambda c: c.networkLookupByName("new").destroy()),
        Case(f"{etc}/kept.xml", ALL, lambda c: c.networkDefineXML(network("kept", 1, host.format(1))), lambda c: c.networkDefineXML(network("kept", 1))),
        Case(f"{etc}/autostart/kept.xml", UNLINK, lambda c: kept(c).setAutostart(1), lambda c: kept(c).setAutostart(0)),
        Case(f"{run}/kept.xml", ALL, lambda c: kept(c).create(), lambda c: kept(c).destroy()),
        Case(f"{lib}/kept.addnhosts", ALL, lambda c: kept(c).create(), lambda c: kept(c).destroy()),
        Case(f"{etc}/kept.xml", UNLINK, lambda c: kept(c).undefine()),
        *(Case(place, ALL, update, downdate) for place in (f"{etc}/runs.xml", f"{run}/runs.xml", f"{lib}/runs.hostsfile")),
        *(Case(place, ALL, plug, lambda c: c.networkLookupByName("runs").listAllPorts()[0].delete())
          for place in (f"{run}/runs.xml", f"{lib}/wrbr2.macs")),
    ]  # fmt: skip


def guests(folder: Path) -> list[Case]:
    etc, run, lib, log = "etc/libvirt/qemu", "run/libvirt/qemu", "var/lib/libvirt/qemu", "var/log/libvirt/qemu"

    def kept(c: Any) -> Any:
        return c.lookupByName("kept")

    def meta(flags: int, text: str | None = "<a/>") -> Callable[[Any], Any]:
        return lambda c: c.lookupByName("runs").setMetadata(2, text, "a", "urn:a", flags)

    def create(c: Any) -> None:
        c.createXML(domain("new", 13), 0)

    def end(c: Any) -> None:
        c.lookupByName("new").destroy()

    return [
        Case(f"{etc}/new.xml", ALL, lambda c: c.defineXML(domain("new", 13)), lambda c: c.lookupByName("new").undefine()),
        Case(f"{run}/new.xml", ALL, create, end),
        Case(f"{run}/new.pid", ("folder",), create),
        Case(f"{log}/new.log", ("folder",), create),
        Case(f"{lib}/domain-0-new/master-key.aes", FILE, create),
        Case(f"{run}/kept.xml", ALL, lambda c: kept(c).create(), lambda c: kept(c).destroy()),
        Case(f"{etc}/kept.xml", ALL, lambda c: c.defineXML(kept_domain(folder, "<title>t</title>")), lambda c: c.defineXML(kept_domain(folder))),
        Case(f"{etc}/autostart/kept.xml", UNLINK, lambda c: kept(c).setAutostart(1), lambda c: kept(c).setAutostart(0)),
        Case(f"{etc}/other.xml", ALL, lambda c: kept(c).rename("other", 0), lambda c: c.lookupByName("other").rename("kept", 0)),
        Case(f"{etc}/kept.xml", UNLINK, lambda c: kept(c).rename("other", 0)),
        Case(f"{etc}/kept.xml", UNLINK, lambda c: kept(c).undefineFlags(2)),
        Case(f"{etc}/kept.xml", ALL, lambda c: kept(c).setVcpusFlags(2, 6), lambda c: kept(c).setVcpusFlags(1, 6)),
        Case(f"{etc}/runs.xml", ALL, meta(3), meta(3, None)),
        Case(f"{run}/runs.xml", ALL, meta(3), meta(3, None)),
        Case(f"{etc}/runs.xml", ALL, lambda c: c.lookupByName("runs").attachDeviceFlags("<rng model='virtio'><backend model='random'/></rng>", 3)),
        Case(f"{lib}/snapshot/kept/s1.xml", ALL, lambda c: kept(c).snapshotCreateXML(SNAPSHOT.format("s1"), 0),
             lambda c: kept(c).snapshotLookupByName("s1").delete(0)),
        Case(f"{lib}/snapshot/kept/s0.xml", UNLINK, lambda c: kept(c).snapshotLookupByName("s0").delete(2)),
        Case(f"{lib}/save/runs.save", ALL, lambda c: c.lookupByName("runs").managedSave(0)),
    ]  # fmt: skip


def pools(folder: Path) -> list[Case]:
    etc, run = "etc/libvirt/storage", "run/libvirt/storage"

    def kept(c: Any) -> Any:
        return c.storagePoolLookupByName("kept")

    return [
        Case(f"{etc}/new.xml", ALL, lambda c: c.storagePoolDefineXML(pool(folder, "new", 22)), lambda c: c.storagePoolLookupByName("new").undefine()),
        Case(f"{run}/new.xml", ALL, lambda c: c.storagePoolCreateXML(pool(folder, "new", 22)), lambda c: c.storagePoolLookupByName("new").destroy()),
        Case(f"{run}/kept.xml", ALL, lambda c: kept(c).create(), lambda c: kept(c).destroy()),
        Case(f"{etc}/kept.xml", ALL, lambda c: c.storagePoolDefineXML(pool(folder, "kept", 21, "0711")),
             lambda c: c.storagePoolDefineXML(pool(folder, "kept", 21))),
        Case(f"{etc}/autostart/kept.xml", UNLINK, lambda c: kept(c).setAutostart(1), lambda c: kept(c).setAutostart(0)),
        Case(f"{etc}/kept.xml", UNLINK, lambda c: kept(c).undefine()),
    ]  # fmt: skip


def others(folder: Path) -> list[Case]:
    filters, values = "etc/libvirt/nwfilter", "etc/libvirt/secrets"
    rule = "<rule action='drop' direction='in'/>"

    def known(c: Any) -> Any:
        return c.secretLookupByUUIDString(uuid(41))

    return [
        Case(f"{filters}/new.xml", ALL, lambda c: c.nwfilterDefineXML(nwfilter("new", 32)), lambda c: c.nwfilterLookupByName("new").undefine()),
        Case(f"{filters}/kept.xml", ALL, lambda c: c.nwfilterDefineXML(nwfilter("kept", 31, rule)), lambda c: c.nwfilterDefineXML(nwfilter("kept", 31))),
        Case(f"{filters}/kept.xml", UNLINK, lambda c: c.nwfilterLookupByName("kept").undefine()),
        Case("run/libvirt/nwfilter-binding/wrdev.xml", ALL, lambda c: c.nwfilterBindingCreateXML(BINDING, 0),
             lambda c: c.nwfilterBindingLookupByPortDev("wrdev").delete()),
        Case(f"{values}/{uuid(42)}.xml", ALL, lambda c: c.secretDefineXML(secret(42)), lambda c: c.secretLookupByUUIDString(uuid(42)).undefine()),
        Case(f"{values}/{uuid(41)}.xml", ALL, lambda c: c.secretDefineXML(secret(41, "other")), lambda c: c.secretDefineXML(secret(41))),
        Case(f"{values}/{uuid(41)}.sealed", ALL, lambda c: known(c).setValue(b"other"), lambda c: known(c).setValue(b"value")),
        Case(f"{values}/{uuid(41)}.xml", UNLINK, lambda c: known(c).undefine()),
        Case(f"{values}/{uuid(41)}.sealed", UNLINK, lambda c: known(c).undefine()),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("area", [networks, guests, pools, others])
def test_nothing_changes(daemon: Cramped, conn: Any, area: Callable[[Path], list[Case]], kind: str) -> None:
    before = daemon.state(conn)
    for number, case in enumerate(area(daemon.folder)):
        if kind not in case.kinds:
            continue
        where = (kind, number, case.place)
        with daemon.trouble(kind, case.place) as reason:
            with pytest.raises(libvirt.libvirtError) as error:
                case.call(conn)
            said = str(error.value)
        assert (
            reason in said
            and f"{daemon.folder}/{case.place.rsplit('/', 2 if 'domain-' in case.place else 1)[0]}" in said
        ), (where, said)
        same(daemon.state(conn), before, where)
        if case.back is not None and kind == case.kinds[-1]:
            case.call(conn)
            case.back(conn)
            before = daemon.state(conn)


LONG = "n" * 3000


@pytest.mark.parametrize("name", ["n" * 248, LONG])
def test_names_that_no_file_can_have(daemon: Cramped, conn: Any, name: str) -> None:
    """The object of such a name is not there afterwards, and what has another keeps it."""
    before = daemon.state(conn)
    calls: list[Callable[[], Any]] = [
        lambda: conn.networkDefineXML(network(name, 4)),
        lambda: conn.networkCreateXML(network(name, 4)),
        lambda: conn.defineXML(domain(name, 14)),
        lambda: conn.createXML(domain(name, 14), 0),
        lambda: conn.lookupByName("kept").rename(name, 0),
        lambda: conn.lookupByName("kept").snapshotCreateXML(SNAPSHOT.format(name), 0),
        lambda: conn.storagePoolDefineXML(pool(daemon.folder, "new", 22).replace("<name>new", f"<name>{name}")),
        lambda: conn.storagePoolCreateXML(pool(daemon.folder, "new", 22).replace("<name>new", f"<name>{name}")),
        lambda: conn.nwfilterDefineXML(nwfilter(name, 33)),
    ]
    for call in calls:
        with pytest.raises(libvirt.libvirtError, match=f"/{name}.*File name too long"):
            call()
    same(daemon.state(conn), before, "names")


def test_a_restart_finds_it_all(daemon: Cramped, conn: Any) -> None:
    before = daemon.state(conn)
    daemon.kill()
    daemon.start()
    again = libvirt.open(daemon.uri)
    same(daemon.state(again), before, "restart")
    again.close()
