"""The binding of a filter to an interface of a guest, its document and its status file."""

from __future__ import annotations

import uuid as _uuid
from dataclasses import dataclass, field
from typing import Any

from kvasir.errors import InternalError, Origin
from kvasir.nwfilter.documents import Reference, reference, write_reference
from kvasir.nwfilter.tree import Variables, merged
from kvasir.xml.compiler import escape
from kvasir.xml.reader import check_root
from kvasir.xml.reader import read as read_xml


@dataclass
class Binding:
    """``portdev`` and ``filtername`` are what the wire carries."""

    owner_name: str
    owner_uuid: str
    portdev: str
    mac: str
    ref: Reference
    linkdev: str = ""
    learned: list[str] = field(default_factory=list)
    """Addresses seen on the interface, where the filter needs $IP and nobody said it."""

    @property
    def filtername(self) -> str:
        return self.ref.filter

    def variables(self) -> Variables:
        """Parameters, MAC, and learned addresses."""
        made = merged({}, [pair for pair in self.ref.parameters if pair[0] != "MAC"])
        made["MAC"] = [self.mac]
        if self.learned and "IP" not in made:
            made["IP"] = list(self.learned)
        return made

    @property
    def learning(self) -> str:
        """``any`` (the default), ``dhcp`` or ``none``."""
        return next((value.lower() for name, value in self.ref.parameters if name == "CTRL_IP_LEARNING"), "any")


def read(text: str) -> Binding:
    """A binding by its document. Raises XmlError, InternalError for what is missing in it."""
    root = read_xml(text, "(nwfilterbinding_definition)")
    check_root(root, "filterbinding")
    return read_node(root)


def read_node(root: Any) -> Binding:
    def attribute(tag: str, name: str, missing: str) -> str:
        node = root.find(tag)
        value = node.get(name) if node is not None else None
        if not value:
            raise InternalError(missing, origin=Origin.NWFILTER)
        return str(value)

    port = attribute("portdev", "name", "filter binding has no port dev name")
    owner = root.findtext("owner/name")
    if not owner:
        raise InternalError("filter binding has no owner name", origin=Origin.NWFILTER)
    try:
        owner_uuid = str(_uuid.UUID((root.findtext("owner/uuid") or "").strip()))
    except ValueError:
        raise InternalError("filter binding has no owner UUID", origin=Origin.NWFILTER) from None
    mac = attribute("mac", "address", "filter binding has no MAC address")
    node = root.find("filterref")
    if node is None:
        raise InternalError("filter binding has no filter reference", origin=Origin.NWFILTER)
    return Binding(
        owner,
        owner_uuid,
        port,
        mac.lower(),
        reference(node),
        (root.find("linkdev").get("name") or "") if root.find("linkdev") is not None else "",
    )


def write(made: Binding, pad: str = "") -> str:
    """The document as ``nwfilter-binding-dumpxml`` shows it."""
    parameters = [pair for pair in made.ref.parameters if pair[0] != "MAC"] + [("MAC", made.mac)]
    out = [
        f"{pad}<filterbinding>\n{pad}  <owner>\n{pad}    <name>{escape(made.owner_name)}</name>\n",
        f"{pad}    <uuid>{made.owner_uuid}</uuid>\n{pad}  </owner>\n{pad}  <portdev name='{escape(made.portdev)}'/>\n",
        f"{pad}  <linkdev name='{escape(made.linkdev)}'/>\n" if made.linkdev else "",
        f"{pad}  <mac address='{made.mac}'/>\n",
        write_reference(Reference(made.ref.filter, parameters), pad + "  "),
    ]
    return "".join(out) + f"{pad}</filterbinding>\n"


def status(made: Binding) -> str:
    """What is kept while the daemon is away."""
    return "<filterbindingstatus>\n" + write(made, "  ") + "</filterbindingstatus>\n"
