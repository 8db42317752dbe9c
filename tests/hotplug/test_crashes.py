"""Events of devices beside the real daemon; a guest that does not let go; the daemon killed while devices come and go."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from tests.conftest import PROJECT, DaemonHandle
from tests.hotplug.fragments import FRAGMENTS
from tests.hotplug.harness import Pair, masked
from tests.waiting import listening, until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.timeout(600),
]
NAMES = ("disk-virtio2", "net-bridge", "rng", "chan-unix", "input-tablet")
ROUNDS = int(os.environ.get("KVASIR_PLUG_ROUNDS", "12"))


def write(pair: Pair, name: str) -> str:
    path = pair.document.parent / f"{name}.xml"
    path.write_text(FRAGMENTS[name].replace("{images}", str(pair.images)) + "\n")
    return str(path)


class Listener:
    """``virsh event`` of ours on a daemon, for the events of devices."""

    def __init__(self, daemon: DaemonHandle) -> None:
        self.daemon = daemon
        command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", daemon.uri, "event", "--all", "--loop"]
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        listening(self.process.pid)

    def end(self) -> list[str]:
        time.sleep(1)
        self.process.terminate()
        said = masked(self.process.communicate(timeout=30)[0], self.daemon)
        return [line for line in said.splitlines() if "event 'device" in line or "event 'tray" in line]


def test_events_of_devices_and_trays(pair: Pair) -> None:
    """The same events in the same order as the real daemon's."""
    pair.fresh()
    paths = [write(pair, name) for name in NAMES]

    def one(daemon: DaemonHandle) -> list[str]:
        listener = Listener(daemon)
        for path in paths:
            for verb in ("attach-device", "detach-device"):
                done = daemon.virsh(verb, "hp", path, "--live")
                assert done.returncode == 0, done.stderr
        for line in (("--eject",), (f"{pair.images}/d.raw", "--insert")):
            assert daemon.virsh("change-media", "hp", "sda", *line).returncode == 0
        return listener.end()

    theirs, ours = pair.both(one)
    assert isinstance(ours, list)
    assert ours == theirs
    assert sum("device-added" in line for line in ours) == sum("device-removed" in line for line in ours) == len(NAMES)


def test_a_guest_that_does_not_let_go(pair: Pair) -> None:
    """The call returns after five seconds, the device is there until the guest runs again; then it goes by itself."""
    pair.fresh()
    disk, again = write(pair, "disk-virtio2"), write(pair, "rng")

    def one(daemon: DaemonHandle) -> list[Any]:
        assert daemon.virsh("attach-device", "hp", disk).returncode == 0
        assert daemon.virsh("attach-device", "hp", again).returncode == 0
        assert daemon.virsh("suspend", "hp").returncode == 0
        began = time.monotonic()
        said: list[Any] = [daemon.virsh("detach-device", "hp", disk, "--live").stdout]
        said.append(4.5 < time.monotonic() - began < 25)
        said.append("target dev='vdc'" in daemon.virsh("dumpxml", "hp").stdout)
        began = time.monotonic()
        done = daemon.virsh("detach-device-alias", "hp", "rng0")
        said += [done.stdout, time.monotonic() - began < 4.5]
        said.append(daemon.virsh("detach-device-alias", "hp", "nosuch").stderr)
        said.append(daemon.virsh("detach-device-alias", "hp", "video0").stderr)
        assert daemon.virsh("resume", "hp").returncode == 0
        until(
            lambda: not any(word in daemon.virsh("dumpxml", "hp").stdout for word in ("target dev='vdc'", "<rng")),
            "the devices did not go",
        )
        return said

    theirs, ours = pair.both(one)
    assert ours == theirs


def qmp(pair: Pair, command: str, **arguments: Any) -> Any:
    text = json.dumps({"execute": command, **({"arguments": arguments} if arguments else {})})
    done = pair.ours.virsh("qemu-monitor-command", "hp", text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["return"]


def settled(pair: Pair) -> str:
    """What is wrong between the document and QEMU; '' when all is well."""
    document = pair.ours.virsh("dumpxml", "hp").stdout
    aliases = set(re.findall(r"<alias name='([^']+)'/>", document))
    there = {
        row["name"] for row in qmp(pair, "qom-list", path="/machine/peripheral") if row["type"].startswith("child<")
    }
    kinds = re.compile(r"(virtio-disk|net|rng|channel|input)\d+")
    stray = {name for name in there - aliases if kinds.fullmatch(name)}
    lost = {name for name in aliases - there if kinds.fullmatch(name) and name not in ("input0", "input1")}
    indexes = set(re.findall(r"index='(\d+)'/>", document))
    nodes = {row["node-name"] for row in qmp(pair, "query-named-block-nodes", flat=True)}
    numbers = {name.split("-")[1] for name in nodes if re.fullmatch(r"libvirt-\d+-(format|storage)", name)}
    backends = {row["label"] for row in qmp(pair, "query-chardev")}
    ports = {label for label in backends if re.fullmatch(r"charchannel\d+", label) and label[4:] not in aliases}
    wrong = {"stray": stray, "lost": lost, "nodes": numbers - indexes, "ports": ports}
    return str({key: value for key, value in wrong.items() if value} or "")


def unplug_all(pair: Pair) -> None:
    """Take out whatever was plugged into the guest."""
    plugged = re.compile(r"<alias name='(virtio-disk2|net(?:[2-9]|\d\d)|rng\d+|channel[1-9]\d*|input(?:[2-9]|\d\d))'/>")
    end = time.monotonic() + 90
    while aliases := plugged.findall(pair.ours.virsh("dumpxml", "hp").stdout):
        assert time.monotonic() < end, aliases
        for alias in aliases:
            pair.ours.virsh("detach-device-alias", "hp", alias)
        time.sleep(1)


def test_killed_while_devices_come_and_go(pair: Pair) -> None:
    """After each restart the document and QEMU have the same devices, and nothing of a cut-off plug is left."""
    pair.fresh()
    paths = [write(pair, name) for name in NAMES]
    chance = random.Random(7)
    for _ in range(ROUNDS):
        ended = threading.Event()

        def change(ended: threading.Event = ended) -> None:
            while not ended.is_set():
                path = chance.choice(paths)
                pair.ours.virsh(chance.choice(("attach-device", "detach-device")), "hp", path, "--live")

        worker = threading.Thread(target=change)
        worker.start()
        time.sleep(0.3 + chance.random() * 2)
        pair.ours.kill()
        ended.set()
        worker.join()
        pair.ours.start()
        end = time.monotonic() + 60
        while wrong := settled(pair):
            assert time.monotonic() < end, wrong
            time.sleep(0.5)
    unplug_all(pair)
    for path in paths:  # all of it can be plugged again and taken out
        done = pair.ours.virsh("attach-device", "hp", path, "--live")
        assert done.returncode == 0, done.stderr
        done = pair.ours.virsh("detach-device", "hp", path, "--live")
        assert done.returncode == 0, done.stderr
    assert settled(pair) == ""
    owner = pair.ours.inside("stat", "-c", "%u", f"{pair.images}/b.qcow2").strip()
    assert owner == "0", "the image was given back"
