"""SMBIOS tables and firmware configuration entries, security labels, launch security, and other small families."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kvasir.errors import Code, ConfigUnsupported, Error, InternalError, Origin, XmlError
from kvasir.xml import Element, attr, children, runtime, text, texts
from kvasir.xml.types import ANYBASE, ENUM, HEX, LLONG, NATURAL, UINT, ULLONG, UUID, YESNO


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
    imagelabel: str | None = text("imagelabel", when=lambda label, form: form.named)
    implicit: bool = runtime(False)
    """Made by the daemon at the start, not said by a document."""
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


PERF_EVENTS = (
    "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses", "branch_instructions",
    "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend", "ref_cpu_cycles", "cpu_clock",
    "task_clock", "page_faults", "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj",
    "alignment_faults", "emulation_faults",
)  # fmt: skip


class PerfEvent(Element, tag="event"):
    """A performance event."""

    name: str | None = attr("@name", ENUM(*PERF_EVENTS), required=True)
    enabled: bool | None = attr("@enabled", YESNO, required=True)


_BAD_MAP = "invalid idmap start/target/count settings"


def _bad_map() -> Error:
    return XmlError(_BAD_MAP)


class IdMapEntry(Element, tag="uid"):
    """A range of ids of a container."""

    start: int | None = attr("@start", UINT, required=True, error=_BAD_MAP, missing=_bad_map)
    target: int | None = attr("@target", UINT, required=True, error=_BAD_MAP, missing=_bad_map)
    count: int | None = attr("@count", UINT, required=True, error=_BAD_MAP, missing=_bad_map)


class Iothread(Element, tag="iothread"):
    """An I/O thread by id."""

    id: int | None = attr("@id", UINT, required=True)
    thread_pool_min: int | None = attr("@thread_pool_min", NATURAL)
    thread_pool_max: int | None = attr("@thread_pool_max", NATURAL)


class Vcpu(Element, tag="vcpu"):
    """A vCPU of its own state."""

    id: int | None = attr("@id", UINT)
    enabled: bool | None = attr("@enabled", YESNO)
    hotpluggable: bool | None = attr("@hotpluggable", YESNO)
    order: int | None = attr("@order", UINT)


def _of_qemu(text: str) -> Callable[[], Error]:
    return lambda: InternalError(text)


def _no_alias() -> Error:
    return XmlError("missing 'alias' attribute for qemu:device", origin=Origin.QEMU)


class QemuArg(Element, tag="qemu:arg"):
    """An argument passed through to QEMU."""

    value: str | None = attr("@value", required=True, missing=_of_qemu("No qemu command-line argument specified"))


class QemuEnv(Element, tag="qemu:env"):
    """An environment variable passed through to QEMU."""

    name: str | None = attr("@name", required=True, missing=_of_qemu("No qemu environment name specified"))
    value: str | None = attr("@value")

    def parsed(self, node: object) -> None:
        name = self.name or ""
        if not name:
            raise InternalError("Empty qemu environment name specified")
        if not re.match(r"[A-Za-z_]", name):
            raise InternalError("Invalid environment name, it must begin with a letter or underscore")
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            text_ = "Invalid environment name, it must contain only alphanumerics and underscore"
            raise InternalError(text_)


class QemuCapability(Element, tag="qemu:add"):
    """A capability switched by hand."""

    capability: str | None = attr("@capability", required=True, missing=_of_qemu("missing capability name"))


class QemuProperty(Element, tag="qemu:property"):
    """A device property overridden by hand."""

    name: str | None = attr(
        "@name", required=True, missing=lambda: XmlError("missing 'name' attribute for qemu:property")
    )
    type: str | None = attr("@type", ENUM("remove", "signed", "unsigned", "bool", "string"), required=True)
    value: str | None = attr("@value")

    def parsed(self, node: object) -> None:
        if self.type == "remove":
            if self.value is not None:
                said = "setting 'value' attribute of 'qemu:property' doesn't make sense with 'remove' type"
                raise XmlError(said)
        elif self.value is None:
            raise XmlError("missing 'value' attribute for 'qemu:property'")
        try:
            self.setting()
        except (KeyError, ValueError):
            raise XmlError(f"invalid value '{self.value}' of 'value' attribute of 'qemu:property'") from None

    def setting(self) -> int | bool | str | None:
        """The value as QEMU gets it. Raises KeyError or ValueError for a word that is none of its type."""
        if self.type == "bool":
            return {"true": True, "false": False}[str(self.value)]
        kind = {"signed": LLONG, "unsigned": ULLONG}.get(str(self.type))
        return self.value if kind is None else int(kind.read(str(self.value)))


class QemuDevice(Element, tag="qemu:device"):
    """A device whose properties are overridden by hand."""

    alias: str | None = attr("@alias", required=True, missing=_no_alias)
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
            _firmware_entries(info)
            continue
        for entry in (*info.bios, *info.system, *info.chassis, *(e for board in info.boards for e in board.entries)):
            entry.file = None
        info.bios, info.chassis = _known(info.bios, "bios"), _known(info.chassis, "chassis")
        info.system = _known(info.system, "system")
        for board in info.boards:
            board.entries = _known(board.entries, "board")
        info.boards = [board for board in info.boards if board.entries]
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


def _firmware_entries(info: Sysinfo) -> None:
    """fw_cfg has nothing but named entries, of a value or a file."""
    info.bios, info.system, info.boards, info.chassis, info.oem_strings = [], [], [], [], []
    for entry in info.entries:
        if not entry.value and not entry.file:
            raise XmlError("Firmware entry must have either value or 'file' attribute")
        if entry.file:
            entry.value = None
        if not (entry.name or "").startswith("opt/"):
            raise ConfigUnsupported("Invalid firmware name")


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    month, day, year = map(int, found.groups())
    return 1 <= month <= 12 and 1 <= day <= 31 and (year < 100 or year >= 1900)


def _wrong(text: str) -> Error:
    return Error(text, code=Code.XML_DETAIL, origin=Origin.DOMAIN)
