"""The checkpoints of one guest, in libvirt's metadata files: a line, whose end is the current one."""

from __future__ import annotations

from typing import Any

from kvasir.errors import Code, Error, Origin
from kvasir.qemu.snapshots.tree import Tree

from .document import Checkpoint, parse


class NoCheckpoint(Error):
    """Error 103: there is no such checkpoint."""

    code, origin = Code.NO_DOMAIN_CHECKPOINT, Origin.QEMU

    def __init__(self, text: str) -> None:
        super().__init__(text, message=f"Domain checkpoint not found: {text}")


class CheckpointTree(Tree):
    """The checkpoints of a guest by name."""

    WHAT, COMMAND = "checkpoint", "checkpoint-edit"
    MISSING = NoCheckpoint

    def __init__(self, guest: Any) -> None:
        super().__init__(guest)
        ends = [one for one in self.known.values() if not self.children(one)]
        self.current = ends[0] if ends else None

    @classmethod
    def cache(cls, driver: Any) -> Any:
        return driver.checkpoint_trees

    @property
    def folder(self) -> str:
        return f"{self.guest.driver.paths.qemu.checkpoint}/{self.guest.name}"

    def parse(self, text: str) -> Any:
        return parse(text, redefine=True)

    def _passes(self, one: Any, flags: int) -> bool:
        leaf = not self.children(one)
        return not flags & 12 or bool(flags & (4 if leaf else 8))

    def line(self) -> list[Checkpoint]:
        """From the current one up to the first."""
        found: list[Any] = []
        at: Any = self.current
        while at is not None and at not in found:
            found.append(at)
            at = self.parent(at)
        return found
