"""Every method of every class of libvirt-python once, on kvasird and on the real daemon: the same answers and the same errors."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, Peers

GUEST = """<domain type='qemu'><name>{name}</name><uuid>{digit}1111111-1111-1111-1111-111111111111</uuid>
<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{folder}/{name}.qcow2'/><target dev='vda'/></disk>
<serial type='pty'/><graphics type='vnc'/></devices></domain>"""
POOL = """<pool type='dir'><name>sweep</name><uuid>44444444-4444-4444-4444-444444444444</uuid>
<target><path>{folder}/pool</path></target></pool>"""
ELSEWHERE = re.compile(
    r"\.(c_pointer|getURI|UUID|UUIDString|vcpus|domainXMLFromNative"  # libvirt 9.0 reads no native line, ours does
    r"|(list|listAll|listDefined|numOf|numOfDefined)(Devices|Interfaces|NWFilters)"  # the real one has a network namespace
    r"|getLibVersion|getVersion)$"
)

AT_HOME = re.compile(
    r"\.(interfaceAddresses"  # counts with the guests of one process
    r"|setIdentity|restoreParams|memoryPeek"  # ours does the first two; libvirt's makes up the third's bytes
    r"|schedulerParametersFlags"  # refuses a flag that its own library adds
    r"|securityLabelList"  # not served by the library; libvirtd answers it with -1 and no error, and ours does as libvirtd
    r"|lookupByUUID|lookupByUUIDString|snapshotCurrent|snapshotLookupByName)$"  # ours names the object, the snapshots' driver
)


def sweep(peers: Peers, uri: str, folder: Path) -> dict[str, str]:
    (folder / "sweep.py").write_bytes((PROJECT / "tests/peers/sweep.py").read_bytes())
    done = peers.run("python3", str(folder / "sweep.py"), uri, str(folder))
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def prepare(daemon: DaemonHandle) -> None:
    folder = daemon.folder
    (folder / "pool").mkdir()
    for digit, name in ((1, "sweep"), (2, "sweepoff")):
        image = folder / f"{name}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "4M"], check=True)
        image.chmod(0o666)
        (folder / f"{name}.xml").write_text(GUEST.format(name=name, digit=digit, folder=folder))
        assert daemon.virsh("define", str(folder / f"{name}.xml")).returncode == 0
    (folder / "pool.xml").write_text(POOL.format(folder=folder))
    for words in (("start", "sweep", "--paused"), ("pool-define", str(folder / "pool.xml")), ("pool-start", "sweep")):
        done = daemon.virsh(*words)
        assert done.returncode == 0, done.stderr


def compared(real: dict[str, str], ours: dict[str, str]) -> dict[str, tuple[str, str]]:
    assert real.keys() == ours.keys()
    return {key: (real[key], ours[key]) for key in real if not ELSEWHERE.search(key) and real[key] != ours[key]}


def test_on_qemu(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, peers: Peers) -> None:
    """More than 400 methods with a paused guest, one that is off, a snapshot, network, pool, volume, device, secret, filter."""
    said = []
    for daemon in (real_libvirtd, kvasird):
        prepare(daemon)
        text = json.dumps(sweep(peers, daemon.uri, daemon.folder))
        text = text.replace(f"{daemon.folder}/var/lib", "/var/lib").replace(str(daemon.folder), "FOLDER")
        said.append(json.loads(text))
    assert compared(*said) == {}
    assert len(said[0]) > 400
    for name in ("sweep", "sweepoff"):  # one of the methods started the second
        assert kvasird.virsh("destroy", name).returncode == 0


def test_on_the_test_driver(kvasird: KvasirDaemon, peers: Peers, tmp_path: Path) -> None:
    """The same on ``test:///default``, where the real one is in the client's own library."""
    kvasird.folder.chmod(0o755)
    said = [
        sweep(peers, uri, kvasird.folder)
        for uri in ("test:///default", kvasird.uri.replace("qemu+unix:///system", "test+unix:///default"))
    ]
    different = {key: pair for key, pair in compared(*said).items() if not AT_HOME.search(key)}
    assert different == {}
    assert len(said[0]) > 300


def test_kvasir_client_is_like_libvirt_python(kvasird: KvasirDaemon, peers: Peers) -> None:
    """The client library beside libvirt-python, both on kvasird: all constants, names, shapes of answers, errors, what callbacks get."""
    prepare(kvasird)
    kvasird.folder.chmod(0o755)
    script = PROJECT / "tests/peers/alike.py"
    done = peers.run("python3", str(script), str(PROJECT / "src"), kvasird.uri, "sweep", "sweepoff")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.strip().splitlines()[-1]) == []
    assert kvasird.virsh("destroy", "sweep").returncode == 0
