"""virsh's commands that change a running guest: {our virsh, the real one} x {kvasird, libvirtd} give the same bytes."""

from __future__ import annotations

import os

import pytest

from tests.hotplug import scripts, scripts_running
from tests.hotplug.harness import Pair, transcript

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.timeout(600),
]


IDLE = """<domain type='qemu'><name>idle</name><uuid>11111111-2222-3333-4444-666666666666</uuid>
<memory unit='MB'>100</memory><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os></domain>
"""


def rows(stem: str, *words: str) -> list[str]:
    return [stem, *(f"{stem}-{word}" for word in words)]


INTERFACE = rows(
    "virsh-attach-interface", "opt-type", "opt-source", "opt-target", "opt-mac", "opt-script", "opt-model", "opt-inbound",
    "opt-outbound", "opt-config", "opt-live", "opt-current",
)  # fmt: skip
MEDIA = rows(
    "virsh-change-media", "opt-path", "opt-source", "opt-eject", "opt-insert", "opt-update", "opt-live", "opt-config",
    "opt-force", "opt-current",
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
CPUS_MORE = [
    *rows("virsh-setvcpus", "opt-guest", "opt-current", "opt-maximum"), "virsh-vcpucount-opt-guest", "error-setvcpus-maximum-live",
    "limit-vcpu-hot-unplug", "limit-cpu-hotunplug", "virsh-flag-scopes",
]  # fmt: skip
MEMORY = [
    *rows("virsh-setmem", "arg-size", "opt-kilobytes", "opt-live", "opt-config", "opt-current"), "error-setmem-above-max",
    *rows("virsh-setmaxmem", "opt-config", "opt-live", "opt-current"), "limit-memory-rounding", "setmem-shrink-may-crash",
    *rows("virsh-dommemstat", "opt-period", "opt-live", "opt-config", "opt-current"),
    *(f"memory-unit-{unit}" for unit in ("b", "kb", "kib", "mb", "mib", "gb", "gib", "tb", "tib")),
]  # fmt: skip
LIMITS_MORE = [
    f"virsh-blkdeviotune-opt-{word}" for word in ("write-bytes-sec", "read-iops-sec", "write-iops-sec", "current")
]
CPUS = [*rows("virsh-setvcpus", "opt-live", "opt-config", "no-flag", "arg-count"), "ui-details-cpu-hotplug"]


def four(pair: Pair, script: str) -> list[str]:
    """Each virsh in turn on fresh guests of both daemons; gives what was said, after checking that all agree."""
    keys = pair.document.parent / "keys"
    keys.write_text("ssh-rsa AAAA me\n")
    text = script.replace("{images}", str(pair.images)).replace("{keys}", str(keys))
    idle = pair.document.parent / "idle.xml"
    idle.write_text(IDLE)
    text = text.replace("{idle}", str(idle))
    lines = text.strip().splitlines()
    first: list[str] | None = None
    wrong = []
    for program in ("real", "ours"):
        pair.fresh()
        for name, said in zip(
            ("libvirtd", "kvasird"), pair.both(lambda d, p=program: transcript(d, lines, p)), strict=True
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
OTHERS = (
    scripts_running.MEMORY
    + scripts_running.AGENT
    + scripts.CPUS
    + scripts.THREADS
    + scripts.RARE
    + scripts_running.MAXIMUM
    + scripts_running.SCOPES
)
CASES = [
    pytest.param(
        DEVICES, id="devices", marks=pytest.mark.guide(*INTERFACE, "virsh-detach-interface-ref", *MEDIA, *TUNES)
    ),
    pytest.param(OTHERS, id="others", marks=pytest.mark.guide(*CPUS, *CPUS_MORE, *MEMORY, *LIMITS_MORE)),
]  # one start of both guests for each virsh serves many commands


@pytest.mark.parametrize("script", CASES)
def test_four_cells(pair: Pair, script: str) -> None:
    said = four(pair, script)
    assert any("error:" in answer for answer in said) and sum("error:" not in answer for answer in said) > 30
