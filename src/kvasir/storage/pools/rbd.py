"""Ceph pools: the images of a RADOS pool, by the ``rbd`` and ``ceph`` tools."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import logging
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, InvalidArg, OperationInvalid, Origin, SystemFailure
from kvasir.host import tools
from kvasir.model.storage import Volume

from .. import images, wiping
from . import base
from .base import PoolKind

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Images that are asked about at the same time."""
WITH_SNAPSHOTS = 2
TIMEOUTS = {"client_mount_timeout": "30", "rados_mon_op_timeout": "30", "rados_osd_op_timeout": "30"}


class RbdPool(PoolKind):
    """A RADOS pool."""

    TYPE, NUMBER = "rbd", 8
    NEEDS = ("host",)
    SHOWS = ("hosts", "name", "auth")
    TARGET = "none"
    VOLUME_TYPE = "network"
    DEFAULT_VOLUME_FORMAT = "raw"

    def _need(self, part: str) -> None:
        super()._need(part)
        if not self.source.name:
            raise base.xml_error("element 'name' is mandatory for RBD pool")

    def check(self) -> None:
        for option in self.document.rbd_options:
            if option.value is None:
                raise base.xml_error(f"no rbd option value specified for name '{option.name}'")

    def active(self) -> bool:
        """The daemon looks at the cluster anew when it starts."""
        return True

    @property
    def pool(self) -> str:
        return str(self.source.name)

    @contextlib.contextmanager
    def _words(self) -> Iterator[list[str]]:
        """Options that reach the cluster; the key passes by a file that is gone afterwards."""
        hosts = ",".join(_address(host) for host in self.source.hosts)
        words = ["--mon-host", hosts]
        given = {str(option.name): str(option.value) for option in self.document.rbd_options}
        for name, value in {**TIMEOUTS, **given}.items():
            words += [f"--{name.replace('_', '-')}", value]
        auth = self.source.auth
        if auth is None:
            yield [*words, "--auth-client-required", "none"]
            return
        if auth.kind != "ceph":
            raise ConfigUnsupported("'ceph' authentication is needed for RBD pools", origin=Origin.STORAGE)
        key = base64.b64encode(self.secret(auth, "ceph"))
        with images.secret_file(key, self.secrets_folder, f"{self.document.name}.key.") as path:
            yield [*words, "--id", str(auth.username), "--keyfile", path]

    def _rbd(self, *args: str) -> str:
        with self._words() as words:
            return tools.run("rbd", *words, *args)

    def _json(self, *args: str) -> Any:
        try:
            return json.loads(self._rbd(*args, "--format", "json") or "[]")
        except ValueError:
            raise InternalError(f"malformed output of rbd {args[0]}", origin=Origin.STORAGE) from None

    def scan(self) -> list[Volume]:
        with self._words() as words:
            sizes = json.loads(tools.run("ceph", *words, "df", "--format", "json"))
        document, whole = self.document, sizes.get("stats", {})
        document.capacity = int(whole.get("total_bytes", 0))
        document.available = int(whole.get("total_avail_bytes", 0)) >> 10 << 10
        for found in sizes.get("pools", []):
            if found.get("name") == self.pool:
                stats = found.get("stats", {})
                document.allocation = int(stats.get("stored", stats.get("bytes_used", 0)))
        names = [str(name) for name in self._json("ls", self.pool)]
        with ThreadPoolExecutor(AT_ONCE) as workers:
            found = list(workers.map(self._volume, names))
        return [volume for volume in found if volume is not None]

    def recount(self, volumes: list[Volume]) -> None:
        """What the cluster says stays until the next refresh."""

    def _volume(self, name: str) -> Volume | None:
        """An image, or None where it went meanwhile."""
        volume = Volume(type="network", name=name, path=f"{self.pool}/{name}", key=f"{self.pool}/{name}", format="raw")
        try:
            self.update(volume)
        except InternalError as error:
            log.warning("rbd image %s: %s", volume.path, error.message)
            return None
        return volume

    def update(self, volume: Volume) -> None:
        """Its length, and what all of its objects take."""
        said = self._json("info", f"{self.pool}/{volume.name}")
        volume.capacity = int(said["size"])
        volume.allocation = int(said.get("objects", 0)) * int(said.get("object_size", 0))

    def format_of(self, volume: Volume) -> None:
        if volume.format not in (None, "raw"):
            raise ConfigUnsupported("only RAW volumes are supported by this storage pool", origin=Origin.STORAGE)
        volume.format = "raw"

    def prepare(self, volume: Volume) -> None:
        if "/" in str(volume.name) or "@" in str(volume.name):
            raise OperationInvalid(f"volume name '{volume.name}' cannot contain '/'", origin=Origin.STORAGE)
        volume.type, volume.format = "network", "raw"
        volume.permissions = None
        volume.path = volume.key = f"{self.pool}/{volume.name}"

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        if volume.encryption is not None:
            raise ConfigUnsupported("storage pool does not support encrypted volumes", origin=Origin.STORAGE)
        name = f"{self.pool}/{volume.name}"
        if source is None:
            if not volume.capacity:
                raise base.no_support("volume capacity required for this storage pool")
            self._rbd("create", "--size", f"{volume.capacity}B", name)
        elif source.path == f"{self.pool}/{source.name}":
            self._clone(str(source.name), name)
        elif source.type in ("file", "block"):
            self._rbd("import", "--no-progress", str(source.path), name)
        else:
            raise base.no_support(f"volume '{source.path}' cannot be copied into an RBD pool")

    def _clone(self, source: str, name: str) -> None:
        """A child of a protected snapshot, as libvirt makes it; a whole copy of an image that cannot have children."""
        image = f"{self.pool}/{source}"
        if "layering" not in self._json("info", image).get("features", []):
            self._rbd("cp", "--no-progress", image, name)
            return
        snapshot = next((known for known in self._snapshots(image) if self._unchanged(image, known["name"])), None)
        if snapshot is None:
            snapshot = {"name": f"libvirt-{secrets.randbelow(65535)}", "protected": "false"}
            self._rbd("snap", "create", "--no-progress", f"{image}@{snapshot['name']}")
        if str(snapshot.get("protected")).lower() != "true":
            self._rbd("snap", "protect", f"{image}@{snapshot['name']}")
        self._rbd("clone", f"{image}@{snapshot['name']}", name)

    def _snapshots(self, image: str) -> list[dict[str, Any]]:
        return list(self._json("snap", "ls", image))

    def _unchanged(self, image: str, snapshot: str) -> bool:
        """Whether nothing was written since the snapshot."""
        return not self._json("diff", "--from-snap", snapshot, image)

    def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        shrink = ["--allow-shrink"] if flags & base.SHRINK else []
        self._rbd("resize", "--no-progress", *shrink, "--size", f"{capacity}B", f"{self.pool}/{volume.name}")

    def remove(self, volume: Volume, flags: int) -> None:
        name = f"{self.pool}/{volume.name}"
        if flags & WITH_SNAPSHOTS:
            for snapshot in self._snapshots(name):
                if str(snapshot.get("protected")).lower() == "true":
                    self._rbd("snap", "unprotect", f"{name}@{snapshot['name']}")
            self._rbd("snap", "purge", "--no-progress", name)
        with self._words() as words:
            status, _, problem = tools.attempt("rbd", *words, "rm", "--no-progress", name)
        if status:
            number = status if status in (errno.ENOTEMPTY, errno.EBUSY, errno.ENOENT) else errno.EIO
            hint = (
                "virsh vol-delete --delete-snapshots takes them too" if number == errno.ENOTEMPTY else problem.strip()
            )
            raise SystemFailure(
                f"failed to remove volume '{name}'",
                OSError(number, os.strerror(number)),
                origin=Origin.STORAGE,
                hint=hint,
            )

    def wipe(self, volume: Volume, algorithm: str) -> None:
        """Zeroes only: the image's objects are dropped and its length kept."""
        if algorithm not in ("zero", "trim"):
            raise InvalidArg(f"unsupported algorithm {wiping.ALGORITHMS.index(algorithm)}", origin=Origin.STORAGE)
        name, size = f"{self.pool}/{volume.name}", volume.capacity or 0
        self._rbd("resize", "--no-progress", "--allow-shrink", "--size", "0", name)
        self._rbd("resize", "--no-progress", "--size", f"{size}B", name)


def _address(host: Any) -> str:
    shown = f"[{host.name}]" if ":" in str(host.name) else str(host.name)
    return f"{shown}:{host.port}" if host.port else shown
