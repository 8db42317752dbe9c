"""Sound cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Dev
from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, UINT, YESNO

from .base import Device

MODELS = ("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7")
DRIVERS = {
    "es1370": "ES1370",
    "ac97": "AC97",
    "ich6": "intel-hda",
    "ich9": "ich9-intel-hda",
    "usb": "usb-audio",
    "sb16": "sb16",
}
CODECS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


class Codec(Element, tag="codec"):
    """A codec of an HDA card."""

    type: str = attr("@type", ENUM("duplex", "micro", "output"), required=True)


class Sound(Device, tag="sound"):
    """A sound card of the guest."""

    ALIAS = "sound"

    model: str = attr("@model", ENUM(*MODELS), required=True)
    multichannel: bool | None = attr("@multichannel", YESNO)
    codecs: list[Codec] = children(Codec)
    audio: int | None = attr("audio/@id", UINT)

    def parsed(self, node: Any) -> None:
        if self.model not in ("ich6", "ich9", "ich7"):
            self.codecs = []

    def needs_address(self, vm: Any) -> str | None:
        if self.model == "usb":
            return "usb"
        return None if self.model in ("sb16", "pcspk") else "pci"

    def check(self, vm: Any) -> None:
        if self.model == "ich7":
            raise ConfigUnsupported("sound card model 'ich7' is not supported by QEMU")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        if self.model == "pcspk":
            return
        backend = f"audio{self.audio or self._first(vm)}"
        hda = self.model in ("ich6", "ich9")
        multi = {"multi": self.multichannel} if self.model == "usb" else {}
        yield Dev(DRIVERS[self.model], {"id": self.alias, **multi, "audiodev": None if hda else backend})
        for number, codec in enumerate(self.codecs or ([Codec(type="duplex")] if hda else [])):
            yield Dev(
                CODECS[codec.type],
                {"id": f"{self.alias}-codec{number}", "bus": f"{self.alias}.0", "cad": number, "audiodev": backend},
            )

    def machine_words(self, vm: Any) -> list[str]:
        """The PC speaker is part of the machine."""
        return [f"pcspk-audiodev=audio{self.audio or self._first(vm)}"] if self.model == "pcspk" else []

    @staticmethod
    def _first(vm: Any) -> int:
        return vm.domain.audios[0].id if vm.domain.audios else 1
