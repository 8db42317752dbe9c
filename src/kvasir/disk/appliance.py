"""The appliance: a small machine (kernel and busybox of the tiny guest) that mounts a guest's disks and runs a script there.

Nothing of the guest's file systems is read by this host: a broken or hostile one can hurt only the machine, which is thrown away.
QEMU's locks keep it from the disks of a guest that runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

from . import places

MEMORY = 256
"""MiB besides twice the initrd's."""
TIMEOUT = 900
PATIENCE = 20
EMULATORS: tuple[str, ...] = ("qemu-system-x86_64", "/usr/libexec/qemu-kvm", "qemu-kvm")
NO_ROOT = 3


class DiskError(RuntimeError):
    """Why the disks could not be looked into, with what repairs it where that is known."""


@dataclass(frozen=True)
class Disk:
    """A guest's disk: a path (or a URI that QEMU knows), and its format."""

    path: str
    format: str = "raw"


def emulator() -> str:
    for name in EMULATORS:
        found = shutil.which(name)
        if found:
            return found
    raise DiskError("QEMU is not installed\nhint: apt-get install qemu-system-x86")


def accelerators() -> list[str]:
    """What to try: KVM where it may be used, else and after it emulation. ``KVASIR_APPLIANCE_ACCEL`` says otherwise."""
    said = os.environ.get("KVASIR_APPLIANCE_ACCEL")
    return [said] if said else ["kvm", "tcg"] if os.access("/dev/kvm", os.R_OK | os.W_OK) else ["tcg"]


def initrd(folder: str, target: str, files: list[tuple[str, bytes, int]]) -> None:
    """The tiny guest's initramfs, drivers of more file systems where they are there, our init and these files."""
    from kvasir.install.media import inject

    with open(target, "wb") as out:
        for name in ("initramfs", "filesystems"):
            path = os.path.join(folder if name == "initramfs" else os.path.join(folder, "../appliance"), name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    shutil.copyfileobj(file, out)
                out.write(b"\0" * (-out.tell() % 512))
    with open(os.path.join(os.path.dirname(__file__), "init.txt"), "rb") as file:
        init = file.read()
    inject(target, [("appliance", init, 0o100755), *files])


def command(disks: list[Disk], folder: str, work: str, accelerator: str, *, readonly: bool) -> list[str]:
    """QEMU's command line."""
    memory = MEMORY + 2 * (os.path.getsize(os.path.join(work, "initrd")) >> 20)
    with open(os.path.join(folder, "cmdline"), encoding="ascii") as file:
        line = file.read().strip()
    words = [emulator(), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", str(memory),
             "-machine", f"pc,accel={accelerator}", "-kernel", os.path.join(folder, "kernel"), "-initrd", os.path.join(work, "initrd"),
             "-append", f"{line} rdinit=/appliance", "-serial", f"file:{work}/console",
             "-chardev", f"file,id=out,path={work}/out", "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=out"]  # fmt: skip
    for number, disk in enumerate(disks):
        path = disk.path.replace(",", ",,")
        more = ",snapshot=on" if readonly else ""
        words += [
            "-drive",
            f"file={path},format={disk.format},if=none,id=d{number}{more}",
            "-device",
            f"virtio-blk-pci,drive=d{number}",
        ]
    return words


def run(
    disks: list[Disk],
    script: str,
    *,
    readonly: bool = False,
    after: str = "",
    luggage: list[tuple[str, bytes, int]] | None = None,
) -> str:
    """Mount the guest on these disks and run a shell script in its root folder; give what it printed.

    ``after`` is a script that runs when the guest is unmounted again, ``luggage`` files (name, bytes, mode) that lie in the root of the
    appliance. ``readonly`` throws away what is written. Raises DiskError: no appliance, a disk in use, no Linux found, a script that fails.
    """
    folder = places.tiny()
    if not folder:
        raise DiskError(f"the appliance's kernel is not built yet\nhint: {places.PROJECT}/scripts/tiny-guest")
    with tempfile.TemporaryDirectory(prefix="kvasir-disk-") as work:
        files = [
            ("script", script.encode(), 0o100644),
            ("mode", b"ro" if readonly else b"rw", 0o100644),
            *(luggage or []),
        ]
        files += [("after", after.encode(), 0o100644)] if after else []
        initrd(folder, os.path.join(work, "initrd"), files)
        first, *others = accelerators()
        done = machine(command(disks, folder, work, first, readonly=readonly), work, PATIENCE if others else TIMEOUT)
        if done is None and others:  # KVM is there but does not get a machine up
            done = machine(command(disks, folder, work, others[0], readonly=readonly), work, TIMEOUT)
    if done is None:
        raise DiskError(f"the appliance did not come up within {TIMEOUT} s")
    return result(*done)


def machine(words: list[str], work: str, patience: float) -> tuple[str, str] | None:
    """Run QEMU to its end: what the script printed, what QEMU said. None for a machine that was not up in time."""
    out = os.path.join(work, "out")
    with open(os.path.join(work, "stderr"), "w+", encoding="utf-8", errors="replace") as err:
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=err, stderr=err) as child:
            try:
                end = time.monotonic() + patience
                while child.poll() is None and not (os.path.exists(out) and os.path.getsize(out)):
                    if time.monotonic() > end:
                        return None
                    time.sleep(0.05)
                child.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                raise DiskError(f"the appliance did not end within {TIMEOUT} s") from None
            finally:
                child.kill()
        err.seek(0)
        stderr = err.read()
    try:
        with open(out, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\r\n", "\n").removeprefix("up\n"), stderr
    except OSError:
        return "", stderr


def result(said: str, stderr: str) -> str:
    """What the script printed, without the status at its end."""
    found = re.search(r"\n?\nstatus (\d+)\n\Z", said)
    if found is None:
        words = stderr.strip().splitlines()
        locked = next((line for line in words if "lock" in line), "")
        if locked:
            raise DiskError("a disk is in use: the guest must be shut off\nhint: virsh shutdown GUEST")
        raise DiskError(f"the appliance failed: {words[-1] if words else 'it said nothing'}")
    text = said[: found.start()]
    text += "\n" if text and not text.endswith("\n") else ""
    if found[1] != "0":
        last = text.strip().splitlines()
        raise DiskError(last[-1] if last else f"exit status {found[1]}")
    return text
