"""QEMU's options for displays: ``-vnc``, ``-spice`` and ``-display dbus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu import tls
from kvasir.qemu.args import Arg, Opt, comma

if TYPE_CHECKING:
    from .graphics import Graphics

CHANNELS = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")
VNC_CREDENTIALS = "vnc-tls-creds0"


def _audio(display: Graphics, vm: Any) -> str:
    number = display.audio or (vm.domain.audios[0].id if vm.domain.audios else 0)
    return f",audiodev=audio{number}" if number else ""


def dbus(display: Graphics, vm: Any) -> Iterator[Arg]:
    words = "dbus"
    if display.p2p:
        words += ",p2p=on"
    else:
        place = display.address_ or f"unix:path={vm.facts.get('dbus') or _dbus_socket(vm)}"
        words += f",addr={comma(place)}"
    if display.gl is not None:
        words += f",gl={'on' if display.gl else 'off'}"
    if display.rendernode:
        words += f",rendernode={comma(display.rendernode)}"
    yield Opt("-display", words + (_audio(display, vm) if display.audio else ""))


def _place(display: Graphics, vm: Any, setting: str) -> str:
    address = display.listens[0].address or getattr(vm.config, setting, None) or "127.0.0.1"
    return str(address)


def vnc(display: Graphics, vm: Any) -> Iterator[Arg]:
    first, config = display.listens[0], vm.config
    if first.type == "socket":
        words = f"vnc=unix:{comma(first.socket or socket_path(vm, 'vnc'))}"
    elif first.type == "none":
        words = "none"
    else:
        place = _place(display, vm, "vnc_listen")
        port = display.port if display.port and display.port > 0 else 5900 if display.autoport else 0
        if not 5900 <= port <= 65535:
            raise ConfigUnsupported("vnc port must be in range [5900,65535]")
        words = f"{f'[{place}]' if ':' in place else place}:{port - 5900}"
        if display.websocket:
            words += f",websocket={display.websocket}"
    if display.share_policy:
        words += f",share={display.share_policy}"
    if display.passwd is not None or getattr(config, "vnc_password", None) is not None:
        words += ",password=on"
    if getattr(config, "vnc_tls", False):
        yield from tls.credentials(vm, VNC_CREDENTIALS, "vnc")
        words += f",tls-creds={VNC_CREDENTIALS}"
    if getattr(config, "vnc_sasl", False):
        words += ",sasl=on"
    if display.power_control is not None:
        words += f",power-control={'on' if display.power_control else 'off'}"
    yield Opt("-vnc", words + _audio(display, vm))
    if display.keymap:
        yield Opt("-k", display.keymap)


def needed(display: Graphics, config: Any) -> tuple[bool, bool]:
    """Whether a SPICE display is to be given a plain port, and one for TLS."""
    plain, secure = display.port == -1, display.tls_port == -1
    if not display.autoport:
        return plain, secure
    own = {channel.name: channel.mode for channel in display.channels}
    for name in CHANNELS:
        mode = own.get(name) or display.default_mode
        plain = plain or mode in (None, "insecure")
        secure = secure or mode == "secure" or (mode is None and bool(getattr(config, "spice_tls", False)))
    return plain, secure


def spice(display: Graphics, vm: Any) -> Iterator[Arg]:
    first, config = display.listens[0], vm.config
    words, port, tls_port = [], 0, 0
    if first.type == "socket":
        words += ["unix", f"addr={comma(first.socket or socket_path(vm, 'spice'))}"]
    elif first.type == "none":
        words.append("port=0")
    else:
        plain, secure = needed(display, config)
        port = max(display.port or 0, 0) or (5901 if plain else 0)
        tls_port = max(display.tls_port or 0, 0) or (5902 if secure else 0)
        words += [f"{key}={number}" for key, number in (("port", port), ("tls-port", tls_port)) if number]
        words.append(f"addr={_place(display, vm, 'spice_listen')}")
    if getattr(config, "spice_sasl", False):
        words.append("sasl=on")
    if display.mouse:
        words.append(f"agent-mouse={'off' if display.mouse == 'server' else 'on'}")
    if display.passwd is None and getattr(config, "spice_password", None) is None:
        words.append("disable-ticketing=on")
    if tls_port:
        words.append(f"x509-dir={comma(tls.folder(config, 'spice'))}")
    _reachable(display, plain=bool(port) or first.type in ("socket", "none"), secure=bool(tls_port))
    yield Opt("-spice", ",".join([*words, *_spice_options(display), "seamless-migration=on"]))
    if display.keymap:
        yield Opt("-k", display.keymap)


def _reachable(display: Graphics, *, plain: bool, secure: bool) -> None:
    """Each channel needs a port of its kind. Raises ConfigUnsupported."""
    for mode, there, line in (("secure", secure, "TLS"), ("insecure", plain, "plaintext")):
        said = f"in XML configuration, but {line} connection is not available"
        if display.default_mode == mode and not there:
            raise ConfigUnsupported(f"spice defaultMode {mode} requested {said}")
    for name in CHANNELS:
        for channel in display.channels:
            there = secure if channel.mode == "secure" else plain
            if channel.name == name and not there:
                line = "TLS" if channel.mode == "secure" else "plaintext"
                raise ConfigUnsupported(
                    f"spice {channel.mode} channels set in XML configuration, but {line} connection is not available"
                )


def _spice_options(display: Graphics) -> Iterator[str]:
    modes = {"secure": "tls-channel", "insecure": "plaintext-channel"}
    if display.default_mode:
        yield f"{modes[display.default_mode]}=default"
    for name in CHANNELS:
        for channel in display.channels:
            if channel.name == name:
                yield f"{modes[channel.mode]}={name}"
    for key, value in (
        ("image-compression", display.image),
        ("jpeg-wan-compression", display.jpeg),
        ("zlib-glz-wan-compression", display.zlib),
        ("playback-compression", display.playback),
        ("streaming-video", display.streaming),
    ):
        if value:
            yield f"{key}={value}"
    if display.copypaste is False:
        yield "disable-copy-paste=on"
    if display.filetransfer is False:
        yield "disable-agent-file-xfer=on"
    if display.gl:
        yield "gl=on"
        if display.rendernode:
            yield f"rendernode={comma(display.rendernode)}"


def _dbus_socket(vm: Any) -> str:
    return f"/run/libvirt/qemu/dbus/{vm.id}-{vm.name[:20]}-dbus.sock"


def socket_path(vm: Any, kind: str) -> str:
    """The socket of a display that listens on one of its own."""
    from kvasir.qemu.commandline import lib_folder

    return f"{lib_folder(vm)}/{kind}.sock"


def sasl_environment(domain: Any, config: Any) -> dict[str, str]:
    """Where QEMU's SASL library looks for ``qemu.conf``: it knows one folder for both kinds of display."""
    kinds = {display.type for display in getattr(domain, "graphics", None) or ()}
    found = {}
    for kind in ("vnc", "spice"):
        place = getattr(config, f"{kind}_sasl_dir", None)
        if kind in kinds and getattr(config, f"{kind}_sasl", False) and place:
            found["SASL_CONF_PATH"] = str(place)
    return found
