"""The form of a document that a migration reads: what every libvirt adds by itself is left out."""

from __future__ import annotations

from typing import Any


def default_audio(domain: Any) -> str | None:
    """The backend that a guest gets which names none; the last VNC, SPICE or SDL display decides."""
    kind: str | None = None if domain.graphics else "none"
    for display in domain.graphics:
        kind = {"vnc": "none", "spice": "spice", "sdl": None}.get(display.type, kind)
    return kind


def migratable(domain: Any) -> Any:
    """A copy without the default USB and PCI controllers, the PS/2 keyboard and the default audio backend."""
    shown = domain.copy()
    for kind, models in (("usb", (None, "piix3-uhci")), ("pci", ("pci-root",))):
        found = [c for c in shown.controllers if c.type == kind]
        if len(found) == 1 and found[0].index == 0 and found[0].model in models:
            shown.controllers = [c for c in shown.controllers if c is not found[0]]
    shown.inputs = [i for i in shown.inputs if not (i.type == "keyboard" and i.bus in ("ps2", "xen"))]
    audios = shown.audios
    if len(audios) == 1 and audios[0].xml() == f"<audio id='1' type='{default_audio(domain)}'/>\n":
        shown.audios = []
    return shown
