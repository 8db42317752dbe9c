"""What becomes of a guest that powers itself off, crashes, or stops feeding its watchdog; each is a boot sector of a few bytes.

The outcomes and the words of the refusals are those that the real libvirt 9.0 gave for the same sectors.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.conftest import Done, KvasirDaemon
from tests.integration.test_lifecycle import Listener

POWEROFF = bytes.fromhex("fa ba0406 b80020 ef f4 ebfd")
"""Writes "soft off" to the power management register of the pc machine."""
PANIC = bytes.fromhex("fa ba0505 b001 ee f4 ebfd")
"""Tells the pvpanic device that its kernel crashed."""
RESET = bytes.fromhex("fa b90000 e2fe ba6400 b0fe ee f4 ebfd")
"""Waits a little, then has the keyboard controller reset the machine."""
WATCHDOG = bytes.fromhex("fa ba4304 b00e ee f4 ebfd")
"""Arms the ib700 watchdog with two seconds, and never feeds it."""
GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>{top}<devices>
<disk type='file'><driver name='qemu' type='raw'/><source file='{disk}'/><target dev='hda' bus='ide'/></disk>{devices}
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""
ACTS = {
    "off": (POWEROFF, "<on_poweroff>{0}</on_poweroff>", ""),
    "again": (RESET, "<on_reboot>{0}</on_reboot>", ""),
    "crash": (PANIC, "<on_crash>{0}</on_crash>", "<panic model='isa'/>"),
    "dog": (WATCHDOG, "", "<watchdog model='ib700' action='{0}'/>"),
}
OUTCOMES = {
    "off destroy": "shut off (shutdown)",
    "off restart": "running (booted)",
    "again destroy": "shut off (shutdown)",
    "again restart": "running (booted)",
    "crash destroy": "shut off (crashed)",
    "crash restart": "running (crashed)",
    "crash preserve": "crashed (panicked)",
    "crash coredump-destroy": "shut off (crashed)",
    "crash coredump-restart": "running (crashed)",
    "dog reset": "running (booted)",
    "dog shutdown": "running (booted)",
    "dog poweroff": "shut off (crashed)",
    "dog pause": "paused (watchdog)",
    "dog none": "running (booted)",
    "dog dump": "running (unpaused)",
}
EVENTS = {
    "off destroy": "lifecycle: Shutdown Finished after guest request|lifecycle: Stopped Shutdown",
    "off restart": "reboot",
    "again destroy": "lifecycle: Shutdown Finished after guest request|lifecycle: Stopped Shutdown",
    "again restart": "reboot",
    "crash destroy": "lifecycle: Crashed Panicked|lifecycle: Stopped Crashed",
    "crash restart": "lifecycle: Crashed Panicked|reboot",
    "crash preserve": "lifecycle: Crashed Panicked",
    "crash coredump-destroy": "lifecycle: Crashed Panicked|lifecycle: Stopped Crashed",
    "crash coredump-restart": "lifecycle: Crashed Panicked|reboot",
    "dog reset": "watchdog: reset|reboot",
    "dog shutdown": "watchdog: shutdown",
    "dog poweroff": "watchdog: poweroff|lifecycle: Stopped Failed",
    "dog pause": "watchdog: pause|lifecycle: Suspended Watchdog",
    "dog none": "watchdog: none",
    "dog dump": "watchdog: pause|lifecycle: Suspended Watchdog|lifecycle: Resumed Unpaused",
}
CORES = ("crash coredump-destroy", "crash coredump-restart", "dog dump")
NO_PRESERVE = "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'"
NO_RENAME = "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'"
REFUSED = {
    "off preserve": NO_PRESERVE,
    "off rename-restart": NO_RENAME,
    "off coredump-destroy": "Lifecycle event 'poweroff' doesn't support 'coredump-destroy' action",
    "crash rename-restart": NO_RENAME,
}
CHANGES = {
    "poweroff preserve": NO_PRESERVE,
    "reboot preserve": NO_PRESERVE,
    "poweroff rename-restart": NO_RENAME,
    "crash rename-restart": NO_RENAME,
    "poweroff coredump-destroy": "Lifecycle event 'poweroff' doesn't support 'coredump-destroy' action",
    "reboot destroy": "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'",
}


def define(daemon: KvasirDaemon, case: str) -> Done:
    """A guest that does it, named after the case."""
    act, word = case.split()
    code, top, devices = ACTS[act]
    disk = daemon.folder / f"{act}-{word}.img"
    disk.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    disk.chmod(0o666)
    path = daemon.folder / f"{act}-{word}.xml"
    name = case.replace(" ", "-")
    path.write_text(GUEST.format(name=name, disk=disk, top=top.format(word), devices=devices.format(word)))
    return daemon.virsh("define", str(path))


def told(log: Path, case: str) -> list[str]:
    """The events of a guest: kind, and what it says."""
    name = case.replace(" ", "-")
    found = re.findall(rf"^event '(\S+)' for domain '{name}'(: .*)?$", log.read_text(), re.M)
    return [kind + rest for kind, rest in found]


def wrong(daemon: KvasirDaemon, log: Path, case: str) -> str:
    """What has not come yet."""
    name = case.replace(" ", "-")
    is_so = daemon.virsh("domstate", name, "--reason").stdout.strip()
    said = told(log, case)
    cores = [path.name for path in (daemon.folder / "var/lib/libvirt/qemu/dump").glob("*")]
    if is_so != OUTCOMES[case] or not all(word in said for word in EVENTS[case].split("|")):
        return f"{case}: {is_so}, {said[:12]}"
    if case in CORES and not any(f"-{name[:20]}-" in core for core in cores):
        return f"{case}: no core in {cores}"
    return ""


@pytest.mark.guide("domxml-events-on-poweroff", "domxml-events-on-crash", "domxml-watchdog-action")
def test_what_guests_do_to_themselves(kvasird: KvasirDaemon) -> None:
    for case, words in REFUSED.items():
        assert words in define(kvasird, case).stderr
    listener = Listener(kvasird, kvasird.folder / "events")
    try:
        for case in OUTCOMES:
            done = define(kvasird, case)
            assert done.returncode == 0, done.stderr
            done = kvasird.virsh("start", case.replace(" ", "-"))
            assert done.returncode == 0, done.stderr
        for change, words in CHANGES.items():
            for which in ("--live", "--config"):
                done = kvasird.virsh("set-lifecycle-action", "off-restart", *change.split(), which)
                assert words in done.stderr, (change, done.stderr)
        left, end = list(OUTCOMES), time.monotonic() + 120
        while left:
            for case in list(left):
                problem = wrong(kvasird, listener.out, case)
                if not problem:
                    kvasird.virsh("destroy", case.replace(" ", "-"))
                    left.remove(case)
                assert time.monotonic() < end, problem
            time.sleep(0.2)
    finally:
        listener.stop()
