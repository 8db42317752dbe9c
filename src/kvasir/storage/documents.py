"""Documents of pools, sources and volumes as clients hand them in: read, checked, completed."""

from __future__ import annotations

import os
import uuid as _uuid
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, NoSupport, Origin, SystemFailure, XmlError
from kvasir.model.storage import Permissions, Pool, PoolSource, Volume
from kvasir.xml import Element
from kvasir.xml.reader import check_root, read

from . import probe
from .pools import KINDS
from .pools.base import PoolKind, SecretValue

VALIDATE_POOL, VALIDATE_VOLUME = 1, 4
FEATURES = ("lazy_refcounts", "extended_l2")


def _root(xml: str, what: str, kind: type[Element], validate: bool) -> Any:
    root = read(xml, what)
    check_root(root, kind.TAG)
    if validate:
        from kvasir.xml.validate import validate as check

        check(kind, root)
    return root


def pool(xml: str, *, validate: bool = False, secret: SecretValue | None = None, served: bool = True) -> Pool:
    """A pool's document, complete; ``served``: of a type that is built. Raises XmlError, ConfigUnsupported, InternalError (a type that is not built)."""
    root = _root(xml, "(storage_pool_definition)", Pool, validate)
    for name in ("capacity", "allocation", "available"):  # what a pool has is not the user's to say
        for node in root.findall(name):
            root.remove(node)
    document = Pool.parse(root)
    if document.cow is not None and document.type not in ("fs", "dir"):
        raise NoSupport("cow feature may only be used for 'fs' and 'dir' pools", origin=Origin.STORAGE)
    document.source = document.source or PoolSource()
    kind = KINDS[document.type](document, secret)
    if kind.TARGET.startswith("/"):
        document.name = document.name or document.source.name
    if not document.name:
        kind.check_source()
        raise XmlError("missing pool source name element", origin=Origin.STORAGE)
    if "/" in document.name:
        raise XmlError(f"name {document.name} cannot contain '/'", origin=Origin.STORAGE)
    document.uuid = document.uuid or str(_uuid.uuid4())
    document.capacity = document.allocation = document.available = 0
    kind.complete()
    if served and not kind.BUILT:
        raise InternalError(f"missing backend for pool type {kind.NUMBER} ({kind.TYPE})", origin=Origin.STORAGE)
    return document


def source(xml: str | None) -> PoolSource | None:
    """A specification of sources to be found. Raises XmlError."""
    if not xml:
        return None
    return PoolSource.parse(_root(xml, "(storage_source_specification)", PoolSource, False))


def sources_xml(found: list[PoolSource]) -> str:
    """The answer to a search for sources."""
    out = ["<sources>\n"]
    for one in found:
        out.append(one.xml(pad="  "))
    return "".join([*out, "</sources>\n"])


def volume(xml: str, kind: PoolKind, flags: int, below: Volume | None) -> Volume:
    """The document of a volume to be made in a pool of that kind, complete. Raises XmlError, ConfigUnsupported."""
    root = _root(xml, "(storage_volume_definition)", Volume, bool(flags & VALIDATE_VOLUME))
    document = Volume.parse(root)
    if not document.name:
        raise XmlError("missing volume name element", origin=Origin.STORAGE)
    _limit(document, root)
    _sizes(document, below)
    kind.format_of(document)
    if document.backing is not None:
        _backing(document, kind)
    if document.compat is not None and not all(part.isdigit() for part in document.compat.split(".")):
        raise XmlError("forbidden characters in 'compat' attribute", origin=Origin.STORAGE)
    _features(document, root)
    document.source = None
    document.key = document.path = document.timestamps = document.physical = None
    wanted = document.permissions or Permissions()
    document.permissions = Permissions(
        mode=0o600 if wanted.mode is None else wanted.mode, owner=wanted.owner, group=wanted.group, label=wanted.label
    )
    return document


def _limit(document: Volume, root: Any) -> None:
    for tag in ("capacity", "allocation"):
        value = getattr(document, tag)
        if value is not None and value >= 1 << 63:
            node = root.find(tag)
            text = f"value too large: {(node.text or '').strip()}{node.get('unit') or ''}"
            raise Error(text, code=Code.OVERFLOW, origin=Origin.NONE, message=f"numerical overflow: {text}")


def _sizes(document: Volume, below: Volume | None) -> None:
    capacity = document.capacity
    if capacity is None:
        if below is not None:
            capacity = below.capacity
        elif document.backing is not None and document.backing.path:
            document.inherits = True
            capacity = _capacity_of(str(document.backing.path))
        else:
            raise XmlError("missing capacity element", origin=Origin.STORAGE)
    if below is not None:
        capacity = max(capacity or 0, below.capacity or 0)
    document.capacity = capacity
    if document.allocation is None:
        document.allocation = capacity
    elif below is not None and below.type == "block":
        document.allocation = max(document.allocation, 0)


def _backing(document: Volume, kind: PoolKind) -> None:
    below = document.backing
    assert below is not None
    if not below.path:
        document.backing = None
        return
    if kind.VOLUME_FORMATS:
        below.format = below.format or "raw"
        if below.format not in kind.VOLUME_FORMATS:
            raise ConfigUnsupported(f"unknown volume format type {below.format}", origin=Origin.STORAGE)
    else:
        below.format = None


def _features(document: Volume, root: Any) -> None:
    node = root.find("target/features")
    for child in node if node is not None else ():
        if child.tag not in FEATURES:
            raise ConfigUnsupported(f"unsupported feature {child.tag}", origin=Origin.STORAGE)
    document.features = node is not None
    if document.features and document.compat is None:
        document.compat = "1.1"


def _capacity_of(path: str) -> int:
    """The capacity of the image below a new one whose document names none."""
    try:
        fd = probe.open_volume(path)
    except OSError as error:
        raise SystemFailure(f"cannot open volume '{path}'", error, origin=Origin.STORAGE) from None
    try:
        info, (length, _) = probe.probe(fd), probe.size_of(fd)
    finally:
        os.close(fd)
    return info.capacity if info.capacity is not None else length
