"""The form of a guest's document that a migration or a saved file carries."""

from __future__ import annotations

from typing import Any

from kvasir.xml import Form


async def definition(guest: Any, *, inactive: bool = False) -> Any:
    """Made as libvirt does: from a copy that was written and read again, with the CPU that it had before the start."""
    config = guest.config if guest.config is not None else guest.undefined
    source = guest.live if guest.live is not None and not (inactive and config is not None) else config
    domain = await guest.driver.complete(source.xml(Form(secure=True, migratable=True)))
    if source is guest.live:
        if guest.run is not None and guest.run.first_cpu is not None:
            domain.cpu = guest.run.first_cpu.copy()
        given = guest.config.seclabels if guest.config is not None else (x for x in source.seclabels if not x.implicit)
        domain.seclabels = [label.copy() for label in given]
    return domain


async def text(guest: Any, *, inactive: bool = False) -> str:
    """The document."""
    return str((await definition(guest, inactive=inactive)).xml(Form(secure=True, migratable=True)))
