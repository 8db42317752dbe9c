"""One thing changed in a document of the corpus: what the real libvirt 9.0 said of it, for each line of ``changes.jsonl``.

A line names the document (``of``), the node (``at``, an XPath) and what is done to it: ``set`` attributes, ``drop`` an
attribute, other ``text``, ``add`` an element, ``remove`` or ``double`` one. The answer is an ``error`` ("code domain words"), or
the lines by which the completed document differs from that of the corpus (``diff``). ``record_changes.py`` asks anew.
"""

from __future__ import annotations

import copy
import difflib
import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kvasir.errors import Error
from kvasir.xml.fields import NAMESPACES

from . import harness

LINES = [json.loads(line) for line in (harness.HERE / "changes.jsonl").read_text().splitlines()]
DEEDS = ("set", "drop", "text", "add", "remove", "double")
pytestmark = pytest.mark.skipif(
    not Path("/usr/bin/qemu-system-x86_64").exists(), reason="qemu-system-x86_64 is not installed"
)


def source(line: dict[str, Any], ending: str = ".xml") -> Path:
    """The document that the line changes."""
    return next(path for folder in ("argv", "xml") if (path := harness.HERE / folder / f"{line['of']}{ending}").exists())


def changed(line: dict[str, Any]) -> str:
    """The document with its change."""
    parser = etree.XMLParser(remove_comments=True, remove_blank_text=True)
    root = etree.fromstring(source(line).read_bytes(), parser)
    node: Any = root.xpath(line["at"], namespaces=NAMESPACES)[0]  # type: ignore[index]  # an element of our own path
    for name, value in line.get("set", {}).items():
        node.set(name, value)
    if "drop" in line:
        del node.attrib[line["drop"]]
    if "text" in line:
        node.text = line["text"]
    if "add" in line:
        node.append(etree.fromstring(line["add"]))
    if "remove" in line:
        node.remove(node.find(line["remove"]))
    if "double" in line:
        one = node.find(line["double"])
        node.insert(node.index(one), copy.deepcopy(one))
    return etree.tostring(root, encoding="unicode")


def answer(line: dict[str, Any], document: str) -> list[str]:
    """How the completed document differs from the corpus's own."""
    before = source(line, ".out.xml").read_text().rstrip("\n").splitlines()
    lines = difflib.unified_diff(before, document.rstrip("\n").splitlines(), lineterm="", n=0)
    return [text for text in lines if not text.startswith(("---", "+++", "@@"))]


def _name(line: dict[str, Any]) -> str:
    deed = next(deed for deed in DEEDS if deed in line)
    return f"{line['of']}-{line['at'].rpartition('/')[2]}-{deed}"


@pytest.mark.parametrize("line", LINES, ids=_name)
def test_change(line: dict[str, Any]) -> None:
    if harness.caps().version[:2] != (7, 2):
        pytest.skip(f"recorded with QEMU 7.2, here is {harness.caps().version}")
    text = changed(line)
    if "error" in line:
        with pytest.raises(Error) as caught:
            harness.ours_xml(text)
        error = caught.value
        assert f"{int(error.code)} {int(error.origin)} {error.message}" == line["error"]
        return
    assert answer(line, harness.ours_xml(text)) == line["diff"]
