"""A session's daemon is started by its first client and serves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Done, KvasirDaemon, short_folder


@pytest.mark.guide("virsh-user-visibility", "virsh-list-root-note", "virsh-connect-opt-uri")
def test_first_client_starts_the_daemon(kvasird: KvasirDaemon) -> None:
    """What is defined in a session is not in the system's list."""
    if not Path(sys.executable).with_name("kvasird").exists():
        pytest.skip("kvasird is not installed beside this Python (pip install -e .)")
    with short_folder("kv-ses-") as folder:
        names = ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME", "STATE_HOME")
        env = {**os.environ, "HOME": str(folder), **{f"XDG_{name}": str(folder / name.lower()) for name in names}}
        (folder / "runtime_dir").mkdir(mode=0o700)
        env["LIBVIRTD_PATH"] = str(folder / "daemon")
        starter = folder / "daemon"
        starter.write_text(
            f"#!/bin/sh\necho $$ > {folder}/pid\nexec {sys.executable} -m kvasir.daemon --session --timeout=60\n"
        )
        starter.chmod(0o755)
        env["PYTHONPATH"] = str(PROJECT / "src")
        command = [str(PROJECT / "bin/virsh"), "-c", "qemu:///session"]
        try:
            first = subprocess.run([*command, "uri"], env=env, capture_output=True, text=True, timeout=60)
            assert (first.stdout, first.returncode) == ("qemu:///session\n\n", 0), first.stderr
            started = (folder / "pid").read_text()
            second = subprocess.run(
                [*command, "-q", "list", "--all"], env=env, capture_output=True, text=True, timeout=60
            )
            assert (second.stdout, second.returncode) == ("", 0), second.stderr
            assert (folder / "pid").read_text() == started, "the second client uses the same daemon"
            (folder / "mine.xml").write_text(
                "<domain type='qemu'><name>mine</name><memory>32768</memory><os><type>hvm</type></os></domain>"
            )
            script = f"define {folder}/mine.xml\nlist --all --name\nconnect {kvasird.uri}\nlist --all --name\nquit\n"
            third = subprocess.run(command, env=env, input=script, capture_output=True, text=True, timeout=60)
            assert "Domain 'mine' defined" in third.stdout, third.stderr
            assert third.stdout.split("connect")[0].split().count("mine") == 1
            assert "mine" not in third.stdout.split(kvasird.uri)[-1]
            assert kvasird.virsh("list", "--all", "--name").stdout.strip() == ""
        finally:
            if (folder / "pid").exists():
                os.kill(int((folder / "pid").read_text()), signal.SIGTERM)


class User:
    """An ordinary user (a number without a name) with folders of their own."""

    def __init__(self, folder: Path, uid: int) -> None:
        self.home, self.uid = folder / str(uid), uid
        names = ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME", "STATE_HOME")
        self.env = {**os.environ, "HOME": str(self.home), "PYTHONPATH": str(PROJECT / "src"), "PYTHONDONTWRITEBYTECODE": "1",
                    **{f"XDG_{name}": str(self.home / name.lower()) for name in names}}  # fmt: skip
        for path in (self.home, self.home / "runtime_dir"):
            path.mkdir(mode=0o700)
            os.chown(path, uid, uid)
        starter = self.home / "daemon"
        starter.write_text(
            f"#!/bin/sh\necho $$ > {self.home}/pid\nexec {sys.executable} -m kvasir.daemon --session --timeout=60\n"
        )
        starter.chmod(0o755)
        self.env["LIBVIRTD_PATH"] = str(starter)

    def virsh(self, *words: str) -> Done:
        drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        command = [*drop, str(PROJECT / "bin/virsh"), "-c", "qemu:///session", *words]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, cwd="/")

    def end(self) -> None:
        if (self.home / "pid").exists():
            os.kill(int((self.home / "pid").read_text()), signal.SIGTERM)


@pytest.mark.guide("ui-user-visibility")
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming other users needs root")
def test_who_sees_whose_guests(kvasird: KvasirDaemon) -> None:
    text = "<domain type='qemu'><name>{}</name><memory>32768</memory><os><type>hvm</type></os></domain>"
    (kvasird.folder / "a.xml").write_text(text.format("a"))
    assert kvasird.virsh("define", str(kvasird.folder / "a.xml")).returncode == 0
    with short_folder("kv-ses-") as folder:
        (folder / "b.xml").write_text(text.format("b"))
        one, two = User(folder, 64990), User(folder, 64991)
        try:
            made = one.virsh("define", str(folder / "b.xml"))
            assert made.returncode == 0, made.stderr
            lists = [user.virsh("-q", "list", "--all", "--name").stdout.split() for user in (one, two)]
            assert lists == [["b"], []]
            assert kvasird.virsh("-q", "list", "--all", "--name").stdout.split() == ["a"]
            asked = kvasird.virsh("dominfo", "b")
            assert asked.returncode == 1 and "failed to get domain 'b'" in asked.stderr
        finally:
            one.end()
            two.end()


def test_a_daemon_that_does_not_start_is_named() -> None:
    with short_folder("kv-ses-") as folder:
        env = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "LIBVIRTD_PATH": "/bin/false"}
        command = [str(PROJECT / "bin/virsh"), "-c", "qemu:///session", "list"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "the session's daemon /bin/false ended with status 1" in done.stderr
