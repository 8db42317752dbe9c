"""The bandwidth of a port as typed parameters (``inbound.average`` ...)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from kvasir.devices.interface_parts import Bandwidth
from kvasir.errors import ArgumentUnsupported, Error, Origin
from kvasir.rpc.typed import UInt

if TYPE_CHECKING:
    from .driver import NetworkDriver
    from .network import NetworkPort

log = logging.getLogger(__name__)

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
        await asyncio.to_thread(_change, driver, port, band if band != Bandwidth() else None)


def _change(driver: NetworkDriver, port: NetworkPort, band: Bandwidth | None) -> None:
    old = port.document.bandwidth
    try:
        _limit(driver, port, band)
        driver.files.save_port(port)
        driver.files.save_status(port.net)
    except BaseException:
        try:
            _limit(driver, port, old)
            driver.files.save_port(port)
        except Error as error:
            log.error("cannot restore a port of network %s after a failed change: %s", port.net.name, error)
        raise


def _limit(driver: NetworkDriver, port: NetworkPort, band: Bandwidth | None) -> None:
    """What the port is guaranteed, in the kernel."""
    from .ports import check

    kind, old = driver.kind(port.net), port.document.bandwidth
    changed = (band.inbound_floor or 0 if band else 0) != (old.inbound_floor or 0 if old else 0)
    if changed and port.document.class_id is not None:
        kind.unplugged(port)
        port.document.class_id = None
    port.document.bandwidth = band
    if changed:
        check(port.net, port.document)
        kind.plugged(port)
