"""virt-admin in the four cells {ours, the real one} x {kvasird, the real libvirtd}."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys

from tests.conftest import PROJECT, DaemonHandle, KvasirDaemon

SCRIPT = """
server-list
srv-list
-q server-list
server-list x
server-threadpool-info libvirtd
server-threadpool-info admin
server-threadpool-info nosuch
server-threadpool-info
server-threadpool-set libvirtd --min-workers 4 --max-workers 21
server-threadpool-set libvirtd --max-workers 20 --min-workers 5
server-threadpool-set libvirtd
server-threadpool-set libvirtd --min-workers 50
server-threadpool-set libvirtd --min-workers 50 --max-workers 40
server-threadpool-set libvirtd --priority-workers x
server-clients-info libvirtd
server-clients-set libvirtd --max-clients 6000
server-clients-info libvirtd
server-clients-set libvirtd --max-clients 5
server-clients-set libvirtd
server-clients-set libvirtd --max-clients 5000
client-list libvirtd
client-list admin
client-list nosuch
client-info libvirtd 999
client-info nosuch 1
client-info libvirtd x
client-disconnect libvirtd 999
client-disconnect libvirtd x
server-update-tls libvirtd
daemon-log-filters
daemon-log-filters '1:qemu 3:rpc'
daemon-log-filters
daemon-log-filters ''
daemon-log-filters
daemon-log-outputs x
daemon-timeout
daemon-timeout 5
daemon-timeout --timeout 1000
daemon-timeout --timeout 0
version
uri
pwd
echo a b
cd /
nosuch
help nosuch
connect
-q connect
connect bogus:///x
"""


def run(daemon: DaemonHandle, who: str, words: list[str], stdin: str = "") -> tuple[str, str, int]:
    admin = daemon.uri.replace("qemu+unix", "libvirtd+unix").replace("libvirt-sock", "libvirt-admin-sock")
    assert daemon.peers is not None
    root = daemon.peers.root
    libraries = ":".join(str(path.parent) for path in (root / "usr/lib").glob("*/libvirt.so.0"))
    head = [str(root / "usr/bin/virt-admin")] if who == "real" else [sys.executable, "-m", "kvasir.cli.virt_admin.main"]
    env = {**os.environ, "LC_ALL": "C", "PYTHONPATH": str(PROJECT / "src")}
    if who == "real":
        env["LD_LIBRARY_PATH"] = libraries
    done = subprocess.run(
        [*head, "-c", admin, *words], env=env, capture_output=True, text=True, timeout=60, input=stdin
    )

    def mask(text: str) -> str:
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+\d+", "WHEN", text.replace(str(daemon.folder), "FOLDER"))
        text = re.sub(r"FOLDER/run/libvirt/|FOLDER/", "FOLDER/", text)
        text = re.sub(r"(?m)^ \d+ +unix ", " N unix ", text)
        text = re.sub(r"^ Id +Transport", " Id Transport", text)
        text = re.sub(r"(nWorkers|freeWorkers) +: \d+", r"\1 : N", text)
        text = re.sub(r"-{8,}", "-", text)
        listed = re.findall(r"(?m)^ \d +\w+$", text)  # the real one lists servers in any order
        return re.sub(r"(?m)^ \d +\w+$\n?", "", text) + "".join(sorted(one.split()[1] for one in listed))

    return mask(done.stdout), mask(done.stderr), done.returncode


def test_four_cells(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    cells = {}
    for name, daemon in (("libvirtd", real_libvirtd), ("kvasird", kvasird)):
        for who in ("real", "ours"):
            cells[f"{who} on {name}"] = [
                (line, run(daemon, who, shlex.split(line))) for line in SCRIPT.strip().splitlines()
            ]
    first = cells["real on libvirtd"]
    for name, said in cells.items():
        different = [(mine, theirs) for mine, theirs in zip(said, first, strict=True) if mine != theirs]
        assert not different, f"{name}: {different}"


def test_lines_from_standard_input(kvasird: KvasirDaemon) -> None:
    """Banner, prompt, what was typed, the end by quit or by the end of it."""
    for text in ("connect\npwd\nquit\n", "nosuch\nserver-list\n", ""):
        for words in ([], ["-q"]):
            real, ours = (run(kvasird, who, words, text) for who in ("real", "ours"))
            assert ours == real, (words, text)


def test_the_daemon_that_the_variable_names(kvasird: KvasirDaemon) -> None:
    """LIBVIRT_ADMIN_DEFAULT_URI, unless -c names another."""
    uri = f"libvirtd+unix:///system?socket={kvasird.folder}/run/libvirt/libvirt-admin-sock"
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "LIBVIRT_ADMIN_DEFAULT_URI": uri}
    for more, code in (([], 0), (["-c", uri + "x"], 1)):
        command = [sys.executable, "-m", "kvasir.cli.virt_admin.main", *more, "uri"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (code, f"{uri}\n\n" if code == 0 else ""), done.stderr


def test_a_client(kvasird: KvasirDaemon) -> None:
    """A client is listed, told of, and disconnected."""
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(kvasird.socket))
    for who in ("real", "ours"):
        rows = run(kvasird, who, ["-q", "client-list", "libvirtd"])[0].splitlines()
        assert len(rows) == 1
    raw = subprocess.run(
        [sys.executable, "-m", "kvasir.cli.virt_admin.main", "-q", "-c",
         f"libvirtd+unix:///system?socket={kvasird.folder}/run/libvirt/libvirt-admin-sock", "client-list", "libvirtd"],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    number = raw.stdout.split()[0]
    told = [run(kvasird, who, ["client-info", "libvirtd", number]) for who in ("real", "ours")]
    assert told[0] == told[1]
    assert f"unix_process_id: {os.getpid()}" in told[1][0]
    assert (
        run(kvasird, "ours", ["client-disconnect", "libvirtd", number])[0].strip() == f"Client '{number}' disconnected"
    )
    line.settimeout(30)
    assert line.recv(1) == b""
