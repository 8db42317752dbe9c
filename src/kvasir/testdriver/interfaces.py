"""Network interfaces of the host that the test driver plays."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, Error, OperationInvalid, Origin
from kvasir.model.interface import Interface, read


class Card:
    """An interface; ``name`` and ``mac`` are what the wire carries."""

    def __init__(self, document: Interface, active: bool) -> None:
        self.document, self.active = document, active

    @property
    def name(self) -> str:
        return str(self.document.name)

    @property
    def mac(self) -> str:
        return self.document.mac or ""


def no_interface(text: str = "") -> Error:
    message = f"Interface not found: {text}" if text else "Interface not found"
    return Error(text, code=Code.NO_INTERFACE, origin=Origin.TEST, message=message)


def invalid(text: str) -> OperationInvalid:
    return OperationInvalid(text, origin=Origin.TEST)


class Interfaces:
    """All of them, and the copy that a transaction keeps."""

    def __init__(self) -> None:
        self.known: dict[str, Card] = {}
        self.backup: dict[str, Card] | None = None

    def add(self, node: Any) -> None:
        card = Card(Interface.parse(node), True)
        self.known[card.name] = card

    def find(self, name: str) -> Card:
        if name not in self.known:
            raise no_interface(f"no interface with matching name '{name}'")
        return self.known[name]

    def by_mac(self, mac: str) -> Card:
        found = [card for card in self.known.values() if card.mac.lower() == mac.lower()]
        if not found:
            raise no_interface(f"no interface with matching mac '{mac}'")
        return found[0]

    def define(self, xml: str) -> Card:
        document = read(xml)
        old = self.known.get(str(document.name))
        if old is not None:
            old.document = document
            return old
        card = self.known[str(document.name)] = Card(document, False)
        return card

    def start(self, card: Card) -> None:
        if card.active:
            raise invalid("")
        card.active = True

    def stop(self, card: Card) -> None:
        if not card.active:
            raise invalid("")
        card.active = False

    def begin(self) -> None:
        if self.backup is not None:
            raise invalid("there is another transaction running.")
        self.backup = {name: Card(card.document.copy(), False) for name, card in self.known.items()}

    def commit(self) -> None:
        if self.backup is None:
            raise invalid("no transaction running, nothing to be committed.")
        self.backup = None

    def rollback(self) -> None:
        if self.backup is None:
            raise invalid("no transaction running, nothing to rollback.")
        self.known, self.backup = self.backup, None
