"""Who uses an image: guests by their disks and by what lies under those, their snapshots, and guests that wait in the trash."""

from __future__ import annotations

import os

from kvasir.errors import Error

from .base import INACTIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEEPEST = 200


def paths(connection: Any, text: str) -> list[str]:
    """Paths of the images that a document names as its disks, those of pool and volume too."""
    import xml.etree.ElementTree as ET

    sources = ET.fromstring(text).findall(".//disk[@device='disk']/source")
    return [path for source in sources if (path := path_of(connection, source))]


def path_of(connection: Any, source: Any) -> str:
    """The path that a source element names, by file, device, or pool and volume; '' for none."""
    if source is None:
        return ""
    if source.get("volume"):
        try:
            pool = connection.storagePoolLookupByName(source.get("pool") or "")
            return str(pool.storageVolLookupByName(source.get("volume") or "").path())
        except Error:
            return ""
    return source.get("file") or source.get("dev") or ""


def below(connection: Any, path: str) -> str:
    """The backing file of an image, '' where there is none: by its volume, else by its own head."""
    import xml.etree.ElementTree as ET

    try:
        text = connection.storageVolLookupByPath(path).XMLDesc(0)
        return ET.fromstring(text).findtext("backingStore/path") or ""
    except Error:
        pass
    from kvasir.storage import probe

    try:
        fd = probe.open_volume(path)
    except (OSError, Error):
        return ""
    try:
        backing = probe.probe(fd).backing
    finally:
        os.close(fd)
    under = probe.resolve_backing(path, backing) if backing else ""
    return under if under.startswith("/") else ""


def chain(connection: Any, path: str) -> Iterator[str]:
    """An image and all that it stands on."""
    seen: set[str] = set()
    while path and path not in seen and len(seen) < DEEPEST:
        seen.add(path)
        yield os.path.realpath(path)
        path = below(connection, path)


def documents(connection: Any) -> Iterator[tuple[str, str, str]]:
    """Name, UUID and document of every guest: as it runs, as it is defined, as its snapshots were."""
    for domain in connection.listAllDomains(0):
        name, uuid = domain.name(), domain.UUIDString()
        yield name, uuid, domain.XMLDesc(0)
        if domain.isPersistent() and domain.isActive():
            yield name, uuid, domain.XMLDesc(INACTIVE)
        for shot in domain.listAllSnapshots(0):
            yield name, uuid, shot.getXMLDesc(0)
    from .trash import entries

    for entry in entries(connection.getURI()):
        yield f"{entry['name']} (in the trash)", entry["uuid"], entry["domain"]


def users(connection: Any, without: str = "") -> dict[str, dict[str, bool]]:
    """For each image: who uses it, and whether as a disk (else it lies under one). ``without`` is a guest's UUID that does not count."""
    found: dict[str, dict[str, bool]] = {}
    for name, uuid, text in documents(connection):
        if uuid == without:
            continue
        for path in paths(connection, text):
            for place, one in enumerate(chain(connection, path)):
                row = found.setdefault(one, {})
                row[name] = row.get(name, False) or place == 0
    return found


def why(found: dict[str, dict[str, bool]], path: str) -> str:
    """Why an image must stay; '' when nobody needs it."""
    row = found.get(os.path.realpath(path), {})
    if not row:
        return ""
    names = ", ".join(sorted(row))
    verb = "use" if len(row) > 1 else "uses"
    return f"{names} {verb} it" if any(row.values()) else f"it is under the disks of {names}"
