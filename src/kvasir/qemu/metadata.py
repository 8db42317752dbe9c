"""The elements that programs keep under ``<metadata>``, one for each namespace."""

from __future__ import annotations

from typing import Any

from kvasir.errors import InvalidArg, XmlError


def _find(domain: Any, uri: str) -> Any:
    if domain.metadata is None:
        return None
    for node in domain.metadata:
        if isinstance(node.tag, str) and node.tag.startswith(f"{{{uri}}}"):
            return node
    return None


def get(domain: Any, uri: str) -> str | None:
    """The element of a namespace, without that namespace; None when there is none."""
    from lxml import etree

    found = _find(domain, uri)
    if found is None:
        return None

    def bare(node: Any) -> Any:
        tag = node.tag
        if isinstance(tag, str) and tag.startswith(f"{{{uri}}}"):
            tag = tag[len(uri) + 2 :]
        new: Any = etree.Element(tag, {k: v for k, v in node.attrib.items()})
        new.text, new.tail = node.text, node.tail
        for kid in node:
            if isinstance(kid.tag, str):
                new.append(bare(kid))
        return new

    copy = bare(found)
    copy.tail = None
    _tidy(copy, "")
    return str(etree.tostring(copy, encoding="unicode"))


def _tidy(node: Any, pad: str) -> None:
    """Indent elements that hold only elements."""
    kids = list(node)
    if not kids or (node.text or "").strip() or any((kid.tail or "").strip() for kid in kids):
        return
    node.text = f"\n{pad}  "
    for kid in kids:
        kid.tail = f"\n{pad}  "
        _tidy(kid, pad + "  ")
    kids[-1].tail = f"\n{pad}"


def put(domain: Any, value: str | None, key: str, uri: str) -> None:
    """Set (or remove) the element of a namespace; its elements get the prefix ``key``."""
    from lxml import etree

    from kvasir.xml.reader import read

    if not uri:
        raise InvalidArg("the metadata element needs a namespace")
    old = _find(domain, uri)
    if value is None:
        if old is not None:
            domain.metadata.remove(old)
            if len(domain.metadata) == 0:
                domain.metadata = None
        return
    if not key:
        raise InvalidArg("the metadata element needs a prefix")
    root = read(value, "(metadata_xml)")

    def clothed(node: Any) -> Any:
        tag = node.tag if node.tag.startswith("{") else f"{{{uri}}}{node.tag}"
        new: Any = etree.Element(tag, dict(node.attrib), nsmap={key: uri})
        new.text, new.tail = node.text, node.tail
        for kid in node:
            if isinstance(kid.tag, str):
                new.append(clothed(kid))
        return new

    try:
        node = clothed(root)
    except ValueError:
        raise XmlError("(metadata_xml): a namespace prefix is not declared") from None
    node.tail = None
    if domain.metadata is None:
        domain.metadata = etree.Element("metadata")
    if old is not None:
        domain.metadata.replace(old, node)
    else:
        domain.metadata.append(node)
    etree.cleanup_namespaces(domain.metadata)
