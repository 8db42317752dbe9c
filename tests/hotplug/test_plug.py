"""Every kind of device plugged into a running guest and its definition, and taken out: beside the real daemon, answer by answer."""

from __future__ import annotations

import difflib
import os

import pytest

from tests.hotplug.changes import CHANGES
from tests.hotplug.fragments import FRAGMENTS
from tests.hotplug.harness import Pair, transcript

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and tap devices need root"),
    pytest.mark.timeout(400),
]
SOME = ("disk-virtio", "disk-scsi", "net-bridge", "rng", "mem-dimm", "hostdev-usb", "input-tablet", "chan-unix", "tpm")


def plugging(pair: Pair, options: str, names: list[str]) -> list[str]:
    lines = []
    for name in names:
        path = pair.document.parent / f"{name}.xml"
        path.write_text(FRAGMENTS[name].replace("{images}", str(pair.images)) + "\n")
        for verb in ("attach", "detach"):
            lines += [f"{verb}-device hp {path} {options}", "dumpxml hp", "dumpxml hp --inactive"]
    return lines


def changing(pair: Pair, option: str) -> list[str]:
    lines = []
    for name, xml, more in CHANGES:
        path = pair.document.parent / f"u-{name}.xml"
        path.write_text(xml.replace("{images}", str(pair.images)) + "\n")
        verb = "attach-device" if more == "ATTACH" else "update-device"
        lines += [f"{verb} hp {path} {option} {more if more.startswith('--') else ''}"]
        lines += ["dumpxml hp --security-info", "dumpxml hp --inactive --security-info"]
    return lines


def same(pair: Pair, lines: list[str], known: dict[str, tuple[str, str]] | None = None) -> list[str]:
    """Both daemons say the same to each line; ``known`` has what is said differently, by a part of the line."""
    theirs, ours = pair.both(lambda daemon: transcript(daemon, lines))
    assert isinstance(theirs, list) and isinstance(ours, list)
    wrong = []
    for line, one, other in zip(lines, theirs, ours, strict=True):
        for part, (their_word, our_word) in (known or {}).items():
            if f"/{part}.xml" in line and their_word in one and our_word in other:
                other = one
        if one != other:
            changed = "\n".join(difflib.unified_diff(one.splitlines(), other.splitlines(), "libvirt", "ours", n=1))
            wrong.append(f"{line}\n{changed}")
    assert not wrong, "\n".join(wrong[:8])
    return ours


@pytest.mark.guide(
    "virsh-attach-device", "virsh-attach-device-opt-file", "virsh-attach-device-opt-live", "virsh-detach-device",
    "virsh-detach-device-opt-file", "dev-pci-hotplug-single-function", "limit-memory-hotplug",
)  # fmt: skip
def test_plugging_into_the_running_guest(pair: Pair) -> None:
    pair.fresh()
    said = same(pair, plugging(pair, "--live", list(FRAGMENTS)))
    assert sum("error" not in answer and "<" not in answer for answer in said) > 40


@pytest.mark.guide("virsh-attach-device-opt-config")
def test_plugging_into_the_definition(pair: Pair) -> None:
    pair.redefine()
    same(pair, plugging(pair, "--config", list(FRAGMENTS)))


@pytest.mark.guide(
    "virsh-attach-device-live-config", "virsh-attach-device-opt-current", "virsh-attach-device-persistent"
)
def test_plugging_into_both(pair: Pair) -> None:
    pair.fresh()
    same(pair, plugging(pair, "--live --config", list(SOME)))
    same(pair, plugging(pair, "--persistent", list(SOME[:3])))
    same(pair, plugging(pair, "--current", list(SOME[:3])))


KNOWN = {
    "u-nic-bw": ("qdisc kind is unknown", "the kernel cannot limit"),
}


def test_changing_the_running_guest(pair: Pair) -> None:
    pair.fresh()
    same(pair, changing(pair, "--live"), KNOWN)


def test_changing_the_definition(pair: Pair) -> None:
    pair.redefine()
    same(pair, changing(pair, "--config"))


@pytest.mark.guide("error-attach-device-live-not-running")
def test_a_guest_that_is_off(pair: Pair) -> None:
    pair.both(lambda daemon: daemon.virsh("destroy", "hp"))
    said = same(
        pair, [*plugging(pair, "--live", ["rng"]), *plugging(pair, "", ["rng"]), *plugging(pair, "--current", ["rng"])]
    )
    assert "domain is not running" in said[0]
