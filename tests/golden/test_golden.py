"""Our completed documents and command lines are those of the real libvirt 9.0 (recorded by ``record.py``).

A document may name the guide rows that it shows in its first line: ``<!-- guide: row row -->``.
Where it refuses a document we refuse it with the same words, and with the same code and domain where those are recorded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kvasir.errors import Error
from kvasir.xml import Form

from . import harness

GUIDE = re.compile(r"<!-- guide:([^>]*)-->")
FILES = sorted(
    path
    for folder in ("argv", "xml")
    for path in (harness.HERE / folder).glob("*.xml")
    if not path.name.endswith(".out.xml")
)
pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)


def _needs_same_qemu() -> None:
    if harness.caps().version[:2] != (7, 2):
        pytest.skip(f"recorded with QEMU 7.2, here is {harness.caps().version}")


def _param(path: Path) -> Any:
    rows = GUIDE.match(path.read_text())
    return pytest.param(path, id=path.stem, marks=[pytest.mark.guide(*rows[1].split())] if rows else [])


@pytest.mark.parametrize("path", [_param(p) for p in FILES])
def test_completed_document(path: Path) -> None:
    _needs_same_qemu()
    recorded = path.with_name(f"{path.stem}.out.xml")
    text = path.read_text()
    if not recorded.exists():
        with pytest.raises(Error) as caught:
            harness.ours_xml(text)
        assert f"error: {caught.value.message}\n" == path.with_name(f"{path.stem}.error").read_text()
        code = path.with_name(f"{path.stem}.code")
        if code.exists():
            assert f"{int(caught.value.code)} {int(caught.value.origin)}\n" == code.read_text()
        return
    once = harness.ours_xml(text)
    assert not harness.xml_difference(once.rstrip("\n"), recorded.read_text().rstrip("\n"))
    # libvirt itself moves controllers and numbers ports anew when it reads its own document
    twice = path.with_name(f"{path.stem}.again")
    expected = twice.read_text().rstrip("\n") if twice.exists() else once.rstrip("\n")
    if expected.startswith("error: "):  # it refuses what it wrote
        with pytest.raises(Error) as caught:
            harness.ours_xml(once)
        assert f"error: {caught.value.message}" == expected
        return
    again = harness.ours_xml(once).rstrip("\n")
    if twice.exists() or sorted(again.splitlines()) != sorted(expected.splitlines()):
        assert not harness.xml_difference(again, expected), "completed again"


@pytest.mark.parametrize("path", [_param(p) for p in FILES if p.with_name(f"{p.stem}.args").exists()])
def test_command_line(path: Path) -> None:
    _needs_same_qemu()
    recorded = path.with_name(f"{path.stem}.args").read_text()
    assert not harness.argv_difference(harness.ours_argv(path.read_text()), recorded)


FORMS = {"plain": Form(), "migratable": Form(migratable=True, secure=True)}


@pytest.mark.parametrize(
    ("path", "kind"),
    [(p, k) for p in FILES for k in FORMS if p.with_name(f"{p.stem}.{k}").exists()],
    ids=lambda v: v.stem if isinstance(v, Path) else v,
)
def test_forms(path: Path, kind: str) -> None:
    """Without --security-info, and as a migration may read it; recorded where the real daemon's differs."""
    _needs_same_qemu()
    recorded = path.with_name(f"{path.stem}.{kind}")
    text = path.read_text()
    # the form for migrations is made from a copy that was written and read again
    mine = harness.complete(harness.ours_xml(text) if kind == "migratable" else text).domain.xml(FORMS[kind])
    assert not harness.xml_difference(mine.rstrip("\n"), recorded.read_text().rstrip("\n"))
