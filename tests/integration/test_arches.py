"""Guests of other architectures: defined alike by both daemons, refused alike where emulation cannot do it, run by ours (TCG).

The emulators and ARM's firmware are Debian's, unpacked; the guests run their firmware, which says so on the serial port.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.golden.test_arches import emulators
from tests.unpacked import unpacked
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
GUEST = """\
<domain type='qemu'>
  <name>{name}</name>
  <uuid>6c1b2c3d-0000-4000-8000-0000000000{number}</uuid>
  <memory unit='MiB'>256</memory>
  <os>
    <type arch='{arch}' machine='{machine}'>hvm</type>
    {os}
  </os>
  {features}
  {cpu}
  <devices>
    <emulator>{emulator}</emulator>
    <serial type='file'><source path='{serial}'/></serial>
  </devices>
</domain>
"""
UEFI = "<loader readonly='yes' type='pflash'>{0}/AAVMF_CODE.fd</loader><nvram template='{0}/AAVMF_VARS.fd'/>"
POWER8 = "<cpu mode='custom'><model>POWER8</model></cpu>"
PASSTHROUGH = "<cpu mode='host-passthrough'/>"


def _power(folder: Path) -> str:
    emulator = emulators(False) / "qemu-system-ppc64"
    path = folder / "power.xml"
    path.write_text(GUEST.format(
        name="power", number="01", arch="ppc64", machine="pseries", os="", features="", cpu=POWER8, emulator=emulator,
        serial=folder / "power.serial",
    ))  # fmt: skip
    return str(path)


def _arm(folder: Path, cpu: str, name: str = "arm") -> str:
    firmware = unpacked("qemu-efi-aarch64") / "usr/share/AAVMF"
    path = folder / f"{name}.xml"
    path.write_text(GUEST.format(
        name=name, number="02", arch="aarch64", machine="virt", os=UEFI.format(firmware), features="<features><acpi/></features>",
        cpu=cpu, emulator=emulators(False) / "qemu-system-aarch64", serial=folder / f"{name}.serial",
    ))  # fmt: skip
    return str(path)


@pytest.mark.guide("domxml-cpu-ppc64-aarch64")
def test_both_daemons_keep_the_documents(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle, tmp_path: Path) -> None:
    documents = {"power": _power(tmp_path), "arm": _arm(tmp_path, PASSTHROUGH)}
    told: dict[str, list[str]] = {"power": [], "arm": [], "refused": []}
    for daemon in (real_libvirtd, kvasird):
        for name, path in documents.items():
            assert daemon.virsh("define", path).returncode == 0
            told[name].append(daemon.virsh("dumpxml", "--inactive", name).stdout.replace(str(daemon.folder), ""))
        told["refused"].append(daemon.virsh("start", "arm").stderr)
        for name in documents:
            assert daemon.virsh("undefine", "--nvram", name).returncode == 0
    assert "<model fallback='allow'>POWER8</model>" in told["power"][1]
    assert "<cpu mode='host-passthrough' check='none'/>" in told["arm"][1]
    assert "CPU mode 'host-passthrough' for aarch64 qemu domain on" in told["refused"][1]
    for real, ours in told.values():
        assert ours == real


def test_the_firmware_runs(kvasird: KvasirDaemon) -> None:
    cpu = "<cpu mode='custom'><model>cortex-a57</model></cpu>"
    for document in (_power(kvasird.folder), _arm(kvasird.folder, cpu)):
        done = kvasird.virsh("create", document)
        assert done.returncode == 0, done.stderr
    for name, words, model in (("power", b"SLOF", "POWER8"), ("arm", b"UEFI firmware", "cortex-a57")):
        serial = kvasird.folder / f"{name}.serial"
        until(lambda serial=serial, words=words: words in serial.read_bytes(), f"{name}'s firmware says nothing")
        assert f"<model fallback='forbid'>{model}</model>" in kvasird.virsh("dumpxml", name).stdout
        assert kvasird.virsh("domstate", name).stdout.strip() == "running"
        assert kvasird.virsh("destroy", name).returncode == 0
