"""Audio backends: the host's side of sound cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported, Origin, XmlError
from kvasir.qemu.args import Audiodev
from kvasir.xml import Element, Form, attr, flag, variant
from kvasir.xml.element import ElementType
from kvasir.xml.types import ENUM, INT, UINT, YESNO

from .base import Device
from .words import zero

if TYPE_CHECKING:
    from kvasir.qemu.args import Arg

FORMATS = ("s8", "u8", "s16", "u16", "s32", "u32", "f32")


def _no_channels(value: int) -> str | None:
    return None if value else "xml:Invalid value for attribute 'channels' in element 'settings': Zero is not permitted"


class Stream(Element):
    """One direction of a backend. Lengths are in microseconds."""

    mixing_engine: bool | None = attr("@mixingEngine", YESNO)
    fixed_settings: bool | None = attr("@fixedSettings", YESNO)
    voices: int | None = attr("@voices", UINT)
    buffer_length: int | None = attr("@bufferLength", UINT)
    frequency: int | None = attr("settings/@frequency", UINT, last=True)
    channels: int | None = attr("settings/@channels", UINT, last=True, check=_no_channels)
    format: str | None = attr("settings/@format", ENUM(*FORMATS), last=True)
    settings: bool = flag("settings", last=True)

    @classmethod
    def parse(cls, node: Any, keep: bool = False) -> Any:
        """Read it; settings without the flag are refused before their words are read."""
        if node.find("settings") is not None and node.get("fixedSettings") in (None, "no"):
            raise ConfigUnsupported("audio settings specified without fixed settings flag", origin=Origin.DOMAIN)
        return super().parse(node, keep)

    def parsed(self, node: Any) -> None:
        if self.fixed_settings and not self.mixing_engine:
            raise ConfigUnsupported("fixed audio settings requires mixing engine", origin=Origin.DOMAIN)

    def written(self, form: Form) -> Element | None:
        return self if any(getattr(self, name) not in (None, False) for name in self.FIELDS) else None

    def props(self, extra: dict[str, str]) -> dict[str, Any] | None:
        """QEMU's properties of the direction; ``extra`` maps the backend's own field names to QEMU's keys."""
        found = {
            "mixing-engine": self.mixing_engine, "fixed-settings": self.fixed_settings, "voices": self.voices,
            "buffer-length": self.buffer_length, "frequency": self.frequency, "channels": self.channels,
            "format": self.format,
        }  # fmt: skip
        found |= {key: getattr(self, name) for name, key in extra.items()}
        found = {key: value for key, value in found.items() if value is not None}
        return found or None


class AlsaStream(Stream):
    """ALSA or OSS device."""

    dev: str | None = attr("@dev")


class CountStream(Stream):
    """A backend whose buffers are counted."""

    buffer_count: int | None = attr("@bufferCount", UINT)


class OssStream(Stream):
    """OSS device."""

    dev: str | None = attr("@dev")
    buffer_count: int | None = attr("@bufferCount", UINT)
    try_poll: bool | None = attr("@tryPoll", YESNO)


class JackStream(Stream):
    """A client of the JACK server."""

    server_name: str | None = attr("@serverName")
    client_name: str | None = attr("@clientName")
    connect_ports: str | None = attr("@connectPorts")
    exact_name: bool | None = attr("@exactName", YESNO)


class PulseStream(Stream):
    """A stream of PulseAudio."""

    name: str | None = attr("@name")
    stream_name: str | None = attr("@streamName")
    latency: int | None = attr("@latency", UINT)


def _backend(stream: Any, extra: dict[str, str], name: str, doc: str, **own: Any) -> Any:
    """The class of a backend: its own attributes and both directions."""
    from kvasir.xml import child

    body = {**own, "input": child(stream, "input"), "output": child(stream, "output"), "EXTRA": extra, "__doc__": doc}
    return ElementType(name, (Element,), body)


Plain = _backend(Stream, {}, "Plain", "A backend without settings of its own.")
Alsa = _backend(AlsaStream, {"dev": "dev"}, "Alsa", "ALSA.")
CoreAudio = _backend(CountStream, {"buffer_count": "buffer-count"}, "CoreAudio", "macOS.")
Jack = _backend(
    JackStream,
    {"server_name": "server-name", "client_name": "client-name", "connect_ports": "connect-ports",
     "exact_name": "exact-name"},
    "Jack", "JACK.",
)  # fmt: skip
Oss = _backend(
    OssStream, {"dev": "dev", "buffer_count": "buffer-count", "try_poll": "try-poll"}, "Oss", "OSS.",
    try_mmap=attr("@tryMMap", YESNO), exclusive=attr("@exclusive", YESNO), dsp_policy=attr("@dspPolicy", INT),
)  # fmt: skip
Pulse = _backend(
    PulseStream, {"name": "name", "stream_name": "stream-name", "latency": "latency"}, "Pulse", "PulseAudio.",
    server=attr("@serverName"),
)  # fmt: skip
Sdl = _backend(
    CountStream, {"buffer_count": "buffer-count"}, "Sdl", "SDL.",
    driver=attr("@driver", ENUM("esd", "alsa", "arts", "pulseaudio")),
)  # fmt: skip
File = _backend(Stream, {}, "File", "A WAV file.", path=attr("@path"))

BACKENDS: dict[str, Any] = {
    "none": Plain, "alsa": Alsa, "coreaudio": CoreAudio, "jack": Jack, "oss": Oss, "pulseaudio": Pulse, "sdl": Sdl,
    "spice": Plain, "file": File, "dbus": Plain,
}  # fmt: skip
QEMU = {"pulseaudio": "pa", "file": "wav"}
OWN = {"try_mmap": "try-mmap", "exclusive": "exclusive", "dsp_policy": "dsp-policy", "server": "server", "path": "path"}


class Audio(Device, tag="audio"):
    """An audio backend of the host. The timer period is in microseconds."""

    ALIAS, HOTPLUG, FOREIGN = "audio", False, ("alias", "master", "acpi", "address")

    id: int = attr("@id", UINT, required=True, key=True)
    type: str = attr("@type", ENUM(*BACKENDS), required=True)
    timer_period: int | None = attr("@timerPeriod", UINT)
    backend: Any = variant("type", BACKENDS)

    def parsed(self, node: Any) -> None:
        if self.id == 0:
            raise zero("id", "audio")

    def defaults(self, vm: Any) -> None:
        if self.backend is None:
            self.backend = BACKENDS[self.type]()

    def check(self, vm: Any) -> None:
        if sum(1 for other in vm.domain.audios if other.id == self.id) > 1:
            raise XmlError(f"audio ID {self.id} is used multiple times")
        if self.type == "spice" and not any(g.type == "spice" for g in vm.domain.graphics):
            raise ConfigUnsupported("Spice audio is not supported without spice graphics")

    def qemu(self, vm: Any) -> Iterator[Arg]:
        backend = self.backend or BACKENDS[self.type]()
        props: dict[str, Any] = {"id": f"audio{self.id}", "driver": QEMU.get(self.type, self.type)}
        props["timer-period"] = self.timer_period
        for name, key in OWN.items():
            if name in backend.FIELDS:
                props[key] = getattr(backend, name)
        for key, stream in (("in", backend.input), ("out", backend.output)):
            props[key] = stream.props(backend.EXTRA) if stream is not None else None
        driver = props.pop("driver")
        yield Audiodev(driver, props)
