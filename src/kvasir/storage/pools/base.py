"""What a pool type does for the driver."""

from __future__ import annotations

from typing import Any, ClassVar

from kvasir.errors import NoSupport, Origin
from kvasir.model.storage import Pool, Volume


class PoolKind:
    """The behaviour of one pool type. Methods run outside the event loop's thread unless they are coroutines."""

    TYPE: ClassVar[str] = ""
    FORMATS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, document: Pool) -> None:
        self.document = document

    def _unsupported(self, what: str) -> NoSupport:
        return NoSupport(f"pool type '{self.TYPE}' does not support {what}", origin=Origin.STORAGE)

    def check(self) -> None:
        """Refuse a document that lacks what the type needs. Raises XmlError."""

    def probe(self) -> bool:
        """Whether the pool is active outside of the daemon."""
        return False

    def build(self, flags: int) -> None:
        raise self._unsupported("pool building")

    def start(self) -> None:
        """Make the storage reachable."""

    def stop(self) -> None:
        """The reverse of ``start``."""

    def delete(self, flags: int) -> None:
        raise self._unsupported("pool deletion")

    def scan(self) -> list[Volume]:
        """Read the volumes and set the document's sizes. Raises kvasir errors."""
        raise NotImplementedError

    async def create(self, volume: Volume, source: Any, flags: int) -> None:
        raise self._unsupported("volume creation")

    def prepare(self, volume: Volume) -> None:
        """Set key, path and type of a volume to be made."""
        raise self._unsupported("volume creation")

    def remove(self, volume: Volume, flags: int) -> None:
        raise self._unsupported("vol deletion")

    async def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        raise self._unsupported("changing of volume capacity")
