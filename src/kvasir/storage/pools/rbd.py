"""Ceph pools: the images of a RADOS pool, by the ``rbd`` and ``ceph`` tools."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from kvasir.errors import ConfigUnsupported, InternalError, OperationInvalid, Origin
from kvasir.host import tools
from kvasir.model.storage import Volume

from .. import images
from . import base
from .base import PoolKind

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
            out = tools.run("ceph", *words, "df", "--format", "json")
        document = self.document
        for found in json.loads(out).get("pools", []):
            if found.get("name") == self.pool:
                stats = found.get("stats", {})
                document.allocation = int(stats.get("bytes_used", 0))
                document.available = int(stats.get("max_avail", 0))
                document.capacity = document.allocation + document.available
        return [self._volume(entry["image"], int(entry["size"])) for entry in self._json("ls", "-l", self.pool)
                if "snapshot" not in entry]  # fmt: skip

    def _volume(self, name: str, size: int) -> Volume:
        path = f"{self.pool}/{name}"
        volume = Volume(type="network", name=name, path=path, key=path, format="raw")
        volume.capacity = volume.allocation = size
        return volume

    def update(self, volume: Volume) -> None:
        volume.capacity = int(self._json("info", f"{self.pool}/{volume.name}")["size"])

    def prepare(self, volume: Volume) -> None:
        if "/" in str(volume.name) or "@" in str(volume.name):
            raise OperationInvalid(f"volume name '{volume.name}' cannot contain '/'", origin=Origin.STORAGE)
        volume.type, volume.format = "network", "raw"
        volume.path = volume.key = f"{self.pool}/{volume.name}"

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        if volume.encryption is not None:
            raise ConfigUnsupported("storage pool does not support encrypted volumes", origin=Origin.STORAGE)
        name = f"{self.pool}/{volume.name}"
        if source is None:
            self._rbd("create", "--size", f"{-(-(volume.capacity or 0) // (1 << 20))}M", name)
        elif source.type == "network":
            self._rbd("cp", f"{self.pool}/{source.name}", name)
        else:
            self._rbd("import", str(source.path), name)

    def resize(self, volume: Volume, capacity: int, flags: int) -> None:
        shrink = ["--allow-shrink"] if flags & base.SHRINK else []
        self._rbd("resize", *shrink, "--size", f"{-(-capacity // (1 << 20))}M", f"{self.pool}/{volume.name}")

    def remove(self, volume: Volume, flags: int) -> None:
        name = f"{self.pool}/{volume.name}"
        if flags & 2:
            self._rbd("snap", "purge", name)
        self._rbd("rm", "--no-progress", name)

    def wipe(self, volume: Volume, algorithm: str) -> None:
        """Zeroes only: the image's objects are dropped and its length kept."""
        if algorithm not in ("zero", "trim"):
            raise base.no_support(f"{algorithm} is not supported for wiping RBD volumes")
        name, size = f"{self.pool}/{volume.name}", volume.capacity or 0
        self._rbd("resize", "--allow-shrink", "--size", "0", name)
        self._rbd("resize", "--size", f"{size}B", name)


def _address(host: Any) -> str:
    shown = f"[{host.name}]" if ":" in str(host.name) else str(host.name)
    return f"{shown}:{host.port}" if host.port else shown
