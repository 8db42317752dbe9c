"""ssh (guide 18.2): a real sshd on the other host, its client with keys made for the purpose, and both virsh."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.hosts import Pair
from tests.remote.test_tls import both, in_
from tests.unpacked import libraries, unpacked
from tests.wire.harness import PROJECT

CONFIG = """Port 22
HostKey {folder}/hostkey
AuthorizedKeysFile {folder}/authorized-%u
PidFile {folder}/pid
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH={path} KVASIR_ROOT={root}
Subsystem none none
"""
NETCAT = """#!/usr/bin/python3
import os, select, socket, sys
open({asked!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
if "-U" not in sys.argv:
    sys.exit("nc: option requires an argument -- 'q'")
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[-1])
while True:
    for fd in select.select([0, s], [], [])[0]:
        data = os.read(0, 65536) if fd == 0 else s.recv(65536)
        if not data: sys.exit()
        s.sendall(data) if fd == 0 else os.write(1, data)
"""
SETTINGS = 'listen_tls = 0\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n'


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def site(pair: Pair, root: Path) -> Iterator[Pair]:
    """sshd on the server, with root's and virtuser's keys of the client authorized."""
    package = unpacked("openssh-server", "libwrap0")
    folder = pair.server.folder / "ssh"
    (folder / "bin").mkdir(parents=True)
    keygen(folder / "hostkey")
    home = pair.client.folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    keygen(home / ".ssh/id_rsa")
    public = (home / ".ssh/id_rsa.pub").read_text()
    for user in ("root", "virtuser"):
        (folder / f"authorized-{user}").write_text(public)
    (home / ".ssh/known_hosts").write_text(f"host2,10.77.0.1 {(folder / 'hostkey.pub').read_text()}")
    for host in (pair.server, pair.client):
        users = Path("/etc/passwd").read_text()
        users += "sshd:x:990:65534::/run/sshd:/usr/sbin/nologin\nvirtuser:x:4711:65534::/tmp:/bin/sh\n"
        users = users.replace("root:x:0:0:root:/root:", f"root:x:0:0:root:{home}:") if host is pair.client else users
        (host.etc / "passwd").write_text(users)
        (host.etc / "shadow").write_text(Path("/etc/shadow").read_text() + "virtuser:x:19000:0:99999:7:::\n")
    helper = folder / "bin/virt-ssh-helper"
    helper.write_text(
        f'#!/bin/sh\necho "$USER $*" >> {folder}/asked\n'
        f'PYTHONPATH={PROJECT}/src exec {PROJECT}/.venv/bin/python -m kvasir.cli.virt_ssh_helper "$@"\n'
    )
    helper.chmod(0o755)
    (folder / "asked").touch(0o666)
    (folder / "asked").chmod(0o666)
    (folder / "config").write_text(CONFIG.format(folder=folder, root=root, path=f"{folder}/bin:/usr/bin:/bin"))
    pair.client.env["HOME"] = str(home)
    script = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"'
    sshd = [str(package / "usr/sbin/sshd"), "-D", "-e", "-f", str(folder / "config")]
    env = {**os.environ, "LD_LIBRARY_PATH": libraries(package)}
    with open(folder / "log", "w") as log:
        child = subprocess.Popen(pair.server.command("sh", "-c", script, "sshd", *sshd), env=env, stderr=log)
    end = time.monotonic() + 90
    while "listening on" not in (folder / "log").read_text():
        assert time.monotonic() < end and child.poll() is None, (folder / "log").read_text()
        time.sleep(0.05)
    yield pair
    child.terminate()
    child.wait(10)


def asked(site: Pair) -> list[str]:
    """What the other host was asked to run since the last time."""
    path = site.server.folder / "ssh/asked"
    lines = path.read_text().splitlines()
    path.write_text("")
    return lines


@pytest.mark.guide(
    *("remote-transport-ssh", "ssh-remote-management", "ssh-keygen", "ssh-copy-id", "proc-ssh-passwordless"),
    *("remote-uri-example-ssh", "remote-uri-param-name", "remote-uri-extra-parameters", "ssh-remote-limits"),
)
def test_keys_open_the_door(site: Pair, root: Path, cache: Path) -> None:
    """One ssh carries a whole shell of commands; a user without rights on the socket is refused with words that say so."""
    with site.daemon(root, SETTINGS):
        for uri in (
            "qemu+ssh://root@host2/system",
            "qemu+ssh://host2:22/system?foo=bar",
            "qemu+libssh2://host2/system",
        ):
            done = site.client.ours("-c", uri, "list")
            assert in_(done), uri
            assert asked(site)[0].removesuffix("?foo=bar") == "root qemu:///system"
        assert in_(site.client.real(cache, "-c", "qemu+ssh://root@host2/system", "list"))
        assert asked(site) == ["root qemu:///system"]
        done = site.client.ours("-r", "-c", "qemu+ssh://host2/system", text="list\nversion\nnodeinfo\n")
        assert done.returncode == 0 and "CPU model:" in done.stdout, done.stderr
        assert asked(site) == ["root -r qemu:///system"]
        done = site.client.ours("-c", "remote+ssh://host2/?name=qemu:///system", "uri")
        assert done.returncode == 0 and done.stdout.strip() == "qemu:///system", done
        for done in both(site.client, cache, "-c", "qemu+ssh://virtuser@host2/system", "list"):
            assert done.returncode == 1 and "libvirt-sock': Permission denied" in done.stderr, done.stderr
        assert [line.split()[0] for line in asked(site)[1:]] == ["virtuser"] * 2


@pytest.mark.guide("remote-uri-param-netcat", "remote-uri-param-socket")
def test_netcat(site: Pair, root: Path, cache: Path) -> None:
    """``netcat=`` names the command on the other side; ``socket=`` the socket that it joins; spaces are escaped."""
    folder = site.server.folder / "ssh"
    nc = folder / "my nc"
    nc.write_text(NETCAT.format(asked=str(folder / "asked")))
    nc.chmod(0o755)
    socket = f"{root}/run/libvirt/libvirt-sock"
    query = f"netcat={str(nc).replace(' ', '%20')}&socket={socket}"
    with site.daemon(root, SETTINGS):
        asked(site)
        assert all(in_(done) for done in both(site.client, cache, "-c", f"qemu+ssh://host2/system?{query}", "list"))
        assert [line for line in asked(site) if line != "-q"] == [f"-q0 -U {socket}"] * 2
        done = site.client.ours("-c", f"qemu+ssh://host2/system?netcat=/nonexistent/nc&socket={socket}", "list")
        assert done.returncode == 1 and "/nonexistent/nc: not found" in done.stderr, done.stderr


@pytest.mark.guide("remote-uri-param-command", "remote-uri-param-no-tty", "ssh-required-packages")
def test_how_ssh_is_run(site: Pair, root: Path, tmp_path: Path, cache: Path) -> None:
    """``command`` by path and by name, ``no_tty``, ``keyfile``, and what is said when ssh or its keys are missing."""
    script = tmp_path / "myssh"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/argv\nexec ssh "$@"\n')
    script.chmod(0o755)
    key = Path(site.client.env["HOME"]) / ".ssh/id_rsa"
    with site.daemon(root, SETTINGS):
        assert (
            in_(site.client.ours("-c", f"qemu+ssh://virtadmin@host2/system?command={script}&no_tty=1", "list")) is False
        )
        words = (tmp_path / "argv").read_text().split()
        assert words[:2] == ["-l", "virtadmin"] and "BatchMode=yes" in words and "host2" in words
        aside = key.rename(key.with_name("aside"))
        for done in both(site.client, cache, "-c", "qemu+ssh://host2/system?no_tty=1", "list"):
            assert done.returncode == 1 and "Permission denied (publickey" in done.stderr, done.stderr
        options = f"keyfile={aside}&known_hosts=/dev/null&known_hosts_verify=auto&sshauth=privkey"
        assert in_(site.client.ours("-c", f"qemu+libssh://host2/system?{options}", "list"))
        aside.rename(key)
        done = site.client.ours("-c", "qemu+ssh://host2/system?known_hosts=/dev/null&known_hosts_verify=bad", "list")
        assert "Invalid host key verification method: 'bad'" in done.stderr
        done = site.client.ours("-c", "qemu+ssh://host2/system?known_hosts=/dev/null&no_tty=1", "list")
        assert "Host key verification failed" in done.stderr, done.stderr
        virsh = [
            str(PROJECT / ".venv/bin/python"),
            "-IS",
            str(PROJECT / "bin/virsh"),
            "-c",
            "qemu+ssh://host2/system",
            "list",
        ]
        done = site.client.run("/usr/bin/env", "PATH=/nonexistent", *virsh)
        assert done.returncode == 1 and "Cannot run ssh: No such file or directory" in done.stderr, done.stderr


@pytest.mark.guide("ssh-add")
def test_the_agent_is_asked(site: Pair, root: Path, tmp_path: Path) -> None:
    """A key that only ssh-agent has; without the agent ssh-add says so."""
    key = Path(site.client.env["HOME"]) / ".ssh/id_rsa"
    sock = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    try:
        while not sock.exists():
            time.sleep(0.02)
        site.client.env["SSH_AUTH_SOCK"] = str(sock)
        assert site.client.run("ssh-add", str(key)).returncode == 0
        hidden = key.rename(tmp_path / "hidden")
        with site.daemon(root, SETTINGS):
            assert in_(site.client.ours("-c", "qemu+ssh://host2/system?no_tty=1", "list"))
            del site.client.env["SSH_AUTH_SOCK"]
            assert not in_(site.client.ours("-c", "qemu+ssh://host2/system?no_tty=1", "list"))
        done = subprocess.run(
            ["ssh-add"], env={**os.environ, "SSH_AUTH_SOCK": ""}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and "authentication agent" in done.stderr
        hidden.rename(key)
    finally:
        site.client.env.pop("SSH_AUTH_SOCK", None)
        agent.terminate()
        agent.wait(10)


@pytest.mark.guide("ssh-libvirtd-enable")
def test_without_the_daemon_its_socket_is_named(site: Pair, root: Path, cache: Path) -> None:
    for done in both(site.client, cache, "-c", "qemu+ssh://host2/system", "list"):
        assert done.returncode == 1, done
        assert f"Failed to connect socket to '{root}/run/libvirt/libvirt-sock'" in done.stderr, done.stderr
