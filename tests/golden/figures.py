"""The guide's own pieces of XML for chapter 23 (``example`` in conformance/23-domain-xml.yaml), put into a small guest or a pool.

Paths of emulators that are another distribution's become this one's. What the real libvirt 9.0 makes of each stands in
``figures.json`` (``record_figures.py``).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from lxml import etree

from tests.golden.guide_cases import build

TABLE = Path(__file__).resolve().parents[2] / "conformance/23-domain-xml.yaml"
QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
POOL = "<pool type='{kind}'><name>fig</name>{piece}</pool>"
POOL_REST = {
    "pool-xml-source": ("iscsi", "<target><path>/dev/disk/by-path</path></target>"),
    "pool-xml-source-adapter": ("scsi", "<target><path>/dev/disk/by-path</path></target>"),
}
WHOLE = ("domain", "pool")


def pieces(text: str) -> list[str]:
    """The elements of an example; [] where it is no XML at all."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r">[^<>]*/qemu-kvm<", ">/usr/bin/qemu-system-x86_64<", text)
    try:
        root = etree.fromstring(f"<x {QEMU}>{text}</x>")
    except etree.XMLSyntaxError:
        return []
    return [etree.tostring(node, encoding="unicode", with_tail=False) for node in root if isinstance(node.tag, str)]


@cache
def figures() -> dict[str, tuple[str, str]]:
    """(kind, document) by ``row`` or ``row:number`` (whole documents, one by one)."""
    found: dict[str, tuple[str, str]] = {}
    rows: list[dict[str, Any]] = yaml.load(TABLE.read_text(), yaml.CSafeLoader)
    for row in rows:
        parts = pieces(str(row.get("example") or ""))
        whole = [part for part in parts if etree.fromstring(part).tag in WHOLE]
        rest = [part for part in parts if part not in whole]
        for number, part in enumerate(whole):
            tag = str(etree.fromstring(part).tag)
            inner = re.sub(r"^<\w+[^>]*>|</\w+>$", "", part)
            found[f"{row['id']}:{number}"] = (tag, build(inner) if tag == "domain" else part)
        if not rest:
            continue
        if row["id"] in POOL_REST:
            kind, more = POOL_REST[row["id"]]
            found[row["id"]] = ("pool", POOL.format(kind=kind, piece="".join(rest) + more))
        elif not row["id"].startswith(("pool-", "vol-", "domxml-net-")):
            found[row["id"]] = ("domain", build("".join(rest)))
    return found
