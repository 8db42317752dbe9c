"""Rows of the guide's chapter 23 by documents: what the real daemon makes of each piece, or how it refuses it, ours makes too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kvasir.errors import Error
from tests.golden import harness
from tests.golden.guide_cases import CASES, build
from tests.golden.test_golden import _needs_same_qemu, pytestmark  # noqa: F401  (needs QEMU)

RECORDED: dict[str, Any] = json.loads((harness.HERE / "guide.json").read_text())


def wrong(text: str, recorded: dict[str, Any]) -> str:
    """How our answer differs, '' when it does not."""
    if "error" in recorded:
        try:
            harness.ours_xml(text)
        except Error as error:
            said = {"error": error.message, "code": [int(error.code), int(error.origin)]}
            return "" if said == recorded else f"{said} instead of {recorded}"
        return f"accepted instead of {recorded}"
    try:
        document = harness.ours_xml(text)
    except Error as error:
        return f"refused: {error.message}"
    difference = harness.xml_difference(document.rstrip("\n"), recorded["document"].rstrip("\n"))
    if difference:
        return str(difference)
    try:
        words = harness.ours_argv(document)
    except Error as error:
        return (
            ""
            if error.message == recorded.get("no_args")
            else f"no command line: {error.message}; {recorded.get('no_args')}"
        )
    if "args" not in recorded:
        return f"a command line instead of {recorded['no_args']}"
    return str(harness.argv_difference(words, recorded["args"]) or "")


@pytest.mark.parametrize("row", [pytest.param(row, marks=pytest.mark.guide(row)) for row in CASES])
def test_row(row: str) -> None:
    _needs_same_qemu()
    for number, piece in enumerate(CASES[row]):
        problem = wrong(build(piece), RECORDED[f"{row}:{number}"])
        assert not problem, f"{piece}\n{problem}"
