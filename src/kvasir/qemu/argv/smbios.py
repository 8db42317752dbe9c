"""``-smbios`` and ``-fw_cfg``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..args import Arg, Opt, comma

BIOS = ("vendor", "version", "date", "release")
SYSTEM = ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")
BOARD = (("manufacturer", "manufacturer"), ("product", "product"), ("version", "version"), ("serial", "serial"),
         ("asset", "asset"), ("location", "location"))  # fmt: skip
CHASSIS = ("manufacturer", "version", "serial", "asset", "sku")


def _words(entries: Any, order: Any) -> list[str]:
    said = {e.name: e.value or "" for e in entries}
    return [f"{name}={comma(said[name])}" for name in order if name in said]


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
        for board in info.boards:
            yield Opt("-smbios", ",".join(["type=2", *_words(board.entries, [k for k, _ in BOARD])]))
        if info.chassis:
            words = _words(info.chassis, CHASSIS)
            if not any(w.startswith("manufacturer=") for w in words):
                words.insert(0, "manufacturer=")
            yield Opt("-smbios", ",".join(["type=3", *words]))
        if info.oem_strings:
            yield Opt("-smbios", ",".join(["type=11", *(f"value={comma(s)}" for s in info.oem_strings)]))


def firmware_entries(vm: Any) -> Iterator[Arg]:
    """Entries of the firmware configuration device."""
    for info in (s for s in vm.domain.sysinfos if s.type == "fwcfg"):
        for entry in info.entries:
            where = f"file={comma(entry.file)}" if entry.file else f"string={comma(entry.value or '')}"
            yield Opt("-fw_cfg", f"name={comma(entry.name or '')},{where}")
