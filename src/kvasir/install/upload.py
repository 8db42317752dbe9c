"""Kernels, initrds and seeds for a guest on another host: put there as volumes of a pool, taken away when it has started."""

from __future__ import annotations

import os
from typing import Any
from xml.etree import ElementTree as ET

from .pools import free_name

CHUNK = 256 << 10
WITH_BUILD = 1
SYSTEM_FOLDER = "/var/lib/libvirt/boot"


def is_remote(connection: Any) -> bool:
    """Whether the daemon is on another host, so that its files cannot be seen from here."""
    uri = getattr(connection, "uri", None)
    host, transport = str(getattr(uri, "host", "")), str(getattr(uri, "transport", ""))
    return bool(host) and transport != "unix"


class Uploads:
    """Files put on the daemon's host."""

    def __init__(self, connection: Any, folder: str = SYSTEM_FOLDER) -> None:
        self.connection, self.folder = connection, folder
        self._pool: Any = None
        self._made = False
        self.volumes: list[Any] = []

    def pool(self) -> Any:
        """The pool over the folder; a transient one is made where there is none."""
        if self._pool is None:
            pools = self.connection.listAllStoragePools(0)
            for pool in pools:
                if ET.fromstring(pool.XMLDesc(0)).findtext("target/path") == self.folder:
                    if not pool.isActive():
                        pool.create(0)
                    self._pool = pool
                    return pool
            taken = {p.name() for p in pools}
            root = ET.Element("pool", {"type": "dir"})
            ET.SubElement(root, "name").text = free_name("boot-scratch", lambda n: n in taken)
            ET.SubElement(ET.SubElement(root, "target"), "path").text = self.folder
            self._pool = self.connection.storagePoolCreateXML(ET.tostring(root, encoding="unicode"), WITH_BUILD)
            self._made = True
        return self._pool

    def put(self, path: str) -> str:
        """Upload a file and give its path on the other host."""
        size = os.path.getsize(path)
        pool = self.pool()
        taken = set(pool.listVolumes())
        root = ET.Element("volume")
        ET.SubElement(root, "name").text = free_name(os.path.basename(path), lambda n: n in taken)
        ET.SubElement(root, "capacity").text = str(size)
        ET.SubElement(root, "allocation").text = "0"
        ET.SubElement(ET.SubElement(root, "target"), "format", {"type": "raw"})
        volume = pool.createXML(ET.tostring(root, encoding="unicode"), 0)
        self.volumes.append(volume)
        stream = self.connection.newStream(0)
        try:
            volume.upload(stream, 0, size, 0)
            with open(path, "rb") as file:
                while data := file.read(CHUNK):
                    stream.send(data)
        except BaseException:
            stream.abort()
            raise
        stream.finish()
        return str(volume.path())

    def remove(self) -> None:
        """Delete what was put there, and the pool that was made for it."""
        for volume in self.volumes:
            volume.delete(0)
        self.volumes.clear()
        if self._made and self._pool is not None:
            self._pool.destroy()
            self._pool, self._made = None, False
