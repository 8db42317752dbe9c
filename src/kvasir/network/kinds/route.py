"""Forward mode 'route': Packets go out as they are; the network beyond must know the way back."""

from __future__ import annotations

from .virtual import Virtual


class Route(Virtual):
    """Packets go out as they are; the network beyond must know the way back."""
