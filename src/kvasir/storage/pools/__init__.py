"""One file is one pool type. ``KINDS`` lists them."""

from __future__ import annotations

from .base import PoolKind
from .dir import DirPool

KINDS: dict[str, type[PoolKind]] = {"dir": DirPool}
