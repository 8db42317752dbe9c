"""The storage phases of ``drive.py``: one client (libvirt-python) on either daemon. Each prints seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import libvirt  # type: ignore[import-not-found]  # one of the peers

SIZE = 4 << 30
ISLANDS, ISLAND = 16, 4 << 20
"""Data in the sparse volume: so many runs of so many bytes."""
SPARSE = 1


def timed(work: Callable[[], Any]) -> None:
    began = time.monotonic()
    work()
    print(time.monotonic() - began)


def pool(connection: Any, folder: str) -> Any:
    """A running directory pool."""
    try:
        return connection.storagePoolLookupByName("bench")
    except libvirt.libvirtError:
        path = os.path.join(folder, "pool")
        os.makedirs(path, exist_ok=True)
        document = f"<pool type='dir'><name>bench</name><target><path>{path}</path></target></pool>"
        return connection.storagePoolCreateXML(document, 0)


def volume(connection: Any, folder: str, name: str, form: str = "raw", allocation: int = 0) -> Any:
    text = (
        f"<volume><name>{name}</name><capacity>{SIZE}</capacity><allocation>{allocation}</allocation>"
        f"<target><format type='{form}'/></target></volume>"
    )
    return pool(connection, folder).createXML(text, 0)


def created(connection: Any, number: int, folder: str) -> None:
    """Volumes of 4 GiB, raw and sparse, then qcow2."""
    for form in ("raw", "qcow2"):
        for index in range(number):
            timed(lambda form=form, index=index: volume(connection, folder, f"{form}-{index}", form))  # type: ignore[misc]


def sparse_file(folder: str) -> str:
    path = os.path.join(folder, "sparse")
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.truncate(SIZE)
            for index in range(ISLANDS):
                file.seek(index * (SIZE // ISLANDS))
                file.write(os.urandom(ISLAND))
    return path


def _hole(stream: Any, fd: int) -> Any:
    place, end = os.lseek(fd, 0, os.SEEK_CUR), os.fstat(fd).st_size
    try:
        start = os.lseek(fd, place, os.SEEK_DATA)
    except OSError:
        start = end
    data = start == place and place < end
    stop = os.lseek(fd, place, os.SEEK_HOLE) if data else start
    os.lseek(fd, place, os.SEEK_SET)
    return [data, stop - place]


def uploaded(connection: Any, number: int, folder: str) -> None:
    """A sparse file of 4 GiB with 64 MiB of data, holes as holes."""
    target = volume(connection, folder, "up")
    fd = os.open(sparse_file(folder), os.O_RDONLY)

    def work() -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        stream = connection.newStream()
        target.upload(stream, 0, SIZE, SPARSE)
        stream.sparseSendAll(
            lambda _, count, file: os.read(file, count), _hole, lambda _, length, file: os.lseek(file, length, 1), fd
        )
        stream.finish()

    for _ in range(number):
        timed(work)


def downloaded(connection: Any, number: int, folder: str) -> None:
    """The same back."""
    source = pool(connection, folder).storageVolLookupByName("up")
    fd = os.open(os.path.join(folder, "down"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    def work() -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        stream = connection.newStream()
        source.download(stream, 0, SIZE, SPARSE)
        stream.sparseRecvAll(
            lambda _, data, file: os.write(file, data), lambda _, length, file: os.lseek(file, length, 1), fd
        )
        stream.finish()

    for _ in range(number):
        timed(work)


def dense(connection: Any, number: int, folder: str) -> None:
    """256 MiB of data up, then down, without holes."""
    target = volume(connection, folder, "dense")
    chunk, rest = os.urandom(1 << 20), [0]

    def read(_: Any, count: int, __: Any) -> bytes:
        size = min(count, rest[0], len(chunk))
        rest[0] -= size
        return chunk[:size]

    def up() -> None:
        rest[0] = 256 << 20
        stream = connection.newStream()
        target.upload(stream, 0, 0, 0)
        stream.sendAll(read, None)
        stream.finish()

    def down() -> None:
        stream = connection.newStream()
        target.download(stream, 0, 256 << 20, 0)
        stream.recvAll(lambda *_: 0, None)
        stream.finish()

    for work in (up, down):
        for _ in range(number):
            timed(work)


def cloned(connection: Any, number: int, folder: str) -> None:
    """A copy of the sparse volume."""
    place = pool(connection, folder)
    source = place.storageVolLookupByName("up")
    for index in range(number):
        text = (
            f"<volume><name>clone-{index}</name><capacity>{SIZE}</capacity><allocation>0</allocation>"
            "<target><format type='raw'/></target></volume>"
        )
        timed(lambda text=text: place.createXMLFrom(text, source, 0))  # type: ignore[misc]


def wiped(connection: Any, number: int, folder: str) -> None:
    """Zeroes over 256 MiB that are allocated."""
    place = pool(connection, folder)
    text = f"<volume><name>wipe</name><capacity>{256 << 20}</capacity><target><format type='raw'/></target></volume>"
    target = place.createXML(text, 0)
    for _ in range(number):
        timed(lambda: target.wipe(0))


def refreshed(connection: Any, number: int, folder: str) -> None:
    """A pool with ``number`` volumes is read anew, and listed."""
    place = pool(connection, folder)
    for index in range(number):
        with open(os.path.join(folder, "pool", f"many-{index}"), "wb"):
            pass
    for _ in range(3):
        timed(lambda: place.refresh(0))
    for _ in range(3):
        timed(lambda: [found.name() for found in place.listAllVolumes(0)])
    place.destroy()


PHASES = {
    "vol-create": created,
    "vol-upload": uploaded,
    "vol-download": downloaded,
    "vol-dense": dense,
    "vol-clone": cloned,
    "vol-wipe": wiped,
    "vol-refresh": refreshed,
}
