"""What tests share: the peers (real libvirt), our daemon under a root of its own, the tiny guest."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.guide_results import pytest_collection_modifyitems, pytest_configure  # noqa: F401  (hooks)
from tests.waiting import until

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # in the background of a script: what tests start must hear SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).resolve().parent.parent
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Peers:
    """The unpacked real libvirt."""

    root: Path

    def virsh(self, uri: str, *args: str, stdin: str | None = None, timeout: float = 120) -> Done:
        """The real C virsh, on any daemon."""
        libraries = ":".join(str(path.parent) for path in (self.root / "usr/lib").glob("*/libvirt.so.0"))
        env = {**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"}
        command = [str(self.root / "usr/bin/virsh"), "-c", uri, *args]
        return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=timeout)

    def run(self, *command: str, stdin: str | None = None, timeout: float = 300) -> Done:
        """A program (virt-install, python3 with libvirt) with the peers laid over /usr, in a mount namespace."""
        whole = [str(PROJECT / "scripts/peer"), "run", "--", *command]
        env = {**os.environ, "KVASIR_PEERS": str(self.root), "LC_ALL": "C"}
        return subprocess.run(whole, env=env, input=stdin, capture_output=True, text=True, timeout=timeout)


@dataclass(frozen=True)
class TinyGuest:
    """A guest that is up in seconds: see scripts/tiny-guest."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def bzimage(self) -> Path:
        return self.folder / "bzimage"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"

    @property
    def cmdline(self) -> str:
        return (self.folder / "cmdline").read_text().strip()

    @property
    def disk(self) -> Path:
        """A bootable qcow2; copy it before a guest writes to it."""
        return self.folder / "disk.qcow2"

    @property
    def iso(self) -> Path:
        return self.folder / "tiny.iso"


@dataclass
class DaemonHandle:
    """A running daemon: the URI for clients, and both virsh on it."""

    uri: str
    folder: Path
    """Holds the sockets (real daemon), or is the --root (ours)."""
    peers: Peers | None
    process: subprocess.Popen[bytes] | None = None

    def virsh(self, *args: str, stdin: str | None = None, timeout: float = 120) -> Done:
        """The real virsh on this daemon."""
        if self.peers is None:
            pytest.skip("the real virsh is one of the peers, which cannot be had here")
        return self.peers.virsh(self.uri, *args, stdin=stdin, timeout=timeout)

    def our_virsh(self, *args: str, stdin: str | None = None, timeout: float = 120) -> Done:
        """Our virsh on this daemon."""
        command = [sys.executable, "-m", "kvasir.cli.virsh.main", "-c", self.uri, *args]
        env = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(PROJECT / "src")}
        return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=timeout)


def _script(name: str) -> tuple[Path | None, str]:
    """What a script of ours made, or why it could not."""
    done = subprocess.run([sys.executable, str(PROJECT / "scripts" / name)], capture_output=True, text=True)
    if done.returncode == 77:
        return None, (done.stderr.strip().splitlines() or [f"{name} gave no reason"])[-1]
    if done.returncode:
        pytest.fail(f"scripts/{name} failed: {done.stderr}")
    return Path(done.stdout.strip().splitlines()[-1]), ""


@pytest.fixture(scope="session")
def peers() -> Peers:
    """The real libvirt 9.0, unpacked; a named skip where it cannot be had."""
    root, why = _script("peers")
    if root is None:
        pytest.skip(why)
    if os.geteuid() != 0:
        pytest.skip("the peers' namespaces need root")
    return Peers(root)


@pytest.fixture(scope="session")
def tiny_guest() -> TinyGuest:
    """Kernel, initramfs and media of the tiny guest; a named skip where its parts cannot be had."""
    folder, why = _script("tiny-guest")
    if folder is None:
        pytest.skip(why)
    return TinyGuest(folder)


@contextlib.contextmanager
def short_folder(prefix: str) -> Iterator[Path]:
    """A folder with a path short enough for sockets in it, which every user may pass."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def real_libvirtd(peers: Peers) -> Iterator[DaemonHandle]:
    """A real libvirtd of the module's own, in namespaces: nothing of it outlives the module."""
    peer = str(PROJECT / "scripts/peer")
    env = {**os.environ, "KVASIR_PEERS": str(peers.root)}
    with short_folder("kv-real-") as folder:
        started = subprocess.run(
            [peer, "libvirtd", "--dir", str(folder), "--background"], env=env, capture_output=True, text=True
        )
        assert started.returncode == 0, started.stderr
        try:
            yield DaemonHandle(started.stdout.strip(), folder, peers)
        finally:
            subprocess.run([peer, "stop", "--dir", str(folder)], env=env, check=True)


def processes_under(folder: Path) -> list[str]:
    """The command lines of living processes that name a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"{folder}/" in line and entry.parent.name != str(os.getpid()):
                found.append(f"{entry.parent.name} {line}")
    return found


def all_ended(folder: Path) -> None:
    """Wait until no process names a folder any more."""
    until(lambda: not processes_under(folder), lambda: processes_under(folder), 60)


def mounts_under(folder: Path) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {folder}/" in line]


class KvasirDaemon(DaemonHandle):
    """Our daemon under ``--root folder``."""

    extra: dict[str, str] = {}
    """More of the daemon's environment."""

    def within(self, *command: str) -> list[str]:
        """The command as it is run where the daemon lives: a subclass puts it into namespaces of its own."""
        return list(command)

    @property
    def socket(self) -> Path:
        return self.folder / "run/libvirt/libvirt-sock"

    def start(self, *options: str) -> None:
        """Start and wait until it serves."""
        command = self.within(sys.executable, "-m", "kvasir.daemon", "--root", str(self.folder), *options)
        env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), **self.extra}
        with open(self.folder / "kvasird.log", "ab") as log:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 90
        while not self._serves():
            assert self.process.poll() is None, f"kvasird ended: {self.log()}"
            assert time.monotonic() < end, f"kvasird does not serve {self.socket}: {self.log()}"
            time.sleep(0.02)

    def _serves(self) -> bool:
        import socket

        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def log(self) -> str:
        return (self.folder / "kvasird.log").read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """``kill -9``, as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as an init would; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def end_guests(self) -> None:
        """Destroy what still runs, so that the test's guests do not outlive it."""
        for line in processes_under(self.folder):
            pid, command = line.split(" ", 1)
            if "kvasir" not in command.split(" -")[0]:
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)


Ours = TypeVar("Ours", bound=KvasirDaemon)


@contextlib.contextmanager
def own_daemon(kind: type[Ours], prefix: str, peers: Peers | None = None) -> Iterator[Ours]:
    """A daemon under a folder of its own; with its guests it is gone at the end, however the test ends."""
    with short_folder(prefix) as folder:
        daemon = kind(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, peers)
        daemon.start()
        try:
            yield daemon
            if daemon.process is not None and daemon.process.poll() is None:
                assert daemon.stop() == 0, daemon.log()
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            daemon.end_guests()


@pytest.fixture
def kvasird() -> Iterator[KvasirDaemon]:
    """Our daemon under a root of its own. The test destroys its guests; what is left over then fails it."""
    available = _script("peers")[0] if os.geteuid() == 0 else None
    with short_folder("kv-") as folder:
        uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
        daemon = KvasirDaemon(uri, folder, Peers(available) if available else None)
        daemon.start()
        try:
            yield daemon
            if daemon.process is not None and daemon.process.poll() is None:
                assert daemon.stop() == 0, daemon.log()
            all_ended(folder)
            assert mounts_under(folder) == []
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            daemon.end_guests()


@pytest.fixture(autouse=True)
def loops_without_owners() -> None:
    """Free loop devices forget the guests of a test that was killed: what a daemon remembers of an owner lies on the node."""
    for device in Path("/sys/block").glob("loop*"):
        if not (device / "loop").exists():
            node = Path("/dev") / device.name
            with contextlib.suppress(OSError):
                for name in os.listxattr(node):
                    if name.startswith("trusted.libvirt."):
                        os.removexattr(node, name)
                if node.stat().st_uid:
                    os.chown(node, 0, -1)
