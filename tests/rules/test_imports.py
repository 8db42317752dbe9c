"""What the clients may import: the standard library without asyncio, and of ours only what is below them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FORBIDDEN = {"asyncio", "lxml", "pyroute2", "qemu", "dbus_fast", "pycdlib", "yaml"}
OURS_BELOW = ("kvasir.client", "kvasir.rpc", "kvasir.cli", "kvasir.errors", "kvasir.light")
# What the daemon and its drivers share: these import nothing of the daemon themselves.
LEAVES = ("kvasir.daemon.paths", "kvasir.daemon.config", "kvasir.daemon.conf_file")

REPORT = """
import json, sys
import {module}
print(json.dumps(sorted(sys.modules)))
"""


def under(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of the packages or in one of them."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def imported(module: str) -> set[str]:
    """All that a bare interpreter has loaded after importing a module, with only the standard library in reach."""
    code = f"import sys; sys.path.insert(0, {str(PROJECT / 'src')!r})\n" + REPORT.format(module=module)
    done = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["kvasir.client", "kvasir.cli.virsh.main"])
def test_client_needs_only_the_standard_library(module: str) -> None:
    loaded = imported(module)
    assert {name for name in loaded if name.split(".")[0] in FORBIDDEN} == set()
    ours = {name for name in loaded if name.startswith("kvasir.")}
    assert {name for name in ours if not under(name, OURS_BELOW)} == set()


def test_commands_are_imported_when_they_run() -> None:
    assert {name for name in imported("kvasir.cli.virsh.main") if "virsh.commands." in name} == set()


def layers_below(package: str) -> list[str]:
    """Imports of our own that a package's files name, as text."""
    found = []
    for path in sorted((PROJECT / "src/kvasir" / package).rglob("*.py")):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["from"], ["import"]) and words[1].startswith("kvasir."):
                found.append(f"{path.relative_to(PROJECT)}: {words[1]}")
    return found


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("xml", ("kvasir.model", "kvasir.devices", "kvasir.qemu", "kvasir.daemon", "kvasir.calls", "kvasir.cli", "kvasir.client")),
        ("rpc", ("kvasir.model", "kvasir.devices", "kvasir.qemu", "kvasir.daemon", "kvasir.calls", "kvasir.cli", "kvasir.client")),
        ("host", ("kvasir.model", "kvasir.devices", "kvasir.qemu", "kvasir.daemon", "kvasir.calls", "kvasir.cli.")),
        ("client", ("kvasir.model", "kvasir.devices", "kvasir.qemu", "kvasir.daemon", "kvasir.calls", "kvasir.cli.")),
        ("qemu", ("kvasir.daemon", "kvasir.calls", "kvasir.cli", "kvasir.client")),
        *((package, ("kvasir.cli", "kvasir.client")) for package in ("daemon", "calls", "testdriver", "network", "storage", "nwfilter")),
    ],
)  # fmt: skip
def test_arrows_point_down(package: str, above: tuple[str, ...]) -> None:
    names = [(line, line.split(": ")[1]) for line in layers_below(package)]
    assert [line for line, name in names if under(name, above) and not under(name, LEAVES)] == []


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_nothing_above(leaf: str) -> None:
    text = (PROJECT / "src" / (leaf.replace(".", "/") + ".py")).read_text()
    found = [line.split()[1] for line in text.splitlines() if line.startswith(("from kvasir.", "import kvasir."))]
    allowed = (*LEAVES, "kvasir.daemon.config_keys", "kvasir.errors", "kvasir.rpc", "kvasir.light")
    assert [name for name in found if not under(name, allowed)] == []
