"""``virsh sysinfo`` and guests with ``smbios mode='host'``: both daemons with a dmidecode of our own writing (this host has no SMBIOS)."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers, short_folder

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/sbin/dmidecode").exists(), reason="needs root and dmidecode"
)
SAYS = """BIOS Information
	Vendor: Example Firmware & Co.
	Version: 6FET82WW (3.12)
	Release Date: 10/26/2009
	ROM Size: 8192 kB
	BIOS Revision: 3.18

System Information
	Manufacturer: Example
	Product Name: Rack 12
	Version: Not Specified
	Serial Number: R9-0042
	UUID: e2c4f9d1-5b4a-11cb-b28c-9c1e4f6a7d01
	SKU Number: X
	Family: @

Base Board Information
	Manufacturer: Boards
	Product Name: B-1
	Version: 2.0
	Serial Number: 77
	Asset Tag: Not Specified
	Location In Chassis: Not Available

Chassis Information
	Manufacturer: Not Specified
	Version: None
	Serial Number: Not Present
	Asset Tag: C1
	SKU Number: @

Processor Information
	Socket Designation: CPU 0
	Type: Central Processor
	Family: Not Specified
	Manufacturer: Not Present
	Signature: None
	Version: @
	Max Speed: 3000 MHz
	Status: Populated, Enabled
	Serial Number: Not Specified
	Part Number: Not Specified

Memory Device
	Size: No Module Installed
	Form Factor: DIMM
	Locator: Slot 0
	Speed: Unknown
	Manufacturer: Not Specified

Memory Device
	Size: 4096 MB
	Form Factor: DIMM
	Locator: Slot 1
	Bank Locator: Bank 0
	Type: DDR3
	Type Detail: Synchronous
	Speed: 1600 MT/s
	Manufacturer: M
	Serial Number: Not Specified
	Part Number: None

OEM Strings
	String 1: one
	String 2: two words

"""
GUEST = """<domain type='qemu'><name>twin</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type><smbios mode='host'/></os></domain>"""


class Ours(KvasirDaemon):
    """Ours in a mount namespace in which dmidecode is its folder's script."""

    def within(self, *command: str) -> list[str]:
        mount = f"mount --bind {self.folder}/dmidecode /usr/sbin/dmidecode"
        return ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", *command]


@pytest.fixture(scope="module")
def pair(peers: Peers) -> Iterator[tuple[DaemonHandle, DaemonHandle]]:
    """The real daemon and ours, each in a mount namespace in which dmidecode is a script."""
    with short_folder("kv-dmi-") as folder, short_folder("kv-real-") as real:
        script = folder / "dmidecode"
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{SAYS.replace('@', '')}END\n")
        script.chmod(0o755)
        env = {**os.environ, "KVASIR_PEERS": str(peers.root), "PYTHONPATH": str(PROJECT / "src")}
        peer = str(PROJECT / "scripts/peer")

        def run(*words: str) -> str:
            return subprocess.run([peer, *words], env=env, capture_output=True, text=True, check=True).stdout.strip()

        mount = ["mount", "--bind", str(script), "/usr/sbin/dmidecode"]
        uri = run("libvirtd", "--dir", str(real), "--background")
        run("exec", "--dir", str(real), "--", *mount)
        run("restart", "--dir", str(real))
        ours = Ours(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        ours.start()
        try:
            yield DaemonHandle(uri, real, peers), ours
        finally:
            ours.stop()
            run("stop", "--dir", str(real))


@pytest.mark.guide("domxml-os-smbios-host-sysinfo-api", "virsh-sysinfo")
def test_sysinfo(pair: tuple[DaemonHandle, DaemonHandle]) -> None:
    said = [virsh("sysinfo").stdout for daemon in pair for virsh in (daemon.virsh, daemon.our_virsh)]
    assert said == [said[0]] * 4
    for word in (
        "vendor'>Example Firmware &amp; Co.<",
        "version'>6FET82WW (3.12)<",
        "serial'>R9-0042<",
        "product'>Rack 12<",
    ):
        assert word in said[0], said[0]


@pytest.mark.guide("domxml-os-smbios-host-sysinfo-api")
def test_a_guest_with_the_hosts_values(pair: tuple[DaemonHandle, DaemonHandle]) -> None:
    """Block 0 and 1 on QEMU's command line, all but the UUID, which is the guest's own."""
    words = []
    for daemon in pair:
        path = daemon.folder / "twin.xml"
        path.write_text(GUEST)
        said = daemon.virsh("domxml-to-native", "qemu-argv", str(path)).stdout
        words.append([word for word in shlex.split(said) if word.startswith("type=")])
    assert words[1] == words[0] and len(words[0]) >= 2
    assert "manufacturer=Example" in words[0][1] and "e2c4f9d1" not in str(words)
