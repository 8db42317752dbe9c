"""The forms of one document: live or inactive, with or without secrets, and the one that a migration may read."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """What a writer leaves in. ``status`` is the daemon's own status document, which keeps everything."""

    live: bool = False
    secure: bool = False
    migratable: bool = False
    status: bool = False


INACTIVE = Form()
LIVE = Form(live=True)
STORED = Form(secure=True)
STATUS = Form(live=True, secure=True, status=True)
