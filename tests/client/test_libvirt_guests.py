"""``libvirt-guests``: what runs at the shutdown is saved or shut down, and runs again after the boot (guide A.11)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from kvasir.cli.libvirt_guests import Settings
from tests.conftest import PROJECT, Done, KvasirDaemon, short_folder
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root")
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>{disk}<controller type='usb' model='none'/>
<memballoon model='none'/></devices></domain>"""
DISK = "<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/><target dev='hda' bus='ide'/><shareable/></disk>"
BUTTON = bytes.fromhex(
    "fa ba0206 b80001 ef ba0006 b80001 ef"  # the power button's event is switched on (port 0x602) and cleared (0x600),
    "ed a90001 74fa"  # waited for,
    "ba0406 b80020 ef f4 ebfd"  # and answered by switching off
)
STOCK = """# what to look at
#URIS=default
#ON_BOOT=start
#START_DELAY=0
#ON_SHUTDOWN=suspend
#PARALLEL_SHUTDOWN=0
#SHUTDOWN_TIMEOUT=300
#BYPASS_CACHE=0
"""


class Host:
    """A daemon with its configuration file, and the service on it."""

    def __init__(self, daemon: KvasirDaemon) -> None:
        self.daemon, self.conf = daemon, daemon.folder / "guests.conf"
        self.list = daemon.folder / "var/lib/libvirt/libvirt-guests"

    def settings(self, **values: object) -> None:
        self.conf.write_text(
            "".join(f'{name}="{value}"\n' for name, value in ({"URIS": self.daemon.uri} | values).items())
        )

    def service(self, verb: str) -> Done:
        command = [
            sys.executable,
            "-m",
            "kvasir.cli.libvirt_guests",
            verb,
            "--root",
            str(self.daemon.folder),
            "--config",
            str(self.conf),
        ]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)

    def define(self, name: str, code: bytes = b"") -> None:
        """A guest that does nothing, or runs that boot sector."""
        disk = ""
        if code:
            path = self.daemon.folder / f"{name}.img"
            path.write_bytes((code.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))
            path.chmod(0o666)
            disk = DISK.format(path=path)
        path = self.daemon.folder / f"{name}.xml"
        path.write_text(GUEST.format(name=name, disk=disk))
        assert self.virsh("define", str(path)) is not None

    def virsh(self, *words: str) -> str:
        done = self.daemon.virsh(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def states(self, *names: str) -> list[str]:
        return [self.virsh("domstate", name).strip() for name in names]

    def started(self, *names: str) -> None:
        for name in names:
            self.virsh("start", name)


@pytest.fixture
def host(kvasird: KvasirDaemon) -> Host:
    return Host(kvasird)


@pytest.fixture
def other() -> Iterator[KvasirDaemon]:
    """A second host."""
    with short_folder("kv-") as folder:
        daemon = KvasirDaemon(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, None)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()
            daemon.end_guests()


@pytest.mark.guide("libvirt-guests-file")
def test_the_file() -> None:
    assert Settings(STOCK).values == {
        "URIS": "default", "ON_BOOT": "start", "START_DELAY": "0", "ON_SHUTDOWN": "suspend", "PARALLEL_SHUTDOWN": "0",
        "SHUTDOWN_TIMEOUT": "300", "BYPASS_CACHE": "0", "SYNC_TIME": "0",
    }  # fmt: skip
    for line in STOCK.splitlines()[1:]:
        name, value = line.removeprefix("#").split("=")
        new = {"ON_BOOT": "ignore", "ON_SHUTDOWN": "shutdown", "URIS": "'test:///default qemu:///session'"}.get(
            name, "7"
        )
        changed = Settings(STOCK.replace(line, f"{name}={new}  # mine")).values
        assert changed == {**Settings(STOCK).values, name: new.strip("'")} and changed[name] != value
    for bad in ("ON_BOOT=maybe", "START_DELAY=soon", "PARALLEL_SHUTDOWN=-1"):
        with pytest.raises(ValueError, match=bad.partition("=")[0]):
            Settings(bad)


@pytest.mark.guide(
    "libvirt-guests-service", "libvirt-guests-on-boot", "libvirt-guests-on-shutdown", "libvirt-guests-bypass-cache",
    "libvirt-guests-start-delay", "libvirt-guests-uris",
)  # fmt: skip
def test_saved_and_started_again(host: Host, other: KvasirDaemon) -> None:
    host.settings(URIS=f"{host.daemon.uri} {other.uri}", START_DELAY=3)
    for name in ("one", "two", "auto"):
        host.define(name)
    (other.folder / "far.xml").write_text(GUEST.format(name="far", disk=""))
    assert other.our_virsh("create", str(other.folder / "far.xml")).returncode == 0, (
        "without a definition: it is left alone"
    )
    (other.folder / "near.xml").write_text(GUEST.format(name="near", disk=""))
    for words in (("define", f"{other.folder}/near.xml"), ("start", "near")):
        assert other.our_virsh(*words).returncode == 0
    host.started("one", "two")
    host.virsh("autostart", "auto")
    done = host.service("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "far: not saved, as it has no definition" in done.stdout and "--bypass-cache" not in done.stdout
    assert host.states("one", "two", "auto") == ["shut off"] * 3
    assert re.search(r"Managed save: +yes", host.virsh("dominfo", "one"))
    uuids = [host.virsh("domuuid", name).strip() for name in ("one", "two")]
    first, second = host.list.read_text().splitlines()
    assert first.split()[0] == host.daemon.uri and sorted(first.split()[1:]) == sorted(uuids)
    assert second.split()[0] == other.uri and len(second.split()) == 2
    assert host.service("status").returncode == 3
    before = time.monotonic()
    done = host.service("start")
    assert done.returncode == 0 and time.monotonic() - before >= 3, "the delay lies between the two"
    assert host.states("one", "two", "auto") == ["running", "running", "shut off"]
    assert host.virsh("domstate", "one", "--reason").strip() == "running (restored)"
    assert other.our_virsh("domstate", "near", "--reason").stdout.strip() == "running (restored)"
    assert not host.list.exists() and host.service("status").returncode == 0
    host.settings(ON_BOOT="ignore", BYPASS_CACHE=1)
    done = host.service("stop")
    assert "managedsave one --bypass-cache: done" in done.stdout, done.stdout
    assert host.daemon.stop() == 0
    (host.daemon.folder / "run/libvirt/qemu/autostarted").unlink()  # as after a boot
    host.daemon.start()
    assert host.service("start").returncode == 0
    until(lambda: host.states("auto") == ["running"])
    assert host.states("one", "two") == ["shut off"] * 2
    host.virsh("start", "one")
    for name in ("one", "auto"):
        host.virsh("destroy", name)


@pytest.mark.guide(
    "libvirt-guests-proc",
    "libvirt-guests-on-shutdown",
    "libvirt-guests-parallel-shutdown",
    "libvirt-guests-shutdown-timeout",
)
def test_shut_down(host: Host) -> None:
    """Guests that answer their power button, four in pairs; then one that does not."""
    names = [f"g{number}" for number in range(4)]
    for name in names:
        host.define(name, BUTTON)
    host.define("deaf")
    host.started(*names)
    time.sleep(2)
    host.settings(ON_SHUTDOWN="shutdown", PARALLEL_SHUTDOWN=2, SHUTDOWN_TIMEOUT=60)
    done = host.service("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.states(*names) == ["shut off"] * 4
    assert re.search(r"Managed save: +no", host.virsh("dominfo", "g0"))
    going, most = 0, 0
    for line in done.stdout.splitlines():
        going += line.startswith("shutdown ") - line.endswith(": is off")
        most = max(most, going)
    assert most == 2, done.stdout
    assert host.service("start").returncode == 0
    assert host.states(*names) == ["running"] * 4
    host.virsh("start", "deaf")
    host.settings(ON_SHUTDOWN="shutdown", PARALLEL_SHUTDOWN=0, SHUTDOWN_TIMEOUT=5)
    time.sleep(2)
    before = time.monotonic()
    done = host.service("stop")
    assert done.returncode == 1 and "not shut down in 5 s: deaf" in done.stdout
    assert time.monotonic() - before < 60
    lines = [line for line in done.stdout.splitlines() if line.startswith("shutdown ") or line.endswith(": is off")]
    answered = [line for line in lines if "deaf" not in line]
    assert all(line.endswith("is off") for line in answered[1::2]), "one after the other"
    assert host.states("deaf", *names) == ["running", *["shut off"] * 4]
    host.virsh("destroy", "deaf")
