"""Listening on the network, and the errors of a start and of connections that the guide lists (A.19.1, A.19.2)."""

from __future__ import annotations

import grp
import os
import pwd
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.wire.harness import Raw, process, real_virsh
from tests.wire.test_process import wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "etc/libvirt/libvirtd.conf"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def listening(port: int) -> list[str]:
    """Addresses that listen on the port, as the kernel says."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        address, _, number = words[1].partition(":")
        if words[3] == "0A" and int(number, 16) == port:
            found.append(socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    return found


@pytest.mark.guide("trouble-libvirtd-start-fix-tcp", "conf-libvirtd-listen-addr", "trouble-uri-refused-listen")
def test_plain_tcp(tmp_path: Path, cache: Path) -> None:
    port = free_port()
    tcp = ("listen_tls = 0", "listen_tcp = 1", f'tcp_port = "{port}"', 'auth_tcp = "none"')
    settings(tmp_path, *tcp, 'listen_addr = "127.0.0.1"')
    with process(tmp_path, "--listen") as child:
        wait_for(tmp_path / "run/libvirt/libvirt-sock", child)
        end = time.monotonic() + 10  # the unix socket is there a moment earlier
        while not listening(port) and time.monotonic() < end:
            time.sleep(0.05)
        assert listening(port) == ["127.0.0.1"]
        assert "--listen" in Path(f"/proc/{child.pid}/cmdline").read_text().split("\0")
        uri = f"qemu+tcp://127.0.0.1:{port}/system"
        done = real_virsh(cache, "-c", uri, "nodeinfo")
        assert done.returncode == 0 and "CPU model:" in done.stdout, done.stderr
        assert real_virsh(cache, "-c", uri, "uri").stdout.strip() == uri
        raw = Raw(tmp_path / "run/libvirt/libvirt-sock").open()
        assert raw.call("connect_is_secure") == 1 and raw.call("connect_supports_feature", 8) == 1


@pytest.mark.guide("trouble-uri-refused", "trouble-libvirtd-start-fix-nolisten")
def test_without_listen_nothing_listens(tmp_path: Path, cache: Path) -> None:
    """Also when the configuration says so; and unix sockets need no certificates."""
    port = free_port()
    settings(tmp_path, "listen_tls = 1", "listen_tcp = 1", f'tcp_port = "{port}"', 'listen_addr = "0.0.0.0"')
    with process(tmp_path) as child:
        wait_for(tmp_path / "run/libvirt/libvirt-sock", child)
        assert listening(port) == []
        done = real_virsh(cache, "-c", f"qemu+tcp://127.0.0.1:{port}/system", "list")
        assert done.returncode == 1 and done.stderr.splitlines() == [
            "error: failed to connect to the hypervisor",
            f"error: unable to connect to server at '127.0.0.1:{port}': Connection refused",
        ]


@pytest.mark.guide(
    *("trouble-libvirtd-start-symptom", "trouble-libvirtd-start-cause", "trouble-table-a1-libvirtd-not-start"),
    "trouble-libvirtd-start-journal",
)
def test_no_certificates(tmp_path: Path) -> None:
    """``--listen`` with TLS (the default) and no certificates: the start fails and says so; with ``-d`` in libvirt's words."""
    with process(tmp_path, "--listen") as child:
        assert child.wait(30) == 6 and child.stderr is not None
        missing = f"{tmp_path}/etc/pki/CA/cacert.pem"
        lines = child.stderr.read().splitlines()
    start = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}}\+0000: {child.pid}: "
    wanted = (
        r"info : libvirt version: 9\.0\.0, package: kvasir .*",
        f"info : hostname: {re.escape(os.uname().nodename)}",
        rf"error : \w+:\d+ : Cannot read CA certificate '{re.escape(missing)}': No such file or directory",
    )
    assert len(lines) == 3 and all(re.fullmatch(start + one, line) for one, line in zip(wanted, lines, strict=True)), (
        lines
    )
    command = [sys.executable, "-m", "kvasir.daemon", "--root", str(tmp_path), "--listen", "-d"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 6
    assert re.search(
        r": error: Unable to initialize network sockets\. Check /var/log/messages or run without --daemon for more info\.",
        done.stderr,
    )
    assert not (tmp_path / "run/libvirt/libvirt-sock").exists()
    with process(tmp_path) as child:
        wait_for(tmp_path / "run/libvirt/libvirt-sock", child)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["listen_tls = 0", "listen_tcp = 1", 'tcp_port = "1"', 'listen_addr = "192.0.2.1"'],
            "Unable to listen on port 1",
        ),
        (["listen_tls = 0", "listen_tcp = 1", 'auth_tcp = "none"', 'tcp_port = "x"'], "Unable to listen on port x"),
    ],
)
def test_what_cannot_be_served_stops_the_start(tmp_path: Path, lines: list[str], words: str) -> None:
    settings(tmp_path, *lines)
    with process(tmp_path, "--listen") as child:
        assert child.wait(30) == 6 and child.stderr is not None
        assert words in child.stderr.read()


@pytest.mark.guide("conf-libvirtd-unix-sock", "trouble-uri-perm-denied")
def test_permissions_of_the_sockets(tmp_path: Path, cache: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    group = next(one for one in grp.getgrall() if one.gr_gid not in (0, 65534))
    settings(
        tmp_path, f'unix_sock_group = "{group.gr_name}"', 'unix_sock_ro_perms = "0777"', 'unix_sock_rw_perms = "0770"'
    )
    folder = tmp_path
    while folder != Path("/tmp") and folder != Path("/"):
        folder.chmod(folder.stat().st_mode | 0o055)
        folder = folder.parent
    with process(tmp_path) as child:
        rw = tmp_path / "run/libvirt/libvirt-sock"
        wait_for(rw, child)
        assert (rw.stat().st_mode & 0o777, rw.stat().st_gid) == (0o770, group.gr_gid)
        assert Path(f"{rw}-ro").stat().st_mode & 0o777 == 0o777
        uri = f"qemu+unix:///system?socket={rw}"
        env = {"LD_LIBRARY_PATH": str(cache / "usr/lib/x86_64-linux-gnu"), "LC_ALL": "C", "HOME": "/nonexistent"}
        nobody = pwd.getpwnam("nobody").pw_uid
        for gid, code in ((65534, 1), (group.gr_gid, 0)):
            user = ["setpriv", f"--reuid={nobody}", f"--regid={gid}", "--clear-groups"]
            done = subprocess.run(
                [*user, str(cache / "usr/bin/virsh"), "-c", uri, "nodeinfo"], env=env, capture_output=True, text=True, timeout=60
            )  # fmt: skip
            assert done.returncode == code, done.stderr
            if code:
                assert f"error: Failed to connect socket to '{rw}': Permission denied" in done.stderr
