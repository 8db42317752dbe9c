"""NetworkManager, where it runs: what it manages is not changed behind its back."""

from __future__ import annotations

import logging
from typing import Any

from kvasir.errors import OperationInvalid, Origin

log = logging.getLogger(__name__)


def is_active(root: str) -> bool:
    """Whether NetworkManager runs, by its pid file below the root."""
    try:
        with open(f"{root}/run/NetworkManager/NetworkManager.pid") as stream:
            pid = int(stream.read())
        with open(f"/proc/{pid}/comm") as stream:
            return stream.read().strip() == "NetworkManager"
    except (OSError, ValueError):
        return False


def refuse(root: str, backend: Any) -> None:
    """Raise where NetworkManager runs beside another configuration; warn where the configuration is its own."""
    if not is_active(root):
        return
    if backend.title == "NetworkManager":
        log.warning(
            "NetworkManager is active: it may undo what is changed here (nmcli connection reload makes it read)"
        )
        return
    text = f"NetworkManager is active, interfaces configured by {backend.title} cannot be changed beside it"
    raise OperationInvalid(text, origin=Origin.INTERFACE, hint="systemctl disable --now NetworkManager")
