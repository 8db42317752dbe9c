from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.hosts import Pair
from tests.remote.pki import Authority
from tests.wire.conftest import cache  # noqa: F401  # a fixture


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="kv-remote-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def pair(open_folder: Path) -> Iterator[Pair]:
    """Two hosts that reach each other."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Pair(open_folder)
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def root(open_folder: Path) -> Path:
    """The server's ``--root``, one for all tests of a module so that QEMU is probed once."""
    (open_folder / "root").mkdir()
    return open_folder / "root"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The organization's certificate authority."""
    if shutil.which("certtool") is None:
        pytest.skip("no certtool here (package gnutls-bin)")
    return Authority(tmp_path_factory.mktemp("authority"))
