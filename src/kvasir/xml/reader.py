"""The safe XML parser: no entities, no network, limits on size and depth, errors in libvirt's three lines."""

from __future__ import annotations

from typing import Any

from lxml import etree

from kvasir.errors import XmlDetail, XmlError

MAX_BYTES = 16 << 20
MAX_DEPTH = 200


def _parser(keep: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=not keep, remove_pis=not keep, remove_blank_text=False, strip_cdata=True,
    )  # fmt: skip


def read(document: str | bytes, what: str = "(domain_definition)", *, keep: bool = False) -> Any:
    """Parse a document to its root node. ``keep`` leaves comments in, for tools that edit.

    Raises XmlDetail (code 35) for what is not well formed, XmlError (code 27) for what passes a limit or
    declares entities.
    """
    data = document.encode("utf-8", "surrogateescape") if isinstance(document, str) else document
    if len(data) > MAX_BYTES:
        raise XmlError(f"{what}: document is larger than {MAX_BYTES} bytes")
    if isinstance(document, str) and data.startswith(b"<?xml"):
        data = _drop_encoding(data)
    try:
        root = etree.fromstring(data, _parser(keep))
    except etree.XMLSyntaxError as error:
        raise XmlDetail(three_lines(data, what, error)) from None
    except ValueError as error:
        raise XmlError(f"{what}: {error}") from None
    if root is None:
        raise XmlDetail(f"{what}:1: Document is empty\n\n^")
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise XmlError(f"{what}: a document type declaration is not allowed")
    _check_depth(root, what)
    return root


def _drop_encoding(data: bytes) -> bytes:
    """A str was already decoded, so what its declaration says of an encoding no longer holds."""
    head, end, rest = data.partition(b"?>")
    return head.split(b" encoding")[0] + (b"?>" if end else b"") + rest if b" encoding" in head else data


def _check_depth(root: Any, what: str) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [kid for node in level for kid in node]
        if not level:
            return
    raise XmlError(f"{what}: elements are nested deeper than {MAX_DEPTH}")


def three_lines(data: bytes, what: str, error: etree.XMLSyntaxError) -> str:
    """Place and reason, the source line, and a pointer to the column, as libvirt prints them."""
    line, column = error.position if error.position else (1, 1)
    message = (error.msg or "not well formed").partition(", line ")[0]
    lines = data.decode("utf-8", "replace").split("\n")
    source = lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
    if not source and 1 < line == len(lines):
        source = "(null)"
    return f"{what}:{line}: {message}\n{source}\n{'-' * max(column - 1, 0)}^"
