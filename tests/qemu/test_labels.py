"""Owners of images: given to QEMU's user, remembered as libvirt does, given back by the last user."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from kvasir.errors import Error, SystemFailure
from kvasir.qemu import labels
from kvasir.qemu.identity import Identity

USER = (12345, 12346)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


def remembers(folder) -> bool:
    probe = folder / "probe"
    probe.write_text("x")
    try:
        os.setxattr(probe, "trusted.libvirt.test", b"x")
    except OSError:
        return False
    return True


def make(remember=True, dynamic=True) -> labels.Labels:
    driver = SimpleNamespace(
        identity=Identity(*USER, [USER[1]], "someone"),
        config=SimpleNamespace(dynamic_ownership=dynamic, remember_owner=remember),
    )
    return labels.Labels(driver, SimpleNamespace(name="t"))


def owner(path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_uid, found.st_gid


@pytest.fixture
def image(tmp_path):
    if not remembers(tmp_path):
        pytest.skip("the file system keeps no trusted attributes")
    path = tmp_path / "disk.img"
    path.write_bytes(b"x")
    os.chown(path, 77, 78)
    return str(path)


def test_given_and_given_back(image):
    one = make()
    one.give(image, USER)
    assert owner(image) == USER
    assert os.getxattr(image, "trusted.libvirt.security.dac") == b"+77:+78"
    assert os.getxattr(image, "trusted.libvirt.security.ref_dac") == b"1"
    two = make()
    two.give(image, USER)
    assert os.getxattr(image, "trusted.libvirt.security.ref_dac") == b"2"
    one.restore()
    assert owner(image) == USER, "the other guest still uses it"
    two.restore()
    assert owner(image) == (77, 78)
    assert not [name for name in os.listxattr(image) if "libvirt" in name]


def test_another_owner_while_in_use(image):
    one = make()
    one.give(image, USER)
    with pytest.raises(Error, match="already in use"):
        make().give(image, (1, 1))
    assert owner(image) == USER and os.getxattr(image, "trusted.libvirt.security.ref_dac") == b"1"


def test_what_was_remembered_before_a_boot_is_void(image):
    one = make()
    one.give(image, USER)
    os.setxattr(image, "trusted.libvirt.security.timestamp_dac", b"1")
    one.restore()
    assert owner(image) == (0, 0), "unknown owner: root, as libvirt"


def test_barred_folder_says_how_to_repair(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    path = folder / "disk.img"
    path.write_bytes(b"x")
    with pytest.raises(SystemFailure) as caught:
        make()._reachable(str(path), USER)
    assert "Permission denied" in caught.value.message and "setfacl -m u:12345:x" in caught.value.hint


def test_missing_image(tmp_path):
    with pytest.raises(SystemFailure, match=r"unable to stat: .*nosuch: No such file") as caught:
        make().give(str(tmp_path / "nosuch"), USER)
    assert caught.value.int1 == 2
