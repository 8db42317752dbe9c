"""The daemon is killed at random moments while it defines, starts, destroys and undefines guests.

After each restart every guest is wholly there or wholly gone, what was acknowledged is so, running guests are taken up, no
file is half written, and no process, status file, folder or socket is left over. ``KVASIR_KILL9_ROUNDS`` (200) shortens it.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from kvasir import client
from tests.qemu import small

ROUNDS = int(os.environ.get("KVASIR_KILL9_ROUNDS", "200"))
GUESTS, WORKERS = 20, 4
PAUSED = 1

pytestmark = [
    pytest.mark.skipif(not small.QEMU, reason="qemu-system-x86_64 is not installed"),
    pytest.mark.timeout(1500),
]


class Daemon:
    """A kvasird with a root of its own."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.uri = f"qemu+unix:///system?socket={root}/run/libvirt/libvirt-sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and give the seconds until it serves."""
        with open(f"{self.root}/daemon.log", "ab") as out:
            command = [sys.executable, "-m", "kvasir.daemon", "--root", self.root]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        began = time.monotonic()
        while time.monotonic() - began < 30:
            try:
                client.open(self.uri).close()
                return time.monotonic() - began
            except client.libvirtError:
                assert self.process.poll() is None, self.log()
                time.sleep(0.01)
        raise AssertionError("kvasird does not serve: " + self.log())

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def log(self) -> str:
        with open(f"{self.root}/daemon.log") as stream:
            return stream.read()[-4000:]


class Worker(threading.Thread):
    """Works on guests of its own until the daemon dies; knows what was acknowledged, and what was under way."""

    def __init__(self, uri: str, names: list[str], state: dict[str, tuple[bool, bool]], seed: int) -> None:
        super().__init__(daemon=True)
        self.uri, self.names, self.state, self.random = uri, names, state, random.Random(seed)
        self.doubt: str | None = None
        self.done = 0
        self.errors: list[str] = []

    def run(self) -> None:
        try:
            connection = client.open(self.uri)
            while True:
                self.step(connection, self.random.choice(self.names))
        except client.libvirtError as error:
            if error.get_error_code() != 38 and "connection" not in str(error).lower() and self.doubt is not None:
                self.errors.append(f"{self.doubt}: {error}")
        except (OSError, EOFError):
            pass

    def step(self, connection: object, name: str) -> None:
        defined, running = self.state[name]
        self.doubt = name
        if not defined and not running:
            connection.defineXML(document(name))  # type: ignore[attr-defined]
            self.state[name] = (True, False)
        else:
            guest = connection.lookupByName(name)  # type: ignore[attr-defined]
            choice = self.random.random()
            if running and choice < 0.3:
                guest.destroy()
                self.state[name] = (defined, False)
            elif not running and choice < 0.8:
                guest.createWithFlags(PAUSED)
                self.state[name] = (defined, True)
            elif defined and choice > 0.8:
                guest.undefine()
                self.state[name] = (False, running)
            else:
                guest.info()
        self.doubt = None
        self.done += 1


def wait_for(what: Callable[[], bool], seconds: float) -> None:
    """Until it is so, or the time is over."""
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.005)


def document(name: str) -> str:
    number = uuid.uuid5(uuid.NAMESPACE_DNS, name)
    return small.xml(
        name, str(number), "\n  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>"
    )


def processes(root: str) -> dict[str, int]:
    """The QEMU processes of this root, by guest."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as stream:
                line = stream.read()
            with open(f"/proc/{entry}/environ", "rb") as stream:
                environment = stream.read()
        except OSError:
            continue
        name = re.search(rb"guest=(kill[0-9]+)[,\0]", line)
        if name and f"HOME={root}/".encode() in environment:
            assert name[1].decode() not in found, f"{name[1]!r} runs twice"
            found[name[1].decode()] = int(entry)
    return found


def check(daemon: Daemon, state: dict[str, tuple[bool, bool]], doubtful: set[str]) -> int:
    """Compare daemon, files and processes; take the truth over. Gives how many guests run."""
    connection = client.open(daemon.uri)
    etc, run = f"{daemon.root}/etc/libvirt/qemu", f"{daemon.root}/run/libvirt/qemu"
    guests = {guest.name(): guest for guest in connection.listAllDomains()}
    alive = processes(daemon.root)
    files = {name[:-4] for name in os.listdir(etc) if name.endswith(".xml")}
    assert not [name for name in os.listdir(etc) if name.endswith(".new")], "a half-written file is left"
    assert not [name for name in os.listdir(run) if name.endswith(".new")], "a half-written status is left"
    assert files == {name for name, guest in guests.items() if guest.isPersistent()}
    for name in files:
        with open(f"{etc}/{name}.xml") as stream:
            text = stream.read()
        assert text.endswith("</domain>\n") and f"<name>{name}</name>" in text
    active = {name for name, guest in guests.items() if guest.isActive()}
    assert active == set(alive), "what runs and what the daemon says"
    for name in active:
        assert guests[name].state()[0] == 3
    expected = {f"{name}.xml" for name in active} | {f"{name}.pid" for name in active} | {"autostarted"}
    left = {entry for entry in os.listdir(run) if os.path.isfile(f"{run}/{entry}")} - expected
    assert not left, f"left over in run: {left}"
    for parent in (f"{daemon.root}/var/lib/libvirt/qemu", f"{daemon.root}/var/lib/libvirt/qemu/channel/target"):
        folders = {entry for entry in os.listdir(parent) if entry.startswith("domain-")}
        assert folders == {f"domain-{guests[name].ID()}-{name}" for name in active}
    for name, (defined, running) in state.items():
        found = (name in files, name in active)
        if name not in doubtful:
            assert found == (defined, running), f"{name} was acknowledged as {(defined, running)}, is {found}"
        state[name] = found
    connection.close()
    return len(active)


def test_killed_at_random_moments(tmp_path):
    daemon = Daemon(str(tmp_path))
    state = {f"kill{number}": (False, False) for number in range(GUESTS)}
    names = list(state)
    seed = int(os.environ.get("KVASIR_KILL9_SEED", "20261125"))
    chance = random.Random(seed)
    steps = adopted = 0
    daemon.start()
    try:
        for round_ in range(ROUNDS):
            workers = [
                Worker(daemon.uri, names[number::WORKERS], state, chance.randrange(1 << 30))
                for number in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            if chance.random() < 0.8:  # else the daemon dies while it is still waking up
                wait_for(lambda: any(worker.done for worker in workers), 5)  # noqa: B023
            time.sleep(chance.uniform(0.0, 0.4))
            daemon.kill()
            for worker in workers:
                worker.join(20)
                assert not worker.is_alive() and not worker.errors, (round_, worker.errors)
            steps += sum(worker.done for worker in workers)
            daemon.start()
            adopted += check(daemon, state, {worker.doubt for worker in workers if worker.doubt})
    finally:
        print(f"{steps} steps, {adopted} adoptions, seed {seed}")
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.stop()
        for pid in processes(daemon.root).values():
            os.kill(pid, signal.SIGKILL)
    assert steps > ROUNDS and adopted > ROUNDS // 2, "too little happened for this to show anything"
