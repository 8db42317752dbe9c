"""virsh's commands that change a running guest: {our virsh, the real one} x {kvasird, libvirtd} give the same bytes."""

from __future__ import annotations

import os

import pytest

from tests.hotplug import scripts
from tests.hotplug.harness import Pair, commands

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.timeout(600),
]


def rows(stem: str, *words: str) -> list[str]:
    return [stem, *(f"{stem}-{word}" for word in words)]


INTERFACE = rows(
    "virsh-attach-interface", "opt-type", "opt-source", "opt-target", "opt-mac", "opt-script", "opt-model", "opt-inbound",
    "opt-outbound", "opt-config",
)  # fmt: skip
MEDIA = rows(
    "virsh-change-media", "opt-path", "opt-source", "opt-eject", "opt-insert", "opt-update", "opt-live", "opt-config",
    "opt-force",
)  # fmt: skip
TUNES = [
    *rows("virsh-domiftune", "opt-inbound", "opt-outbound", "opt-config", "opt-live", "opt-current"),
    *rows(
        "virsh-blkdeviotune",
        "opt-total-bytes-sec",
        "opt-read-bytes-sec",
        "opt-total-iops-sec",
        "opt-config",
        "opt-live",
    ),
]
CPUS = [*rows("virsh-setvcpus", "opt-live", "opt-config", "no-flag", "arg-count"), "ui-details-cpu-hotplug"]


def four(pair: Pair, script: str) -> list[str]:
    """Each virsh in turn on fresh guests of both daemons; gives what was said, after checking that all agree."""
    keys = pair.document.parent / "keys"
    keys.write_text("ssh-rsa AAAA me\n")
    text = script.replace("{images}", str(pair.images)).replace("{keys}", str(keys))
    lines = text.strip().splitlines()
    first: list[str] | None = None
    wrong = []
    for program in ("real", "ours"):
        pair.fresh()
        for name, said in zip(
            ("libvirtd", "kvasird"), pair.both(lambda d, p=program: commands(d, p, lines)), strict=True
        ):
            assert isinstance(said, list)
            first = first or said
            wrong += [
                f"{line}\n--- first cell\n{one}\n--- {program} virsh on {name}\n{other}"
                for line, one, other in zip(lines, first, said, strict=True)
                if one != other
            ]
    assert not wrong, "\n".join(wrong[:6])
    assert first is not None
    return first


DEVICES = scripts.DISKS + scripts.CARDS + scripts.MEDIA + scripts.TUNES
OTHERS = scripts.CPUS + scripts.THREADS + scripts.RARE
CASES = [
    pytest.param(
        DEVICES, id="devices", marks=pytest.mark.guide(*INTERFACE, "virsh-detach-interface-ref", *MEDIA, *TUNES)
    ),
    pytest.param(OTHERS, id="others", marks=pytest.mark.guide(*CPUS)),
]  # one start of both guests for each virsh serves many commands


@pytest.mark.parametrize("script", CASES)
def test_four_cells(pair: Pair, script: str) -> None:
    said = four(pair, script)
    assert any(answer.endswith("|0") for answer in said) and any(answer.endswith("|1") for answer in said)
