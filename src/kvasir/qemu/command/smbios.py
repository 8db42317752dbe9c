"""``-smbios`` and ``-fw_cfg`` from ``<sysinfo>``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..args import Arg, Opt, comma


def smbios(vm: Any) -> Iterator[Arg]:
    """The SMBIOS strings that the document gives."""
    if vm.domain.os.smbios != "sysinfo":
        return
    for info in vm.domain.sysinfos:
        if info.type == "fwcfg":
            continue
        yield from _table(0, info.bios)
        yield from _table(1, info.system)
        for board in info.boards:
            yield from _table(2, board.entries)
        yield from _table(3, info.chassis)
        if info.oem_strings:
            yield Opt("-smbios", "type=11" + "".join(f",value={comma(text)}" for text in info.oem_strings))


def _table(number: int, entries: Iterable[Any]) -> Iterator[Arg]:
    order = ("vendor", "manufacturer", "product", "version", "date", "release", "serial", "uuid", "asset", "location",
             "sku", "family")  # fmt: skip
    known = {entry.name: entry.value for entry in entries}
    words = [f"{name}={comma(known[name] or '')}" for name in order if name in known]
    if words:
        yield Opt("-smbios", f"type={number}," + ",".join(words))


def fw_cfg(vm: Any) -> Iterator[Arg]:
    """Entries of the firmware configuration device."""
    for info in vm.domain.sysinfos:
        if info.type == "fwcfg":
            for entry in info.entries:
                if entry.file:
                    yield Opt("-fw_cfg", f"name={comma(entry.name)},file={comma(entry.file)}")
                else:
                    yield Opt("-fw_cfg", f"name={comma(entry.name)},string={comma(entry.value or '')}")
