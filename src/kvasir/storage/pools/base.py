"""What a pool type does for the driver: the contract of a file in this folder.

A class says by attributes what its document needs and shows, and has the methods that its storage can do. What it leaves
out is refused with libvirt's words. Methods block and run in a thread; they may change ``self.document`` (sizes).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, ClassVar

from kvasir.errors import ConfigUnsupported, Error, InvalidArg, NoSupport, Origin, XmlError
from kvasir.model.storage import Pool, PoolSource, SourceDevice, Volume

REFRESHED, OVERWRITE, NO_OVERWRITE = 0, 1 << 3, 1 << 2
PREALLOC_METADATA, REFLINK = 1, 2
ALLOCATE, DELTA, SHRINK = 1, 2, 4
ZEROED = 1
PARTS = ("hosts", "devices", "directory", "adapter", "name", "initiator", "auth", "protocol_version")

SecretValue = Callable[[Any, str], bytes]
"""Gives the value of the secret that an ``auth`` or ``encryption`` element names."""


def xml_error(text: str) -> XmlError:
    return XmlError(text, origin=Origin.STORAGE)


def sanitize(path: str) -> str:
    """A path without doubled and final slashes; ``..`` stays, as does a leading pair."""
    head = "//" if re.match(r"//(?!/)", path) else ""
    clean = re.sub(r"/+", "/", path[len(head) :] if head else path)
    return head + (clean.rstrip("/") or ("/" if clean and not head else ""))


def no_support(text: str) -> NoSupport:
    return NoSupport(text, origin=Origin.STORAGE)


class PoolKind:
    """The behaviour of one pool type."""

    TYPE: ClassVar[str] = ""
    NUMBER: ClassVar[int] = -1
    """virStoragePoolType, which libvirt's messages name."""
    NEEDS: ClassVar[tuple[str, ...]] = ()
    """Parts of ``<source>`` without which the document is refused: host, dir, device, name, adapter, initiator."""
    SHOWS: ClassVar[tuple[str, ...]] = ()
    """Parts that the document keeps, of ``PARTS``."""
    TARGET: ClassVar[str] = "needed"
    """The target path: 'needed', 'none', or a pattern in which ``{name}`` is the source's name."""
    SOURCE_FORMATS: ClassVar[tuple[str, ...]] = ()
    VOLUME_FORMATS: ClassVar[tuple[str, ...]] = ()
    """The first one of each that is not 'none' or 'unknown' need not be the default: see the next two."""
    DEFAULT_FORMAT: ClassVar[str | None] = None
    DEFAULT_VOLUME_FORMAT: ClassVar[str | None] = None
    HIDDEN_FORMATS: ClassVar[tuple[str, ...]] = ("none",)
    """Formats that capabilities list but a new volume cannot have."""
    BUILT: ClassVar[bool] = True
    """False for a type that is document only: it is refused as a libvirt without that backend refuses it."""
    VOLUME_TYPE: ClassVar[str] = "file"
    secrets_folder: str = "/run/libvirt/storage"
    """Where secrets lie, readable by root alone, while a tool needs them."""

    def __init__(self, document: Pool, secret: SecretValue | None = None) -> None:
        self.document = document
        self._secret = secret

    @property
    def source(self) -> PoolSource:
        if self.document.source is None:
            self.document.source = PoolSource()
        return self.document.source

    @property
    def path(self) -> str:
        return str(self.document.target_path)

    # --- the document

    def complete(self) -> None:
        """Refuse what the type cannot be, fill in defaults, drop what it does not keep."""
        source = self.source
        self.check_source()
        if self.TARGET.startswith("/"):
            source.name = source.name or self.document.name
        for part in self.NEEDS:
            self._need(part)
        self._place()
        for part in PARTS:
            if part not in self.SHOWS:
                setattr(source, part, [] if part in ("hosts", "devices") else None)
        for device in source.devices:
            device.free = []
        self.check()

    def check_source(self) -> None:
        """What is wrong with the source by itself is said before anything else."""
        source = self.source
        if source.auth is not None and source.auth.problem():
            raise XmlError(source.auth.problem(), origin=Origin.NONE)
        if not self.SOURCE_FORMATS:
            source.format = None
        elif source.format is None:
            source.format = self.DEFAULT_FORMAT
        elif source.format not in self.SOURCE_FORMATS:
            raise ConfigUnsupported(f"unknown pool format type {source.format}", origin=Origin.STORAGE)

    def _need(self, part: str) -> None:
        source = self.source
        held = {"host": source.hosts, "dir": source.directory, "device": source.devices, "adapter": source.adapter}
        words = {"host": "host name", "dir": "path", "device": "device name", "adapter": "adapter"}
        if part in held and not held[part]:
            raise xml_error(f"missing storage pool source {words[part]}")

    def _place(self) -> None:
        document = self.document
        if self.TARGET == "none":
            document.target_path = document.permissions = None
            return
        if self.TARGET != "needed":
            document.target_path = self.TARGET.format(name=self.source.name)
        if not document.target_path:
            raise xml_error("missing storage pool target path")
        document.target_path = sanitize(document.target_path)
        wanted = document.permissions
        if wanted is not None and (wanted.mode, wanted.owner, wanted.group, wanted.label) == (None,) * 4:
            document.permissions = None

    def check(self) -> None:
        """What else the type asks of its document. Raises XmlError, ConfigUnsupported."""

    def same(self, other: Pool) -> bool:
        """Whether another pool of the type has the same source, so that both may not be defined."""
        return False

    # --- the pool

    def active(self) -> bool:
        """Whether the storage is there already when the daemon starts (a mount, a session)."""
        return False

    def build(self, flags: int) -> None:
        """Make the storage (a folder, a file system, a label). Types that need nothing made do nothing."""

    def start(self) -> None:
        """Make the storage reachable."""

    def stop(self) -> None:
        """The reverse of ``start``."""

    def delete(self, flags: int) -> None:
        raise no_support("pool does not support pool deletion")

    def scan(self) -> list[Volume]:
        """The volumes; sets the document's sizes. Raises kvasir errors."""
        raise NotImplementedError

    @classmethod
    def find_sources(cls, spec: PoolSource | None) -> list[PoolSource]:
        """Sources that pools of the type could have, as ``spec`` (a host ...) narrows it."""
        raise no_support(f"pool type '{cls.TYPE}' does not support source discovery")

    # --- volumes

    def format_of(self, volume: Volume) -> None:
        """Fill in the format of a volume to be made, or refuse it."""
        if not self.VOLUME_FORMATS:
            volume.format = None
        elif not volume.format:
            volume.format = self.DEFAULT_VOLUME_FORMAT
        elif volume.format not in self.VOLUME_FORMATS or volume.format in self.HIDDEN_FORMATS:
            raise ConfigUnsupported(f"unknown volume format type {volume.format}", origin=Origin.STORAGE)

    def prepare(self, volume: Volume) -> None:
        """Set key, path and type of a volume to be made. Raises what refuses it before anything was made."""
        raise no_support("storage pool does not support volume creation")

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        """Make it, empty or with another's content; leave nothing behind when that fails."""
        raise no_support("storage pool does not support volume creation")

    def update(self, volume: Volume) -> None:
        """Read sizes, permissions and times of a volume anew. Raises OSError where it is gone."""

    def recount(self, volumes: list[Volume]) -> None:
        """Set the pool's sizes after a volume was made or deleted."""
        used = sum(volume.allocation or 0 for volume in volumes)
        document = self.document
        document.available = max(0, (document.capacity or 0) - used)
        document.allocation = used

    def remove(self, volume: Volume, flags: int) -> None:
        raise no_support("storage pool does not support vol deletion")

    def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        raise no_support("storage pool does not support changing of volume capacity")

    def wipe(self, volume: Volume, algorithm: str) -> None:
        raise no_support("storage pool doesn't support volume wiping")

    def open(self, volume: Volume, flags: int) -> int:
        """A descriptor for upload and download."""
        what = "download" if flags & os.O_ACCMODE == os.O_RDONLY else "upload"
        raise no_support(f"storage pool doesn't support volume {what}")

    # --- for the types

    def secret(self, named: Any, kind: str) -> bytes:
        """The value of the secret that an element names by ``uuid`` or ``usage``."""
        if self._secret is None:
            raise Error(
                "no secret driver is built into this daemon yet", code=66, origin=Origin.SECRET,
                message="Secret not found: this daemon has no secret driver",
            )  # fmt: skip
        return self._secret(named, kind)

    def sum_up(self, volumes: list[Volume]) -> None:
        """Count the pool's sizes from its volumes, for types without sizes of their own."""
        total = sum(volume.allocation or 0 for volume in volumes)
        self.document.capacity, self.document.allocation, self.document.available = total, total, 0

    def one_host(self) -> Any:
        """The only host. Raises ConfigUnsupported."""
        if len(self.source.hosts) != 1:
            raise ConfigUnsupported("expected exactly 1 host for the storage pool", origin=Origin.STORAGE)
        return self.source.hosts[0]

    def one_device(self) -> SourceDevice:
        """The only device."""
        return self.source.devices[0]


def exclusive(flags: int) -> None:
    """Refuse a build that should and should not overwrite."""
    if flags & OVERWRITE and flags & NO_OVERWRITE:
        names = "'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE'"
        text = f"Flags {names} are mutually exclusive"
        raise InvalidArg(text, origin=Origin.STORAGE, message=text)


def already_built(text: str, hint: str = "") -> Error:
    return Error(text, code=76, origin=Origin.STORAGE, message=f"Storage pool already built: {text}", hint=hint)


def probe_failed(text: str, hint: str = "") -> Error:
    return Error(text, code=75, origin=Origin.STORAGE, message=f"Storage pool probe failed: {text}", hint=hint)
