"""The host's firewall for networks: nftables, or iptables where nft is missing."""

from __future__ import annotations

import logging
from typing import Any

from kvasir.errors import InternalError, Origin
from kvasir.host import foreign, iptables, nft

from .rules import rules

log = logging.getLogger(__name__)


def _engine() -> Any:
    if nft.available():
        return nft
    if iptables.available():
        return iptables
    raise InternalError("neither nft nor iptables is found", origin=Origin.NONE, hint="apt-get install nftables")


def install(net: Any) -> None:
    """Enter the rules of a network's document, in place of those that it had. Raises InternalError."""
    wanted = list(rules(net))
    if not wanted:
        return
    engine = _engine()
    try:
        engine.install(net.bridge, wanted, net.name)
        if engine is nft:
            foreign.let_through(net.bridge, forwards=net.mode in ("nat", "route"))
    except OSError as error:
        raise InternalError(f"Failed to apply firewall rules of network '{net.name}': {error.strerror}",
                            origin=Origin.NONE) from None  # fmt: skip


def remove(net: Any) -> None:
    """Take the rules out; a failure is logged."""
    wanted = list(rules(net))
    if not wanted:
        return
    try:
        engine = _engine()
        engine.remove(net.bridge, wanted)
        if engine is nft:
            foreign.forget(net.bridge)
    except (OSError, InternalError) as error:
        log.warning("cannot remove firewall rules of network %s: %s", net.name, error)
