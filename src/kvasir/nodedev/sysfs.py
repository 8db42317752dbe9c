"""Reading sysfs (or a tree like it): attributes, links, udev's database beside it."""

from __future__ import annotations

import os
import re


class Tree:
    """A sysfs: the host's own, or one below ``root`` for tests. Paths in it are given from its top (``/devices/...``)."""

    def __init__(self, root: str = "") -> None:
        fake = bool(root) and os.path.isdir(f"{root}/sys")
        self.root = root if fake else ""
        self.top = os.path.realpath(f"{self.root}/sys")
        self.udev = f"{self.root}/run/udev/data"

    @property
    def is_host(self) -> bool:
        """Whether it is the kernel's own."""
        return not self.root

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; [] where there is none."""
        try:
            return sorted(os.listdir(f"{self.top}{folder}"))
        except OSError:
            return []

    def real(self, path: str) -> str:
        """The path with its links resolved, from the top."""
        return os.path.realpath(f"{self.top}{path}").removeprefix(self.top)

    def exists(self, path: str) -> bool:
        return os.path.exists(f"{self.top}{path}")

    def text(self, path: str) -> str | None:
        """An attribute without the blanks around it; None where it cannot be read or is empty."""
        try:
            with open(f"{self.top}{path}", "rb") as file:
                return file.read(65536).decode("utf-8", "replace").strip("\0 \t\n") or None
        except OSError:
            return None

    def data(self, path: str, size: int = 65536) -> bytes:
        """The bytes of a file; b"" where it cannot be read."""
        try:
            with open(f"{self.top}{path}", "rb") as file:
                return file.read(size)
        except OSError:
            return b""

    def number(self, path: str, base: int = 10) -> int | None:
        """A number; None where there is none."""
        try:
            return int(self.text(path) or "", base)
        except ValueError:
            return None

    def link(self, path: str) -> str | None:
        """The last part of where a link points."""
        try:
            return os.path.basename(os.readlink(f"{self.top}{path}"))
        except OSError:
            return None

    def write(self, path: str, text: str) -> None:
        """Write an attribute. Raises OSError."""
        fd = os.open(f"{self.top}{path}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def uevent(self, path: str) -> dict[str, str]:
        """The kernel's properties of a device."""
        lines = (self.text(f"{path}/uevent") or "").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def database(self, key: str) -> tuple[dict[str, str], list[str]]:
        """udev's properties and links of a device (``b8:0``, ``n2``, ``+pci:0000:00:1f.0``)."""
        try:
            with open(f"{self.udev}/{key}", encoding="utf-8", errors="replace") as file:
                lines = file.read(1 << 20).splitlines()
        except OSError:
            return {}, []
        known = dict(line[2:].split("=", 1) for line in lines if line.startswith("E:") and "=" in line)
        return known, [f"/dev/{line[2:]}" for line in lines if line.startswith("S:")]


def device_name(*parts: str) -> str:
    """libvirt's name of a device: the parts with underscores for all that is no letter or digit."""
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(part for part in parts if part))
