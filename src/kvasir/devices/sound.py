"""Sound cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.qemu.args import Dev
from kvasir.xml import Element, attr, children
from kvasir.xml.types import ENUM, UINT

from .base import Device
from .words import audio_of, check_audio, missing, no_bus, unsupported, zero

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

MODELS = ("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7")
QEMU = {
    "sb16": "sb16", "es1370": "ES1370", "ac97": "AC97", "ich6": "intel-hda", "ich9": "ich9-intel-hda", "usb": "usb-audio",
}  # fmt: skip
PCI = ("es1370", "ac97", "ich6", "ich9")
HDA = ("ich6", "ich9")
CODECS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


class Codec(Element, tag="codec"):
    """A codec of an HDA card."""

    type: str = attr("@type", ENUM(*CODECS), error=unsupported("unknown codec type '{value}'"))


class Sound(Device, tag="sound"):
    """A sound card."""

    ALIAS = "sound"

    model: str = attr("@model", ENUM(*MODELS), required=True, abi=True)
    codecs: list[Codec] = children(Codec)
    audio: int | None = attr("audio/@id", UINT, doc="The audio backend; the first one when absent.")

    def parsed(self, node: Any) -> None:
        if node.find("audio") is not None:
            if self.audio is None:
                raise missing("id", "audio")
            if self.audio == 0:
                raise zero("id", "audio")
        if self.model not in HDA:
            self.codecs = []

    def check(self, vm: Any) -> None:
        check_audio(vm, self.audio)
        if self.model == "ich7":
            raise no_bus()

    def needs_address(self, vm: Any) -> str | None:
        return "pci" if self.model in PCI else "usb" if self.model == "usb" else None

    def qemu(self, vm: Any) -> Iterator[Arg]:
        audiodev = audio_of(vm, self.audio)
        if self.model == "pcspk":
            return
        if self.model not in HDA:
            yield Dev(QEMU[self.model], {"id": self.alias, "audiodev": audiodev})
            return
        yield Dev(QEMU[self.model], id=self.alias)
        kinds = [codec.type for codec in self.codecs] or ["duplex"]
        for cad, kind in enumerate(kinds):
            yield Dev(
                CODECS[kind],
                {"id": f"{self.alias}-codec{cad}", "bus": f"{self.alias}.0", "cad": cad, "audiodev": audiodev},
            )

    def machine_words(self, vm: Any) -> list[str]:
        """The PC speaker is part of the machine (libvirt 9.0 writes ``-soundhw``, which QEMU 7.1 has dropped)."""
        return [f"pcspk-audiodev={audio_of(vm, self.audio)}"] if self.model == "pcspk" else []
