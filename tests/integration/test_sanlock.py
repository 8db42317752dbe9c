"""Leases over hosts by a real sanlock: two "hosts" (namespaces, daemons, host numbers) share one folder of leases.

Each host has the real libvirtd with its sanlock plugin and a kvasird; images lie in the shared folder, behind a mount that gives each
host a copy, so that QEMU's own image locks do not see each other, as over a network file system without locks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, short_folder
from tests.engines import Room, room, with_packages
from tests.integration.test_disk_locks import GUEST, LEASE

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not os.environ.get("KVASIR_LONG"), reason="two hosts with sanlock take a minute: KVASIR_LONG=1"),
]

CONF = 'auto_disk_leases = 1\ndisk_lease_dir = "{leases}"\nhost_id = {host}\nio_timeout = 1\n'
HELD = "resource busy: Failed to acquire lock: Lease is held by another host"


class Host:
    """One of the two."""

    def __init__(self, inside: Room, number: int, shared: Path) -> None:
        self.room, self.shared = inside, shared
        inside.run("mkdir", "-p", "/run/sanlock", f"{inside.folder}/own")
        inside.begin(
            "env", "SANLOCK_PRIVILEGED=0", "sanlock", "daemon", "-D", "-w", "0", "-h", "0", "-U", "root", "-G", "root"
        )
        inside.wait(lambda: inside.run("sanlock", "client", "status", ok=False).returncode == 0, "no sanlock")
        self.configure(CONF.format(leases=shared / "leases", host=number))
        for name in ("a", "b", "c"):  # each host has its own copy of the image under the one name
            own = f"{inside.folder}/own/{name}.qcow2"
            inside.run("qemu-img", "create", "-q", "-f", "qcow2", own, "8M")
            inside.run("chmod", "666", own)
            inside.run("mount", "--bind", own, str(shared / f"{name}.qcow2"))

    def configure(self, text: str) -> None:
        for etc in ("/etc/libvirt", f"{self.room.ours.folder}/etc/libvirt"):
            script = f"mkdir -p {etc}; echo 'lock_manager = \"sanlock\"' >> {etc}/qemu.conf; cat > {etc}/qemu-sanlock.conf <<'X'\n{text}X\n"
            self.room.run("sh", "-c", script)

    def status(self) -> str:
        return self.room.run("sanlock", "client", "status").stdout

    def create(
        self, daemon: DaemonHandle, name: str, image: str, *, action: str = "", lease: str = "", more: str = ""
    ) -> str:
        """What ``virsh create`` said against it, '' when it runs."""
        path = self.room.folder / f"{name}.xml"
        text = GUEST.format(name=name, path=self.shared / image, format="qcow2", lease=lease, more=more)
        if action:
            text = text.replace("<devices>", f"<on_lockfailure>{action}</on_lockfailure><devices>")
        path.write_text(text)
        done = daemon.virsh("create", str(path))
        return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    root = with_packages("sanlock", "sanlock", "libvirt-sanlock")
    with short_folder("kv-shared-") as shared, room(root) as first, room(root) as second:
        (shared / "leases").mkdir()
        for name in ("a", "b", "c"):
            (shared / f"{name}.qcow2").touch()
        one, two = Host(first, 1, shared), Host(second, 2, shared)
        first.start_ours()
        second.restart_real()
        second.start_ours()
        yield one, two


def ended(host: Host, daemon: DaemonHandle, *names: str) -> None:
    for name in names:
        assert daemon.virsh("destroy", name).returncode == 0, host.room.log()


def test_one_image_on_two_hosts(hosts: tuple[Host, Host]) -> None:
    """Refused as by libvirt, in its words; the lease outlives our daemon and goes with QEMU."""
    one, two = hosts
    name = hashlib.md5(str(one.shared / "a.qcow2").encode()).hexdigest()
    assert one.create(one.room.ours, "g1", "a.qcow2") == ""
    assert f"__LIBVIRT__DISKS__:{name}:{one.shared}/leases/{name}:0" in one.status()
    assert HELD in two.create(two.room.ours, "g2", "a.qcow2")
    assert HELD in two.create(two.room.real, "g2", "a.qcow2"), "the real libvirt knows our leases"
    one.room.kill_ours()
    assert HELD in two.create(two.room.real, "g2", "a.qcow2"), "the lease outlives the daemon"
    one.room.start_ours()
    assert one.room.ours.virsh("domstate", "g1").stdout.strip() == "running"
    ended(one, one.room.ours, "g1")
    assert two.create(two.room.real, "g2", "a.qcow2") == ""
    assert HELD in one.create(one.room.ours, "g1", "a.qcow2"), "we know the leases of the real libvirt"
    ended(two, two.room.real, "g2")
    assert one.create(one.room.ours, "g1", "a.qcow2") == ""
    ended(one, one.room.ours, "g1")


def test_leases_are_held_while_the_cpus_run(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    ours = one.room.ours
    assert one.create(ours, "g1", "a.qcow2") == ""
    assert ours.virsh("suspend", "g1").returncode == 0
    assert "\nr " not in one.status()
    one.room.kill_ours()
    one.room.start_ours()
    assert ours.virsh("resume", "g1").returncode == 0, "nobody had it in between"
    assert HELD in two.create(two.room.ours, "g2", "a.qcow2")
    assert ours.virsh("suspend", "g1").returncode == 0
    assert two.create(two.room.ours, "g2", "a.qcow2") == ""
    assert "Failed to acquire lock: Lease had another owner in between" in ours.virsh("resume", "g1").stderr
    assert ours.virsh("domstate", "g1").stdout.strip() == "paused"
    ended(two, two.room.ours, "g2")
    assert ours.virsh("resume", "g1").returncode == 1, "another guest wrote the disk meanwhile"
    ended(one, ours, "g1")


@pytest.mark.guide("domxml-lease")
def test_leases_of_the_document_and_hot_plug(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    ours, folder = one.room.ours, one.shared / "leases"
    made = f"__LIBVIRT__DISKS__:own:{folder}/own:1048576"
    one.room.run("truncate", "-s", "2M", str(folder / "own"))
    one.room.run("sanlock", "client", "init", "-r", made)
    lease = LEASE.format(space="__LIBVIRT__DISKS__", key="own", path=folder / "own").replace(
        "/></", " offset='1048576'/></"
    )
    assert one.create(ours, "g1", "a.qcow2", lease=lease) == ""
    assert made in one.status()
    assert HELD in two.create(two.room.ours, "g2", "b.qcow2", lease=lease)
    assert ours.virsh("detach-device", "g1", write(one, lease)).returncode == 0
    one.room.wait(lambda: made not in one.status(), "the lease is not given back")
    assert ours.virsh("attach-device", "g1", write(one, lease)).returncode == 0
    assert made in one.status()
    assert two.create(two.room.ours, "g2", "b.qcow2") == ""
    disk = (f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{one.shared}/b.qcow2'/>"
            "<target dev='vdb' bus='virtio'/></disk>")  # fmt: skip
    assert HELD in ours.virsh("attach-device", "g1", write(one, disk)).stderr
    ended(two, two.room.ours, "g2")
    assert ours.virsh("attach-device", "g1", write(one, disk)).returncode == 0
    assert one.status().count("\nr ") == 3
    spec = ("--disk-only", "--no-metadata", "--diskspec", f"vda,file={one.room.folder}/own/over.qcow2")
    assert ours.virsh("snapshot-create-as", "g1", "s", *spec, "--diskspec", "vdb,snapshot=no").returncode == 0
    over = hashlib.md5(f"{one.room.folder}/own/over.qcow2".encode()).hexdigest()
    first = hashlib.md5(str(one.shared / "a.qcow2").encode()).hexdigest()
    one.room.wait(lambda: over in one.status() and f":{first}:" not in one.status(), "the lease follows the top image")
    ended(one, ours, "g1")


def write(host: Host, text: str) -> str:
    path = host.room.folder / "device.xml"
    path.write_text(text)
    return str(path)


@pytest.mark.guide("domxml-events-on-lockfailure")
def test_what_happens_when_the_leases_are_lost(hosts: tuple[Host, Host]) -> None:
    """The host's place in the lockspace is wiped under the guests: sanlock runs our program, which ends one guest and pauses the other."""
    one, two = hosts
    ours, real = one.room.ours, two.room.real
    for action in ("restart", "ignore"):
        said = [one.create(ours, "bad", "c.qcow2", action=action), two.create(real, "bad", "c.qcow2", action=action)]
        assert all(f"Failure action {action} is not supported by sanlock" in text for text in said), said
    assert one.create(ours, "off", "a.qcow2", action="poweroff") == ""
    assert one.create(ours, "held", "b.qcow2", action="pause") == ""
    one.room.run("dd", "if=/dev/zero", f"of={one.shared}/leases/__LIBVIRT__DISKS__", "bs=1M", "count=1", "conv=notrunc")
    one.room.wait(lambda: "off" not in ours.virsh("list", "--name").stdout, "the guest is not ended")
    one.room.wait(lambda: ours.virsh("domstate", "held").stdout.strip() == "paused", "the guest is not paused")
    one.room.wait(
        lambda: "space_dead" not in one.status() and "\nr " not in one.status(), "its leases are not given back"
    )
    assert ours.virsh("domstate", "held").stdout.strip() == "paused", "sanlock lets it live"
    ended(one, ours, "held")


def test_settings_that_cannot_work(hosts: tuple[Host, Host]) -> None:
    _, two = hosts
    two.configure('auto_disk_leases = 1\ndisk_lease_dir = "/tmp"\n')
    two.room.kill_ours()
    two.room.start_ours()
    assert "Automatic disk lease mode enabled, but no host ID is set" in two.create(two.room.ours, "g", "c.qcow2")
    two.configure("auto_disk_leases = 0\nrequire_lease_for_disks = 1\n")
    two.room.kill_ours()
    two.room.start_ours()
    assert "Read/write, exclusive access, disks were present, but no leases" in two.create(
        two.room.ours, "g", "c.qcow2"
    )
