"""Which elements and attributes documents without field tables of their own may have: what a VALIDATE flag and ``virt-xml-validate`` ask.

An outline has a line for each element: its attributes (``@name``) and the elements in it; ``*`` is anything. An element without a line
may hold text only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import SchemaError

SCHEMAS = "/usr/share/libvirt/schemas"

OUTLINES = {
    "domainsnapshot": """
        domainsnapshot: name description state creationTime parent memory disks domain inactiveDomain active cookie
        parent: name
        memory: @snapshot @file
        disks: disk
        disk: @name @snapshot @type driver source
        driver: @type *
        source: *
        domain: *
        inactiveDomain: *
        cookie: *
    """,
    "domaincheckpoint": """
        domaincheckpoint: name description creationTime parent disks domain
        parent: name
        disks: disk
        disk: @name @checkpoint @bitmap @size
        domain: *
    """,
    "domainbackup": """
        domainbackup: @mode @id incremental server disks
        server: @transport @tls @name @port @socket
        disks: disk
        disk: @name @type @state @backup @index @exportname @exportbitmap @backupmode @incremental driver target scratch
        driver: @type *
        target: *
        scratch: *
    """,
    "filterbinding": """
        filterbinding: owner portdev mac filterref
        owner: name uuid
        portdev: @name
        mac: @address
        filterref: @filter parameter
        parameter: @name @value
    """,
    "cpu": """
        cpu: arch vendor model microcode signature counter topology maxphysaddr feature pages
        vendor: @id
        model: @fallback @vendor_id
        microcode: @version
        signature: @family @model @stepping
        counter: @name @frequency @scaling
        topology: @sockets @dies @cores @threads
        maxphysaddr: @mode @bits @limit
        feature: @name
        pages: @unit @size
    """,
    "capabilities": """
        capabilities: host guest
        host: *
        guest: *
    """,
    "domainCapabilities": """
        domainCapabilities: path domain machine arch vcpu iothreads os cpu memoryBacking devices features
        vcpu: @max
        iothreads: @supported
        os: *
        cpu: *
        memoryBacking: *
        devices: *
        features: *
    """,
    "storagepoolCapabilities": """
        storagepoolCapabilities: pool
        pool: @type @supported poolOptions volOptions
        poolOptions: *
        volOptions: *
    """,
}
"""By root element. ``cpu`` is a host's CPU, with an architecture; that of guests is ``model.cpu.Cpu``."""
NAMES = {
    "pool": "storagepool",
    "volume": "storagevol",
    "device": "nodedev",
    "filter": "nwfilter",
    "filterbinding": "nwfilterbinding",
    "domainCapabilities": "domaincaps",
    "storagepoolCapabilities": "storagepoolcaps",
    "capabilities": "capability",
}
"""Names of schemas, where it is not the root element's."""


def _outline(kind: str) -> dict[str, set[str]]:
    lines = (line.split() for line in OUTLINES[kind].splitlines() if line.strip())
    return {words[0].removesuffix(":"): set(words[1:]) for words in lines}


def _problems(node: Any, outline: dict[str, set[str]]) -> Iterator[str]:
    allowed = outline.get(str(node.tag), set())
    for name in node.attrib:
        if f"@{name}" not in allowed and "*" not in allowed:
            yield f"Invalid attribute {name} for element {node.tag}"
    if "*" in allowed:
        return
    for kid in node:
        if not isinstance(kid.tag, str):
            continue
        if kid.tag not in allowed:
            yield f"Element {node.tag} has extra content: {kid.tag}"
        else:
            yield from _problems(kid, outline)


def check(root: Any, kind: str) -> None:
    """Check a document that was read. Raises SchemaError (code 92) that names what does not fit."""
    words = list(dict.fromkeys(_problems(root, _outline(kind))))
    if str(root.tag) != kind:
        words = [f"Expecting element {kind}, got {root.tag}"]
    if words:
        raise SchemaError(
            f"Unable to validate doc against {SCHEMAS}/{NAMES.get(kind, kind)}.rng\n" + "\n".join(words), origin=5
        )
