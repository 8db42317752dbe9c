"""What the guest boots: architecture, firmware, kernel, boot order."""

from __future__ import annotations

from kvasir.errors import Error, XmlError
from kvasir.xml import Element, attr, child, children, text, texts
from kvasir.xml.types import ENUM, INT, UINT, YESNO, blank, lenient


class Loader(Element, tag="loader"):
    """Firmware image."""

    readonly: bool | None = attr("@readonly", YESNO)
    secure: bool | None = attr("@secure", YESNO)
    type: str | None = attr("@type", ENUM("rom", "pflash"))
    stateless: bool | None = attr("@stateless", YESNO)
    path: str | None = text(".", label=True)


class FirmwareFeature(Element, tag="feature"):
    """A feature that the chosen firmware must have or lack."""

    enabled: bool | None = attr("@enabled", YESNO, required=True)
    name: str | None = attr("@name", ENUM("enrolled-keys", "secure-boot"), required=True)


class BootDevice(Element, tag="boot"):
    """One entry of the boot order by kind of device."""

    dev: str | None = attr("@dev", ENUM("fd", "hd", "cdrom", "network"), required=True)


class InitEnv(Element, tag="initenv"):
    """An environment variable of a container's init."""

    name: str | None = attr("@name")
    value: str | None = text(".")


def _no_table() -> Error:
    return XmlError("Missing acpi table type")


class AcpiTable(Element, tag="table"):
    """An ACPI table given to the guest."""

    type: str | None = attr(
        "@type", ENUM("slic"), required=True, error="Unknown acpi table type: {value}", missing=_no_table
    )
    path: str | None = text(".", label=True)


class Os(Element, tag="os"):
    """Operating system booting."""

    firmware: str | None = attr("@firmware", blank(ENUM("bios", "efi")), error="unknown firmware value {value}")
    arch: str | None = attr("type/@arch")
    machine: str | None = attr("type/@machine")
    type: str | None = text("type")
    features: list[FirmwareFeature] = children(FirmwareFeature, "firmware/feature")
    init: str | None = text("init")
    initargs: list[str] = texts("initarg")
    initenvs: list[InitEnv] = children(InitEnv)
    initdir: str | None = text("initdir")
    inituser: str | None = text("inituser")
    initgroup: str | None = text("initgroup")
    loader: Loader | None = child(Loader)
    nvram_template: str | None = attr("nvram/@template")
    nvram_type: str | None = attr("nvram/@type", ENUM("file", "block", "network"))
    nvram_file: str | None = attr("nvram/source/@file", label=True)
    nvram_dev: str | None = attr("nvram/source/@dev", label=True)
    nvram: str | None = text("nvram", label=True)
    kernel: str | None = text("kernel", label=True)
    initrd: str | None = text("initrd", label=True)
    cmdline: str | None = text("cmdline")
    dtb: str | None = text("dtb", label=True)
    root: str | None = text("root")
    acpi_tables: list[AcpiTable] = children(AcpiTable, "acpi/table")
    boots: list[BootDevice] = children(BootDevice)
    bootmenu: bool | None = attr("bootmenu/@enable", YESNO)
    bootmenu_timeout: int | None = attr("bootmenu/@timeout", lenient(UINT), when=lambda os, form: os.bootmenu)
    useserial: bool | None = attr("bios/@useserial", lenient(YESNO))
    reboot_timeout: int | None = attr("bios/@rebootTimeout", INT)
    smbios: str | None = attr(
        "smbios/@mode", ENUM("emulate", "host", "sysinfo"), error="unsupported:unknown smbios mode '{value}'"
    )

    def parsed(self, node: object) -> None:
        """The space around a ``<source>`` in ``<nvram>`` is no path; a boot menu that is off has no time."""
        if not self.bootmenu:
            self.bootmenu_timeout = None
        if self.nvram is not None and not self.nvram.strip():
            self.nvram = None
