"""The bandwidth of a port as typed parameters (``inbound.average`` ...)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import ArgumentUnsupported, Origin
from kvasir.rpc.typed import UInt

if TYPE_CHECKING:
    from .driver import NetworkDriver
    from .network import NetworkPort

NAMES = {
    f"{side}.{what}": f"{side}_{what}"
    for side, words in (("inbound", ("average", "peak", "floor", "burst")), ("outbound", ("average", "peak", "burst")))
    for what in words
}


def parameters(bandwidth: Any) -> list[tuple[str, Any]]:
    """All of them; what is not said is 0."""
    return [(name, UInt(getattr(bandwidth, field, None) or 0)) for name, field in NAMES.items()]


async def set_parameters(driver: NetworkDriver, port: NetworkPort, params: Any) -> None:
    """Change what is named. Raises ArgumentUnsupported."""
    net = port.net
    async with net.lock:
        band = port.document.bandwidth.copy() if port.document.bandwidth is not None else Bandwidth()
        for name, value in params:
            if name not in NAMES:
                raise ArgumentUnsupported(f"parameter '{name}' not supported", origin=Origin.NONE)
            setattr(band, NAMES[name], int(value) or None)
        kind, old = driver.kind(net), port.document.bandwidth
        changed = (band.inbound_floor or 0) != ((old.inbound_floor or 0) if old is not None else 0)
        if changed and port.document.class_id is not None:
            await asyncio.to_thread(kind.unplugged, port)
            port.document.class_id = None
        port.document.bandwidth = band if band != Bandwidth() else None
        if changed:
            from .ports import check

            check(net, port.document)
            await asyncio.to_thread(kind.plugged, port)
        await asyncio.to_thread(driver.files.save_port, port)
        await asyncio.to_thread(driver.files.save_status, net)
