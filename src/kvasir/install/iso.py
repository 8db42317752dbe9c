"""Reads files out of an ISO 9660 image (with Rock Ridge or Joliet names) through pycdlib."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any


class IsoError(RuntimeError):
    """The image is no ISO 9660 image, or lacks the file."""


class Iso:
    """An open image. Names are relative to its root."""

    def __init__(self, path: str) -> None:
        try:
            import pycdlib
        except ImportError:
            raise IsoError("reading ISO images needs pycdlib: pip install pycdlib") from None
        self._errors: Any = pycdlib.pycdlibexception.PyCdlibException
        self._iso: Any = pycdlib.PyCdlib()
        try:
            self._iso.open(path)
        except (self._errors, OSError, ValueError) as error:
            raise IsoError(f"{path} is not a readable ISO image: {error}") from None
        self._kind = (
            "rr_path" if self._iso.has_rock_ridge() else "joliet_path" if self._iso.has_joliet() else "iso_path"
        )

    def __enter__(self) -> Iso:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._iso.close()

    def _name(self, name: str) -> dict[str, str]:
        path = "/" + name.strip("/")
        if self._kind == "iso_path":
            folder, _, last = path.rpartition("/")
            path = f"{folder}/{last}".upper() + ("" if "." in last else ".") + ";1"
        return {self._kind: path}

    def exists(self, name: str) -> bool:
        try:
            return bool(self._iso.get_record(**self._name(name)).is_file())
        except self._errors:
            return False

    def copy(self, name: str, target: str) -> None:
        """Copy a file out; what was written is removed when it fails."""
        try:
            self._iso.get_file_from_iso(target, **self._name(name))
        except (self._errors, OSError) as error:
            if os.path.exists(target):
                os.unlink(target)
            raise IsoError(f"cannot read {name}: {error}") from None
