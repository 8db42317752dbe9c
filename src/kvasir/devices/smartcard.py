"""Smartcards: the host's, one made of certificates, or one at the other end of a channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Dev
from kvasir.xml import Element, attr, text, texts, variant
from kvasir.xml.types import ENUM

from .base import Device
from .chardev_source import BACKENDS as CHARDEVS
from .chardev_source import TYPES
from .chardev_source import check as check_source
from .redirdev import check_spice, spicevmc
from .words import unsupported, wrong

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

DATABASE = "/etc/pki/nssdb"


class HostCard(Element):
    """The reader of the host."""


class CertificateCard(Element):
    """A card made of three certificates of a database of the host."""

    certificates: list[str] = texts("certificate")
    database: str | None = text("database")

    def parsed(self, node: Any) -> None:
        if len(self.certificates) != 3:
            raise XmlError("host-certificates mode needs exactly three certificates")
        if self.database is not None and not self.database.startswith("/"):
            raise XmlError(f"expecting absolute path: {self.database}")


class PassthroughCard(Element):
    """A card behind a character device."""

    type: str = attr(
        "@type", ENUM(*TYPES), required=True,
        error=unsupported("unknown type presented to host for character device: {value}"),
        missing=wrong("passthrough mode requires a character device type attribute"),
    )  # fmt: skip
    source: Any = variant("type", CHARDEVS)


MODES: dict[str, Any] = {"host": HostCard, "host-certificates": CertificateCard, "passthrough": PassthroughCard}


class Smartcard(Device, tag="smartcard"):
    """A smartcard."""

    ALIAS, ADDRESS, HOTPLUG = "smartcard", "ccid", False

    mode: str = attr("@mode", ENUM(*MODES), required=True)
    card: Any = variant("mode", MODES)

    def parsed(self, node: Any) -> None:
        if self.address is not None and self.address.type != "ccid":
            raise ConfigUnsupported("Controllers must use the 'ccid' address type", origin=Origin.DOMAIN)

    @property
    def type(self) -> str | None:
        """The type of the character device of a passed card."""
        found: str | None = getattr(self.card, "type", None)
        return found

    def check(self, vm: Any) -> None:
        if isinstance(self.card, PassthroughCard):
            check_source(self.card, self.card.source)
            check_spice(vm, self.card.type)
        if len(vm.domain.smartcards) > 1:
            raise ConfigUnsupported("this QEMU binary lacks multiple smartcard support")
        word = "ccid-passthru" if isinstance(self.card, PassthroughCard) else "ccid-emulated"
        if not vm.caps.has(word):
            mode = "passthrough" if word == "ccid-passthru" else "host"
            raise ConfigUnsupported(f"this QEMU binary lacks smartcard {mode} mode support")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        card = self.card
        if isinstance(card, PassthroughCard):
            from .chardev_qemu import backend

            name = f"char{self.alias}"
            if card.type == "spicevmc":
                yield spicevmc(name, "smartcard")
            else:
                yield backend(vm, card.type, card.source, name)
            yield Dev("ccid-card-passthru", chardev=name, id=self.alias)
        elif isinstance(card, CertificateCard):
            names = {f"cert{number}": value for number, value in enumerate(card.certificates, 1)}
            yield Dev(
                "ccid-card-emulated",
                {"backend": "certificates", **names, "db": card.database or DATABASE, "id": self.alias},
            )
        else:
            yield Dev("ccid-card-emulated", backend="nss-emulated", id=self.alias)
