"""The guide's own pieces of XML: ours makes of each what the real daemon made; and all documents hold to libvirt's schema."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from lxml import etree

from kvasir.errors import Error
from kvasir.storage import documents
from tests.conftest import Peers
from tests.golden import harness
from tests.golden.figures import figures
from tests.golden.test_golden import _needs_same_qemu, pytestmark  # noqa: F401  (needs QEMU)

RECORDED: dict[str, Any] = json.loads((harness.HERE / "figures.json").read_text())


@cache
def ours(kind: str, text: str) -> str:
    return harness.ours_xml(text) if kind == "domain" else documents.pool(text).xml()


def masked(text: str) -> str:
    """What is made up at each definition: UUIDs, MAC addresses."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return re.sub(r"52:54:00(:[0-9a-f]{2}){3}", "MAC", text)


def wrong(key: str) -> str:
    kind, text = figures()[key]
    recorded = RECORDED[key]
    try:
        first = ours(kind, text)
    except Error as error:
        said = {"error": error.message, "code": [int(error.code), int(error.origin)]}
        return "" if said == recorded else f"{said} instead of {recorded}"
    if "error" in recorded:
        return f"accepted instead of {recorded['error']}"
    difference = harness.xml_difference(masked(first).rstrip("\n"), masked(recorded["document"]).rstrip("\n"))
    return str(difference) or _again(kind, first, recorded.get("again"))


def _again(kind: str, document: str, refusal: dict[str, Any] | None) -> str:
    """The document that was given gives itself, or is refused where libvirt refuses its own."""
    try:
        same = ours(kind, document) == document
    except Error as error:
        said = {"error": error.message, "code": [int(error.code), int(error.origin)]}
        return "" if said == refusal else f"its own document: {said}"
    return "" if same and refusal is None else "its own document gives another"


@pytest.mark.guide("domxml-chapter-figure-corpus")
def test_every_figure() -> None:
    _needs_same_qemu()
    assert set(RECORDED) == set(figures())
    assert len([key for key, answer in RECORDED.items() if "document" in answer]) > 90
    problems = {key: problem for key in figures() if (problem := wrong(key))}
    assert not problems, "\n".join(f"{key}: {problem}" for key, problem in problems.items())


@pytest.mark.guide("domxml-upstream-is-reference")
def test_documents_hold_to_the_schema(peers: Peers) -> None:
    """What is printed for every figure that is accepted is valid by libvirt 9.0's own schema of guests."""
    _needs_same_qemu()
    schema = etree.RelaxNG(etree.parse(peers.root / "usr/share/libvirt/schemas/domain.rng"))
    wanted = [key for key, (kind, _) in figures().items() if kind == "domain" and "document" in RECORDED[key]]
    broken = [key for key in wanted if not schema.validate(etree.fromstring(ours(*figures()[key])))]
    assert len(wanted) > 90
    assert broken == ["domxml-disk-type-volume"], "its figure has a secret of type chap, which the schema does not know"
