"""Our daemon in a namespace, a bridge with a filtered port there, and a bench that takes its filters away."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nwfilter.bridge import Bench, Wire
from tests.nwfilter.place import Place


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with tempfile.TemporaryDirectory(prefix="kv-filter-") as name:
        made = Place(Path(name))
        subprocess.run(["ip", "netns", "add", made.name], check=True)
        try:
            made.inside("ip", "link", "set", "lo", "up")
            made.start()
            yield made
        finally:
            if made.child is not None and made.child.poll() is None:
                made.child.terminate()
                made.child.wait(20)
            subprocess.run(["ip", "netns", "delete", made.name], check=False)


@pytest.fixture(scope="module")
def wire(place: Place) -> Iterator[Wire]:
    made = Wire(place)
    yield made
    made.close()


@pytest.fixture
def bench(wire: Wire) -> Iterator[Bench]:
    made = Bench(wire)
    yield made
    made.clear()
