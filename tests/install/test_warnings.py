"""What virt-install says before a newcomer runs into it: closed folders as the original says, too little memory, no network, names, volumes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kvasir.cli import virt_install_warn
from kvasir.install import sizing
from tests.conftest import DaemonHandle, KvasirDaemon, short_folder
from tests.install import sides
from tests.install.rows import BASE, dumped, gone, virsh


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder("kv-warn-") as path:
        monkeypatch.setenv("KVASIR_BOOT_DIR", str(path / "boot"))
        yield path


def install(daemon: DaemonHandle, *words: str, base: list[str] = BASE) -> dict[str, object]:
    return sides.ours("virt-install", ["--connect", daemon.uri, *base, *words])


SYSTEM = ["--virt-type", "qemu", "--graphics", "none", "--noautoconsole", "--import", "--dry-run"]


def test_closed_folders_are_named_as_the_original_does(kvasird: KvasirDaemon, folder: Path) -> None:
    """The same words for an image below a home of mode 0700, none when the user may pass. QEMU's user is nobody here."""
    conf = kvasird.folder / "etc/libvirt/qemu.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text('user = "nobody"\ngroup = "nogroup"\n')
    kvasird.kill()
    kvasird.start()
    home = folder / "home/me"
    (home / "vm").mkdir(parents=True)
    image = home / "vm/disk.img"
    image.write_bytes(b"\0" * 4096)
    (home / "vm").chmod(0o755)
    words = ["--name", "x", "--memory", "64", "--osinfo", "generic", "--network", "none", *SYSTEM, "--disk", str(image)]
    wanted = f"{image} may not be accessible by the hypervisor."
    assert kvasird.peers is not None
    for mode, warned in ((0o700, True), (0o711, False)):
        home.chmod(mode)
        mine = install(kvasird, *words, base=[])
        theirs = kvasird.peers.run("virt-install", "--connect", kvasird.uri, *words)
        assert (wanted in str(mine["err"])) == warned == (wanted in theirs.stderr), (mine, theirs)
        if warned:
            line = next(line for line in theirs.stderr.splitlines() if wanted in line)
            assert line in str(mine["err"]).splitlines()
            assert f"hint: setfacl -m u:nobody:x {home}, or put it into /var/lib/libvirt/images" in str(mine["err"])


def test_who_may_pass(folder: Path) -> None:
    """By owner, others, access list (user, mask), as the kernel says to that user."""
    place = folder / "closed"
    place.mkdir(mode=0o700)
    (place / "file").write_text("")

    def passes() -> bool:
        return (
            subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "test", "-e", f"{place}/file"]).returncode
            == 0
        )

    def listed(*rows: tuple[int, int, int]) -> None:
        entries = b"".join(virt_install_warn.ACL_ENTRY.pack(*row) for row in rows)
        os.setxattr(place, "system.posix_acl_access", (2).to_bytes(4, "little") + entries)

    none = 0xFFFFFFFF
    assert not passes() and not virt_install_warn.searchable(str(place), 65534)
    place.chmod(0o711)
    assert passes() and virt_install_warn.searchable(str(place), 65534)
    for bits, mask in ((1, 7), (1, 6), (0, 7)):
        listed((1, 7, none), (2, bits, 65534), (4, 0, none), (16, mask, none), (32, 1, none))
        assert passes() == virt_install_warn.searchable(str(place), 65534) == (bits == 1 and mask == 7)
    assert virt_install_warn.searchable(f"{place}/not/there", 65534)


@pytest.mark.guide("limit-vm-name")
def test_names_of_guests(kvasird: KvasirDaemon) -> None:
    base = ["--memory", "64", "--osinfo", "generic", "--network", "none", *SYSTEM, "--disk", "none"]
    for name, fine in (("a_b.c-1", True), ("a b", False), ("a/b", False), ("123", False)):
        answer = install(kvasird, "--name", name, base=base)
        assert answer["rc"] == (0 if fine else 1), answer
        if not fine:
            assert f"Guest name '{name}' is not valid: letters, digits" in str(answer["err"])
    live = [word for word in base if word != "--dry-run"]
    try:
        assert install(kvasird, "--name", "a_b.c-1", "--noreboot", base=live)["rc"] == 0
        answer = install(kvasird, "--name", "a_b.c-1", base=live)
        assert answer["rc"] == 1 and "Guest name 'a_b.c-1' is already in use." in str(answer["err"])
    finally:
        gone(kvasird, "a_b.c-1")


@pytest.mark.guide("limit-guest-ram-min", "limit-vcpu-host-wizard", "error-install-remote-no-tcpip")
def test_memory_processors_network(kvasird: KvasirDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing.Host, "here", classmethod(lambda cls: cls(64 << 30, 16 << 30, 4)))
    base = ["--name", "x", "--osinfo", "rhel8.4", *SYSTEM, "--disk", "none", "--network", "none"]
    said = str(install(kvasird, "--memory", "511", "--vcpus", "3", base=base)["err"])
    assert "511 MiB of memory are less than the 512 MiB that are supported; 3072 MiB are recommended for 3 CPUs" in said
    assert "are supported" not in str(install(kvasird, "--memory", "512", base=base)["err"])
    for count in (4, 5):
        said = str(install(kvasird, "--memory", "4096", "--vcpus", str(count), base=base)["err"])
        assert ("5 virtual CPUs are more than the host's 4 cores" in said) == (count == 5)
    remote = [word for word in base if word != "--import"]
    words = ["--memory", "4096", "--location", "http://127.0.0.1:9/tree"]
    said = str(install(kvasird, *words, base=remote)["err"])
    assert (
        "The guest has no network interface: its installer cannot fetch the system from http://127.0.0.1:9/tree" in said
    )
    assert "no network interface" not in str(install(kvasird, *words, "--network", "user", base=remote[:-2])["err"])


@pytest.mark.guide("limit-storage-volume-max", "concept-storage-prep")
def test_volumes_made_beforehand_and_too_large_ones(kvasird: KvasirDaemon, folder: Path) -> None:
    (folder / "pool").mkdir()
    virsh(kvasird, "pool-create-as", "prep", "dir", "--target", f"{folder}/pool")
    done = kvasird.our_virsh("vol-create-as", "prep", "huge", str(1 << 63))
    assert done.returncode == 1 and done.stderr.strip() and not (folder / "pool/huge").exists()
    virsh(kvasird, "vol-create-as", "prep", "made", "1M")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/pool/own.qcow2", "1M"], check=True)
    base = ["--name", "x", "--memory", "64", "--osinfo", "generic", "--network", "none", *SYSTEM, "--print-xml"]
    for word, path, kind in (
        ("vol=prep/made", "pool/made", "raw"), (f"path={folder}/pool/own.qcow2", "pool/own.qcow2", "qcow2"),
    ):  # fmt: skip
        answer = install(kvasird, "--disk", word, base=base)
        assert answer["rc"] == 0, answer
        disk = ET.fromstring(str(answer["out"])).find("devices/disk")
        assert disk is not None
        assert disk.find("source").get("file") == f"{folder}/{path}" and disk.find("driver").get("type") == kind  # type: ignore[union-attr]
    answer = install(kvasird, "--disk", f"{folder}/pool/big.qcow2,size=9000000", base=base)
    assert answer["rc"] == 1 and "exceed the available pool space" in str(answer["err"])
    answer = install(kvasird, "--disk", f"{folder}/pool/big.raw,size=9000000,sparse=no,format=raw", base=base)
    assert answer["rc"] == 1 and "not enough free space on the storage pool" in str(answer["err"])


@pytest.mark.guide("path-qemu-config-dir")
def test_definitions_on_disk(kvasird: KvasirDaemon, folder: Path) -> None:
    place = kvasird.folder / "etc/libvirt/qemu"
    (folder / "x.xml").write_text(
        "<domain type='qemu'><name>kept</name><memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )
    virsh(kvasird, "define", str(folder / "x.xml"))
    path = place / "kept.xml"
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_uid == 0
    shown = ET.fromstring(virsh(kvasird, "dumpxml", "kept"))
    assert ET.fromstring(path.read_text()).findtext("uuid") == shown.findtext("uuid")
    assert list((place / "networks").glob("*.xml"))
    virsh(kvasird, "undefine", "kept")
    assert not path.exists()


@pytest.mark.guide("note-secureboot-guest")
def test_secure_boot(kvasird: KvasirDaemon, folder: Path) -> None:
    """q35, a loader that is secure, SMM, variables of its own; and a clear error where the firmware is not there."""
    if not Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd").exists():
        pytest.skip("the firmware (package ovmf) is not installed")
    words = ["--name", "secure", "--virt-type", "qemu", "--memory", "256", "--osinfo", "rhel8.4", "--machine", "q35", "--graphics", "none",
             "--noautoconsole", "--import", "--disk", "none", "--network", "none",
             "--boot", "firmware=efi,firmware.feature0.name=secure-boot,firmware.feature0.enabled=yes"]  # fmt: skip
    try:
        answer = install(kvasird, *words, base=[])
        assert answer["rc"] == 0, answer
        live = dumped(kvasird, "secure")
        loader, nvram = live.find("os/loader"), live.findtext("os/nvram")
        assert loader is not None and loader.get("secure") == "yes" and loader.get("type") == "pflash"
        assert nvram and live.find("features/smm[@state='on']") is not None
        assert virsh(kvasird, "domstate", "secure").strip() == "running"
    finally:
        kvasird.our_virsh("destroy", "secure")
        kvasird.our_virsh("undefine", "secure", "--nvram")
    wrong = [
        *words[:-1],
        "loader=/nonexistent/CODE.fd,loader.secure=yes,loader.readonly=yes,loader.type=pflash,nvram.template=/nonexistent/VARS.fd",
        "--features",
        "smm.state=on",
    ]
    answer = install(kvasird, *wrong, base=[])
    assert answer["rc"] == 1 and "/nonexistent" in str(answer["err"]), answer
