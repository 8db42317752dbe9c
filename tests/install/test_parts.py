"""The parts of virt-install: option strings, disk names, install media, initrd injection, operating-system facts."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from kvasir.cli import virt_common as common
from kvasir.install import media, options, osinfo, places, tree
from kvasir.install.guest import Guest


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a,b=c", [("a", None), ("b", "c")]),
        ("path='/a,b',size=1", [("path", "/a,b"), ("size", "1")]),
        ("a,,b=c", [("a", None), ("b", "c")]),
        ('kernel_args="console=ttyS0 a=b",x=', [("kernel_args", "console=ttyS0 a=b"), ("x", "")]),
    ],
)
def test_option_strings_split_at_commas_outside_quotes(value: str, parts: list[tuple[str, str | None]]) -> None:
    assert options.split(value) == parts


def test_open_quote_is_named() -> None:
    with pytest.raises(options.OptionError, match="No closing quotation"):
        options.split("a='b")


def _apply(option: str, value: str) -> str:
    domain = tree.ET.Element("domain")
    options.apply(option, value, domain)
    common.finish(domain, [])
    return tree.ET.tostring(domain, encoding="unicode")


def test_suboptions_are_spelled_as_xml_paths() -> None:
    assert _apply("controller", "usb,model=qemu-xhci,ports=4,address.type=pci") == (
        '<domain><devices><controller type="usb" model="qemu-xhci" ports="4"><address type="pci" /></controller></devices></domain>'
    )


def test_list_elements_are_numbered() -> None:
    text = _apply("cputune", "vcpupin0.vcpu=0,vcpupin0.cpuset=1,vcpupin1.vcpu=1,vcpupin1.cpuset=0")
    assert text == '<domain><cputune><vcpupin vcpu="0" cpuset="1" /><vcpupin vcpu="1" cpuset="0" /></cputune></domain>'


def test_switches_take_the_documents_words() -> None:
    assert '<relaxed state="on" />' in _apply("features", "hyperv_relaxed=yes")
    assert "<menu" not in _apply("boot", "menu=true")
    assert '<bootmenu enable="yes" />' in _apply("boot", "menu=true")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("controller", "usb,colour=red", "Unknown --controller options: ['colour']"),
        ("controller", "usb,index=x", "index must be a whole number, not 'x'"),
        ("controller", "usb,index", "Option 'index' had no value set."),
        ("features", "pae=maybe", "pae must be 'yes' or 'no'"),
    ],
)
def test_wrong_suboptions_are_named(option: str, value: str, words: str) -> None:
    with pytest.raises(options.OptionError) as caught:
        _apply(option, value)
    assert words in str(caught.value)


def test_introspection_lists_paths_and_old_spellings() -> None:
    words = options.introspect("disk")
    assert {"path", "size", "bus", "target.bus", "driver.cache", "cache"} <= set(words)


@pytest.mark.parametrize(
    ("number", "letters"), [(0, "a"), (25, "z"), (26, "aa"), (27, "ab"), (701, "zz"), (702, "aaa")]
)
def test_disk_letters(number: int, letters: str) -> None:
    assert places.letters(number) == letters


def test_targets_follow_the_bus_and_skip_what_is_taken() -> None:
    nodes = [tree.ET.Element("disk", {"device": kind}) for kind in ("disk", "cdrom", "disk", "floppy")]
    tree.put(nodes[0], "target/@dev", "hda")
    tree.put(nodes[0], "target/@bus", "ide")
    guest = Guest(None)
    tree.put(guest.domain, "os/type/@machine", "pc-i440fx-7.2")
    devices = tree.find(guest.domain, "devices", make=True)
    assert devices is not None
    devices.extend(nodes)
    places.place(nodes, guest)
    assert [(tree.get(n, "target/@dev"), tree.get(n, "target/@bus")) for n in nodes] == [
        ("hda", "ide"), ("hdb", "ide"), ("hdc", "ide"), ("fda", "fdc"),
    ]  # fmt: skip


def test_kernel_and_initrd_of_a_local_tree(tmp_path: Path) -> None:
    place = tmp_path / "tree/install.amd"
    place.mkdir(parents=True)
    (place / "vmlinuz").write_bytes(b"kernel")
    (place / "initrd.gz").write_bytes(b"initrd")
    kernel, initrd = media.Media(media.Location(str(tmp_path / "tree")), str(tmp_path / "boot")).fetch()
    assert (Path(kernel).read_bytes(), Path(initrd).read_bytes()) == (b"kernel", b"initrd")


def test_treeinfo_says_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"K")
    (tmp_path / "i").write_bytes(b"I")
    (tmp_path / ".treeinfo").write_text("[images-x86_64]\nkernel = k\ninitrd = i\n")
    kernel, initrd = media.Media(media.Location(str(tmp_path)), str(tmp_path / "boot")).fetch()
    assert (Path(kernel).read_bytes(), Path(initrd).read_bytes()) == (b"K", b"I")


def test_empty_tree_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(options.OptionError, match="Couldn't find kernel and initrd"):
        media.Media(media.Location(str(tmp_path)), str(tmp_path / "boot")).fetch()
    assert list((tmp_path / "boot").iterdir()) == []


def test_kernel_of_an_iso_image(tmp_path: Path) -> None:
    import io

    import pycdlib

    iso = pycdlib.PyCdlib()
    iso.new(rock_ridge="1.09")
    iso.add_directory("/CASPER", rr_name="casper")
    for name, data in (("vmlinuz", b"from the iso"), ("initrd", b"init")):
        iso.add_fp(io.BytesIO(data), len(data), f"/CASPER/{name.upper()}.;1", rr_name=name)
    iso.write(str(tmp_path / "a.iso"))
    iso.close()
    kernel, initrd = media.Media(media.Location(str(tmp_path / "a.iso")), str(tmp_path / "boot")).fetch()
    assert (Path(kernel).read_bytes(), Path(initrd).read_bytes()) == (b"from the iso", b"init")


def test_what_is_no_iso_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.iso").write_bytes(b"\0" * 70000)
    with pytest.raises(options.OptionError, match="not a readable ISO image"):
        media.Media(media.Location(str(tmp_path / "b.iso")), str(tmp_path / "boot")).fetch()


def test_injected_files_follow_the_archive(tmp_path: Path) -> None:
    """The kernel unpacks archives one after the other; cpio reads the one that we append."""
    initrd, extra = tmp_path / "initrd", tmp_path / "preseed.cfg"
    initrd.write_bytes(gzip.compress(b"first archive"))
    extra.write_text("d-i hello\n")
    before = initrd.stat().st_size
    media.inject(str(initrd), [("preseed.cfg", extra.read_bytes(), 0o100644)])
    appended = initrd.read_bytes()[before:].lstrip(b"\0")
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], input=appended, cwd=out, check=True)
    assert (out / "preseed.cfg").read_text() == "d-i hello\n"


@pytest.mark.skipif(not Path("/usr/share/osinfo/os").exists(), reason="osinfo-db is not installed")
def test_a_system_inherits_from_those_it_derives_from() -> None:
    system = osinfo.lookup("linux2022")
    assert system is not None
    assert (system.family, system.windows) == ("linux", False)
    assert all(osinfo.has(system, what) for what in ("virtio-disk", "virtio-net", "virtio-rng", "q35", "virtio-gpu"))
    windows = osinfo.lookup("win10")
    assert windows is not None
    assert windows.windows
    assert not osinfo.has(windows, "virtio-disk")


def test_unknown_system_is_none_and_generic_knows_nothing() -> None:
    assert osinfo.lookup("no-such-system") is None
    assert osinfo.System().generic
