"""What the firmware says of the host: ``dmidecode`` read into libvirt's ``<sysinfo type='smbios'>`` document."""

from __future__ import annotations

import asyncio
import shutil

TYPES = "0,1,2,3,4,11,17"
TIMEOUT = 10.0
NO_MEMORY = "No Module Installed"

Table = tuple[tuple[str, str], ...]
BIOS: Table = (("vendor", "Vendor"), ("version", "Version"), ("date", "Release Date"), ("release", "BIOS Revision"))
SYSTEM: Table = (
    *(("manufacturer", "Manufacturer"), ("product", "Product Name"), ("version", "Version")),
    *(("serial", "Serial Number"), ("uuid", "UUID"), ("sku", "SKU Number"), ("family", "Family")),
)
BOARD: Table = (
    *(("manufacturer", "Manufacturer"), ("product", "Product Name"), ("version", "Version")),
    *(("serial", "Serial Number"), ("asset", "Asset Tag"), ("location", "Location In Chassis")),
)
CHASSIS: Table = (
    *(("manufacturer", "Manufacturer"), ("version", "Version"), ("serial", "Serial Number")),
    *(("asset", "Asset Tag"), ("sku", "SKU Number")),
)
PROCESSOR: Table = (
    *(("socket_destination", "Socket Designation"), ("type", "Type"), ("family", "Family")),
    *(("manufacturer", "Manufacturer"), ("signature", "Signature"), ("version", "Version")),
    *(("external_clock", "External Clock"), ("max_speed", "Max Speed"), ("status", "Status")),
    *(("serial_number", "Serial Number"), ("part_number", "Part Number")),
)
MEMORY: Table = (
    *(("size", "Size"), ("form_factor", "Form Factor"), ("locator", "Locator"), ("bank_locator", "Bank Locator")),
    *(("type", "Type"), ("type_detail", "Type Detail"), ("speed", "Speed"), ("manufacturer", "Manufacturer")),
    *(("serial_number", "Serial Number"), ("part_number", "Part Number")),
)
SECTIONS: tuple[tuple[str, str, Table], ...] = (
    ("BIOS Information", "bios", BIOS),
    ("System Information", "system", SYSTEM),
    ("Base Board Information", "baseBoard", BOARD),
    ("Chassis Information", "chassis", CHASSIS),
    ("Processor Information", "processor", PROCESSOR),
    ("Memory Device", "memory_device", MEMORY),
)
ONCE = frozenset({"bios", "system", "chassis"})


def escape(text: str) -> str:
    """Text as XML writes it (xml.sax would bring the whole of urllib with it)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def records(text: str) -> list[tuple[str, dict[str, str], list[str]]]:
    """The records of ``dmidecode -q``: title, values by name, strings of an OEM record."""
    found: list[tuple[str, dict[str, str], list[str]]] = []
    for line in text.splitlines():
        if line and not line[0].isspace():
            found.append((line.strip(), {}, []))
        elif found and line.strip():
            name, colon, value = line.strip().partition(":")
            if colon:
                found[-1][1].setdefault(name, value.strip())
                if name.startswith("String "):
                    found[-1][2].append(value.strip())
    return found


def render(text: str) -> str:
    """The document of what dmidecode printed."""
    lines = ["<sysinfo type='smbios'>"]
    seen = records(text)
    for title, tag, table in SECTIONS:
        mine = [values for name, values, _ in seen if name == title]
        for values in mine[:1] if tag in ONCE else mine:
            entries = [(name, values[key]) for name, key in table if values.get(key)]
            if values.get("Size") == NO_MEMORY and tag == "memory_device":
                continue
            if not entries and tag in ("processor", "memory_device"):
                continue
            lines.append(f"  <{tag}>")
            lines += [f"    <entry name='{name}'>{escape(value)}</entry>" for name, value in entries]
            lines.append(f"  </{tag}>")
    strings = [value for name, _, values in seen if name == "OEM Strings" for value in values]
    if strings:
        lines.append("  <oemStrings>")
        lines += [f"    <entry>{escape(value)}</entry>" for value in strings]
        lines.append("  </oemStrings>")
    return "\n".join([*lines, "</sysinfo>", ""])


async def document() -> str | None:
    """The host's document; None where there is no dmidecode or it finds nothing."""
    binary = shutil.which("dmidecode", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if binary is None:
        return None
    process = await asyncio.create_subprocess_exec(
        binary, "-q", "-t", TYPES, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        text, _ = await asyncio.wait_for(process.communicate(), TIMEOUT)
    except TimeoutError:
        process.kill()
        return None
    decoded = text.decode("utf-8", "replace")
    return render(decoded) if process.returncode == 0 and records(decoded) else None
