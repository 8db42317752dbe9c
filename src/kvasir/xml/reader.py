"""The safe XML parser: no entities, no network, limits on size and depth, errors in libvirt's three lines."""

from __future__ import annotations

import codecs
import contextlib
import re
from functools import cache
from typing import Any
from xml.parsers import expat

from lxml import etree

from kvasir.errors import Origin, XmlDetail, XmlError

MAX_BYTES = 16 << 20
MAX_DEPTH = 200
AFTER_THE_ROOT = {4: 0, 9: 1}  # codes of expat, and from its column to that of libxml2


ORIGINS = {
    "(domain_definition)": Origin.DOMAIN, "(metadata_xml)": Origin.DOMAIN, "(domain_snapshot)": Origin.DOMAIN_SNAPSHOT,
    "(domain_checkpoint)": Origin.DOMAIN_CHECKPOINT, "(interface_definition)": Origin.INTERFACE,
    "(node_device_definition)": Origin.NODEDEV, "(storage_pool_definition)": Origin.STORAGE,
    "(storage_volume_definition)": Origin.STORAGE, "(storage_source_specification)": Origin.STORAGE, "network_update_xml": Origin.NETWORK,
}  # fmt: skip
"""Whose error it is that a document cannot be read, by its kind."""


def _detail(what: str, text: str) -> XmlDetail:
    return XmlDetail(text, origin=ORIGINS.get(what, Origin.XML))


def _parser(keep: bool, encoding: str | None, recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        recover=recover, remove_comments=not keep, remove_pis=not keep, remove_blank_text=False, strip_cdata=True,
    )  # fmt: skip


@cache
def _for_all(keep: bool, encoding: str | None) -> etree.XMLParser:
    """One parser for all documents; lxml lets one thread at a time use it."""
    return _parser(keep, encoding)


def check_root(root: Any, tag: str) -> None:
    """Raises XmlError for another root element. Its namespace does not count, as in libvirt."""
    name = str(root.tag).rpartition("}")[2]
    if name != tag:
        raise XmlError(f"expecting root element of '{tag}', not '{name}'", origin=Origin.XML)


def read(document: str | bytes, what: str = "(domain_definition)", *, keep: bool = False) -> Any:
    """Parse a document to its root node. ``keep`` leaves comments in, for tools that edit.

    Raises XmlDetail (code 35) for what is not well formed, XmlError (code 27) for what passes a limit or
    declares entities.
    """
    data = document.encode("utf-8", "surrogateescape") if isinstance(document, str) else document
    if len(data) > MAX_BYTES:
        raise XmlError(f"{what}: document is larger than {MAX_BYTES} bytes")
    encoding = "utf-8" if isinstance(document, str) and _encoding_is_known(data) else None
    try:
        root = etree.fromstring(data, _for_all(keep, encoding))
    except etree.XMLSyntaxError as error:
        root = _recovered(data, what, encoding, _parser(keep, encoding, recover=True), error)
    except ValueError as error:
        raise XmlError(f"{what}: {error}") from None
    plain = encoding is not None
    if (not plain or b"<!DOCTYPE" in data) and root.getroottree().docinfo.internalDTD is not None:
        raise XmlError(f"{what}: a document type declaration is not allowed")
    if not plain or data.count(b"</") >= MAX_DEPTH:  # each level but the last has an end tag
        _check_depth(root, what)
    return root


def _recovered(
    data: bytes, what: str, encoding: str | None, parser: etree.XMLParser, error: etree.XMLSyntaxError
) -> Any:
    """The tree all the same when nothing but namespaces is wrong: a prefix that nobody declared is part of a name."""
    root: Any = None
    with contextlib.suppress(etree.XMLSyntaxError):
        root = etree.fromstring(data, parser)
    wrong = next((entry for entry in parser.error_log if entry.domain_name != "NAMESPACE"), None)
    if wrong is not None:
        raise _detail(what, three_lines(data, what, wrong.message, wrong.line, wrong.column)) from None
    if root is None:
        raise _detail(what, three_lines(data, what, error.msg, *(error.position or (1, 1)))) from None
    try:
        expat.ParserCreate(encoding).Parse(data, True)
    except expat.ExpatError as problem:  # after a complaint about namespaces libxml2 no longer looks behind the root
        if problem.code in AFTER_THE_ROOT:
            end = (problem.lineno, problem.offset + AFTER_THE_ROOT[problem.code])
            raise _detail(what, three_lines(data, what, "Extra content at the end of the document", *end)) from None
    return root


def _encoding_is_known(data: bytes) -> bool:
    """A str is UTF-8 whatever its declaration says, as for libvirt; an encoding that does not exist is still refused."""
    declared = re.match(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([\w.-]+)", data[:200])
    try:
        return declared is None or codecs.lookup(declared[1].decode()) is not None
    except LookupError:
        return False


def _check_depth(root: Any, what: str) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [kid for node in level for kid in node]
        if not level:
            return
    raise XmlError(f"{what}: elements are nested deeper than {MAX_DEPTH}")


def three_lines(data: bytes, what: str, message: str | None, line: int, column: int) -> str:
    """Place and reason, the source line, and a pointer to the byte, as libvirt prints them."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    source = lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
    before = source[: max(column - 1, 0)].encode("utf-8", "surrogateescape")
    pointer = "".join("\t" if byte == 9 else "-" for byte in before.ljust(column - 1))
    rest = "\n".join([source[column - 1 :], *lines[line : line + 4]]).encode("utf-8", "surrogateescape")
    if not source and line == len(lines):
        source = "(null)"
    words = _words((message or "not well formed").partition(", line ")[0], rest)
    return f"{what}:{line}: {words}\n{source}\n{pointer}^"


def _words(message: str, rest: bytes) -> str:
    """The reason as the libxml2 of libvirt 9.0 words it. ``rest`` is what follows."""
    if message == "Invalid bytes in character encoding":
        four = " ".join(f"0x{byte:02X}" for byte in rest[:4])
        return "Input is not proper UTF-8, indicate encoding !" + (f"\nBytes: {four}" if len(rest) > 3 else "")
    return message.replace("Unsupported encoding: ", "Unsupported encoding ").replace(", use XML_", " use XML_")
