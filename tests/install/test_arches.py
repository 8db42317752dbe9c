"""virt-install for other architectures beside the original, both on our daemon, whose host has Debian's emulators (unpacked)."""

from __future__ import annotations

import os
import shlex

import pytest

from tests.conftest import KvasirDaemon, Peers
from tests.golden.test_arches import emulators
from tests.install import sides

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.environ.get("KVASIR_LONG"), reason="twenty command lines of the original: with KVASIR_LONG=1"
)
BASE = "--print-xml --name same --memory 1024 "
LINES = [
    BASE + words
    for words in (
        "--arch aarch64 --machine virt --disk none --import --osinfo generic",
        "--arch aarch64 --disk none --import --osinfo generic --graphics vnc",
        "--arch aarch64 --disk none --pxe --osinfo debian11 --network user",
        "--arch aarch64 --machine raspi3b --disk none --import --osinfo generic",
        "--arch aarch64 --machine nope --disk none --import --osinfo generic",
        "--arch aarch64 --disk none --import --osinfo fedora36 --cpu host-passthrough",
        "--arch armv7l --disk none --import --osinfo generic",
        "--arch ppc64 --machine pseries --disk none --pxe --osinfo generic --network user",
        "--arch ppc64le --disk none --import --osinfo fedora36 --graphics vnc",
        "--arch ppc64 --machine mac99 --disk none --import --osinfo generic",
        "--arch ppc64 --disk none --import --osinfo generic --panic default --tpm default --vcpus 4 --cpu POWER8",
        "--arch sparc --disk none --import --osinfo generic",
        "--virt-type kvm --arch aarch64 --disk none --import --osinfo generic",
    )
]


def test_the_same_documents(peers: Peers, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("PATH", f"{emulators(False)}:{os.environ['PATH']}")
    kvasird: KvasirDaemon = request.getfixturevalue("kvasird")
    original = sides.Original(peers.root)
    try:
        for line in LINES:
            argv = ["--connect", kvasird.uri, *shlex.split(line)]
            theirs, mine = original.run("virt-install", argv), sides.ours("virt-install", argv)
            assert mine["rc"] == theirs["rc"], (line, theirs["err"], mine["err"])
            if mine["rc"] == 0:
                assert sides.canonical(mine["out"]) == sides.canonical(theirs["out"]), line
            else:
                assert mine["err"].splitlines()[0] == theirs["err"].splitlines()[0], line
    finally:
        original.close()
