"""Seconds of the fuzz here; ``KVASIR_LONG=1`` sends a million packets and 10,000 documents of each class."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fuzz import found, inside, texts
from tests.fuzz.__main__ import sandboxed

LONG = bool(os.environ.get("KVASIR_LONG"))
SHORT = {"inside": 2500, "unknown": 2500, "admin": 1500, "outside": 450, "tls": 50, "documents": 8}
MILLION = {
    "inside": 400_000,
    "unknown": 300_000,
    "admin": 100_000,
    "outside": 190_000,
    "tls": 10_000,
    "documents": 10_000,
}
GROWTH = {"outside": 24, "documents": 48}
"""MiB that may come after the warm-up: QEMU's capabilities, caches of names."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the sandbox needs root")


@pytest.mark.parametrize("part", SHORT)
@pytest.mark.timeout(3 * 3600 if LONG else 300)
def test_broken_packets(part: str) -> None:
    """No crash, no traceback, no answer later than a second, no growth; every procedure is called."""
    done = sandboxed(part, (MILLION if LONG else SHORT)[part], seed=int(os.environ.get("KVASIR_SEED", "1")))
    print(done.report(part))
    assert done.problems == {} and done.slow == {}, done.report(part)
    assert done.growth < GROWTH.get(part, 8)
    if part in ("inside", "unknown"):
        assert len(done.procedures) > (440 if part == "inside" or LONG else 300)
    if part == "documents":
        assert {name.split()[0] for name in done.procedures} == set(texts.WAYS)


def test_what_was_found_before(tmp_path: Path) -> None:
    """Packets that once broke something."""
    for where in ("inside", "unknown"):
        cases = found.kept(where)
        assert cases
        assert inside.replay(tmp_path, cases, where == "inside").problems == {}


def test_a_word_out_of_turn_does_not_crash_the_library(tmp_path: Path) -> None:
    """A step before the start, a start after a step, both at once: libsasl2 would follow a null pointer."""
    from kvasir.rpc.programs import REMOTE

    words = {
        "init": ("auth_sasl_init", ()),
        "start": ("auth_sasl_start", ("SCRAM-SHA-256", 0, b"n,,n=fred,r=abcdefgh")),
        "step": ("auth_sasl_step", (0, b"c=biws,r=abcdefgh,p=AAAA")),
    }
    orders = (
        "init step",
        "init start start",
        "init step start",
        "init start step step",
        "init init start",
        "step",
        "init start init step",
    )
    cases = []
    for order in orders:
        for word in order.split():
            name, args = words[word]
            cases.append(inside.call(REMOTE[name], args))
        cases.append(b"")
    assert inside.replay(tmp_path, cases, False).problems == {}
