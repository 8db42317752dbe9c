"""What virt-sysprep puts into a guest's disk (its customize options), scripts, accounts, new UUIDs: done in the appliance under TCG, looked at by debugfs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvasir.disk import customize, operations
from kvasir.disk.appliance import DiskError
from tests.conftest import PROJECT, TinyGuest, short_folder
from tests.install import fixture
from tests.install.fixture import Inside
from tests.install.test_prepare import tool

USERS = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:/bin/false
ann:x:1000:1000::/home/ann:/bin/sh
bob:x:1001:1001::/home/bob:/bin/sh
kay:x:1002:1002::/home/kay:/bin/sh
"""
FILES = {
    "etc/passwd": USERS, "etc/shadow": "root:*:1::::::\nann:!:1::::::\nbob:!:1::::::\nkay:!:1::::::\n",
    "etc/group": "root:x:0:\nann:x:1000:\nbob:x:1001:\nkay:x:1002:\nwheel:x:10:ann,kay,bob\nlast:x:11:ann\n",
    "etc/login.defs": "# users\nUID_MIN\t\t 1000\nUID_MAX 60000\n", "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 original\n",
    "home/ann/note": "ann's\n", "home/bob/note": "bob's\n", "home/kay/note": "kay's\n", "var/mail/bob": "mail\n",
    "usr/share/zoneinfo/Europe/Oslo": "TZ\n", "etc/timezone": "UTC\n", "usr/lib/systemd/system/x.service": "", "etc/motd": "no end of line",
    "srv/a.log": "a\n", "srv/b.log": "b\n", "srv/keep": "k\n", "srv/secret": "s\n", "srv/full": "f\n", "tmp/x": "",
}  # fmt: skip


@pytest.fixture
def folder(tiny_guest: TinyGuest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KVASIR_APPLIANCE_ACCEL", "tcg")
    monkeypatch.setenv("KVASIR_TINY", str(tiny_guest.folder))
    with short_folder("kv-custom-") as path:
        yield path


def guest(folder: Path, tiny: TinyGuest) -> Path:
    """An image with a shell of its own: the tiny guest's busybox."""
    root = fixture.root(folder / "root", 7)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with open(tiny.initramfs, "rb") as archive:
        subprocess.run(
            ["cpio", "-idm", "--quiet", "bin/busybox"], cwd=root, stdin=archive, stderr=subprocess.DEVNULL, check=False
        )
    (root / "bin/sh").symlink_to("busybox")
    (root / "var/log").mkdir(exist_ok=True)
    return fixture.ext4(root, folder / "guest.img")


def arguments(folder: Path) -> list[str]:
    """The options, and the files that they name."""
    (folder / "script").write_text("#!/bin/sh\npwd > srv/where\n[ -f etc/passwd ] && echo seen\n")
    (folder / "inside").write_text("#!/bin/sh\necho $0 ran as $(id -u) > /srv/inside\n")
    (folder / "more").write_text("# more\nmkdir /opt/more\n\ntouch /opt/more/file\n")
    (folder / "first.sh").write_text("#!/bin/sh\necho first\n")
    (folder / "up").write_bytes(bytes(range(256)))
    (folder / "up").chmod(0o750)
    (folder / "tree/deep").mkdir(parents=True)
    (folder / "tree/deep/leaf").write_text("leaf\n")
    (folder / "word").write_text("from a file\nsecond line\n")
    words = """--operations defaults,user-account,-ssh-userdir --keep-user-accounts kay --script script --mkdir /opt/a/b --hostname web.example.com --timezone Europe/Oslo
    --root-password password:s3cret --password kay:file:word --ssh-inject kay:string:ssh-ed25519~AAAA~me
    --upload up:/usr/lib/tool --upload first.sh:/srv --copy-in tree:/opt --write /etc/issue:hello~there --append-line /etc/motd:welcome
    --touch /opt/a/touched --chmod 700:/opt/a --chown 7:8:/opt/a --copy /srv/keep:/opt/a/kept --move /opt/a/kept:/opt/a/moved
    --link ../srv/keep:/opt/a/link:/opt/a/again --delete /srv/*.log --truncate /srv/full --scrub /srv/secret --run-command id~-u>/srv/command;~ls~/proc/1/comm>>/srv/command
    --run inside --commands-from-file more --firstboot first.sh --firstboot-command echo~second --firstboot-install httpd,vim --selinux-relabel"""
    files = {"script", "inside", "more", "first.sh", "up", "tree", "word"}
    given = [word.replace("~", " ") for word in words.split()]
    return [re.sub(r"^(kay:file:)?(\w[\w.]*)(:/.*)?$", lambda m: f"{m[1] or ''}{folder}/{m[2]}{m[3] or ''}" if m[2] in files else m[0], word) for word in given]  # fmt: skip


def test_all_that_is_put_in(folder: Path, tiny_guest: TinyGuest) -> None:
    """Every option of customize that a guest without perl has, a script, and accounts that go: one run."""
    image = guest(folder, tiny_guest)
    given = arguments(folder)
    done = tool("virt-sysprep", "-v", "-a", str(image), *given)
    assert done.returncode == 0, done
    assert "s3cret" not in done.stdout and 'Performing "customize" ...' in done.stdout and "seen" in done.stdout
    it = Inside(image)
    shadow = {line.split(":")[0]: line.split(":")[1] for line in it.read("etc/shadow").splitlines()}
    assert set(shadow) == {"root", "kay"}
    for user, password in (("root", "s3cret"), ("kay", "from a file")):
        salt = shadow[user].split("$")[2]
        again = subprocess.run(
            ["openssl", "passwd", "-6", "-salt", salt, password], capture_output=True, text=True, check=True
        )
        assert again.stdout.strip() == shadow[user]
    assert [line.split(":")[0] for line in it.read("etc/passwd").splitlines()] == ["root", "daemon", "kay"]
    assert it.read("etc/group") == "root:x:0:\nkay:x:1002:\nwheel:x:10:kay\nlast:x:11:\n"
    assert (
        not it.exists("home/ann")
        and not it.exists("home/bob")
        and not it.exists("var/mail/bob")
        and it.read("home/kay/note") == "kay's\n"
    )
    assert it.read("etc/hostname") == "web.example.com\n" and it.read("etc/timezone") == "Europe/Oslo\n"
    assert it.read("home/kay/.ssh/authorized_keys") == "ssh-ed25519 AAAA me\n"
    assert "Mode:  0600" in it._ask("stat /home/kay/.ssh/authorized_keys") and "User:  1002" in it._ask(
        "stat /home/kay/.ssh/authorized_keys"
    )
    assert 'dest: "../usr/share/zoneinfo/Europe/Oslo"' in it._ask("stat /etc/localtime")
    files_are_in(it, image)


def files_are_in(it: Inside, image: Path) -> None:
    """What was copied, written, run."""
    copied = subprocess.run(["debugfs", "-R", "cat /usr/lib/tool", str(image)], capture_output=True).stdout
    assert copied == bytes(range(256)) and "Mode:  0750" in it._ask("stat /usr/lib/tool")
    assert it.read("srv/first.sh").endswith("echo first\n") and it.read("opt/tree/deep/leaf") == "leaf\n"
    assert it.read("etc/issue") == "hello there" and it.read("etc/motd") == "no end of line\nwelcome\n"
    stat = it._ask("stat /opt/a")
    assert "Mode:  0700" in stat and "User:     7" in stat and "Group:     8" in stat
    assert it.exists("opt/a/b") and it.exists("opt/a/touched") and it.exists("opt/more/file")
    assert it.read("opt/a/moved") == "k\n" and not it.exists("opt/a/kept") and it.read("srv/full") == ""
    assert 'dest: "../srv/keep"' in it._ask("stat /opt/a/link") and 'dest: "../srv/keep"' in it._ask(
        "stat /opt/a/again"
    )
    assert it.names("srv") >= {"keep", "full"} and not it.names("srv") & {"a.log", "b.log", "secret"}
    assert it.read("srv/where").strip() == "/sysroot" and it.read("srv/command") == "0\n/proc/1/comm\n"
    assert it.read("srv/inside") == "/tmp/kvasir-run ran as 0\n" and not it.exists("tmp/kvasir-run")
    scripts = "usr/lib/virt-sysprep/scripts"
    assert it.names(scripts) == {"0001", "0002", "0003"} and it.read(f"{scripts}/0002") == "#!/bin/sh\necho second\n"
    assert "install httpd vim" in it.read(f"{scripts}/0003")
    assert it.exists("etc/systemd/system/multi-user.target.wants/kvasir-firstboot.service")
    assert "ExecStart=/usr/lib/virt-sysprep/firstboot.sh" in it.read("etc/systemd/system/kvasir-firstboot.service")


@pytest.mark.guide("guestfs-test-tool")
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_the_appliance_tries_itself(folder: Path) -> None:
    """As a user without rights: it boots, writes and reads; with a QEMU that is none it says so and never OK."""
    words = [sys.executable, "-m", "kvasir.cli.guestfs_test_tool"]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "TMPDIR": str(folder), "HOME": str(folder)}
    folder.chmod(0o777)
    seen = [sys.executable, "-c", "import kvasir; open('{}/kernel')".format(env["KVASIR_TINY"])]
    if subprocess.run(seen, env=env, user=65534, group=65534, cwd="/", capture_output=True).returncode:
        pytest.skip("other users may not pass to the project's folder")
    done = subprocess.run(
        words, env=env, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0 and "user: 65534" in done.stdout and " /sysroot ext4 rw" in done.stdout, done
    assert done.stdout.splitlines()[-1] == "===== TEST FINISHED OK ====="
    (folder / "broken").write_text("#!/bin/sh\necho no machine today >&2\nexit 1\n")
    (folder / "broken").chmod(0o755)
    for qemu in (folder / "broken", folder / "nothing"):
        done = subprocess.run(
            [*words, "--qemu", str(qemu)],
            env=env,
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and "FINISHED OK" not in done.stdout and "error: " in done.stderr, done


def test_the_first_boot(tmp_path: Path) -> None:
    """The runner of scripts, run here: each once, in order, its words in the log."""
    text = (
        customize.TOOLS.split("<<'END'\n")[1]
        .split("END\n")[0]
        .replace("/usr/lib/virt-sysprep", str(tmp_path))
        .replace("/root/", f"{tmp_path}/")
    )
    (tmp_path / "scripts").mkdir()
    for name, line in (("0001", "echo one; exit 3"), ("0002", "echo two")):
        (tmp_path / "scripts" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "scripts" / name).chmod(0o755)
    for _ in range(2):
        assert subprocess.run(["sh", "-c", text], check=False).returncode == 0
    log = (tmp_path / "virt-sysprep-firstboot.log").read_text()
    assert log == "=== scripts/0001\none\n=== scripts/0002\ntwo\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("hostname", "a b", "no host name"), ("timezone", "../x;y", "no name of a time zone"), ("password", "ann", "USER:SELECTOR"),
        ("password", "ann:plain:x", "'plain' is none of"), ("password", "an'n:disabled", "no user's name"), ("root-password", "password:", "empty"),
        ("ssh-inject", "ann:file", "neither file:PATH"), ("write", "etc/x:y", "no absolute path"), ("mkdir", "/a/../../b", "no absolute path"),
        ("delete", "/", "all of the guest"), ("chmod", "u+x:/a", "no octal permissions"), ("chown", "a:b:/c", "numbers"), ("link", "/a", "TARGET:LINK"),
        ("install", "vim", "--install is not built"), ("update", "", "--firstboot-install"), ("upload", "/a", "FILE:DEST"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(DiskError, match=re.escape(said)):
        customize.Customize(print).add(name, value)


def test_passwords() -> None:
    told: list[str] = []
    assert (
        customize.hashed("disabled", "password", told.append) == "*"
        and customize.hashed("locked", "password", told.append) == "!!"
    )
    assert customize.hashed("locked:password:x", "password", told.append).startswith("!!$6$")
    assert customize.hashed("random", "password", told.append).startswith("$6$") and len(told[0].split()[-1]) == 16


def test_options_want_their_operation(folder: Path) -> None:
    done = tool("virt-sysprep", "-a", "/x", "--enable", "utmp", "--hostname", "a")
    assert (
        done.returncode == 1
        and "options of customize are given" in done.stderr
        and "--operations defaults,customize" in done.stderr
    )
    done = tool("virt-sysprep", "-a", "/x", "--keep-user-accounts", "ann")
    assert done.returncode == 1 and "options of user-account are given" in done.stderr
    assert "tune2fs" in operations.script([operations.BY_NAME["fs-uuids"]], unmounted=True)
    assert operations.script([operations.BY_NAME["utmp"]], unmounted=True) == ""


@pytest.mark.skipif(
    not os.environ.get("KVASIR_LONG"), reason="the appliance with tools of file systems is made: set KVASIR_LONG=1"
)
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_new_uuids(folder: Path, kind: str) -> None:
    from tests.install.test_prepare import other

    made = subprocess.run([str(PROJECT / "scripts/appliance")], capture_output=True, text=True, check=False)
    if made.returncode == 77:
        pytest.skip(made.stderr.strip())
    image = folder / "image"
    root = fixture.root(folder / "root", 7)
    if kind == "ext4":
        fixture.ext4(root, image)
    else:
        other(kind, root, image)

    def uuid() -> str:
        said = subprocess.run(
            ["blkid", "-p", "-s", "UUID", "-o", "value", str(image)], capture_output=True, text=True, check=True
        )
        return said.stdout.strip()

    before = uuid()
    done = tool("virt-sysprep", "-v", "-a", str(image), "--enable", "fs-uuids,machine-id")
    assert done.returncode == 0 and uuid() != before, done
    check = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n", "-f"], "btrfs": ["btrfs", "check"]}[kind]
    sound = subprocess.run([*check, str(image)], capture_output=True, text=True, check=False)
    assert sound.returncode == 0, sound
    assert tool("virt-ls", "-a", str(image), "/etc/ssh").returncode == 0, "it can be mounted"
