"""Host audio backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Audiodev
from kvasir.xml import Element, attr, child
from kvasir.xml.types import ENUM, POSITIVE, UINT, YESNO

from .base import Device

TYPES = ("none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl", "spice", "file", "dbus")
DRIVERS = {"pulseaudio": "pa", "file": "wav"}
FORMATS = ("s8", "u8", "s16", "u16", "s32", "u32", "f32")


class Direction(Element):
    """Recording or playback of a backend. Lengths are in microseconds."""

    mixing_engine: bool | None = attr("@mixingEngine", YESNO)
    fixed_settings: bool | None = attr("@fixedSettings", YESNO)
    voices: int | None = attr("@voices", UINT)
    buffer_length: int | None = attr("@bufferLength", UINT)
    dev: str | None = attr("@dev")
    buffer_count: int | None = attr("@bufferCount", UINT)
    try_poll: bool | None = attr("@tryPoll", YESNO)
    server_name: str | None = attr("@serverName")
    client_name: str | None = attr("@clientName")
    connect_ports: str | None = attr("@connectPorts")
    exact_name: bool | None = attr("@exactName", YESNO)
    name: str | None = attr("@name")
    stream_name: str | None = attr("@streamName")
    latency: int | None = attr("@latency", UINT)
    frequency: int | None = attr("settings/@frequency", UINT)
    channels: int | None = attr("settings/@channels", UINT)
    format: str | None = attr("settings/@format", ENUM(*FORMATS))

    def props(self) -> dict[str, Any] | None:
        """QEMU's properties of the direction, in its order."""
        names = {
            "mixing-engine": self.mixing_engine, "fixed-settings": self.fixed_settings, "voices": self.voices,
            "buffer-length": self.buffer_length, "frequency": self.frequency, "channels": self.channels,
            "format": self.format, "dev": self.dev, "buffer-count": self.buffer_count, "try-poll": self.try_poll,
            "server-name": self.server_name, "client-name": self.client_name, "connect-ports": self.connect_ports,
            "exact-name": self.exact_name, "name": self.name, "stream-name": self.stream_name, "latency": self.latency,
        }  # fmt: skip
        return {k: v for k, v in names.items() if v is not None} or None


class Audio(Device, tag="audio"):
    """A backend that plays and records the guest's sound on the host."""

    id: int | None = attr("@id", POSITIVE, required=True)
    type: str = attr("@type", ENUM(*TYPES), required=True)
    timer_period: int | None = attr("@timerPeriod", UINT, doc="Microseconds between runs of the audio timer.")
    try_mmap: bool | None = attr("@tryMMap", YESNO)
    exclusive: bool | None = attr("@exclusive", YESNO)
    dsp_policy: int | None = attr("@dspPolicy", UINT)
    server_name: str | None = attr("@serverName")
    driver: str | None = attr("@driver", ENUM("esd", "alsa", "arts", "pulseaudio"))
    path: str | None = attr("@path")
    input: Direction | None = child(Direction, "input")
    output: Direction | None = child(Direction, "output")

    def check(self, vm: Any) -> None:
        if self.type == "spice" and not any(g.type == "spice" for g in vm.domain.graphics):
            raise ConfigUnsupported("Spice audio is not supported without spice graphics")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        props: dict[str, Any] = {
            "id": f"audio{self.id}", "timer-period": self.timer_period, "try-mmap": self.try_mmap,
            "exclusive": self.exclusive, "dsp-policy": self.dsp_policy, "server": self.server_name, "path": self.path,
            "in": self.input.props() if self.input is not None else None,
            "out": self.output.props() if self.output is not None else None,
        }  # fmt: skip
        yield Audiodev(DRIVERS.get(self.type, self.type), props)
