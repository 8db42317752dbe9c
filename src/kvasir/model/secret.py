"""Secrets as documents."""

from __future__ import annotations

from kvasir.errors import ConfigUnsupported, InternalError, Origin, XmlError
from kvasir.xml import Element, attr, text
from kvasir.xml.types import ENUM, UUID, YESNO

USAGES = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")
"""Usage types by their number on the wire."""
ID_FIELDS = {"volume": "volume", "ceph": "usage_name", "iscsi": "target", "tls": "usage_name", "vtpm": "usage_name"}
WORDS = {
    "volume": "volume usage specified, but volume path is missing",
    "ceph": "Ceph usage specified, but name is missing",
    "iscsi": "iSCSI usage specified, but target is missing",
    "tls": "TLS usage specified, but name is missing",
    "vtpm": "vTPM usage specified, but name is missing",
}


def _unknown(value: str) -> ConfigUnsupported:
    return ConfigUnsupported(f"unknown secret usage type {value}", origin=Origin.SECRET)


def _malformed(value: str) -> InternalError:
    return InternalError("malformed uuid element", origin=Origin.SECRET)


class Secret(Element, tag="secret"):
    """A secret: what it is for; its value is no part of the document."""

    ephemeral: bool | None = attr(
        "@ephemeral", YESNO, error="invalid value of 'ephemeral'", doc="Whether the secret is kept in memory only."
    )
    private: bool | None = attr(
        "@private", YESNO, error="invalid value of 'private'", doc="Whether the value is never shown to clients."
    )
    uuid: str | None = text("uuid", UUID, error=_malformed)
    description: str | None = text("description")
    usage: str | None = attr("usage/@type", ENUM(*USAGES), error=_unknown, doc="What kind of thing uses it.")
    volume: str | None = text("usage/volume", doc="Path of the volume that it opens.")
    usage_name: str | None = text("usage/name")
    target: str | None = text("usage/target", doc="The iSCSI target's name for it.")

    @property
    def usage_type(self) -> int:
        """The number of the usage type on the wire."""
        return USAGES.index(self.usage) if self.usage else 0

    @property
    def usage_id(self) -> str:
        """What it is used for, "" where the type has no such thing."""
        field = ID_FIELDS.get(self.usage or "")
        return (getattr(self, field) or "") if field else ""


def read(xml: str | bytes) -> Secret:
    """A secret's document with its defaults. Raises XmlError and its kin, with libvirt's words."""
    from kvasir.xml.reader import check_root
    from kvasir.xml.reader import read as read_tree

    root = read_tree(xml, "(definition_of_secret)")
    check_root(root, "secret")
    try:
        found = Secret.parse(root)
    except XmlError as problem:
        problem.origin = Origin.SECRET
        raise
    usage = root.find("usage")
    if usage is not None and usage.get("type") is None:
        raise XmlError("unknown secret usage type", origin=Origin.SECRET)
    found.ephemeral, found.private = bool(found.ephemeral), bool(found.private)
    if found.usage in ID_FIELDS and not found.usage_id:
        raise InternalError(WORDS[found.usage], origin=Origin.SECRET)
    if found.usage == "none":
        found.usage = None
    for name in {"volume", "usage_name", "target"} - {ID_FIELDS.get(found.usage or "", "")}:
        setattr(found, name, None)
    return found
