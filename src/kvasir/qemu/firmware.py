"""UEFI and BIOS images by QEMU's firmware descriptors (``/usr/share/qemu/firmware/*.json``), and how one is chosen."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvasir.errors import OperationFailed, SystemFailure
from kvasir.host.files import write_file

log = logging.getLogger(__name__)

FOLDERS = ("/usr/share/qemu/firmware", "/etc/qemu/firmware")
LIMIT = 1 << 20

BUILT_IN = (
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/OVMF/OVMF_CODE.secboot.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
    ("/usr/share/AAVMF/AAVMF32_CODE.fd", "/usr/share/AAVMF/AAVMF32_VARS.fd"),
)
"""Image and variable template pairs that are known without a descriptor (``nvram`` of qemu.conf replaces them)."""


@dataclass(frozen=True)
class Firmware:
    """A firmware image: interfaces (``uefi``, ``bios``), targets, features, and where its files are."""

    path: str
    interfaces: tuple[str, ...]
    device: str
    executable: str
    executable_format: str | None
    nvram_template: str | None
    nvram_format: str | None
    mode: str
    targets: tuple[tuple[str, tuple[str, ...]], ...]
    features: frozenset[str] = field(default_factory=frozenset)

    @property
    def secure(self) -> bool:
        return "secure-boot" in self.features

    def fits(self, arch: str, machine: str) -> bool:
        """True when the image is made for the architecture and the machine type (its own name)."""
        return any(
            target == arch and any(fnmatch.fnmatchcase(machine, pattern) for pattern in machines)
            for target, machines in self.targets
        )


def _read(path: Path) -> Firmware | None:
    data: dict[str, Any] = json.loads(path.read_bytes()[:LIMIT])
    mapping = data["mapping"]
    executable = mapping.get("executable") or {"filename": mapping.get("filename")}
    template = mapping.get("nvram-template") or {}
    arches = {"i386": "i686", "arm": "armv7l"}
    return Firmware(
        str(path),
        tuple(data["interface-types"]),
        mapping["device"],
        executable["filename"],
        executable.get("format"),
        template.get("filename"),
        template.get("format"),
        mapping.get("mode", "split"),
        tuple((arches.get(t["architecture"], t["architecture"]), tuple(t["machines"])) for t in data["targets"]),
        frozenset(data["features"]),
    )


def descriptors(folders: Iterable[str | Path] = FOLDERS, home: str | None = None) -> list[Firmware]:
    """The host's descriptors by file name; a later folder replaces or (by an empty file) hides one of the same name."""
    files: dict[str, Path] = {}
    more = [Path(home) / "qemu/firmware"] if home else []
    for folder in (*map(Path, folders), *more):
        for path in sorted(folder.glob("*.json")):
            files[path.name] = path
    found = []
    for name in sorted(files):
        try:
            if files[name].stat().st_size == 0:
                continue
            item = _read(files[name])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("firmware descriptor %s cannot be used: %r", files[name], error)
            continue
        if item is not None:
            found.append(item)
    return found


@dataclass
class Supported:
    """What a machine type can boot: interfaces, whether with secure boot, and the image files (domcapabilities)."""

    interfaces: set[str] = field(default_factory=set)
    secure: bool = False
    images: list[str] = field(default_factory=list)


def supported(arch: str, machine: str, known: Iterable[Firmware]) -> Supported:
    """What the descriptors offer to a machine type."""
    result = Supported()
    for item in known:
        if not item.fits(arch, machine) or not ({"uefi", "bios"} & set(item.interfaces)):
            continue
        result.interfaces |= {"efi" if word == "uefi" else word for word in item.interfaces if word in ("uefi", "bios")}
        result.secure |= item.secure and "requires-smm" in item.features
        if item.device == "flash" and item.executable not in result.images:
            result.images.append(item.executable)
    if not result.images:
        result.images = [image for image, _ in BUILT_IN]
    result.images = [image for image in result.images if os.path.exists(image)]
    return result


def choose(vm: Any, known: Iterable[Firmware] | None = None) -> None:
    """Fill loader, variable template and variable file of a guest about to run. Raises OperationFailed.

    ``<os firmware='efi'>`` takes the first descriptor that fits machine and wishes, as libvirt 9.0 does; an image given by
    hand gets the template that belongs to it.
    """
    os = vm.domain.os
    found = list(known) if known is not None else descriptors()
    if os.firmware is None:
        _template_by_hand(vm, found)
        return
    for item in found:
        if _matches(vm, item):
            _enable(vm, item)
            return
    raise OperationFailed(f"Unable to find any firmware to satisfy '{os.firmware}'")


def nvram_file(vm: Any) -> str:
    """Where the variables of a guest are kept."""
    folder = getattr(getattr(vm.paths, "qemu", vm.paths), "nvram", None) or "/var/lib/libvirt/qemu/nvram"
    return f"{folder}/{vm.name}_VARS.fd"


def _template_by_hand(vm: Any, known: list[Firmware]) -> None:
    os = vm.domain.os
    if os.loader is None or os.loader.type != "pflash" or os.loader.stateless or os.nvram_template:
        return
    for item in known:
        if item.executable == os.loader.path and item.nvram_template:
            os.nvram_template = item.nvram_template
            return
    os.nvram_template = dict(BUILT_IN).get(os.loader.path or "")


def _matches(vm: Any, item: Firmware) -> bool:
    os = vm.domain.os
    if {"efi": "uefi", "bios": "bios"}[os.firmware] not in item.interfaces or not item.fits(vm.arch, vm.machine):
        return False
    if item.device != "flash" and os.firmware == "efi":
        return False
    wishes = {feature.name: feature.enabled for feature in os.features}
    for name in ("secure-boot", "enrolled-keys"):
        if wishes.get(name) is not None and wishes[name] != (name in item.features):
            return False
    if os.loader is not None:
        if os.loader.secure and not ("secure-boot" in item.features and "requires-smm" in item.features):
            return False
        if os.loader.secure is False and "requires-smm" in item.features:
            return False
        if os.loader.stateless is not None and os.loader.stateless != (item.mode == "stateless"):
            return False
    return not (os.nvram_template and item.nvram_template and os.nvram_template != item.nvram_template)


def _enable(vm: Any, item: Firmware) -> None:
    from kvasir.model.features import Features
    from kvasir.model.os import Loader

    os = vm.domain.os
    os.loader = os.loader or Loader()
    os.loader.path = item.executable
    os.loader.type = "pflash" if item.device == "flash" else "rom"
    if item.device == "flash":
        os.loader.readonly = True
        if item.mode == "split":
            os.nvram_template = item.nvram_template
            if not (os.nvram or os.nvram_file or os.nvram_dev):
                os.nvram = nvram_file(vm)
    if "requires-smm" in item.features:
        os.loader.secure = True
        vm.domain.features = vm.domain.features or Features()
        if vm.domain.features.smm_state is None:
            vm.domain.features.smm = True
            vm.domain.features.smm_state = True
    os.firmware = None
    os.features = []


def make_variables(vm: Any, host: Any, reset: bool = False) -> None:
    """Make the guest's variable file from the template, unless it is there (``reset`` makes it anew).

    A file made for a start that fails goes away again. Raises OperationFailed without a template, SystemFailure.
    """
    os_ = vm.domain.os
    path = os_.nvram or os_.nvram_file
    if os_.loader is None or os_.loader.type != "pflash" or not path or (os.path.exists(path) and not reset):
        return
    template = os_.nvram_template
    if not template:
        raise OperationFailed(f"unable to find any master var store for loader: {os_.loader.path}")
    new = not os.path.exists(path)
    try:
        host.make_folder(os.path.dirname(path), 0o755, keep=True)
        write_file(path, _template(template))
    except OSError as error:
        raise SystemFailure(f"Failed to create file '{path}'", error) from error
    host.own(path)
    if new:
        host.stack.callback(_forget, path)


def _template(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError as error:
        raise SystemFailure(f"Failed to open file '{path}'", error) from error


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
