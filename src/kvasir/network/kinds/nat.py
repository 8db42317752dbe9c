"""Forward mode 'nat': packets leave with an address of the host."""

from __future__ import annotations

from kvasir.model.network import Nat as NatElement
from kvasir.model.network import NatPort
from kvasir.network.rules import translates

from .virtual import Virtual


class Nat(Virtual):
    """Packets leave with an address of the host."""

    def fill(self) -> None:
        """The running document says which ports are taken."""
        doc, forward = self.document, self.document.forward
        if not any(translates(doc, "ip6" if ip.six else "ip") for ip in doc.ips):
            return
        if not forward.nats:
            forward.nats = [NatElement()]
        if not forward.nats[0].ports:
            forward.nats[0].ports = [NatPort(start="1024", end="65535")]
