"""Limits of clients, calls and workers: small numbers in libvirtd.conf, and the same seen on the real daemon and on ours."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kvasir.rpc import frames, programs
from kvasir.rpc.programs import ADMIN
from tests.conftest import PROJECT, Peers, short_folder
from tests.waiting import until
from tests.wire.harness import Raw, process
from tests.wire.test_process import wait_for

SETTINGS = """auth_unix_rw = "none"
auth_unix_ro = "sasl"
max_clients = 12
max_anonymous_clients = 3
max_queued_clients = 4
min_workers = 2
max_workers = 4
prio_workers = 2
max_client_requests = 2
keepalive_interval = 1
keepalive_count = 2
admin_max_clients = 3
admin_min_workers = 1
admin_max_workers = 2
admin_max_client_requests = 1
admin_keepalive_interval = 1
admin_keepalive_count = 1
"""
BACK = (
    "srv-threadpool-set libvirtd --min-workers 2 --max-workers 4 --priority-workers 2",
    "srv-threadpool-set admin --max-workers 2",
    "srv-clients-set libvirtd --max-clients 12 --max-unauth-clients 3",
    "srv-clients-set admin --max-clients 3 --max-unauth-clients 0",
)
COMMANDS = (
    *("srv-threadpool-info libvirtd", "srv-threadpool-info admin", "srv-clients-info libvirtd", "srv-clients-info admin"),
    *("srv-clients-set libvirtd --max-clients 2", "srv-clients-set libvirtd --max-unauth-clients 20", "srv-clients-set libvirtd"),
    *("srv-clients-set libvirtd --max-clients 20 --max-unauth-clients 5", "srv-clients-info libvirtd"),
    *("srv-clients-set libvirtd --max-clients 0", "srv-threadpool-set libvirtd --min-workers 5", "srv-threadpool-set libvirtd"),
    *("srv-threadpool-set libvirtd --min-workers 3 --max-workers 3 --priority-workers 0", "srv-threadpool-info libvirtd"),
    *("srv-threadpool-set libvirtd --max-workers 0", "srv-threadpool-set admin --max-workers 5", "srv-threadpool-info admin"),
    *("srv-clients-set admin --max-clients 1", "srv-clients-info admin", "srv-clients-set admin --max-clients 5 --max-unauth-clients 4"),
    *("srv-clients-info admin", "server-update-tls libvirtd", "server-update-tls admin", "client-list libvirtd"),
    *("client-disconnect libvirtd 99", "client-info libvirtd 99", "srv-clients-set nope --max-clients 4", "srv-threadpool-info nope"),
    *BACK,
)  # fmt: skip


@dataclass
class Limited:
    """A daemon with those settings; ``folder`` holds its sockets."""

    name: str
    folder: Path
    root: Path
    peers: Peers

    def raw(self, timeout: float = 30, kind: str = "") -> Raw:
        return Raw(self.folder / f"libvirt-sock{kind}", timeout)

    def admin(self, line: str, *, ours: bool = False) -> str:
        """virt-admin's words: the C one, or our own."""
        uri = f"libvirtd+unix:///system?socket={self.folder}/libvirt-admin-sock"
        libraries = ":".join(str(path.parent) for path in (self.root / "usr/lib").glob("*/libvirt.so.0"))
        command = [str(self.root / "usr/bin/virt-admin")]
        if ours:
            command = [str(PROJECT / ".venv/bin/python"), "-IS", "-c", "import sys; sys.path.insert(0, sys.argv.pop(1)); "
                       "from kvasir.cli.virt_admin.main import main; sys.exit(main())", str(PROJECT / "src")]  # fmt: skip
        done = subprocess.run(
            [*command, "-c", uri, *line.split()],
            env={**os.environ, "LD_LIBRARY_PATH": libraries, "LC_ALL": "C"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        text = re.sub(
            r"(?m)^((?:n|free)Workers +): \d+", r"\1: some", done.stdout
        )  # libvirt's makes new ones a little early
        return f"{done.returncode}\n{text}{done.stderr}"

    def pool(self) -> dict[str, int]:
        raw = Raw(self.folder / "libvirt-admin-sock")
        raw.call("connect_open", 0, program=ADMIN)
        found = dict(raw.call("server_get_threadpool_parameters", ("libvirtd",), 0, program=ADMIN))
        raw.close()
        return {name: int(value) for name, value in found.items()}

    def gone(self) -> None:
        """Wait until no client of a test is left."""
        until(lambda: "nclients            : 0" in self.admin("srv-clients-info libvirtd"))


@pytest.fixture(scope="module")
def both(peers: Peers) -> Iterator[list[Limited]]:
    """The real one, then ours."""
    peer, env = str(PROJECT / "scripts/peer"), {**os.environ, "KVASIR_PEERS": str(peers.root)}
    with short_folder("kv-limr-") as real, short_folder("kv-limo-") as ours:
        subprocess.run([peer, "libvirtd", "--dir", str(real), "--background"], env=env, check=True, capture_output=True)
        try:
            script = "sed -i /auth_unix_r/d /etc/libvirt/libvirtd.conf; cat >> /etc/libvirt/libvirtd.conf"
            change = [peer, "exec", "--dir", str(real), "--", "sh", "-c", script]
            subprocess.run(change, env=env, input=SETTINGS, text=True, check=True)
            subprocess.run([peer, "restart", "--dir", str(real)], env=env, check=True, capture_output=True)
            (ours / "etc/libvirt").mkdir(parents=True)
            (ours / "etc/libvirt/libvirtd.conf").write_text(SETTINGS)
            with process(ours) as child:
                wait_for(ours / "run/libvirt/libvirt-sock", child)
                yield [
                    Limited("libvirtd", real, peers.root, peers),
                    Limited("kvasird", ours / "run/libvirt", peers.root, peers),
                ]
        finally:
            subprocess.run([peer, "stop", "--dir", str(real)], env=env, check=True)


def test_virt_admin_reads_and_changes_them(both: list[Limited]) -> None:
    """The C virt-admin and ours, on either daemon: the same words."""
    for daemon in both:
        daemon.gone()
    said = [[(line, daemon.admin(line, ours=ours)) for line in COMMANDS] for daemon in both for ours in (False, True)]
    assert said[0] == said[1] == said[2] == said[3]


def served(raw: Raw, seconds: float) -> bool:
    raw.sock.settimeout(seconds)
    try:
        raw.receive()
    except TimeoutError:
        return False
    return True


@pytest.mark.guide("migr-conf-max-clients", "migr-conf-max-queued-clients")
def test_who_comes_too_many_waits(both: list[Limited]) -> None:
    """12 are served, 5 more (``max_queued_clients`` and one) wait in the socket, who comes then is refused by the kernel. The first that
    leaves makes room for the first of the queue; a larger limit for all of them, at once."""
    for daemon in both:
        daemon.gone()
        clients = [daemon.raw().open() for _ in range(12)]
        waiting, refused = [], 0
        for _ in range(7):
            with contextlib.suppress(OSError):
                raw = daemon.raw(0.2)
                raw.start("auth_list")
                waiting.append(raw)
                continue
            refused += 1
        assert (len(waiting), refused) == (5, 2), daemon.name
        assert not served(waiting[0], 0.5), daemon.name
        assert all(client.call("connect_is_secure") == 1 for client in clients), "the others are served meanwhile"
        clients.pop().close()
        assert served(waiting[0], 30) and not served(waiting[1], 0.3), daemon.name
        assert daemon.admin("srv-clients-set libvirtd --max-clients 20").startswith("0\n")
        assert all(served(raw, 30) for raw in waiting[1:]), daemon.name
        daemon.admin(BACK[2])
        for raw in [*clients, *waiting]:
            raw.close()


@pytest.mark.guide("migr-conf-max-anonymous-clients")
def test_who_has_not_logged_in_counts(both: list[Limited]) -> None:
    """3 may be on their way in; the fourth waits until one of them leaves. (Ours lets those in who need no login; libvirt's keeps all out.)"""
    for daemon in both:
        daemon.gone()
        strangers = [daemon.raw(kind="-ro") for _ in range(4)]
        for raw in strangers:
            raw.start("auth_list")
        assert [served(raw, 20) for raw in strangers[:3]] == [True] * 3 and not served(strangers[3], 0.5), daemon.name
        assert "nclients_unauth     : 3" in daemon.admin("srv-clients-info libvirtd"), daemon.name
        if daemon.name == "kvasird":
            assert daemon.raw(10).open().call("connect_is_secure") == 1
        strangers.pop(0).close()
        assert served(strangers[2], 20), daemon.name
        for raw in strangers:
            raw.close()


@contextlib.contextmanager
def fifo(folder: Path) -> Iterator[Path]:
    """A file whose opening takes until we let it go."""
    path = folder / "fifo"
    os.mkfifo(path)
    try:
        yield path
    finally:
        path.unlink()


def let_go(daemon: Limited, path: Path) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        pool = daemon.pool()
        if pool["jobQueueDepth"] == 0 and pool["freeWorkers"] == pool["nWorkers"]:
            return
        assert time.monotonic() < end, pool
        time.sleep(0.02)


@pytest.mark.guide("migr-conf-min-max-workers", "migr-conf-prio-workers", "migr-conf-max-client-requests")
def test_calls_that_hang(both: list[Limited], tmp_path: Path) -> None:
    """Five clients with four hanging calls each: two of each client are taken (``max_client_requests``), four are worked on
    (``max_workers``, libvirt's takes three or four), the rest is queued; calls that never wait are served by the others
    (``prio_workers``), the rest when a worker is free. A larger limit takes up more at once."""
    for daemon in both:
        with fifo(tmp_path) as path:
            clients = [daemon.raw().open() for _ in range(5)]
            for raw in clients:
                for _ in range(4):
                    raw.start("domain_restore", str(path))
            end = time.monotonic() + 90
            while (pool := daemon.pool())["jobQueueDepth"] + pool["nWorkers"] - pool["freeWorkers"] < 10:
                assert time.monotonic() < end, (daemon.name, pool)
                time.sleep(0.05)
            time.sleep(0.2)
            pool = daemon.pool()
            busy = pool["nWorkers"] - pool["freeWorkers"]
            assert busy + pool["jobQueueDepth"] == 10 and busy in (3, 4) and pool["freeWorkers"] == 0, (
                daemon.name,
                pool,
            )
            quick = daemon.raw(20).open()
            assert quick.call("connect_get_hostname") and quick.call("connect_get_type") == "QEMU", daemon.name
            quick.start("connect_get_capabilities")
            assert not served(quick, 0.5), daemon.name
            assert daemon.admin("srv-threadpool-set libvirtd --max-workers 20").startswith("0\n")
            if daemon.name == "kvasird":  # libvirt's makes new workers when the next call comes
                assert served(quick, 20) and daemon.pool()["jobQueueDepth"] == 0
            let_go(daemon, path)
            for raw in [*clients, quick]:
                raw.close()
            daemon.gone()
        daemon.admin(BACK[0])


COUNT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('in',flush=True); sys.stdin.read()"


@pytest.mark.guide("migr-req-libvirtd-conf", "migr-conf-max-clients-affects-all", "migr-conf-max-requests")
def test_a_change_in_the_file_counts_after_the_restart(peers: Peers) -> None:
    """One client too many waits; libvirtd.conf is changed and the daemon started again: now root and another user are in, and a third waits.
    ``max_requests`` is read without a word, and does nothing, as in libvirt."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with short_folder("kv-limc-") as root:
        path = root / "etc/libvirt/libvirtd.conf"
        path.parent.mkdir(parents=True)
        text = 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\nmax_requests = 1\nmax_anonymous_clients = 1\nmax_clients = '
        path.write_text(f"{text}1\n")
        daemon = Limited("kvasird", root / "run/libvirt", peers.root, peers)
        with process(root) as child:
            wait_for(daemon.folder / "libvirt-sock", child)
            one, two = daemon.raw().open(), daemon.raw()
            two.start("auth_list")
            path.write_text(f"{text}2\n")
            assert not served(two, 0.5)
            one.close()
            two.close()
            child.terminate()
            assert child.wait(30) == 0 and "max_requests" not in (child.stderr.read() if child.stderr else "")
        with process(root) as child:
            wait_for(daemon.folder / "libvirt-sock", child)
            one = daemon.raw().open()
            other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", COUNT]
            with subprocess.Popen(
                [*other, str(daemon.folder / "libvirt-sock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as nobody:
                assert nobody.stdout is not None and nobody.stdin is not None and nobody.stdout.readline() == b"in\n"
                until(lambda: "nclients            : 2" in daemon.admin("srv-clients-info libvirtd"))
                three = daemon.raw()
                three.start("auth_list")
                assert not served(three, 0.5)
                nobody.stdin.close()
            assert served(three, 30)


def pings(raw: Raw, seconds: float) -> tuple[int, bool]:
    """How many pings came, and whether the daemon then closed."""
    raw.sock.settimeout(seconds)
    count = 0
    try:
        while (frame := raw.receive()) is not None:
            count += (frame.program, frame.procedure) == (programs.KEEPALIVE, programs.PING)
    except TimeoutError:
        return count, False
    return count, True


def test_who_does_not_answer_pings_is_dropped(both: list[Limited]) -> None:
    """Two pings, a second apart, then the end; who answers stays; who knows no pings is left in peace."""
    for daemon in both:
        daemon.gone()
        silent, quiet = daemon.raw(20).open(), daemon.raw(20).open()
        assert silent.call("connect_supports_feature", 10) == 1
        assert pings(silent, 20) == (2, True), daemon.name
        lively = daemon.raw(20).open()
        assert lively.call("connect_supports_feature", 10) == 1
        for _ in range(4):
            lively.send(programs.KEEPALIVE, programs.PONG, type=frames.MESSAGE, serial=0)
            time.sleep(0.7)
        assert lively.call("connect_is_secure") == 1 and quiet.call("connect_is_secure") == 1, daemon.name
        for raw in (silent, quiet, lively):
            raw.close()


@pytest.mark.parametrize("how", ["mute", "closed"])
def test_virsh_gives_a_daemon_up(both: list[Limited], tmp_path: Path, how: str) -> None:
    """``-k`` and ``-K`` of both virsh: a daemon that says nothing more after two pings is given up, one that closes at once; with the same
    words."""
    path = tmp_path / "sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    listener.settimeout(60)
    peers, said = both[0].peers, []
    libraries = ":".join(str(path.parent) for path in (peers.root / "usr/lib").glob("*/libvirt.so.0"))
    theirs = ["env", f"LD_LIBRARY_PATH={libraries}", str(peers.root / "usr/bin/virsh")]
    uri = f"qemu+unix:///system?socket={path}"
    for virsh in (theirs, [str(PROJECT / ".venv/bin/python"), "-IS", str(PROJECT / "bin/virsh")]):
        command = [*virsh, "-k", "1", "-K", "2", "-c", uri, "domblkinfo", "x", "--all"]
        child = subprocess.Popen(
            command, env={**os.environ, "LC_ALL": "C"}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            seen = relay(listener, both[1].folder / "libvirt-sock", how == "closed")
            said.append((child.communicate(timeout=60), seen, child.returncode))
        finally:
            child.kill()
            child.wait()
    listener.close()
    assert said[0] == said[1]
    assert said[1][1:] == (2 if how == "mute" else 0, 1)
    why = "keepalive timeout" if how == "mute" else "end of file"
    assert f"error: Disconnected from {uri} due to {why}" in said[1][0][1]


def relay(listener: socket.socket, target: Path, closes: bool) -> int:
    """Carry a client's bytes until it looks up a guest, then close, or swallow all: the pings that it sent meanwhile."""
    near, _ = listener.accept()
    far = socket.socket(socket.AF_UNIX)
    far.connect(str(target))
    near.settimeout(0.05)
    far.settimeout(0.05)
    buffer, mute, count = frames.FrameBuffer(), False, 0
    while True:
        with contextlib.suppress(TimeoutError):
            data = near.recv(65536)
            if not data:
                break
            for frame in buffer.feed(data):
                mute = mute or frame.procedure == programs.REMOTE["domain_lookup_by_name"].number
                count += mute and frame.program == programs.KEEPALIVE
            if mute and closes:
                break
            if not mute:
                far.sendall(data)
        with contextlib.suppress(TimeoutError):
            if not mute:
                near.sendall(far.recv(65536))
    far.close()
    near.close()
    return count
