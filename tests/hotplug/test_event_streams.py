"""Random sequences of calls on both daemons: what clients are told, and in which order, is the same. With KVASIR_LONG=1 (ten minutes)."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle
from tests.hotplug.changes import CHANGES
from tests.hotplug.fragments import FRAGMENTS
from tests.hotplug.harness import Pair, masked

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.skipif(os.environ.get("KVASIR_LONG") != "1", reason="ten minutes: with KVASIR_LONG=1"),
    pytest.mark.timeout(900),
]
SEEDS, CALLS = 30, 20
PLUGGED = [name for name in FRAGMENTS if not name.startswith(("mem", "hostdev"))]
UPDATED = [name for name, _, more in CHANGES if more != "ATTACH"]
POOL = """attach-device hp {plug} {where}
attach-device hp {plug} {where};detach-device hp {plug} {where}
attach-device hp {plug} --live;attach-device hp {plug} --live
update-device hp {update} {where}
setmem hp 250M {where}
setmem hp 300M --live
blkdeviotune hp vda --total-bytes-sec {some} {where}
blkdeviotune hp vda --read-iops-sec {some} --write-iops-sec 50 --group-name g {where}
iothreadadd hp {digit} {where}
iothreaddel hp {digit} {where}
vcpupin hp 0 0 {where}
emulatorpin hp 0 {where}
schedinfo hp --set cpu_shares=512 {where}
memtune hp --soft-limit 900000 {where}
numatune hp --mode strict --nodeset 0 {where}
metadata hp http://a.b/{digit} --key k --set '<a/>' {where}
metadata hp http://a.b/{digit} --remove {where}
desc hp {where} --new-desc text{digit}
desc hp {where} --title --new-desc title
suspend hp
resume hp
suspend hp;resume hp
reset hp
inject-nmi hp
change-media hp sda --eject --live
change-media hp sda {images}/a.raw --insert --live
change-media hp sdb {images}/b.raw --insert {where}
change-media hp sdb --eject --force --live
domif-setlink hp 52:54:00:00:00:01 down
domif-setlink hp 52:54:00:00:00:01 up
undefine hp
define {document}
autostart hp
autostart hp --disable
dump hp {images}/dump --memory-only --live
dump hp {images}/dump --memory-only --crash;start hp --paused
destroy hp;start hp --paused
destroy hp;start hp
destroy hp;create {document} --paused
destroy hp;domrename hp hp2;domrename hp2 hp;start hp --paused
save hp {images}/saved;restore {images}/saved --paused
save hp {images}/saved --paused;restore {images}/saved
managedsave hp;start hp
managedsave hp --paused;start hp
managedsave hp --running;managedsave-remove hp;start hp --paused
blockresize hp vda 9M
blockresize hp vda 8M
shutdown hp --mode acpi
setvcpus hp 3 --live
setvcpus hp 3 --config
dommemstat hp --period 2 --live
qemu-monitor-command hp '{{"execute":"stop"}}'
qemu-monitor-command hp '{{"execute":"cont"}}'
qemu-monitor-command hp '{{"execute":"system_reset"}}'""".splitlines()


def sequence(pair: Pair, seed: int) -> list[str]:
    """The calls of a seed."""
    rng, folder = random.Random(seed), pair.document.parent
    lines = [f"define {pair.document}", "start hp --paused" if seed % 2 else "start hp"]
    while len(lines) < CALLS:
        lines += (
            rng.choice(POOL)
            .format(
                plug=folder / f"{rng.choice(PLUGGED)}.xml", update=folder / f"u-{rng.choice(UPDATED)}.xml", images=pair.images,
                where=rng.choice(["--live", "--config", "--live --config"]), some=rng.choice([0, 1000000]),
                digit=rng.choice([1, 2, 3]), document=pair.document,
            )
            .split(";")
        )  # fmt: skip
    return [*lines, "destroy hp", "undefine hp --managed-save --snapshots-metadata"]


def told(text: str, daemon: DaemonHandle) -> str:
    """What virsh says of events, without figures that differ by chance.

    The tiny guest resets itself over and over once it was reset; and whether QEMU still tells that it was ended is a matter of time.
    """
    text = re.sub(r"(?m)^\t(time_elapsed|downtime|setup_time|data_|memory_|disk_).*\n", "", masked(text, daemon))
    text = re.sub(r"(?m)^event '(migration-iteration|reboot)'.*\n", "", text)
    text = re.sub(r"(?m)^event 'lifecycle' for domain 'hp': Shutdown Finished after host request\n", "", text)
    return re.sub(r"libvirt-\d+", "libvirt-N", text)


def streams(daemon: DaemonHandle, lines: list[str], out: Path) -> list[str]:
    """Each call with what was said to it and told by it; the calls come one after the other, with a little time for what follows."""
    assert daemon.peers is not None
    libraries = ":".join(str(path.parent) for path in (daemon.peers.root / "usr/lib").glob("*/libvirt.so.0"))
    command = [str(daemon.peers.root / "usr/bin/virsh"), "-c", daemon.uri, "event", "--all", "--loop"]
    env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"}
    with out.open("w") as stream:
        listener = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
    found = []
    try:
        time.sleep(1)
        for line in lines:
            before = out.stat().st_size
            done = daemon.virsh(line)
            time.sleep(0.5)
            said = re.sub(r"(?m)^Time: .*", "", done.stdout + done.stderr)
            found.append(f"{line}\n{told(said, daemon)}{told(out.read_text()[before:], daemon)}")
    finally:
        listener.send_signal(signal.SIGINT)
        listener.wait()
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_same_events_in_the_same_order(pair: Pair, seed: int) -> None:
    folder = pair.document.parent
    for name in PLUGGED:
        (folder / f"{name}.xml").write_text(FRAGMENTS[name].replace("{images}", str(pair.images)) + "\n")
    for name, xml, _ in CHANGES:
        (folder / f"u-{name}.xml").write_text(xml.replace("{images}", str(pair.images)) + "\n")
    lines = sequence(pair, seed)
    theirs, ours = pair.both(lambda daemon: streams(daemon, lines, folder / f"events-{daemon is pair.ours}"))
    assert isinstance(theirs, list) and isinstance(ours, list)
    wrong = [f"libvirt: {one}ours: {other}" for one, other in zip(theirs, ours, strict=True) if one != other]
    assert not wrong, "\n".join(wrong[:4])
