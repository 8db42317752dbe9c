"""``stdio_handler``: QEMU writes its log itself ("file"), or a real virtlogd does ("logd"), whatever becomes of the daemon."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon, short_folder

GUEST = """<domain type='qemu'><name>logged</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>{more}</domain>"""
REFUSED = """<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:arg value='-no-such-option'/></qemu:commandline>"""


def until(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


class Beside(KvasirDaemon):
    """Our daemon in the namespaces of the real one, whose virtlogd it talks to."""

    real: DaemonHandle

    def within(self, *command: str) -> list[str]:
        enter = [str(PROJECT / "scripts/peer"), "exec", "--dir", str(self.real.folder), "--"]
        script = 'ln -sf /run/libvirt/virtlogd-sock "$0/run/libvirt/" && exec "$@"'
        return [*enter, "sh", "-c", script, str(self.folder), *command]

    def start(self, *options: str) -> None:
        assert self.peers is not None
        (self.folder / "run/libvirt").mkdir(parents=True, exist_ok=True)
        self.extra = {"KVASIR_PEERS": str(self.peers.root)}
        super().start(*options)

    def pid(self) -> int:
        """Of the daemon itself."""
        own = [line for line in Path("/proc").glob("[0-9]*/cmdline") if self._is(line)]
        return int(own[0].parent.name)

    def _is(self, path: Path) -> bool:
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            return False
        return words[0] == sys.executable.encode() and b"kvasir.daemon" in words and str(self.folder).encode() in words


def test_virtlogd_writes_the_log(real_libvirtd: DaemonHandle) -> None:
    """What ours and QEMU say goes through virtlogd's pipe, in order; QEMU's last words are there though our daemon was killed before."""
    with short_folder("kv-logd-") as folder:
        (folder / "etc/libvirt").mkdir(parents=True)
        (folder / "etc/libvirt/qemu.conf").write_text('stdio_handler = "logd"\n')
        daemon = Beside(f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock", folder, real_libvirtd.peers)
        daemon.real = real_libvirtd
        daemon.start()
        log = folder / "var/log/libvirt/qemu/logged.log"
        try:
            path = folder / "guest.xml"
            path.write_text(GUEST.format(more=REFUSED))
            done = daemon.our_virsh("create", str(path))
            assert done.returncode == 1 and "-no-such-option: invalid option" in done.stderr, done.stderr
            path.write_text(GUEST.format(more=""))
            assert daemon.our_virsh("create", str(path)).returncode == 0, daemon.log()
            assert log.read_text().count("starting up libvirt version") == 2 and "-name guest=logged" in log.read_text()
            qemu = next(int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if is_guest(p, folder))
            assert os.readlink(f"/proc/{qemu}/fd/1").startswith("pipe:") and os.readlink(
                f"/proc/{qemu}/fd/2"
            ).startswith("pipe:")
            os.kill(daemon.pid(), signal.SIGKILL)
            assert daemon.process is not None
            daemon.process.wait(30)
            os.kill(qemu, signal.SIGTERM)
            until(lambda: "terminating on signal 15" in log.read_text())
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                os.kill(daemon.pid(), signal.SIGTERM)
                daemon.process.wait(30)
            daemon.end_guests()


def is_guest(path: Path, folder: Path) -> bool:
    try:
        line = path.read_bytes()
    except OSError:
        return False
    return b"guest=logged" in line and f"{folder}/".encode() in line


def test_without_virtlogd(kvasird: KvasirDaemon) -> None:
    """ "logd" where no virtlogd is: the start is refused with the socket's name; "file", the default, needs none."""
    path = kvasird.folder / "guest.xml"
    path.write_text(GUEST.format(more=""))
    assert kvasird.stop() == 0
    (kvasird.folder / "etc/libvirt/qemu.conf").write_text('stdio_handler = "logd"\n')
    kvasird.start()
    done = kvasird.our_virsh("create", str(path))
    assert done.returncode == 1
    assert (
        f"Failed to connect socket to '{kvasird.folder}/run/libvirt/virtlogd-sock': No such file or directory"
        in done.stderr
    )
    assert kvasird.stop() == 0
    (kvasird.folder / "etc/libvirt/qemu.conf").write_text("")
    kvasird.start()
    assert kvasird.our_virsh("create", str(path)).returncode == 0
    assert kvasird.our_virsh("destroy", "logged").returncode == 0
