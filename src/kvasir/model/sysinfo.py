"""SMBIOS tables and firmware configuration entries, security labels, launch security, and other small families."""

from __future__ import annotations

import re
from typing import Any

from kvasir.errors import Code, Error, Origin
from kvasir.xml import Element, attr, children, text, texts
from kvasir.xml.types import ANYBASE, ENUM, HEX, UINT, UUID, YESNO


class Entry(Element, tag="entry"):
    """A named value."""

    name: str | None = attr("@name")
    file: str | None = attr("@file", label=True)
    value: str | None = text(".")


class BaseBoard(Element, tag="baseBoard"):
    """A base board's strings."""

    entries: list[Entry] = children(Entry)


class Sysinfo(Element, tag="sysinfo"):
    """What the guest's SMBIOS or fw_cfg says."""

    type: str | None = attr("@type", ENUM("smbios", "fwcfg"), required=True)
    bios: list[Entry] = children(Entry, "bios/entry")
    system: list[Entry] = children(Entry, "system/entry")
    boards: list[BaseBoard] = children(BaseBoard)
    chassis: list[Entry] = children(Entry, "chassis/entry")
    oem_strings: list[str] = texts("oemStrings/entry")
    entries: list[Entry] = children(Entry)


class Seclabel(Element, tag="seclabel"):
    """A security label of the guest."""

    type: str | None = attr("@type", ENUM("none", "dynamic", "static"))
    model: str | None = attr("@model")
    relabel: bool | None = attr("@relabel", YESNO)
    label: str | None = text("label")
    imagelabel: str | None = text("imagelabel", only="live")
    baselabel: str | None = text("baselabel")


class KeywrapCipher(Element, tag="cipher"):
    """A protected key operation of s390."""

    name: str | None = attr("@name", ENUM("aes", "dea"), required=True)
    state: str | None = attr("@state", ENUM("on", "off"), required=True)


class LaunchSecurity(Element, tag="launchSecurity"):
    """Memory encryption of the guest."""

    type: str | None = attr("@type", ENUM("sev", "s390-pv"), required=True)
    kernel_hashes: bool | None = attr("@kernelHashes", YESNO)
    cbitpos: int | None = text("cbitpos", ANYBASE)
    reduced_phys_bits: int | None = text("reducedPhysBits", ANYBASE)
    policy: int | None = text("policy", HEX(4))
    dh_cert: str | None = text("dhCert")
    session: str | None = text("session")


class PerfEvent(Element, tag="event"):
    """A performance event."""

    name: str | None = attr("@name", required=True)
    enabled: bool | None = attr("@enabled", YESNO, required=True)


class IdMapEntry(Element, tag="uid"):
    """A range of ids of a container."""

    start: int | None = attr("@start", UINT)
    target: int | None = attr("@target", UINT)
    count: int | None = attr("@count", UINT)


class Iothread(Element, tag="iothread"):
    """An I/O thread by id."""

    id: int | None = attr("@id", UINT, required=True)
    thread_pool_min: int | None = attr("@thread_pool_min", UINT)
    thread_pool_max: int | None = attr("@thread_pool_max", UINT)


class Vcpu(Element, tag="vcpu"):
    """A vCPU of its own state."""

    id: int | None = attr("@id", UINT)
    enabled: bool | None = attr("@enabled", YESNO)
    hotpluggable: bool | None = attr("@hotpluggable", YESNO)
    order: int | None = attr("@order", UINT)


class QemuArg(Element, tag="qemu:arg"):
    """An argument passed through to QEMU."""

    value: str | None = attr("@value")


class QemuEnv(Element, tag="qemu:env"):
    """An environment variable passed through to QEMU."""

    name: str | None = attr("@name")
    value: str | None = attr("@value")


class QemuCapability(Element, tag="qemu:add"):
    """A capability switched by hand."""

    capability: str | None = attr("@capability")


class QemuProperty(Element, tag="qemu:property"):
    """A device property overridden by hand."""

    name: str | None = attr("@name")
    type: str | None = attr("@type", ENUM("remove", "signed", "unsigned", "bool", "string"))
    value: str | None = attr("@value")


class QemuDevice(Element, tag="qemu:device"):
    """A device whose properties are overridden by hand."""

    alias: str | None = attr("@alias")
    frontend: list[QemuProperty] = children(QemuProperty, "qemu:frontend/qemu:property")


ORDER = {
    "bios": ("vendor", "version", "date", "release"),
    "system": ("manufacturer", "product", "version", "serial", "uuid", "sku", "family"),
    "board": ("manufacturer", "product", "version", "serial", "asset", "location"),
    "chassis": ("manufacturer", "version", "serial", "asset", "sku"),
}
"""The entries that SMBIOS has, in the order in which libvirt writes them; others are not kept."""
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})")


def _known(entries: list[Entry], block: str) -> list[Entry]:
    first: dict[str | None, Entry] = {}
    for entry in entries:
        first.setdefault(entry.name, entry)
    return [first[name] for name in ORDER[block] if name in first and first[name].value]


def fill(domain: Any) -> None:
    """Keep what SMBIOS knows of each block; the guest's UUID and that of its system block are one. Raises XmlDetail."""
    for info in domain.sysinfos:
        if info.type != "smbios":
            continue
        info.bios, info.chassis = _known(info.bios, "bios"), _known(info.chassis, "chassis")
        info.system = _known(info.system, "system")
        for board in info.boards:
            board.entries = _known(board.entries, "board")
        for entry in info.bios:
            if entry.name == "date" and not _is_date(entry.value or ""):
                raise _wrong("Invalid BIOS 'date' format")
        for entry in info.system:
            if entry.name == "uuid":
                try:
                    said = UUID.read(entry.value or "")
                except ValueError:
                    raise _wrong("malformed <sysinfo> uuid element") from None
                if domain.uuid and UUID.read(domain.uuid) != said:
                    raise _wrong("UUID mismatch between <uuid> and <sysinfo>")
                domain.uuid = entry.value = said


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    month, day, year = map(int, found.groups())
    return 1 <= month <= 12 and 1 <= day <= 31 and (year < 100 or year >= 1900)


def _wrong(text: str) -> Error:
    return Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
