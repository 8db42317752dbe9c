"""The kinds of network configuration that a host may have; the first that is found counts."""

from __future__ import annotations

from typing import Protocol

from kvasir.interface.entries import Entry

from .ifupdown import Ifupdown
from .keyfiles import Keyfiles
from .networkd import Networkd


class Backend(Protocol):
    """One kind of configuration below a root."""

    title: str
    """Its name, for messages."""

    def found(self) -> bool:
        """Whether the host has it."""

    def paths(self) -> list[str]:
        """The files and folders that a transaction keeps."""

    def load(self) -> list[Entry]:
        """All that is configured."""

    def save(self, entry: Entry, ports: list[str]) -> None:
        """Write one; ``ports`` are plugged into it."""

    def remove(self, name: str) -> None:
        """Take one out; one that is not there is fine."""


def choose(root: str) -> Backend | None:
    """The configuration of this host, None where it has none that is known."""
    kinds: tuple[Backend, ...] = (Ifupdown(root), Keyfiles(root), Networkd(root))
    return next((one for one in kinds if one.found()), None)
