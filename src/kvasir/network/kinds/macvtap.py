"""Forward modes 'private', 'vepa' and 'passthrough': a macvtap over one of a pool of cards for each guest."""

from __future__ import annotations

import contextlib
from typing import Any

from kvasir.host import sriov
from kvasir.model.network_port import DirectPlug, Plug

from .base import Kind


class Macvtap(Kind):
    """A pool of cards of the host."""

    def start(self, undo: contextlib.ExitStack) -> None:
        """Cards that are the virtual functions of another are found now."""
        from kvasir.model.network import ForwardInterface

        forward = self.document.forward
        for pf in forward.pfs:
            cards = [ForwardInterface(dev=vf.link) for vf in sriov.functions(pf.dev, self.files.sys) if vf.link]
            if not cards:
                raise sriov.no_functions(pf.dev)
            forward.interfaces = cards

    def plug(self, port: Any) -> Plug:
        mode = self.document.mode
        # A card in passthrough belongs to one guest; so does one of a switch that knows ports by profile (802.1Qbh).
        profile = port.document.virtualport is not None and port.document.virtualport.type == "802.1Qbh"
        alone = mode == "passthrough" or (mode == "private" and profile)
        card = self.least_used(self.document.forward.interfaces, exclusive=alone)
        return Plug(type="direct", to=DirectPlug(dev=card.dev, mode=mode))
