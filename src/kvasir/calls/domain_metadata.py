"""Title, description and the metadata that programs keep in a guest's document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvasir.calls.flags import check_flags
from kvasir.calls.guests import CONFIG, LIVE, guest, impact, one
from kvasir.errors import Code, Error, InvalidArg, Origin
from kvasir.events import MetadataChange
from kvasir.qemu import statusdoc
from kvasir.qemu.jobs import Kind

if TYPE_CHECKING:
    from kvasir.daemon.session import Session

DESCRIPTION, TITLE, ELEMENT = 0, 1, 2


def domain_get_metadata(session: Session, dom: Any, type: int, uri: str | None, flags: int) -> str:
    """Title, description, or the element of a namespace."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainGetMetadata")
    if type not in (DESCRIPTION, TITLE, ELEMENT):
        raise InvalidArg("unknown metadata type")
    domain, _ = one(guest(session, dom), flags)
    if type == DESCRIPTION:
        value = domain.description
    elif type == TITLE:
        value = domain.title
    else:
        from kvasir.qemu import metadata

        value = metadata.get(domain, uri or "")
    if value is None:
        text = "Requested metadata element is not present"
        raise Error(text, code=Code.NO_DOMAIN_METADATA, origin=Origin.DOMAIN, message=f"metadata not found: {text}")
    return str(value)


async def domain_set_metadata(
    session: Session, dom: Any, type: int, metadata: str | None, key: str | None, uri: str | None, flags: int
) -> None:
    """Change or (without a value) remove title, description, or the element of a namespace."""
    check_flags(flags, LIVE | CONFIG, "qemuDomainSetMetadata")
    if type not in (DESCRIPTION, TITLE, ELEMENT):
        raise InvalidArg("unknown metadata type")
    if type == TITLE and metadata and "\n" in metadata:
        raise InvalidArg("metadata title can't contain newlines")
    found = guest(session, dom)
    in_live, in_config = impact(found, flags)
    async with found.jobs.normal(Kind.MODIFY):
        domain = found.config.copy() if in_config else None
        if domain is not None:
            _put(domain, type, metadata, key, uri)
        if in_live:
            before = found.live.copy()
            _put(found.live, type, metadata, key, uri)
        try:
            if in_live:
                statusdoc.write(found)
            if domain is not None:
                await session.driver.rewrite(found, domain)
        except BaseException:
            if in_live:
                found.live.title, found.live.description = before.title, before.description
                found.live.metadata = before.metadata
                statusdoc.save(found)
            raise
        session.driver.bus.publish(MetadataChange(found, type, uri))


def _put(domain: Any, type: int, value: str | None, key: str | None, uri: str | None) -> None:
    if type == DESCRIPTION:
        domain.description = value or None
    elif type == TITLE:
        domain.title = value or None
    else:
        from kvasir.qemu import metadata

        metadata.put(domain, value, key or "", uri or "")
