"""Files of the daemon that cannot be written: the call says which and why, nothing changed, nothing is left over, and it works afterwards.

The daemon's folders are small file systems of their own, which are filled, made read-only, or get a folder where a file belongs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Done, Peers, all_ended, processes_under, short_folder
from tests.network.conftest import Host, NetDaemon

PORT = "77777777-7777-4777-8777-777777777777"
UUID = "22222222-2222-4222-8222-22222222222"
ALL, UNLINK = ("full", "read-only", "folder"), ("read-only", "folder")
"""A full disk still takes links, and gives files back."""


class Cramped(NetDaemon):
    """Ours, its folders on file systems of their own."""

    FOLDERS = ("etc/libvirt", "run/libvirt", "var/lib/libvirt", "var/log/libvirt")

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

    seen: Path
    """The root as it looks from here."""

    @property
    def socket(self) -> Path:
        return self.seen / "run/libvirt/libvirt-sock"

    @contextlib.contextmanager
    def trouble(self, kind: str, place: str) -> Iterator[str]:
        """A full or read-only file system, or a folder at the place of a file; the reason as an error says it."""
        system = next(name for name in self.FOLDERS if place.startswith(name))
        if kind == "folder":
            path = self.seen / place
            if there := path.exists():
                path.rename(f"{path}~")
            (path / "kept").mkdir(parents=True)
            try:
                yield ""  # the reason differs: a folder, a file that exists
            finally:
                (path / "kept").rmdir()
                path.rmdir()
                if there:
                    Path(f"{path}~").rename(path)
        elif kind == "full":
            filler = self.seen / system / "filler"
            with open(filler, "wb") as stream, contextlib.suppress(OSError):
                while True:
                    os.write(stream.fileno(), bytes(4096))
            try:
                yield "No space left on device"
            finally:
                filler.unlink()
        else:
            self.inside("mount", "-o", "remount,ro", f"{self.folder}/{system}")
            try:
                yield "Read-only file system"
            finally:
                self.inside("mount", "-o", "remount,rw", f"{self.folder}/{system}")

    def fails(self, kind: str, place: str, words: tuple[str, ...], seen: Callable[[], list[str]]) -> None:
        """A call under a trouble says what is wrong and where, and changes nothing."""
        call = [self.file(word) if word.startswith("<") and " " not in word.split(">")[0] else word for word in words]
        before = seen()
        with self.trouble(kind, place) as reason:
            done = self.virsh(*call)
            assert done.returncode == 1, (kind, place, words, done.stdout)
            assert reason in done.stderr and f"{self.folder}/{place.rsplit('/', 1)[0]}" in done.stderr, (
                kind,
                place,
                words,
                done.stderr,
            )
        assert seen() == before, (kind, place, words)

    def file(self, text: str) -> str:
        """A file with a document."""
        path = self.folder / "document.xml"
        path.write_text(text)
        return str(path)

    def tree(self) -> list[str]:
        """What lies in the daemon's folders, and the processes that it started."""
        files = sorted(
            path
            for name in self.FOLDERS
            for path in (self.seen / name).rglob("*")
            if path.is_symlink() or not path.is_dir()
        )
        own = ("leaseshelper", ".leases.lock", "kvasird.log")
        files = [path for path in files if path.name not in own]
        running = sorted(line.split(" ", 1)[1] for line in processes_under(self.folder))
        return running + [
            f"{path.relative_to(self.seen)} {path.read_text() if path.suffix == '.xml' else ''}" for path in files
        ]


@pytest.fixture(scope="module")
def daemon(peers: Peers) -> Iterator[Cramped]:
    with short_folder("kvw-") as folder:
        daemon = Cramped.make(folder, peers)
        try:
            yield daemon
        finally:
            daemon.finish()
        all_ended(folder)


def network(name: str, number: int = 0, more: str = "") -> str:
    return (
        f"<network><name>{name}</name><uuid>{UUID}{number}</uuid><bridge name='wrbr{number}'/>"
        f"<ip address='10.99.{number}.1' netmask='255.255.255.0'><dhcp><range start='10.99.{number}.2' end='10.99.{number}.9'/>{more}"
        "</dhcp></ip></network>"
    )


def refused(done: Done, *words: str) -> None:
    assert done.returncode == 1, done.stdout
    for word in words:
        assert word in done.stderr


def state(daemon: Cramped) -> list[str]:
    """What can be seen of the daemon's networks, and what there is of them."""
    names = daemon.say("-q", "net-list", "--all", "--name").split()
    active = daemon.say("-q", "net-list", "--name").split()
    lines = ["net-list --all --persistent", "net-list --all --transient", *(f"net-port-list {name}" for name in active)]
    lines += [f"net-dumpxml {name} {option}" for name in names for option in ("", "--inactive")]
    return [daemon.virsh("-q", stdin="\n".join(lines)).stdout, daemon.inside("ls", "/sys/class/net"), *daemon.tree()]


@pytest.mark.parametrize("verb", ["net-define", "net-create"])
@pytest.mark.parametrize("length", [248, 3000])
def test_names_that_no_file_can_have(daemon: Cramped, verb: str, length: int) -> None:
    """The object of such a name is not there afterwards."""
    before = state(daemon)
    refused(daemon.virsh(verb, daemon.file(network("n" * length))), "/nnnn", ": File name too long")
    assert state(daemon) == before
    refused(daemon.virsh("net-info", UUID + "0"), "Network not found")
    daemon.say(verb, daemon.file(network("n" * 200)))
    daemon.say(*(("net-undefine",) if verb == "net-define" else ("net-destroy",)), "n" * 200)
    assert state(daemon) == before


@pytest.mark.parametrize("kind", ALL)
def test_networks(daemon: Cramped, kind: str) -> None:
    etc, run, lib = "etc/libvirt/qemu/networks", "run/libvirt/network", "var/lib/libvirt/dnsmasq"
    port = (f"<networkport><uuid>{PORT}</uuid><owner><name>x</name><uuid>11111111-1111-4111-8111-111111111111</uuid></owner>"
                       "<mac address='52:54:00:00:00:01'/></networkport>")  # fmt: skip
    daemon.say("net-define", daemon.file(network("kept", 1)))
    daemon.say("net-define", daemon.file(network("runs", 2)))
    daemon.say("net-start", "runs")
    daemon.say("net-start", "kept")
    daemon.say("net-destroy", "kept")
    daemon.say("net-port-create", "runs", daemon.file(port))
    daemon.say("net-port-delete", "runs", PORT)
    host = "<host mac='52:54:00:00:00:01' ip='10.99.2.3'/>"
    for place, kinds, words in (
        (f"{etc}/new.xml", ALL, ("net-define", network("new", 3))),
        (f"{run}/new.xml", ALL, ("net-create", network("new", 3))),
        (f"{lib}/new.conf", ALL, ("net-create", network("new", 3))),
        (f"{etc}/kept.xml", ALL, ("net-define", network("kept", 1, "<host mac='52:54:00:00:00:01' ip='10.99.1.3'/>"))),
        (f"{etc}/autostart/kept.xml", UNLINK, ("net-autostart", "kept")),
        (f"{run}/kept.xml", ALL, ("net-start", "kept")),
        (f"{lib}/kept.addnhosts", ALL, ("net-start", "kept")),
        (f"{etc}/kept.xml", UNLINK, ("net-undefine", "kept")),
        (f"{etc}/runs.xml", ALL, ("net-update", "runs", "add-last", "ip-dhcp-host", host, "--live", "--config")),
        (f"{run}/runs.xml", ALL, ("net-update", "runs", "add-last", "ip-dhcp-host", host, "--live", "--config")),
        (f"{lib}/runs.hostsfile", ALL, ("net-update", "runs", "add-last", "ip-dhcp-host", host, "--live", "--config")),
        (f"{run}/runs.xml", ALL, ("net-port-create", "runs", port)),
        (f"{lib}/wrbr2.macs", ALL, ("net-port-create", "runs", port)),
    ):  # fmt: skip
        if kind in kinds:
            daemon.fails(kind, place, words, lambda: state(daemon))
    for name in ("kept", "runs"):
        daemon.virsh("net-destroy", name)
        daemon.say("net-undefine", name)
