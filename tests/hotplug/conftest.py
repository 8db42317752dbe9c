"""The pair of guests that the tests of hotplug share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import DaemonHandle, Peers, TinyGuest
from tests.hotplug.harness import Pair, pair_of


@pytest.fixture(scope="module")
def pair(peers: Peers, real_libvirtd: DaemonHandle, tiny_guest: TinyGuest) -> Iterator[Pair]:
    """Both daemons, the guest of the same document on each."""
    with pair_of(peers, real_libvirtd, tiny_guest) as found:
        yield found
