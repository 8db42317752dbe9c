"""A guest whose own kdump takes its crash: the host's ``on_crash`` is not asked (KVASIR_LONG=1: two kernels come up one after the other)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import KvasirDaemon, TinyGuest
from tests.hotplug.harness import wait_agent
from tests.hotplug.test_live_rows import inside
from tests.integration.test_lifecycle import Listener
from tests.unpacked import libraries, unpacked
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("KVASIR_LONG") != "1", reason="takes a minute and more without KVM: KVASIR_LONG=1"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="the system's daemon needs root"),
    pytest.mark.timeout(900),
]
GUEST = """<domain type='qemu'><name>hp</name><memory unit='MiB'>640</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>{at}/kernel</kernel><initrd>{at}/initramfs</initrd>
<cmdline>{cmdline} crashkernel=192M</cmdline></os><features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu>
<on_crash>coredump-destroy</on_crash><devices><serial type='file'><source path='{at}/serial'/></serial>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><panic model='isa'/></devices></domain>"""
XEN = (
    "libxenmisc4.17", "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1", "libxengnttab1",
    "libxentoolcore1", "libxentoollog1",
)  # fmt: skip
"""Debian's kexec is linked with Xen's libraries."""
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
echo "kdump has $(/bin/busybox head -c 4 /proc/vmcore | /bin/busybox tail -c 3) of the kernel that crashed" > /dev/ttyS0
/bin/busybox reboot -f
"""
CRASH = "(sleep 1; echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger) > /dev/null 2>&1 < /dev/null &"
CRASH_CMDLINE = (
    "console=ttyS0 nr_cpus=1 reset_devices panic=-1 cryptomgr.notests mitigations=off tsc=reliable no_timer_check"
)


def archive(folder: Path) -> bytes:
    names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*")))
    done = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=folder, input=names.encode(), capture_output=True, check=True
    )
    return done.stdout


def driver(at: Path) -> Path:
    """The kernel's driver of the ISA panic device, which the tiny guest has not."""
    said = subprocess.run(
        ["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"Depends: (linux-image-\S+)", said)
    command = ["apt-get", "-o", "APT::Sandbox::User=root", "-q", "download", found[1] if found else "linux-image-amd64"]
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the kernel's package cannot be had: {done.stderr[-200:]}")
    (package,) = at.glob("linux-image-*.deb")
    unpack = f"dpkg-deb --fsys-tarfile {package} | tar -x -C {at} --wildcards '*/pvpanic-mmio.ko'"
    subprocess.run(["sh", "-c", unpack], check=True)
    return next(at.rglob("pvpanic-mmio.ko"))


def with_kexec(tiny: TinyGuest, at: Path) -> None:
    """The tiny guest's files with kexec, and a second kernel with a system that looks at the first one's memory."""
    small, more = at / "small", at / "more"
    (small / "bin").mkdir(parents=True)
    with open(tiny.initramfs, "rb") as file:
        subprocess.run(["cpio", "-id", "--quiet", "bin/busybox"], cwd=small, stdin=file, check=True)
    (small / "init").write_text(INIT)
    (small / "init").chmod(0o755)
    (more / "crash").mkdir(parents=True)
    (more / "crash/initrd").write_bytes(archive(small))
    shutil.copy(tiny.bzimage, more / "crash/bzimage")
    folder = unpacked("kexec-tools", *XEN)
    kexec = folder / "sbin/kexec"
    shutil.copy(kexec, more / "crash/kexec")
    env = {**os.environ, "LD_LIBRARY_PATH": libraries(folder)}
    said = subprocess.run(["ldd", str(kexec)], env=env, capture_output=True, text=True, check=True).stdout
    assert "not found" not in said, said
    for library in re.findall(r"(/\S+) \(0x", said):
        home = Path(library).parent if "ld-linux" in library else Path("/lib/x86_64-linux-gnu")
        target = more / str(home).lstrip("/") / Path(library).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    shutil.copy(driver(at), more / "crash/pvpanic-mmio.ko")
    shutil.copy(tiny.kernel, at / "kernel")
    (at / "initramfs").write_bytes(tiny.initramfs.read_bytes() + archive(more))


@pytest.mark.guide("domxml-panic-kdump-precedence")
def test_kdump_comes_first(kvasird: KvasirDaemon, tiny_guest: TinyGuest) -> None:
    at = kvasird.folder / "images"
    at.mkdir()
    at.chmod(0o777)
    with_kexec(tiny_guest, at)
    path = kvasird.folder / "hp.xml"
    path.write_text(GUEST.format(at=at, cmdline=tiny_guest.cmdline))
    dumps = kvasird.folder / "var/lib/libvirt/qemu/dump"
    listener = Listener(kvasird, kvasird.folder / "events")
    try:
        done = kvasird.virsh("create", str(path))
        assert done.returncode == 0, done.stderr
        wait_agent(kvasird)
        load = f"/crash/kexec -p /crash/bzimage --initrd=/crash/initrd --append='{CRASH_CMDLINE}'"
        said = inside(
            kvasird,
            f"{load} 2>&1; modprobe pvpanic; insmod /crash/pvpanic-mmio.ko; cat /sys/kernel/kexec_crash_loaded; lsmod",
        )
        assert "1" in said.splitlines() and "pvpanic_mmio" in said, said
        inside(kvasird, CRASH)
        end = time.monotonic() + 300
        while "kdump has ELF of the kernel that crashed" not in (text := (at / "serial").read_text(errors="replace")):
            assert time.monotonic() < end, text[-2000:]
            time.sleep(0.5)
        wait_agent(kvasird)
        assert kvasird.virsh("domstate", "hp").stdout.strip() == "running"
        assert "Crashed" not in listener.out.read_text()
        assert not list(dumps.glob("*"))
        inside(kvasird, "modprobe pvpanic; insmod /crash/pvpanic-mmio.ko")  # the same system without kdump
        inside(kvasird, CRASH)
        until(lambda: kvasird.virsh("domstate", "hp").returncode != 0, "it ends after its dump")
    finally:
        told = listener.stop()
        kvasird.virsh("destroy", "hp")
    assert any("Crashed Panicked" in line for line in told), told
    assert len(list(dumps.glob("*"))) == 1
