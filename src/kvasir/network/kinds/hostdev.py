"""Forward mode 'hostdev': a virtual function of a card for each guest, by its PCI address."""

from __future__ import annotations

import contextlib
from typing import Any

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.host import sriov
from kvasir.model.network_port import HostdevPlug, Plug

from .base import Kind


class Hostdev(Kind):
    """A pool of virtual functions."""

    def start(self, undo: contextlib.ExitStack) -> None:
        """The functions of a card are found now."""
        from kvasir.model.network import ForwardAddress

        forward = self.document.forward
        for pf in forward.pfs:
            found = [ForwardAddress(type="pci", domain=vf.place[0], bus=vf.place[1], slot=vf.place[2], function=vf.place[3])
                     for vf in sriov.functions(pf.dev, self.files.sys)]  # fmt: skip
            if not found:
                raise sriov.no_functions(pf.dev)
            forward.addresses = found

    def plug(self, port: Any) -> Plug:
        from kvasir.devices.interface_source import SourceAddress

        forward = self.document.forward
        chosen = self.least_used(forward.addresses, exclusive=True)
        place = SourceAddress(
            type="pci", domain=chosen.domain, bus=chosen.bus, slot=chosen.slot, function=chosen.function
        )
        return Plug(
            type="hostdev-pci", to=HostdevPlug(managed=bool(forward.managed), driver=forward.driver, address=place)
        )


def check_addresses(document: Any, sys: str) -> None:
    """Every address of the pool must be a virtual function. Raises ConfigUnsupported."""
    for one in document.forward.addresses:
        name = f"{one.domain or 0:04x}:{one.bus or 0:02x}:{one.slot or 0:02x}.{one.function or 0:x}"
        if not sriov.is_function(name, sys):
            raise ConfigUnsupported(f"device '/sys/bus/pci/devices/{name}' in network '{document.name}' is not an SR-IOV "
                                    "Virtual Function", origin=Origin.NETWORK)  # fmt: skip
