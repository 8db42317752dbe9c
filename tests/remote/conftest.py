from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.hosts import Pair
from tests.remote.pki import Authority
from tests.wire.conftest import cache  # noqa: F401  # a fixture


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two hosts that reach each other."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Pair(tmp_path_factory.mktemp("hosts"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's ``--root``, one for all tests of a module so that QEMU is probed once."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The organization's certificate authority."""
    if shutil.which("certtool") is None:
        pytest.skip("no certtool here (package gnutls-bin)")
    return Authority(tmp_path_factory.mktemp("authority"))
