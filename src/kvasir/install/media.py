"""Install media: a local tree, an ISO image or a URL, and the kernel and initrd in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from . import trees
from .grammar import OptionError

# kernel and initrd of installers, where trees of the well-known distributions keep them
PLACES = (
    ("images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"),
    ("install.amd/vmlinuz", "install.amd/initrd.gz"),
    ("linux", "initrd.gz"),
    ("debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz"),
    ("current/images/netboot/debian-installer/amd64/linux", "current/images/netboot/debian-installer/amd64/initrd.gz"),
    ("main/installer-amd64/current/images/netboot/debian-installer/amd64/linux",
     "main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz"),
    ("ubuntu-installer/amd64/linux", "ubuntu-installer/amd64/initrd.gz"),
    ("current/images/netboot/ubuntu-installer/amd64/linux", "current/images/netboot/ubuntu-installer/amd64/initrd.gz"),
    ("current/legacy-images/netboot/ubuntu-installer/amd64/linux", "current/legacy-images/netboot/ubuntu-installer/amd64/initrd.gz"),
    ("boot/x86_64/loader/linux", "boot/x86_64/loader/initrd"),
    ("casper/vmlinuz", "casper/initrd"),
    ("casper/vmlinuz", "casper/initrd.lz"),
    ("boot/vmlinuz-lts", "boot/initramfs-lts"),
    ("arch/boot/x86_64/vmlinuz-linux", "arch/boot/x86_64/initramfs-linux.img"),
    ("isolinux/vmlinuz", "isolinux/initrd.img"),
    ("boot/vmlinuz", "boot/initrd.img"),
)  # fmt: skip


@dataclass
class Location:
    """What ``--location`` named, and the kernel and initrd inside it if the user said them."""

    where: str
    kernel: str = ""
    initrd: str = ""

    @property
    def is_url(self) -> bool:
        return self.where.partition("://")[0] in ("http", "https", "ftp")

    @property
    def is_image(self) -> bool:
        return not self.is_url and not os.path.isdir(self.where)

    def check(self, *, local: bool) -> None:
        """Raises OptionError for a location that cannot be read from here."""
        if bool(self.kernel) != bool(self.initrd):
            raise OptionError("location kernel/initrd must be be specified as a pair")
        if self.is_url:
            return
        if not local:
            raise OptionError(f"Cannot access install tree on remote connection: {self.where}")
        if not os.path.exists(self.where):
            raise OptionError(
                f"Validating install media '{self.where}' failed: Must specify storage creation parameters for "
                f"non-existent path '{os.path.abspath(self.where)}'."
            )
        if os.path.isdir(self.where):
            self.where = os.path.abspath(self.where)


class Media:
    """Takes kernel and initrd out of a location into ``folder``."""

    def __init__(self, location: Location, folder: str) -> None:
        self.location, self.folder = location, folder

    def fetch(self) -> tuple[str, str]:
        """Copy kernel and initrd and give their paths. Raises OptionError when the location holds none."""
        where = self.location.where
        os.makedirs(self.folder, exist_ok=True)
        if "://" in where:
            return self._first(self._from_url)
        if os.path.isdir(where):
            return self._first(self._from_folder)
        if os.path.isfile(where):
            return self._from_iso()
        raise OptionError(f"Error validating install location: Cannot access install tree: {where}")

    def detect(self) -> dict[str, Any] | None:
        """The rule of the OS database that fits: by an image's labels, or by a tree's ``.treeinfo`` or folders. None when none does."""
        from . import osinfo

        where = self.location.where
        if self.location.is_image:
            return osinfo.identify("media", labels(where)) if os.path.isfile(where) else None
        for name in (".treeinfo", "treeinfo"):
            text = self._read(name)
            facts = treeinfo_facts(text) if text else {}
            if facts:
                return osinfo.identify("trees", facts)
        name = trees.system(where, self._read)
        return {"os": name} if name else None

    def _places(self) -> list[tuple[str, str]]:
        if self.location.kernel or self.location.initrd:
            return [(self.location.kernel, self.location.initrd)]
        rule = self.detect() or {}
        if self.location.is_image and rule.get("_kernel") and rule.get("_initrd"):
            return [(rule["_kernel"], rule["_initrd"]), *PLACES]
        return [*self._treeinfo(), *PLACES]

    def _treeinfo(self) -> list[tuple[str, str]]:
        import configparser

        for name in (".treeinfo", "treeinfo"):
            text = self._read(name)
            if text is None:
                continue
            info = configparser.ConfigParser(interpolation=None, strict=False)
            try:
                info.read_string(text)
            except configparser.Error:
                continue
            for section in ("images-x86_64", "images-aarch64"):
                if info.has_option(section, "kernel") and info.has_option(section, "initrd"):
                    return [(info.get(section, "kernel"), info.get(section, "initrd"))]
        return []

    def _read(self, name: str) -> str | None:
        where = self.location.where
        try:
            if "://" in where:
                from urllib.request import urlopen

                with urlopen(f"{where.rstrip('/')}/{name}", timeout=30) as answer:
                    return str(answer.read(1 << 20).decode("utf-8", "replace"))
            if os.path.isdir(where):
                with open(os.path.join(where, name), encoding="utf-8", errors="replace") as file:
                    return file.read(1 << 20)
        except (OSError, ValueError):
            return None
        return None

    def _first(self, take: Any) -> tuple[str, str]:
        for kernel, initrd in self._places():
            got = take(kernel, "kernel-")
            if got:
                more = take(initrd, "initrd-")
                if more:
                    return got, more
                os.unlink(got)
        raise OptionError(
            f"Error validating install location: Couldn't find kernel and initrd in install tree {self.location.where}"
        )

    def _draft(self, prefix: str) -> str:
        import tempfile

        fd, path = tempfile.mkstemp(prefix=f"virtinst-{prefix}", dir=self.folder)
        os.close(fd)
        os.chmod(path, 0o644)
        return path

    def _from_folder(self, name: str, prefix: str) -> str:
        source = os.path.join(self.location.where, name)
        if not os.path.isfile(source):
            return ""
        import shutil

        path = self._draft(prefix)
        shutil.copyfile(source, path)
        return path

    def _from_url(self, name: str, prefix: str) -> str:
        import shutil
        from urllib.request import urlopen

        path = self._draft(prefix)
        try:
            with (
                urlopen(f"{self.location.where.rstrip('/')}/{name}", timeout=60) as answer,
                open(path, "wb") as out,
            ):
                shutil.copyfileobj(answer, out)
        except (OSError, ValueError):
            os.unlink(path)
            return ""
        return path

    def _from_iso(self) -> tuple[str, str]:
        from .iso import Iso, IsoError

        try:
            with Iso(self.location.where) as iso:

                def take(name: str, prefix: str) -> str:
                    if not iso.exists(name):
                        return ""
                    path = self._draft(prefix)
                    iso.copy(name, path)
                    return path

                return self._first(take)
        except IsoError as error:
            raise OptionError(f"Error validating install location: {error}") from None


def treeinfo_facts(text: str) -> dict[str, str]:
    """The words of a ``.treeinfo`` that identify a tree."""
    import configparser

    info = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        info.read_string(text)
    except configparser.Error:
        return {}
    out: dict[str, str] = {}
    for section, words in (("general", ("family", "version", "arch", "variant")), ("release", ("name", "version"))):
        for word in words:
            if info.has_option(section, word):
                out.setdefault({"name": "family"}.get(word, word), info.get(section, word))
    return out


def labels(path: str) -> dict[str, str]:
    """The identifiers in an ISO image's volume descriptor; nothing for what is no such image."""
    try:
        with open(path, "rb") as file:
            file.seek(16 * 2048)
            block = file.read(2048)
    except OSError:
        return {}
    if len(block) < 2048 or block[1:6] != b"CD001" or block[0] != 1:
        return {}

    def word(start: int, end: int) -> str:
        return block[start:end].decode("ascii", "replace").strip(" \0")

    return {
        "system-id": word(8, 40), "volume-id": word(40, 72), "publisher-id": word(318, 446), "application-id": word(574, 702),
        "volume-size": str(int.from_bytes(block[80:84], "little") * int.from_bytes(block[128:130], "little")),
    }  # fmt: skip


def inject(initrd: str, files: list[tuple[str, bytes, int]]) -> None:
    """Append files (name, content, mode) to an initrd as a further cpio archive, which the kernel unpacks after the first."""
    with open(initrd, "ab") as out:
        out.write(b"\0" * (-out.tell() % 512))
        for number, (name, data, mode) in enumerate(files, 1):
            _cpio(out, name, data, mode, number)
        _cpio(out, "TRAILER!!!", b"", 0, 0)


def _cpio(out: Any, name: str, data: bytes, mode: int, inode: int) -> None:
    """One entry of the cpio format "newc": thirteen hexadecimal fields, name, data, each padded to four bytes."""
    raw = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    out.write(b"070701" + b"".join(f"{v:08x}".encode() for v in fields) + raw + b"\0" * (-(110 + len(raw)) % 4))
    out.write(data + b"\0" * (-len(data) % 4))
