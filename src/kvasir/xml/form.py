"""The forms of one document: live or inactive, with or without secrets, and the one that a migration may read."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """What a writer leaves in. ``status`` is the daemon's own status document, which keeps everything."""

    live: bool = False
    secure: bool = False
    migratable: bool = False
    status: bool = False
    running: bool = False
    """The inactive form of a guest that has no definition but the live one: names that the driver gave stay."""

    @property
    def named(self) -> bool:
        """Whether what the start gave names is shown under them."""
        return self.live or self.running


INACTIVE = Form()
LIVE = Form(live=True)
STORED = Form(secure=True)
STATUS = Form(live=True, secure=True, status=True)
