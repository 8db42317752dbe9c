"""virt-clone on both daemons: images, identity, what is shared, what is left when it is stopped in the middle."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kvasir.install import copying
from tests.conftest import PROJECT, DaemonHandle, short_folder
from tests.install import sides

DOMAIN = """<domain type='qemu'><name>first</name><title>One</title><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type>{os}</os><features><acpi/></features>
<devices>{disks}<interface type='user'><mac address='52:54:00:00:00:77'/><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""
DISK = "<disk type='file' device='{device}'><driver name='qemu' type='{kind}'/><source file='{path}'/><target dev='{dev}' bus='{bus}'/>{more}</disk>"


@pytest.fixture(params=["libvirtd", "kvasird"])
def daemon(request: pytest.FixtureRequest) -> DaemonHandle:
    handle: DaemonHandle = request.getfixturevalue("real_libvirtd" if request.param == "libvirtd" else "kvasird")
    return handle


@pytest.fixture
def images() -> Iterator[Path]:
    with short_folder("kv-img-") as folder:
        yield folder


def make(folder: Path, *, shared: bool = False, os_words: str = "") -> str:
    """A document of a guest with a sparse raw image (8 MiB of data in 1 GiB), a qcow2 image and a CD."""
    with open(folder / "first.img", "wb") as file:
        file.truncate(1 << 30)
        file.seek(512 << 20)
        file.write(os.urandom(8 << 20))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "data.qcow2", "64M"], check=True)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 1M", folder / "data.qcow2"], check=True, capture_output=True
    )
    (folder / "cd.iso").write_bytes(b"x" * 2048)
    rows = [("disk", "raw", "first.img", "vda", "virtio", ""), ("disk", "qcow2", "data.qcow2", "vdb", "virtio", "<readonly/>" if shared else ""),
            ("cdrom", "raw", "cd.iso", "sda", "sata", "<readonly/>")]  # fmt: skip
    disks = "".join(DISK.format(device=d, kind=k, path=folder / p, dev=t, bus=b, more=m) for d, k, p, t, b, m in rows)
    return DOMAIN.format(disks=disks, os=os_words)


def define(daemon: DaemonHandle, folder: Path, text: str) -> None:
    (folder / "guest.xml").write_text(text)
    done = daemon.our_virsh("define", str(folder / "guest.xml"))
    assert done.returncode == 0, done.stderr


def clone(daemon: DaemonHandle, *words: str) -> dict[str, object]:
    return sides.ours("virt-clone", ["--connect", daemon.uri, *words])


def document(daemon: DaemonHandle, name: str) -> ET.Element:
    done = daemon.our_virsh("dumpxml", name)
    assert done.returncode == 0, done.stderr
    return ET.fromstring(done.stdout)


def sources(root: ET.Element) -> dict[str, str]:
    return {
        d.find("target").get("dev"): d.find("source").get("file")  # type: ignore[union-attr, misc]
        for d in root.findall("devices/disk")
        if d.find("source") is not None
    }


def undefine(daemon: DaemonHandle, *names: str) -> None:
    for name in names:
        daemon.our_virsh("undefine", name)


@pytest.mark.guide("virt-clone-auto")
def test_a_clone_has_its_own_identity_and_images(daemon: DaemonHandle, images: Path) -> None:
    define(daemon, images, make(images))
    try:
        answer = clone(daemon, "--original", "first", "--auto-clone")
        assert answer["rc"] == 0, answer
        assert answer["out"] == "\nClone 'first-clone' created successfully.\n"
        old, new = document(daemon, "first"), document(daemon, "first-clone")
        assert new.findtext("uuid") != old.findtext("uuid")
        assert new.find("title") is None
        mac = new.find("devices/interface/mac")
        assert mac is not None and mac.get("address") not in (None, "52:54:00:00:00:77")
        assert sources(new) == {
            "vda": f"{images}/first-clone.img", "vdb": f"{images}/data-clone.qcow2", "sda": f"{images}/cd.iso",
        }  # fmt: skip
        for name in ("first.img", "data.qcow2"):
            copy = images / name.replace(".", "-clone.")
            assert copy.read_bytes() == (images / name).read_bytes()
        assert (images / "first-clone.img").stat().st_blocks * 512 < 16 << 20, "the holes are filled"
        again = clone(daemon, "--original", "first-clone", "--auto-clone", "--print-xml")
        assert "<name>first-clone1</name>" in str(again["out"])
        assert not (images / "first-clone-clone.img").exists()
    finally:
        undefine(daemon, "first", "first-clone")


@pytest.mark.guide("virt-clone-explicit-files")
def test_what_is_copied_can_be_said(daemon: DaemonHandle, images: Path) -> None:
    define(daemon, images, make(images, shared=True))
    try:
        words = [
            "-o",
            "first",
            "-n",
            "two",
            "--skip-copy",
            "vda",
            "--force-copy",
            "vdb",
            "-f",
            f"{images}/b.qcow2",
            "-m",
            "52:54:00:00:00:78",
        ]
        answer = clone(daemon, *words)
        assert answer["rc"] == 0, answer
        new = document(daemon, "two")
        assert sources(new) == {"vda": f"{images}/first.img", "vdb": f"{images}/b.qcow2", "sda": f"{images}/cd.iso"}
        assert new.find("devices/interface/mac").get("address") == "52:54:00:00:00:78"  # type: ignore[union-attr]
        answer = clone(daemon, "-o", "first", "-n", "three", "-f", f"{images}/full.img", "--nonsparse")
        assert answer["rc"] == 0, answer
        assert (images / "full.img").stat().st_blocks * 512 >= 1 << 30
        os.truncate(images / "full.img", 4096)
        answer = clone(
            daemon, "-o", "first", "-n", "four", "--preserve-data", "-f", f"{images}/full.img", "--check", "all=off"
        )
        assert answer["rc"] == 0, answer
        assert (images / "full.img").stat().st_size == 4096, "the data was to be left as it is"
        answer = clone(daemon, "-o", "first", "-n", "four", "--auto-clone")
        assert (answer["rc"], answer["err"]) == (
            1,
            "ERROR    Invalid name for new guest: Guest name 'four' is already in use.\n",
        )
        answer = clone(daemon, "-o", "first", "-n", "four", "--auto-clone", "--replace")
        assert answer["rc"] == 0, answer
        assert sources(document(daemon, "four"))["vda"] == f"{images}/four.img"
        answer = clone(daemon, "-o", "first", "-n", "five", "-f", f"{images}/four.img")
        assert answer["rc"] == 1 and "Clone onto existing storage volume is not currently supported" in str(
            answer["err"]
        )
    finally:
        undefine(daemon, "first", "two", "three", "four")


def test_a_document_is_cloned_with_its_firmware_store(daemon: DaemonHandle, images: Path) -> None:
    (images / "first_VARS.fd").write_bytes(b"variables" * 1000)
    words = f"<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram>{images}/first_VARS.fd</nvram>"
    (images / "guest.xml").write_text(make(images, os_words=words))
    try:
        answer = clone(daemon, "--original-xml", str(images / "guest.xml"), "--auto-clone", "--name", "nv")
        assert answer["rc"] == 0, answer
        assert document(daemon, "nv").findtext("os/nvram") == f"{images}/nv_VARS.fd"
        assert (images / "nv_VARS.fd").read_bytes() == (images / "first_VARS.fd").read_bytes()
    finally:
        daemon.our_virsh("undefine", "nv", "--keep-nvram")


def test_reflink_shares_or_says_that_it_cannot(daemon: DaemonHandle, images: Path) -> None:
    define(daemon, images, make(images))
    before = sorted(p.name for p in images.iterdir())
    can = (
        subprocess.run(["cp", "--reflink=always", images / "cd.iso", images / "probe"], capture_output=True).returncode
        == 0
    )
    (images / "probe").unlink(missing_ok=True)
    try:
        answer = clone(daemon, "-o", "first", "--auto-clone", "--reflink")
        if can:
            assert answer["rc"] == 0
        else:
            assert answer["rc"] == 1 and "cannot share extents (reflink)" in str(answer["err"])
            assert sorted(p.name for p in images.iterdir()) == before
    finally:
        undefine(daemon, "first", "first-clone")


HOOK = '#!/bin/sh\nset -e\necho $1 >> $(dirname $2)/hooked\ngrep -q "<name>$1</name>"\n'


def test_hooks_prepare_a_clone_or_undo_it(daemon: DaemonHandle, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVASIR_PREPARE_DIR", str(images / "hooks"))
    (images / "hooks").mkdir()
    for name, text in (("mark", HOOK), ("refuse", "#!/bin/sh\necho no such luck >&2\nexit 3\n")):
        (images / "hooks" / name).write_text(text)
        (images / "hooks" / name).chmod(0o755)
    define(daemon, images, make(images))
    try:
        answer = clone(daemon, "-o", "first", "--auto-clone", "--prepare", "mark")
        assert answer["rc"] == 0, answer
        assert (images / "hooked").read_text() == "first-clone\n"
        before = sorted(p.name for p in images.iterdir())
        answer = clone(daemon, "-o", "first", "-n", "bad", "--auto-clone", "--prepare", "mark,refuse")
        assert (answer["rc"], answer["err"]) == (1, "ERROR    --prepare refuse failed: no such luck\n")
        assert sorted(p.name for p in images.iterdir()) == before
        assert daemon.our_virsh("domstate", "bad").returncode == 1
        answer = clone(daemon, "-o", "first", "-n", "bad", "--auto-clone", "--prepare", "unheard-of")
        assert answer["rc"] == 1 and "no hook 'unheard-of'; there are: mark, refuse" in str(answer["err"])
    finally:
        undefine(daemon, "first", "first-clone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle_it_leaves_nothing(
    real_libvirtd: DaemonHandle, images: Path, number: signal.Signals
) -> None:
    define(real_libvirtd, images, make(images))
    with open(images / "first.img", "r+b") as file:
        for at in range(0, 256 << 20, 8 << 20):
            file.seek(at)
            file.write(os.urandom(1 << 20) * 8)
    before = sorted(p.name for p in images.iterdir())
    command = [
        sys.executable,
        "-m",
        "kvasir.cli.virt_clone",
        "--connect",
        real_libvirtd.uri,
        "-o",
        "first",
        "--auto-clone",
        "--nonsparse",
    ]
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    try:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while not _open_draft(process.pid, images) and time.monotonic() < end and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        if process.returncode == 0:
            pytest.skip("the copy was done before it could be stopped")
        assert "Traceback" not in said
        assert sorted(p.name for p in images.iterdir()) == before
        assert real_libvirtd.our_virsh("domstate", "first-clone").returncode == 1
    finally:
        undefine(real_libvirtd, "first", "first-clone")


def _open_draft(pid: int, folder: Path) -> bool:
    try:
        names = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return any(n.startswith(str(folder)) and ("(deleted)" in n or n.endswith(".part")) for n in names)


def test_a_running_guest_is_not_cloned(real_libvirtd: DaemonHandle, images: Path) -> None:
    define(real_libvirtd, images, make(images))
    assert real_libvirtd.our_virsh("start", "first", "--paused").returncode == 0
    try:
        answer = clone(real_libvirtd, "-o", "first", "--auto-clone")
        assert (answer["rc"], answer["err"]) == (1, "ERROR    Domain to clone must be shutoff.\n")
    finally:
        real_libvirtd.our_virsh("destroy", "first")
        undefine(real_libvirtd, "first")


def test_the_daemon_copies_what_the_program_cannot_reach(
    real_libvirtd: DaemonHandle, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over ssh: nothing is local, all goes through the pool's volumes."""
    define(real_libvirtd, images, make(images))
    assert real_libvirtd.our_virsh("pool-create-as", "faraway", "dir", "--target", str(images)).returncode == 0
    from kvasir.install import clone as module

    make_cloner = module.Cloner
    monkeypatch.setattr(module, "Cloner", lambda c, d, local: make_cloner(c, d, local=False))
    try:
        answer = clone(real_libvirtd, "-o", "first", "--auto-clone")
        assert answer["rc"] == 0, answer
        compared = subprocess.run(["qemu-img", "compare", "-q", images / "data.qcow2", images / "data-clone.qcow2"])
        assert compared.returncode == 0
        volumes = real_libvirtd.our_virsh("vol-list", "faraway").stdout
        assert "first-clone.img" in volumes
    finally:
        undefine(real_libvirtd, "first", "first-clone")
        real_libvirtd.our_virsh("pool-destroy", "faraway")


def test_progress_counts_to_the_end(images: Path) -> None:
    (images / "a").write_bytes(os.urandom(40 << 20))
    seen: list[tuple[int, int]] = []
    draft = copying.begin(str(images / "b"))
    copying.copy(str(images / "a"), draft.fd, progress=lambda done, size: seen.append((done, size)))
    assert not (images / "b").exists(), "it must not be seen before it is whole"
    draft.keep()
    draft.close()
    assert (images / "b").read_bytes() == (images / "a").read_bytes()
    assert stat.S_IMODE((images / "b").stat().st_mode) == 0o600
    assert seen[-1] == (40 << 20, 40 << 20)


@pytest.mark.guide("virt-clone-general")
def test_what_it_needs_is_said(kvasird: DaemonHandle) -> None:
    answer = clone(kvasird, "--auto-clone")
    assert answer["rc"] == 1 and "An original machine name is required" in str(answer["err"])
    text = str(sides.ours("virt-clone", ["--help"])["out"])
    for group in ("General Options", "Storage Configuration", "Networking Configuration", "Miscellaneous Options"):
        assert f"{group}:" in text
    socket = kvasird.folder / "run/libvirt/libvirt-sock"
    socket.chmod(0o700)
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": "/nonexistent"}
    command = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-m",
        "kvasir.cli.virt_clone",
    ]
    done = subprocess.run(
        [*command, "--connect", kvasird.uri, "-o", "x", "--auto-clone"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 1 and "Permission denied" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.guide("virt-clone-explicit-files")
def test_each_disk_needs_a_file_of_its_own(kvasird: DaemonHandle, images: Path) -> None:
    define(kvasird, images, make(images))
    answer = clone(kvasird, "--original", "first", "--name", "new", "--file", f"{images}/a.img")
    assert answer["rc"] == 1 and "Disk 'vdb'" in str(answer["err"]) and "has no --file" in str(answer["err"])
    answer = clone(
        kvasird, "--original", "first", "--name", "new", "--file", f"{images}/a.img", "--file", f"{images}/b.img"
    )
    assert answer["rc"] == 0, answer
    assert sources(document(kvasird, "new"))["vdb"] == f"{images}/b.img"
    assert (images / "b.img").read_bytes() == (images / "data.qcow2").read_bytes()
