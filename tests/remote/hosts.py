"""Two hosts on one machine: network namespaces joined by a veth pair, each with files of its own laid over /etc."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.wire.harness import PROJECT

ENTER = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o lowerdir=/etc,upperdir="$1/etc",workdir="$1/work" /etc
shift
exec "$@"
"""


class Host:
    """One of them: ``etc`` lies over its /etc."""

    def __init__(self, name: str, folder: Path, address: str) -> None:
        self.name, self.folder, self.address = name, folder, address
        self.etc = folder / "etc"
        self.etc.mkdir(parents=True)
        (folder / "work").mkdir()
        self.env: dict[str, str] = {}

    def command(self, *words: str) -> list[str]:
        enter = ["unshare", "-m", "sh", "-c", ENTER, "enter", str(self.folder)]
        return ["ip", "netns", "exec", self.name, *enter, *words]

    def run(self, *words: str, text: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LC_ALL": "C.UTF-8", **self.env}
        return subprocess.run(
            self.command(*words), input=text, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ours(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Our virsh on this host."""
        return self.run(str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh"), *words, text=text)

    def real(self, cache: Path, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """The C virsh on this host."""
        library = f"LD_LIBRARY_PATH={cache}/usr/lib/x86_64-linux-gnu"
        return self.run("env", library, str(cache / "usr/bin/virsh"), *words, text=text)


class Pair:
    """``server`` is 10.77.0.1 and called host2, ``client`` is 10.77.0.2."""

    def __init__(self, folder: Path) -> None:
        mark = f"kv{os.getpid() % 100000}"
        self.server = Host(f"{mark}s", folder / "server", "10.77.0.1")
        self.client = Host(f"{mark}c", folder / "client", "10.77.0.2")
        names = "127.0.0.1 localhost\n10.77.0.1 host2 mycommonname othername\n10.77.0.2 host1\n"
        for host in (self.server, self.client):
            (host.etc / "hosts").write_text(names)
            (host.etc / "libvirt").mkdir()
        self.mark = mark

    def up(self) -> None:
        a, b = f"{self.mark}a", f"{self.mark}b"
        for host in (self.server, self.client):
            _ip("netns", "add", host.name)
            _ip("-n", host.name, "link", "set", "lo", "up")
        _ip("link", "add", a, "netns", self.server.name, "type", "veth", "peer", b, "netns", self.client.name)
        for host, link in ((self.server, a), (self.client, b)):
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", link)
            _ip("-n", host.name, "link", "set", link, "up")

    def down(self) -> None:
        for host in (self.server, self.client):
            subprocess.run(["ip", "netns", "delete", host.name], capture_output=True, check=False)

    @contextlib.contextmanager
    def daemon(self, root: Path, settings: str, *options: str) -> Iterator[subprocess.Popen[str]]:
        """kvasird on the server, with those lines in libvirtd.conf; ready when this begins."""
        path = root / "etc/libvirt/libvirtd.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings)
        log = root / "daemon.log"
        words = [str(PROJECT / ".venv/bin/python"), "-m", "kvasir.daemon", "--root", str(root), "-v", *options]
        with open(log, "w") as stream:
            child = subprocess.Popen(
                self.server.command(*words),
                stderr=stream,
                stdout=stream,
                text=True,
                env={**os.environ, **self.server.env},
            )
        try:
            end = time.monotonic() + 60
            while " ready, serving" not in log.read_text():
                assert child.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield child
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait(20)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
