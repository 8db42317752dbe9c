from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire import harness


@pytest.fixture
def served(tmp_path: Path) -> Iterator[harness.Served]:
    made = harness.Served(tmp_path)
    yield made
    made.close()


@pytest.fixture
def raw(served: harness.Served) -> Iterator[harness.Raw]:
    made = harness.Raw(served.run / "libvirt-sock").open()
    yield made
    made.close()


@pytest.fixture(scope="session")
def cache() -> Path:
    """The unpacked real libvirt."""
    found = harness.peers()
    if found is None:
        pytest.skip("the real libvirt cannot be had here (scripts/peers)")
    return found
