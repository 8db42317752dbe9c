"""The daemon as a process: who may serve the folders, sockets from systemd, readiness, leaving when idle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvasir.daemon.sockets import AnotherDaemon
from tests.waiting import until
from tests.wire.harness import Raw, Served, process, real_virsh


def wait_for(path: Path, child: subprocess.Popen[str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert child.poll() is None, child.stderr and child.stderr.read()
        try:
            Raw(path).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody serves {path}")


def test_a_second_daemon_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with process(tmp_path) as first:
        sock = tmp_path / "run/libvirt/libvirt-sock"
        wait_for(sock, first)
        with process(tmp_path) as second:
            assert second.wait(20) == 1 and second.stderr is not None
            text = second.stderr.read()
        assert f"libvirtd.pid is held by process {first.pid} (" in text and "kvasir.daemon" in text
        assert Raw(sock).open().call("connect_is_secure") == 1
        first.send_signal(signal.SIGTERM)
        assert first.wait(15) == 0
        assert not sock.exists() and not (tmp_path / "run/libvirtd.pid").exists()


def test_killed_and_started_again(tmp_path: Path) -> None:
    sock = tmp_path / "run/libvirt/libvirt-sock"
    with process(tmp_path) as first:
        wait_for(sock, first)
        first.kill()
        first.wait()
    assert sock.exists(), "stale"
    with process(tmp_path) as second:
        wait_for(sock, second)
        assert Raw(sock).open().call("connect_is_secure") == 1
        memory = [line for line in Path(f"/proc/{second.pid}/status").read_text().splitlines() if "VmRSS" in line]
        assert int(memory[0].split()[1]) <= 45 * 1024, "KiB of an idle daemon"


def test_a_socket_that_somebody_serves_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run/libvirt"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(folder / "libvirt-sock"))
        taken.listen()
        with pytest.raises(AnotherDaemon, match=rf"libvirt-sock is held by process {os.getpid()} \("):
            Served(tmp_path)
        taken.setblocking(False)
        taken.accept()


def test_leaves_when_idle_but_not_while_guests_run(tmp_path: Path) -> None:
    served = Served(tmp_path, timeout=0.4)
    raw = Raw(served.run / "libvirt-sock").open()
    time.sleep(0.8)
    assert raw.call("connect_is_secure") == 1, "not while somebody is connected"
    served.driver.active = 1
    raw.close()
    time.sleep(0.8)
    assert served.thread.is_alive()
    served.driver.active = 0
    served.thread.join(5)
    assert not served.thread.is_alive() and served.driver.stopped
    assert not (served.run / "libvirt-sock").exists()


def test_sockets_from_systemd_and_readiness(tmp_path: Path) -> None:
    folder = tmp_path / "run/libvirt"
    folder.mkdir(parents=True)
    listeners = []
    for name in ("libvirt-sock", "libvirt-sock-ro"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(folder / name))
        sock.listen()
        listeners.append(sock)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(tmp_path / "notify"))
        ready.settimeout(30)
        code = (
            "import fcntl, os, sys\n"
            "fds = [int(word) for word in sys.argv[1:3]]\n"
            "held = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in fds]\n"
            "for number, fd in enumerate(held): os.dup2(fd, 3 + number, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2')\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'kvasir.daemon', '--root', sys.argv[3]])\n"
        )
        numbers = [str(sock.fileno()) for sock in listeners]
        child = subprocess.Popen(
            [sys.executable, "-c", code, *numbers, str(tmp_path)],
            pass_fds=[sock.fileno() for sock in listeners],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )
        try:
            early = Raw(folder / "libvirt-sock", timeout=30)
            assert early.call("auth_list") == [0], "connected before it was ready"
            assert ready.recv(100) == b"READY=1"
            assert Raw(folder / "libvirt-sock-ro").open().call("connect_is_secure") == 1
            child.terminate()
            assert ready.recv(100) == b"STOPPING=1"
            assert child.wait(15) == 0
            assert (folder / "libvirt-sock").exists(), "systemd's own file stays"
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    for sock in listeners:
        sock.close()


def test_session_mode_and_the_real_virsh(tmp_path: Path, cache: Path) -> None:
    with process(tmp_path, "--session") as child:
        sock = tmp_path / "run/libvirt/libvirt-sock"
        wait_for(sock, child)
        assert (sock.stat().st_mode & 0o777) == 0o700
        assert not (tmp_path / "run/libvirt/libvirt-sock-ro").exists()
        uri = f"qemu+unix:///session?socket={sock}"
        assert real_virsh(cache, "-c", uri, "uri").stdout.strip() == uri
        wrong = real_virsh(cache, "-c", uri.replace(":///session", ":///system"), "uri")
        assert "unexpected qemu URI path '/system', try qemu:///session" in wrong.stderr
        assert (tmp_path / "config/libvirt/qemu").is_dir()


def test_wrong_configuration_stops_the_start(tmp_path: Path) -> None:
    settings = tmp_path / "x.conf"
    settings.write_text("\nmax_workers = yes\n")
    with process(tmp_path, "--config", str(settings)) as child:
        assert child.wait(20) == 1 and child.stderr is not None
        assert f"configuration file syntax error: {settings}:2: expecting a value" in child.stderr.read()
    with process(tmp_path, "--config", str(tmp_path / "none")) as child:
        assert child.wait(20) == 1 and child.stderr is not None
        assert "No such file or directory" in child.stderr.read()


LAUNCHER = """#!/bin/sh
unset LD_LIBRARY_PATH
export PYTHONPATH={paths} PYTHONDONTWRITEBYTECODE=1
exec {python} -m kvasir.daemon "$@"
"""


@pytest.mark.guide("uri-qemu-session")
def test_a_users_session_starts_on_demand(cache: Path) -> None:
    """The real virsh, run by an ordinary user, finds no daemon and starts ours; it serves the next call as well."""
    import shutil
    import tempfile

    import lxml

    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    home = Path(tempfile.mkdtemp(prefix="kv-user-", dir="/tmp"))
    try:
        (home / "bin").mkdir()
        os.chown(home, 65534, -1)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        paths = f"{Path(__file__).parents[2] / 'src'}:{Path(lxml.__file__).parents[1]}"
        python = next(
            (
                one
                for one in (sys.executable, "/usr/bin/python3")
                if subprocess.run([*user, "env", f"PYTHONPATH={paths}", one, "-c", "import kvasir.rpc, lxml.etree"], capture_output=True).returncode == 0
            ),
            None,
        )  # fmt: skip
        if python is None:
            pytest.skip("no Python here that an ordinary user may run with the project's packages")
        script = home / "bin/libvirtd"
        script.write_text(LAUNCHER.format(paths=paths, python=python))
        home.chmod(0o755)
        script.chmod(0o755)
        env = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "LIBVIRTD_PATH": str(home / "bin"),
            "LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"),
            "LC_ALL": "C.UTF-8",
        }
        virsh = [*user, str(cache / "usr/bin/virsh"), "-q", "-c", "qemu:///session"]
        first = subprocess.run([*virsh, "uri"], env=env, capture_output=True, text=True, timeout=60)
        assert (first.returncode, first.stdout.strip()) == (0, "qemu:///session"), first.stderr
        pid = int((home / "libvirt/libvirtd.pid").read_text())
        second = subprocess.run([*virsh, "list", "--all"], env=env, capture_output=True, text=True, timeout=60)
        assert second.returncode == 0 and int((home / "libvirt/libvirtd.pid").read_text()) == pid
        assert Path(f"/proc/{pid}").stat().st_uid == 65534
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert b"--timeout=120" in words
        os.kill(pid, signal.SIGTERM)
        until(lambda: not (home / "libvirt/libvirt-sock").exists())
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_into_the_background(tmp_path: Path) -> None:
    """``-d`` returns when the daemon serves, with success; and with failure when it cannot."""
    command = [sys.executable, "-m", "kvasir.daemon", "--root", str(tmp_path), "-d"]
    done = subprocess.run(command, timeout=60, check=False)
    assert done.returncode == 0
    pid = int((tmp_path / "run/libvirtd.pid").read_text())
    try:
        assert Raw(tmp_path / "run/libvirt/libvirt-sock").open().call("connect_is_secure") == 1
        assert subprocess.run(command, timeout=60, check=False, stderr=subprocess.DEVNULL).returncode == 1
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not (tmp_path / "run/libvirtd.pid").exists())


def test_two_daemons_at_once(tmp_path: Path) -> None:
    """Of several that start in the same moment exactly one serves."""
    (tmp_path / "run").mkdir()
    children = [
        subprocess.Popen([sys.executable, "-m", "kvasir.daemon", "--root", str(tmp_path)], stderr=subprocess.DEVNULL)
        for _ in range(3)
    ]
    try:
        until(lambda: sum(child.poll() is None for child in children) <= 1)
        assert sorted(child.poll() is None for child in children) == [False, False, True]
        assert Raw(tmp_path / "run/libvirt/libvirt-sock").open().call("connect_is_secure") == 1
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
            child.wait(20)


def test_a_file_that_hangs_does_not_keep_the_daemon(tmp_path: Path) -> None:
    """SIGTERM while a worker waits for a FIFO, as it would for an NFS server that is gone."""
    os.mkfifo(tmp_path / "fifo")
    with process(tmp_path) as child:
        wait_for(tmp_path / "run/libvirt/libvirt-sock", child)
        raw = Raw(tmp_path / "run/libvirt/libvirt-sock").open()
        raw.start("domain_restore", str(tmp_path / "fifo"))
        raw.call("connect_get_type")
        time.sleep(0.5)
        child.terminate()
        assert child.wait(60) == 0
        assert not (tmp_path / "run/libvirtd.pid").exists()


def test_a_pid_file_of_ones_own(tmp_path: Path) -> None:
    """``-p`` as libvirtd's: the file is there while the daemon serves, and held against another."""
    mine = tmp_path / "mine.pid"
    with process(tmp_path / "a", "-p", str(mine)) as first:
        wait_for(tmp_path / "a/run/libvirt/libvirt-sock", first)
        assert mine.read_text() == str(first.pid) == (tmp_path / "a/run/libvirtd.pid").read_text()
        with process(tmp_path / "b", "-p", str(mine)) as second:
            assert second.wait(20) == 1 and second.stderr is not None
            assert f"{mine} is held by process {first.pid} (" in second.stderr.read()
        assert not (tmp_path / "b/run/libvirtd.pid").exists()
        first.send_signal(signal.SIGTERM)
        assert first.wait(15) == 0
    assert not mine.exists()


@pytest.mark.parametrize("word", ["-1", "x", "nan"])
def test_an_impossible_timeout(tmp_path: Path, word: str) -> None:
    with process(tmp_path, f"--timeout={word}") as child:
        assert child.wait(20) == 2 and child.stderr is not None
        assert "--timeout" in child.stderr.read()
