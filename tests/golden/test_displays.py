"""Displays, serial ports and disks by every setting of qemu.conf that concerns them, beside what the real daemon made of the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from kvasir.daemon.config import load_qemu
from kvasir.daemon.paths import Paths
from kvasir.errors import Code, Error, Origin
from kvasir.qemu import native
from kvasir.qemu.capabilities import Store
from kvasir.qemu.driver import QemuDriver
from tests.golden.display_cases import PIECES, REFUSED, SECRET, SETTINGS, document
from tests.golden.harness import CACHE
from tests.golden.record_displays import reduced

REAL = json.loads((Path(__file__).parent / "displays.json").read_text())


class Secrets:
    """A secret driver with one secret."""

    def value_for(self, uuid: str | None, usage: str | None, kind: str) -> bytes:
        if uuid != SECRET or kind != "tls":
            text = f"no secret with matching uuid '{uuid}'"
            raise Error(text, code=Code.NO_SECRET, origin=Origin.SECRET, message=f"Secret not found: {text}")
        return b"hush"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = QemuDriver(Paths.system(str(tmp_path_factory.mktemp("root"))), load_qemu("/nonexistent"))
    made.caps = Store(CACHE)
    made.drivers["secret"] = Secrets()
    return made


def config(path: Path, text: str) -> Any:
    path.write_text(text)
    return load_qemu(str(path))


def ours(driver: Any, piece: str) -> list[Any] | str:
    try:
        line = asyncio.run(native.command_line(driver, document(piece)))
    except Error as problem:
        return problem.message
    return parsed(reduced(line))


def parsed(words: list[str] | str) -> list[Any] | str:
    """JSON among the options is compared by what it says."""
    if isinstance(words, str):
        return words
    cut = [word.partition(" ") for word in words]
    return [(option, json.loads(value) if value.startswith("{") else value) for option, _, value in cut]


@pytest.mark.skipif(
    bool(list(Path("/etc/pki").glob("libvirt-*"))), reason="this host has folders of certificates of its own"
)
@pytest.mark.parametrize("setting", SETTINGS)
def test_as_the_real_one(setting: str, driver: Any, tmp_path: Path) -> None:
    driver.config = config(tmp_path / "qemu.conf", SETTINGS[setting])
    for piece in PIECES:
        wanted = REAL["settings"][setting].get(piece, REAL["settings"]["plain"][piece])
        assert ours(driver, piece) == parsed(wanted), piece


@pytest.mark.guide("trouble-keymap-xml")
def test_a_keymap(driver: Any, tmp_path: Path) -> None:
    """The guide's Japanese keymap: kept in the document, and QEMU gets it."""
    driver.config = config(tmp_path / "qemu.conf", "")
    text = document("vnc").replace("autoport='yes'", "port='-1' autoport='yes' keymap='ja'")
    from tests.golden.harness import ours_xml

    assert "<graphics type='vnc' port='-1' autoport='yes' keymap='ja'>" in ours_xml(text)
    assert "-k ja" in reduced(asyncio.run(native.command_line(driver, text)))


@pytest.mark.parametrize("setting", REFUSED)
def test_settings_that_no_guest_could_run_with(setting: str, tmp_path: Path) -> None:
    with pytest.raises(Error) as found:
        config(tmp_path / "qemu.conf", REFUSED[setting])
    if "expected a" not in REAL["refused"][setting]:  # ours names the line
        assert found.value.text == REAL["refused"][setting].replace("/etc/libvirt", str(tmp_path))
