"""ZFS pools: a dataset whose ZVOLs are the volumes."""

from __future__ import annotations

import os

from kvasir.errors import ConfigUnsupported, Origin
from kvasir.host import tools
from kvasir.model.storage import Volume

from .blocks import BlockPool


class ZfsPool(BlockPool):
    """A ZFS pool, or a dataset in one."""

    TYPE, NUMBER = "zfs", 12
    SHOWS = ("devices", "name")
    TARGET = "/dev/zvol/{name}"

    @property
    def dataset(self) -> str:
        return str(self.source.name)

    def active(self) -> bool:
        return os.path.isdir(self.path)

    def build(self, flags: int) -> None:
        if not self.source.devices:
            raise ConfigUnsupported("missing source devices", origin=Origin.STORAGE)
        tools.run("zpool", "create", self.dataset, *(str(device.path) for device in self.source.devices))

    def delete(self, flags: int) -> None:
        tools.run("zpool", "destroy", self.dataset)

    def scan(self) -> list[Volume]:
        top = self.dataset.partition("/")[0]
        out = tools.run("zpool", "get", "-Hp", "health,size,free,allocated", top)
        sizes = {words[1]: words[2] for line in out.splitlines() if len(words := line.split("\t")) >= 3}
        document = self.document
        document.capacity, document.available, document.allocation = (
            int(sizes.get(name, 0)) for name in ("size", "free", "allocated")
        )
        return self._read()

    def _read(self) -> list[Volume]:
        out = tools.run("zfs", "list", "-Hp", "-t", "volume", "-r", "-o", "name,volsize,refreservation", self.dataset)
        found = []
        for line in out.splitlines():
            words = line.split("\t")
            if len(words) < 3 or not words[0].startswith(f"{self.dataset}/"):
                continue
            name = words[0].rpartition("/")[2]
            path = f"{self.path}/{name}"
            volume = Volume(type="block", name=name, key=f"{self.dataset}/{name}", path=path)
            volume.capacity, volume.allocation = int(words[1]), int(words[2])
            found.append(volume)
        return found

    def update(self, volume: Volume) -> None:
        """ZFS said all of it when the pool was read."""

    def prepare(self, volume: Volume) -> None:
        volume.type = "block"
        volume.path, volume.key = f"{self.path}/{volume.name}", f"{self.dataset}/{volume.name}"

    def create(self, volume: Volume, source: Volume | None, flags: int) -> None:
        sparse = volume.allocation is not None and volume.allocation < (volume.capacity or 0)
        plain = "volmode" in tools.attempt("zfs", "get")[2]
        words = [
            "create",
            *(["-o", "volmode=dev"] if plain else []),
            *(["-s"] if sparse else []),
            "-V",
            f"{-(-(volume.capacity or 0) // 1024)}K",
        ]
        name = f"{self.dataset}/{volume.name}"
        tools.run("zfs", *words, name)
        try:
            if source is not None:
                self.fill(volume, source)
            for found in self._read():
                if found.name == volume.name:
                    volume.capacity, volume.allocation = found.capacity, found.allocation
        except BaseException:
            tools.attempt("zfs", "destroy", name)
            raise

    def remove(self, volume: Volume, flags: int) -> None:
        tools.run("zfs", "destroy", f"{self.dataset}/{volume.name}")
