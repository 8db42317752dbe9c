"""What the daemon leaves alone until it is needed: modules of procedures, drivers with nothing to do, libraries."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from kvasir import calls
from kvasir.daemon import dispatch, drivers
from kvasir.daemon.paths import Paths
from kvasir.events import Bus
from kvasir.rpc import programs

PROGRAMS = (programs.REMOTE, programs.QEMU, programs.LXC, programs.ADMIN)


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
def test_procedures_read_from_the_text_are_those_of_the_modules(program: programs.Program) -> None:
    """A function that is made otherwise than by ``def`` at the margin would not be served."""
    imported: dict[int, dispatch.Entry] = {}
    for name in calls.MODULES:
        module = import_module(f"kvasir.calls.{name}")
        if getattr(module, "PROGRAM", "remote") == program.name:
            for procedure, function in dispatch.served_by(module, program):
                imported[procedure.number] = dispatch.Entry(procedure, function)
    read = dispatch.load(program)
    assert {number: entry.waits for number, entry in read.items()} == {
        number: entry.waits for number, entry in imported.items()
    }
    assert all(read[number].function is entry.function for number, entry in imported.items())


def test_a_driver_with_nothing_to_take_up_is_made_when_asked_for(tmp_path: Path) -> None:
    paths = Paths.system(str(tmp_path))
    paths.make()
    Path(paths.etc, "secrets").mkdir(parents=True)
    Path(paths.etc, "secrets/one.xml").touch()
    found = drivers.Drivers(SimpleNamespace(paths=paths, qemu_config=None))  # type: ignore[arg-type]
    heard: list[Bus] = []
    found.woken = lambda driver: heard.append(driver.bus)
    for name in ("storage", "secret"):
        found.add(name)
    assert list(found) == ["secret"]
    assert "storage" in found and "network" not in found
    assert found.get("network") is None and not heard
    storage = found.get("storage")
    assert found["storage"] is storage and heard == [storage.bus]
    assert storage.drivers is found and found["secret"].drivers is found
    with pytest.raises(KeyError):
        found["network"]


def test_the_daemon_starts_without_openssl() -> None:
    code = (
        "import sys, kvasir.daemon.app, kvasir.qemu.driver, kvasir.network.driver, kvasir.nwfilter.driver;"
        "assert not {'ssl', '_ssl', '_hashlib', 'ctypes', 'kvasir.model.domain'} & {name for name in sys.modules"
        " if sys.modules[name] is not None}, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
