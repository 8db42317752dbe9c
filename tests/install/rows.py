"""What the tests of the guide's rows share."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from tests.conftest import DaemonHandle
from tests.install import sides

BASE = [
    "--virt-type",
    "qemu",
    "--memory",
    "64",
    "--osinfo",
    "generic",
    "--graphics",
    "none",
    "--noautoconsole",
    "--disk",
    "none",
]


def install(daemon: DaemonHandle, *words: str) -> dict[str, Any]:
    return sides.ours("virt-install", ["--connect", daemon.uri, "--name", "row", *BASE, *words])


def printed(daemon: DaemonHandle, *words: str) -> ET.Element:
    answer = install(daemon, "--print-xml", *words)
    assert answer["rc"] == 0, answer
    return next(iter(ET.fromstring(f"<x>{answer['out']}</x>")))


def virsh(daemon: DaemonHandle, *words: str) -> str:
    done = daemon.our_virsh(*words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def dumped(daemon: DaemonHandle, name: str, *words: str) -> ET.Element:
    return ET.fromstring(virsh(daemon, "dumpxml", name, *words))


def gone(daemon: DaemonHandle, *names: str) -> None:
    for name in names:
        daemon.our_virsh("destroy", name)
        daemon.our_virsh("undefine", name)
