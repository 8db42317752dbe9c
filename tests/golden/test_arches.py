"""Guests of other architectures: our documents and command lines are those of the real libvirt 9.0 (``record_arches.py``).

The emulators are Debian's, unpacked; those of riscv64 and s390x (46 MB) with KVASIR_LONG=1 only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import Error
from kvasir.qemu import firmware
from kvasir.qemu.capabilities import Capabilities, Store
from kvasir.xml import Form
from tests.unpacked import unpacked

from . import harness

CASES = json.loads((harness.HERE / "arches.json").read_text())
PROGRAMS = {"armv7l": "arm", "armv6l": "arm", "i686": "i386"}
MISC = ("riscv64", "riscv32", "s390x")
ROWS = {"ppc-power8": "domxml-cpu-ppc64-aarch64", "arm-hostpass": "domxml-cpu-ppc64-aarch64"}


def arch_of(text: str) -> str:
    found = re.search("<type arch='([^']*)'", text)
    return found[1] if found else "x86_64"


@cache
def _tried(*packages: str) -> Path | str:
    """The packages' folder, or why they cannot be had: asked once, not for each document."""
    try:
        return unpacked(*packages)
    except pytest.skip.Exception as why:
        return str(why)


def _had(*packages: str) -> Path:
    found = _tried(*packages)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@cache
def emulators(misc: bool) -> Path:
    """The folder of the emulators; QEMU looks for its modules and for firmware beside its own folder."""
    root = _had("qemu-system-misc") if misc else _had("qemu-system-ppc", "qemu-system-arm")
    for name in ("usr/lib/x86_64-linux-gnu/qemu", "usr/share/qemu"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (root / name).symlink_to(f"/{name}")
    return root / "usr/bin"


@cache
def caps(arch: str) -> Capabilities:
    """The abilities of the emulator, under the name that it has where it is installed."""
    name = f"qemu-system-{PROGRAMS.get(arch, arch)}"
    folder = Path("/usr/bin") if arch in ("x86_64", "i686") else emulators(arch in MISC)
    known = asyncio.run(Store(harness.CACHE).get(str(folder / name)))
    if known.version[:2] != (7, 2):
        pytest.skip(f"recorded with QEMU 7.2, here is {known.version}")
    known.binary = f"/usr/bin/{name}"
    return known


def complete(text: str) -> Any:
    from kvasir.model.domain import Domain
    from kvasir.qemu import define
    from kvasir.qemu.context import Vm

    domain = Domain.from_xml(text)
    vm = Vm(domain, caps(arch_of(text)))
    define.complete(domain, vm)
    return vm


def document(text: str) -> str:
    return str(complete(text).domain.xml(Form(live=False, secure=True)))


def command_line(text: str) -> list[str]:
    from kvasir.qemu import commandline, define

    vm = complete(text)
    asyncio.run(define.prepare_live(vm.domain, vm))
    return commandline.build(vm)


def _param(name: str) -> Any:
    long = arch_of(CASES[name]["document"]) in MISC and not os.environ.get("KVASIR_LONG")
    marks: list[Any] = [pytest.mark.skip(reason="46 MB of emulators: with KVASIR_LONG=1")] if long else []
    if name in ROWS:
        marks.append(pytest.mark.guide(ROWS[name]))
    return pytest.param(name, id=name, marks=marks)


@pytest.mark.parametrize("name", [_param(name) for name in CASES])
def test_guest_of_another_architecture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    if "<os firmware" in case["document"] or "AAVMF" in case.get("args", ""):
        folder = _had("qemu-efi-aarch64") / "usr/share/qemu/firmware"
        monkeypatch.setattr(firmware.descriptors, "__defaults__", ((folder,), None))
    if "error" in case:
        with pytest.raises(Error) as caught:
            document(case["document"])
        assert caught.value.message == case["error"]
        return
    once = document(case["document"])
    assert not harness.xml_difference(once.rstrip("\n"), case["out"].rstrip("\n"))
    again = document(once)
    assert not harness.xml_difference(again.rstrip("\n"), case.get("again", case["out"]).rstrip("\n")), "again"
    if "args_error" in case:
        with pytest.raises(Error) as caught:
            command_line(case["document"])
        assert caught.value.message == case["args_error"]
        return
    difference = harness.argv_difference(command_line(case["document"]), case["args"])
    assert not difference, f"{difference}\n{shlex.split(case['args'])}"


def test_guests_of_x86_load_none_of_it() -> None:
    """A daemon whose guests are all x86 pays nothing for the other architectures."""
    script = "from tests.golden import harness; harness.ours_argv(open('tests/golden/argv/bare-pc.xml').read()); import sys; print([*sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=harness.HERE.parents[1]
    )
    assert "kvasir.qemu.define" in done.stdout
    for name in ("boards", "board_checks", "addresses.channels"):
        assert f"'kvasir.qemu.{name}'" not in done.stdout
