"""Directory pools: every file in the folder is a volume."""

from __future__ import annotations

import os

from kvasir.model.storage import Pool

from .files import FilePool


class DirPool(FilePool):
    """A folder of image files."""

    TYPE, NUMBER = "dir", 0

    def same(self, other: Pool) -> bool:
        return self.document.target_path == other.target_path

    def active(self) -> bool:
        return os.path.isdir(self.path)
