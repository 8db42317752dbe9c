"""Rows of chapter 13 that are one command or one document: our virsh on our daemon beside the real ones, same words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import DaemonHandle, Done, KvasirDaemon, short_folder

CHANGES = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    r"<.time>[\d.]+<",
    r"/tmp/kvr-\w+/(real|ours)",
)


def plain(text: str) -> str:
    for pattern in CHANGES:
        text = re.sub(pattern, "*", text)
    return text


class Two:
    """Both daemons, each with a folder of its own for ``@``."""

    def __init__(self, real: DaemonHandle, ours: KvasirDaemon, folder: Path) -> None:
        self.sides: list[tuple[Callable[..., Done], Path]] = [
            (real.virsh, folder / "real"),
            (ours.our_virsh, folder / "ours"),
        ]
        for _, path in self.sides:
            path.mkdir()
            path.chmod(0o777)

    def __call__(self, *words: str) -> Done:
        """Run on both; what ours said, after checking that the other said the same."""
        said = [run(*(word.replace("@", str(path)) for word in words)) for run, path in self.sides]
        left, right = ((done.returncode, plain(done.stdout), plain(done.stderr)) for done in said)
        assert right == left, words
        return said[1]

    def file(self, name: str, text: str) -> str:
        for _, path in self.sides:
            (path / name).write_text(text.replace("@", str(path)))
        return f"@/{name}"

    def image(self, name: str) -> str:
        for _, path in self.sides:
            with open(path / name, "wb") as file:
                file.truncate(1 << 20)
            (path / name).chmod(0o666)
        return f"@/{name}"

    def editor(self, script: str) -> None:
        """What the commands that edit run; ``$1`` is the file."""
        for _, path in self.sides:
            (path / "edit").write_text(f"#!/bin/sh\n{script}\n")
            (path / "edit").chmod(0o755)
        os.environ["VISUAL"] = os.environ["EDITOR"] = str(self.sides[0][1] / "edit")


@pytest.fixture
def two(real_libvirtd: DaemonHandle, kvasird: KvasirDaemon) -> Iterator[Two]:
    before = {name: os.environ.get(name) for name in ("VISUAL", "EDITOR")}
    with short_folder("kvr-") as folder:
        yield Two(real_libvirtd, kvasird, folder)
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


DASHES = {
    "fs": ("- - /dev/sdc1 - /g", r"<device path='/dev/sdc1'/>\s*<format type='auto'/>"),
    "dir": ("- - - - /g", ""),
    "disk": ("- - /dev/sdb - /dev", r"<device path='/dev/sdb'/>\s*<format type='unknown'/>"),
    "iscsi": ("h - iqn.x:y - /dev/disk", r"<host name='h'/>\s*<device path='iqn.x:y'/>"),
    "netfs": ("h /p - - /t", r"<host name='h'/>\s*<dir path='/p'/>\s*<format type='auto'/>"),
    "mpath": ("- - - - /dev/mapper", ""),
}


@pytest.mark.guide("storage-virsh-positional-dash-placeholder")
def test_dashes_stand_for_what_a_type_does_not_use(two: Two) -> None:
    for kind, (words, expected) in DASHES.items():
        two("pool-define-as", "a", kind, *words.split())
        source = re.search(r"<source>(.*)</source>", two("pool-dumpxml", "a").stdout, re.S)
        found = source[1].strip() if source else ""
        assert re.fullmatch(expected, found), found
        two("pool-undefine", "a")


TYPES = {
    "dir": "--target /g",
    "disk": "--source-dev /dev/sdb --target /dev",
    "fs": "--source-dev /dev/sdc1 --target /g",
    "gluster": "--source-host h --source-name vol --source-path /",
    "iscsi": "--source-host h --source-dev iqn.x:y --target /dev/disk/by-path",
    "logical": "--source-name vg --target /dev/vg",
    "netfs": "--source-host h --source-path /p --target /g",
    "scsi": "--adapter-name scsi_host0 --target /dev/disk/by-path",
}


@pytest.mark.guide("pool-types-supported")
def test_types_of_pools(two: Two, kvasird: KvasirDaemon) -> None:
    """The real daemon here was built without gluster: that type is asked of ours alone."""
    for kind, words in TYPES.items():
        run = two if kind != "gluster" else kvasird.our_virsh
        assert run("pool-define-as", "a", kind, *words.split()).stdout == "Pool a defined\n\n"
        assert run("pool-dumpxml", "a").stdout.startswith(f"<pool type='{kind}'>\n")
        run("pool-undefine", "a")
    refused = two("pool-define-as", "a", "nosuch", "--target", "/g")
    assert "Invalid value for attribute 'type' in element 'pool': 'nosuch'" in refused.stderr


POOL = """<pool type='iscsi'><name>p</name><source><host name='h'/><device path='iqn.x:y'/></source>
<target><path>/dev/disk/by-path</path></target></pool>"""
AUTH = '<auth type="chap" username="redhat"><secret usage="iscsirhel7secret"/></auth>'

WRONG = {
    "s|<host name='h'/>||": "missing storage pool source host name",
    "s|chap|nosuch|": "unknown auth type 'nosuch'",
    "s|<source>||": "Opening and ending tag mismatch: pool line",
}


@pytest.mark.guide("storage-virsh-pool-edit-auth")
def test_a_login_is_added_with_the_editor(two: Two) -> None:
    two("pool-define", two.file("p.xml", POOL))
    two.editor(f"sed -i 's|</source>|{AUTH}</source>|' \"$1\"")
    assert two("pool-edit", "p").stdout == "Pool p XML configuration edited.\n\n"
    edited = two("pool-dumpxml", "--inactive", "p").stdout
    assert re.search(
        r"<auth type='chap' username='redhat'>\s*<secret usage='iscsirhel7secret'/>\s*</auth>\s*</source>", edited
    )
    two.editor("true")
    assert two("pool-edit", "p").stdout == "Pool p XML configuration not changed.\n\n"
    for wrong, why in WRONG.items():
        two.editor(f'sed -i "{wrong}" "$1"')
        left, right = [run("pool-edit", "p") for run, _ in two.sides]
        assert left.stderr == "error: Failed.\n"  # and "Pool (null) XML configuration edited.", exit code 0
        assert right.returncode == 1, wrong
        assert why in right.stderr
        assert plain(two("pool-dumpxml", "--inactive", "p").stdout) == plain(edited)
    two("pool-undefine", "p")


def target(number: int) -> str:
    word, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        word = chr(97 + rest) + word
    return f"sd{word}"


def scsi(disks: list[str], controller: str = "<controller type='scsi' model='virtio-scsi'/>") -> str:
    return (
        "<domain type='qemu'><name>m</name><uuid>11111111-2222-3333-4444-555555555555</uuid><memory unit='MiB'>64</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>{''.join(disks)}{controller}</devices></domain>"
    )


def unit(number: int, place: str = "") -> str:
    return f"<disk type='file'><source file='/x{number}'/><target dev='{target(number)}' bus='scsi'/>{place}</disk>"


def on(number: int) -> str:
    return f"<address type='drive' controller='0' bus='0' target='{number // 64}' unit='{number % 64}'/>"


@pytest.mark.guide("limit-virtio-scsi-1024-disks")
def test_1024_disks(two: Two) -> None:
    """All on one controller by their addresses; without addresses they spread; a place beyond the controller's is refused."""
    two("define", two.file("m.xml", scsi([unit(n, on(n)) for n in range(1024)])))
    shown = two("dumpxml", "m").stdout
    assert shown.count("<disk ") == 1024
    assert shown.count("<controller type='scsi'") == 1
    two("define", two.file("m.xml", scsi([unit(n) for n in range(1025)])))
    shown = two("dumpxml", "m").stdout
    assert shown.count("<disk ") == 1025
    assert shown.count("<controller type='scsi'") > 1
    twice = two("define", two.file("m.xml", scsi([unit(n, on(n % 1024)) for n in range(1025)])))
    assert "Found duplicate drive address" in twice.stderr
    two("undefine", "m")


@pytest.mark.guide("storage-disk-target-sd-scsi")
def test_sd_makes_disk_and_controller(two: Two) -> None:
    """In the definition and in a running guest that has no SCSI controller yet."""
    two("define", two.file("m.xml", scsi([], "<controller type='usb' model='none'/>")))
    two("attach-disk", "m", two.image("cold.img"), "sdb", "--config", "--cache", "none")
    shown = two("dumpxml", "m").stdout
    assert "<target dev='sdb' bus='scsi'/>" in shown
    assert "<controller type='scsi' index='0' model='lsilogic'>" in shown
    two("detach-disk", "m", "sdb", "--config")
    two("define", two.file("m.xml", scsi([], "<controller type='usb' model='none'/>")))
    two("start", "m", "--paused")
    two("attach-disk", "m", two.image("hot.img"), "sdb", "--cache", "none")
    assert '<driver name="qemu" type="raw" cache="none"/>' in two("dumpxml", "m", "--xpath", "//disk").stdout
    assert (
        '<controller type="scsi" index="0" model="lsilogic">' in two("dumpxml", "m", "--xpath", "//controller").stdout
    )
    two("attach-disk", "m", two.image("third.img"), "sdk", "--persistent")
    two("dumpxml", "m", "--inactive", "--xpath", "//devices/disk")
    two("dumpxml", "m", "--inactive", "--xpath", "//devices/controller")
    two("detach-disk", "m", "sdb")
    two("detach-disk", "m", "vdz")
    two("destroy", "m")
    two("undefine", "m")
