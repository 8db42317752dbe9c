"""Forward mode 'open': As route, and the host's firewall is left alone."""

from __future__ import annotations

from .virtual import Virtual


class Open(Virtual):
    """As route, and the host's firewall is left alone."""
