"""QEMU's options for displays: ``-vnc``, ``-spice`` and ``-display dbus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kvasir.errors import ConfigUnsupported
from kvasir.qemu.args import Arg, Opt, comma

if TYPE_CHECKING:
    from .graphics import Graphics

CHANNELS = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")


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
    if display.passwd is not None or getattr(config, "vnc_password", None):
        words += ",password=on"
    if display.power_control is not None:
        words += f",power-control={'on' if display.power_control else 'off'}"
    if getattr(config, "vnc_tls", False):
        raise ConfigUnsupported("TLS for VNC displays is not built yet", hint="vnc_tls = 0 in qemu.conf")
    if getattr(config, "vnc_sasl", False):
        words += ",sasl=on"
    yield Opt("-vnc", words + _audio(display, vm))
    if display.keymap:
        yield Opt("-k", display.keymap)


def spice(display: Graphics, vm: Any) -> Iterator[Arg]:
    first, config = display.listens[0], vm.config
    words = []
    if first.type == "socket":
        words += ["unix", f"addr={comma(first.socket or socket_path(vm, 'spice'))}"]
    elif first.type == "none":
        words.append("port=0")
    else:
        port = (
            display.port
            if display.port and display.port > 0
            else 5901
            if display.autoport or display.port == -1
            else None
        )
        if port:
            words.append(f"port={port}")
        if display.tls_port and display.tls_port > 0:
            words.append(f"tls-port={display.tls_port}")
        words.append(f"addr={_place(display, vm, 'spice_listen')}")
    if getattr(config, "spice_sasl", False):
        words.append("sasl=on")
    if display.mouse:
        words.append(f"agent-mouse={'off' if display.mouse == 'server' else 'on'}")
    if display.passwd is None and not getattr(config, "spice_password", None):
        words.append("disable-ticketing=on")
    if display.tls_port and getattr(config, "spice_tls", False):
        folder = getattr(config, "spice_tls_x509_cert_dir", None) or "/etc/pki/libvirt-spice"
        words.append(f"x509-dir={comma(folder)}")
    yield Opt("-spice", ",".join([*words, *_spice_options(display, vm), "seamless-migration=on"]))
    if display.keymap:
        yield Opt("-k", display.keymap)


def _need_tls(display: Graphics, vm: Any) -> None:
    if getattr(vm.config, "spice_tls", False):
        return
    if display.default_mode == "secure":
        raise ConfigUnsupported(
            "spice defaultMode secure requested in XML configuration, but TLS connection is not available"
        )
    if any(channel.mode == "secure" for channel in display.channels):
        raise ConfigUnsupported("spice secure channels set in XML configuration, but TLS connection is not available")


def _spice_options(display: Graphics, vm: Any) -> Iterator[str]:
    _need_tls(display, vm)
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
