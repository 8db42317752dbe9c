"""The host's name."""

from __future__ import annotations

import os
import socket


def hostname() -> str:
    """``gethostname``; a short name is completed by the resolver when it knows a canonical one."""
    name = os.uname().nodename
    if "." in name or name.startswith("localhost"):
        return name
    try:
        canonical = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3]
    except OSError:
        return name
    return canonical if canonical and not canonical.startswith("localhost") else name
