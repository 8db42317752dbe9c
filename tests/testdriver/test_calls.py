"""Random calls of the wire on a world of the test driver: the same answers, errors and documents as libvirt's own."""

from __future__ import annotations

import os

import pytest

from tests.conftest import DaemonHandle, KvasirDaemon
from tests.testdriver.calls import World, calls
from tests.testdriver.test_script import uri

ROUNDS = 40 if os.environ.get("KVASIR_LONG") else 4
CALLS = 300


def test_same_answers(kvasird: KvasirDaemon, real_libvirtd: DaemonHandle) -> None:
    """Each round begins with a new world; what has become of it is compared at its end."""
    different: dict[str, str] = {}
    for seed in range(ROUNDS):
        theirs, mine = World(uri(real_libvirtd)), World(uri(kvasird))
        for procedure, values in calls(seed, CALLS):
            real, ours = theirs.call(procedure, values), mine.call(procedure, values)
            if real != ours:
                different.setdefault(
                    procedure.name, f"{procedure.name} {values}\n  real {real[:400]}\n  ours {ours[:400]}"
                )
        for real, ours in zip(theirs.state(), mine.state(), strict=True):
            if real != ours:
                different.setdefault(
                    f"state {seed}", f"state after seed {seed}\n  real {real[:4000]}\n  ours {ours[:4000]}"
                )
        theirs.conn.close()
        mine.conn.close()
    assert not different, "\n".join(different.values())


@pytest.mark.parametrize("name", ["domain_set_perf_events", "domain_set_numa_parameters", "domain_memory_peek"])
def test_it_is_served(name: str) -> None:
    """The random calls say nothing when neither side serves a procedure."""
    from kvasir.rpc.programs import REMOTE
    from kvasir.testdriver.worlds import procedures

    assert REMOTE[name].number in procedures(REMOTE.id)
