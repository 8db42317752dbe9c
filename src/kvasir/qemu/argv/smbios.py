"""``-smbios`` and ``-fw_cfg``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported

from ..args import Arg, Opt, comma

BIOS = ("vendor", "version", "date", "release")
SYSTEM = ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")
BOARD = ("manufacturer", "product", "version", "serial", "asset", "location")
CHASSIS = ("manufacturer", "version", "serial", "asset", "sku")


def _words(entries: Any, order: Any) -> list[str]:
    said = {e.name: e.value or "" for e in entries}
    return [f"{name}={comma(said[name])}" for name in order if name in said]


def _made(words: list[str]) -> list[str]:
    """Boards and chassis always name a maker, if only an empty one."""
    return words if any(word.startswith("manufacturer=") for word in words) else ["manufacturer=", *words]


def smbios(vm: Any) -> Iterator[Arg]:
    """Tables of the document, or of the host (``vm.facts``), but for the host's UUID."""
    mode = vm.domain.os.smbios
    if mode not in ("sysinfo", "host"):
        return
    system = [name for name in SYSTEM if mode == "sysinfo" or name != "uuid"]
    for info in (s for s in ([vm.facts["sysinfo"]] if mode == "host" else vm.domain.sysinfos) if s.type == "smbios"):
        if info.bios:
            yield Opt("-smbios", ",".join(["type=0", *_words(info.bios, BIOS)]))
        if info.system:
            yield Opt("-smbios", ",".join(["type=1", *_words(info.system, system)]))
        if len(info.boards) > 1:
            raise ConfigUnsupported("qemu does not support more than one entry to Type 2 in SMBIOS table")
        for board in info.boards:
            yield Opt("-smbios", ",".join(["type=2", *_made(_words(board.entries, BOARD))]))
        if info.chassis:
            yield Opt("-smbios", ",".join(["type=3", *_made(_words(info.chassis, CHASSIS))]))
        if info.oem_strings:
            yield Opt("-smbios", ",".join(["type=11", *(f"value={comma(s)}" for s in info.oem_strings)]))


def firmware_entries(vm: Any) -> Iterator[Arg]:
    """Entries of the firmware configuration device."""
    for info in (s for s in vm.domain.sysinfos if s.type == "fwcfg"):
        for entry in info.entries:
            where = f"file={comma(entry.file)}" if entry.file else f"string={comma(entry.value or '')}"
            yield Opt("-fw_cfg", f"name={comma(entry.name or '')},{where}")
