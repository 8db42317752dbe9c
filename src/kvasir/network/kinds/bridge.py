"""Forward mode 'bridge': ports of a bridge of the host or of Open vSwitch, or macvtap in bridge mode over a pool of cards."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from kvasir.errors import SystemFailure
from kvasir.host import netlink, tc
from kvasir.model.network_port import DirectPlug, NetworkPlug, Plug

from .base import Kind


class Bridge(Kind):
    """A bridge that somebody else made."""

    def start(self, undo: contextlib.ExitStack) -> None:
        doc = self.document
        if not doc.bridge:
            return
        if doc.mac_table == "libvirt":
            try:
                netlink.set_bridge(doc.bridge, vlan_filtering=True)
            except OSError:
                wrong = OSError(22, os.strerror(22))
                raise SystemFailure(
                    f"Unable to set bridge {doc.bridge} vlan_filtering via ioctl", wrong, origin=0
                ) from None
        if doc.bandwidth is not None:
            undo.callback(tc.clear, doc.bridge)
            tc.shape(doc.bridge, tc.limits(doc.bandwidth, "inbound"), tc.limits(doc.bandwidth, "outbound"), tree=True)

    def stop(self) -> None:
        if self.document.bridge and self.document.bandwidth is not None:
            tc.clear(self.document.bridge)

    def plug(self, port: Any) -> Plug:
        doc = self.document
        if doc.bridge:
            return Plug(type="bridge", to=NetworkPlug(bridge=doc.bridge, mac_table=doc.mac_table))
        card = self.least_used(doc.forward.interfaces)
        return Plug(type="direct", to=DirectPlug(dev=card.dev, mode="bridge"))
