"""No forward mode: Guests and the host among themselves; nothing leaves."""

from __future__ import annotations

from .virtual import Virtual


class Isolated(Virtual):
    """Guests and the host among themselves; nothing leaves."""

    FORWARDS = False
