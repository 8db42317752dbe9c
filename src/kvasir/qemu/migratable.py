"""The form of a guest's document that a migration or a saved file carries."""

from __future__ import annotations

from typing import Any

from kvasir.xml import Form


async def definition(guest: Any, *, inactive: bool = False) -> Any:
    """Made as libvirt does: from a copy that was written and read again, with the CPU that it had before the start."""
    source = guest.config if inactive or guest.live is None else guest.live
    domain = await guest.driver.complete(source.xml(Form(secure=True, migratable=True)))
    if guest.config is not None and guest.config.cpu is not None:
        domain.cpu = guest.config.cpu.copy()
        domain.seclabels = [label.copy() for label in guest.config.seclabels]
    elif guest.run is not None and guest.run.first_cpu is not None:
        domain.cpu = guest.run.first_cpu.copy()
    return domain


async def text(guest: Any, *, inactive: bool = False) -> str:
    """The document."""
    return str((await definition(guest, inactive=inactive)).xml(Form(secure=True, migratable=True)))
