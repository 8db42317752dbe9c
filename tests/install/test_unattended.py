"""Answer files beside those of the real virt-install 4.1, which takes them from osinfo-db's scripts through libosinfo; and their secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import osinfo, unattended
from kvasir.install.grammar import OptionError
from tests.conftest import PROJECT, KvasirDaemon, Peers, TinyGuest, short_folder
from tests.install import sides

SYSTEMS = ("debian11", "ubuntu18.04", "fedora36", "rhel6.9", "rhel9.0", "centos7.0", "opensuse15.4", "opensusetumbleweed", "win7",
           "win10", "winxp", "openbsd7.0", "sle15")  # fmt: skip
URL = "http://mirror.example/tree"


@pytest.fixture(scope="module")
def real(peers: Peers) -> dict[str, list[dict[str, Any]]]:
    done = peers.run("python3", str(PROJECT / "tests/install/libosinfo.py"), *SYSTEMS)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {row["system"]: row["scripts"] for row in rows}


@pytest.fixture
def secrets(tmp_path: Path) -> tuple[Path, Path]:
    root, user = tmp_path / "root", tmp_path / "user"
    root.write_text("topsecret\n")
    user.write_text("annsecret\n")
    return root, user


def answers(secrets: tuple[Path, Path], **more: str) -> unattended.Answers:
    words = {
        "admin_password_file": str(secrets[0]),
        "user_login": "ann",
        "user_password_file": str(secrets[1]),
        "hostname": "box",
    }
    return unattended.Answers(**{**words, "product_key": "AAAA-BBBB", **more})


def keys(words: list[str]) -> dict[str, str]:
    """The words that say where answers and packages are. The kickstart's own name is free; RHEL 7 knows ks= and inst.ks=."""
    found = dict(word.split("=", 1) for word in words if "=" in word)
    wanted = ("autoyast", "install", "method", "inst.repo")
    kickstart = re.sub(r"[\w.-]+\Z", "NAME", found.get("inst.ks") or found.get("ks") or "")
    return {"ks": kickstart, **{k: v for k, v in found.items() if k in wanted}}


@pytest.mark.parametrize("name", [n for n in SYSTEMS if n not in ("winxp", "openbsd7.0", "sle15")])
@pytest.mark.parametrize("profile", ["desktop", "jeos"])
def test_as_the_original_hands_them_over(
    real: dict[str, list[dict[str, Any]]], secrets: tuple[Path, Path], name: str, profile: str
) -> None:
    """The same file for Windows and AutoYaST, the same way into the installer, the same kernel words, the same facts in it."""
    theirs = [s for s in real[name] if s["profile"] == profile and s["file"] != "windows.cmd"]
    if not theirs:
        assert name == "win10" and profile == "jeos"
        return
    system = osinfo.lookup(name)
    assert system is not None
    script = unattended.script(system, answers(secrets, profile=profile), URL)
    assert script.where == theirs[0]["way"]
    if script.name != "ks.cfg":
        assert script.name == theirs[0]["file"]
    assert keys(script.cmdline.split()) == keys(theirs[0]["cmdline"])
    for fact in ("topsecret", "annsecret", "ann", "box", "AAAA-BBBB"):
        if fact in theirs[0]["content"] and not (fact == "box" and profile == "jeos"):
            assert fact in script.content, fact
    if script.name.endswith("xml"):
        assert ET.fromstring(script.content.encode()).tag == ET.fromstring(theirs[0]["content"].encode()).tag


def test_autoyast_is_a_profile_for_the_whole_disk(secrets: tuple[Path, Path]) -> None:
    suse, sle = osinfo.lookup("opensuse15.4"), osinfo.lookup("sle15")
    assert suse is not None and sle is not None
    space = {"y": "http://www.suse.com/1.0/yast2ns"}
    secrets[0].write_text("a<b&c\n")
    for system, registered in ((suse, 0), (sle, 1)):
        script = unattended.script(system, answers(secrets, reg_login="me@example.org", profile="jeos"), URL)
        root = ET.fromstring(script.content)
        users = {
            u.findtext("y:username", "", space): u.findtext("y:user_password", "", space)
            for u in root.findall("y:users/y:user", space)
        }
        assert users == {"root": "a<b&c", "ann": "annsecret"}
        assert root.findtext("y:networking/y:dns/y:hostname", "", space) == "box"
        assert root.findtext("y:partitioning/y:drive/y:use", "", space) == "all"
        assert root.findtext("y:general/y:mode/y:confirm", "", space) == "false"
        found = root.findall("y:suse_register", space)
        assert len(found) == registered
        if found:
            assert [found[0].findtext(f"y:{n}", "", space) for n in ("email", "reg_code")] == [
                "me@example.org",
                "AAAA-BBBB",
            ]


def test_what_no_answer_file_can_do(real: dict[str, list[dict[str, Any]]], secrets: tuple[Path, Path]) -> None:
    """Windows XP reads answers from a floppy only, which virt-install 4.1 refuses too; OpenBSD has none; profiles are named."""
    assert {s["way"] for s in real["winxp"] if s["file"] == "winnt.sif"} == {"floppy"} and real["openbsd7.0"] == []
    for name, words, text in (
        ("winxp", {}, "does not support required injection method 'cdrom'"),
        ("openbsd7.0", {}, "does not support unattended installation"),
        ("debian12", {"profile": "server"}, "for the 'server' profile. Available profiles: desktop, jeos"),
        ("debian12", {"user_login": "root"}, "user-login cannot be root"),
    ):
        system = osinfo.lookup(name)
        assert system is not None
        with pytest.raises(OptionError, match=re.escape(text)):
            unattended.script(system, answers(secrets, **words))


def test_a_password_with_blanks_is_one_word(secrets: tuple[Path, Path]) -> None:
    import shlex

    secrets[0].write_text("two 'words' --lock\n")
    system = osinfo.lookup("fedora36")
    assert system is not None
    line = next(
        row for row in unattended.script(system, answers(secrets)).content.splitlines() if row.startswith("rootpw")
    )
    assert shlex.split(line) == ["rootpw", "--plaintext", "two 'words' --lock"]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-una-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


def test_passwords_show_nowhere(
    kvasird: KvasirDaemon, folder: Path, secrets: tuple[Path, Path], tiny_guest: TinyGuest
) -> None:
    """Not in a command line (every program that is run is written down), a log, a document, a file that others may read."""
    tree = folder / "tree/boot/x86_64/loader"
    tree.mkdir(parents=True)
    shutil.copy(tiny_guest.bzimage, tree / "linux")
    (tree / "initrd").write_bytes(b"\0" * 4096)
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("openssl", "mkpasswd"):
        (tools / tool).write_text(f'#!/bin/sh\necho "$0 $*" >> {tools}/log\nexec /usr/bin/{tool} "$@"\n')
        (tools / tool).chmod(0o755)
    iso = folder / "cd.iso"
    iso.write_bytes(b"\0" * 65536)
    for name in ("debian12", "ubuntu22.04", "win10"):
        source = ["--location", str(folder / "tree")] if name == "debian12" else ["--cdrom", str(iso)]
        shown = install_unattended(kvasird, name, secrets, tools, source)
        if name == "ubuntu22.04":
            assert "openssl passwd" in (tools / "log").read_text()
        shown += "".join(p.read_text() for p in tools.glob("log"))
        assert "topsecret" not in shown and "annsecret" not in shown
        assert list((folder / "boot").iterdir()) == []


def install_unattended(
    daemon: KvasirDaemon, name: str, secrets: tuple[Path, Path], tools: Path, source: list[str]
) -> str:
    """All that can be seen of an install while it runs."""
    words = [
        *source,
        "--unattended",
        f"admin-password-file={secrets[0]},user-login=ann,user-password-file={secrets[1]}",
    ]
    command = [sys.executable, "-m", "kvasir.cli.virt_install", "--debug", "--connect", daemon.uri, "--virt-type", "qemu", "--memory", "64",
               "--network", "none", "--graphics", "none", "--noautoconsole", "--name", "u", "--osinfo", name, "--disk", "none", *words]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    try:
        assert done.returncode == 0, done.stderr
        shown = done.stdout + done.stderr + daemon.log() + daemon.our_virsh("dumpxml", "u").stdout
        shown += "".join(p.read_text(errors="replace") for p in (daemon.folder / "var/log/libvirt/qemu").glob("*.log"))
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                shown += process.read_text(errors="replace")
            except OSError:
                continue
        return shown
    finally:
        daemon.our_virsh("destroy", "u")
        daemon.our_virsh("undefine", "u")


def test_files_with_answers_are_the_owners_alone(
    kvasird: KvasirDaemon, folder: Path, secrets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kvasir.install import installer

    seen: list[tuple[str, int, bool]] = []

    def look(self: Any, *words: Any, **more: Any) -> None:
        for path in self.files:
            data = Path(path).read_bytes()
            seen.append((Path(path).name.split("-")[1], Path(path).stat().st_mode & 0o777, b"topsecret" in data))
        raise OptionError("enough")

    monkeypatch.setattr(installer.Installer, "_create", look)
    tree = folder / "tree/boot/x86_64/loader"
    tree.mkdir(parents=True)
    for file in ("linux", "initrd"):
        (tree / file).write_bytes(b"\0" * 4096)
    line = ["--connect", kvasird.uri, "--virt-type", "qemu", "--memory", "64", "--network", "none", "--graphics", "none", "--noautoconsole",
            "--name", "u", "--osinfo", "opensuse15.4", "--disk", "none", "--location", str(folder / "tree"),
            "--unattended", f"admin-password-file={secrets[0]}"]  # fmt: skip
    assert sides.ours("virt-install", line)["rc"] == 1
    assert ("initrd", 0o600, True) in seen and ("kernel", 0o644, False) in seen
    assert list((folder / "boot").iterdir()) == []
