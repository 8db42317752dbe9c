"""Backups of a running guest (push and pull)."""

from __future__ import annotations

from typing import Any

from .jobs import BlockJob


async def ended(guest: Any, job: BlockJob) -> None:
    """The job of one disk of a backup ended."""
