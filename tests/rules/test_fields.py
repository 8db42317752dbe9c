"""Every field that the domain's model declares is touched by a golden document: a field that nobody reads is no field."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from kvasir.errors import Error
from kvasir.model.domain import Domain
from kvasir.model.network import Network
from kvasir.xml import Element

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# Not read from documents that people write: the reason, and the fields (owner and name). The rest must be touched.
REASONS = {
    "the port that a network gives to a running guest (in status documents, and in the live one)": """
        ActualBridge.bridge ActualBridge.mac_table ActualDirect.dev ActualDirect.mode ActualHostdev.address
        ActualHostdev.driver ActualSource.bandwidth ActualSource.isolated ActualSource.managed ActualSource.source
        ActualSource.trust_guest_rx_filters ActualSource.type ActualSource.virtualport ActualSource.vlan
        Interface.actual Bandwidth.class_id BridgeSource.portgroup DirectSource.network DirectSource.portgroup
        DirectSource.portid""",
    "in documents of running guests or status documents only: shown by the tests with real guests": """
        Console.tty Disk.nodenames Disk.qom NodeName.name NodeName.type Source.nodenames Listen.auto_generated
        Listen.from_config Memory.current Mirror.metadata_cache UsbSource.found UsbSource.missing""",
    "how many guests use it, in documents of running networks: shown by tests/network": """
        Network.connections ForwardInterface.connections ForwardAddress.connections Pf.connections""",
    "a namespace declaration, which parsers do not give as an attribute": "Domain.namespace Network.namespace",
    "an old spelling that is brought to the new one while it is read": "Graphics.listen Graphics.socket",
    "refused while it is read, as the real daemon refuses it": """
        PciSource.startup_policy UserSource.dev""",
    "Debian's libvirt is built without passt and refuses it; ours is shown by tests/network": "Interface.backend_type",
    "open: no document yet": "Controller.target_index SourceAddress.device SourceAddress.usb_bus",
}
EXCEPTED = {name for names in REASONS.values() for name in names.split()}


def models(field: Any) -> list[type[Element]]:
    """The element classes that a field may hold."""
    found = [field.model, *field.table.values()]
    return [model for model in found if isinstance(model, type) and issubclass(model, Element)]


def declared() -> set[str]:
    """Owner.name of all fields that can be reached from the root element."""
    names: set[str] = set()
    todo: list[type[Element]] = [Domain, Network]
    seen: set[type[Element]] = set()
    while todo:
        cls = todo.pop()
        if cls in seen:
            continue
        seen.add(cls)
        for field in cls.FIELDS.values():
            if field.kind != "runtime":
                names.add(f"{field.owner.__name__}.{field.name}")
            todo += models(field)
    return names


def touch(element: Element, names: set[str]) -> None:
    """Note each field of an element, and of those in it, that has a value."""
    for field in element.FIELDS.values():
        value = getattr(element, field.name)
        if value == field.empty() and not isinstance(value, Element):
            continue
        names.add(f"{field.owner.__name__}.{field.name}")
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, Element):
                touch(part, names)


@cache
def touched() -> frozenset[str]:
    names: set[str] = set()
    for path in sorted(GOLDEN.rglob("*.xml")):
        root: type[Element] = Network if path.parent.name == "net" else Domain
        try:
            domain = root.from_xml(path.read_text())
        except (Error, ValueError):
            continue  # documents that both daemons refuse
        touch(domain, names)
    return frozenset(names)


def test_golden_documents_touch_every_field() -> None:
    missing = sorted(declared() - touched() - EXCEPTED)
    assert missing == [], f"{len(missing)} of {len(declared())} fields in no golden document"


def test_exceptions_are_needed() -> None:
    assert sorted(EXCEPTED & touched()) == []
    assert sorted(EXCEPTED - declared()) == []
